#!/bin/sh
# Installs into /opt/glean, an environment without pip:
#   install-glean dependencies EXTRAS      what Glean and some of its extras need
#   install-glean code                     Glean itself
set -eu
pip() { /opt/build/bin/pip --python /opt/glean/bin/python "$@"; }
case $1 in
dependencies)
    python3 -m venv --without-pip /opt/glean
    extras=$2
    set -- /without-code/glean-*.whl
    pip install --only-binary :all: --constraint /src/constraints.txt "$1[$extras]"
    # Tests of packages: nobody runs them here.
    find /opt/glean/lib -type d -name tests -path '*-packages/*' -prune -exec rm -rf {} +
    ;;
code)
    pip install --no-index --no-deps --force-reinstall /wheel/glean-*.whl
    ;;
esac
