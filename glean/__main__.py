"""`python -m glean` is the command `glean`."""

from glean.cli.app import main

main()
