#!/bin/sh
# Installs Glean's wheel with some of its extras into /opt/glean, without pip: install-glean EXTRAS
set -eu
python3 -m venv --without-pip /opt/glean
set -- /wheel/glean-*.whl "$1"
/opt/build/bin/pip --python /opt/glean/bin/python install --only-binary :all: \
    --constraint /src/constraints.txt "$1[$2]"
# Tests of packages and their bytecode: nobody runs them here.
find /opt/glean/lib -type d -name tests -path '*-packages/*' -prune -exec rm -rf {} +
