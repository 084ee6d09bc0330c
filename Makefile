# make run: set up everything and run the main job. make test: set up everything and run the tests.
# make serve: set up everything and serve the control room on this machine.
# make bench-quick: what Glean costs as ratios, beside the table in benchmarks/limits.csv.
# make test-all: the tests, those that take minutes too, then the measurements with a limit to keep.
PYTHON ?= python3
# Tests of the service that ask most of its database; make test-all has all of them on both.
ON_POSTGRESQL := $(addprefix tests/service/test_,runs.py tokens.py invitations.py alerts.py)
BIN := .venv/bin
STAMP := .venv/.installed
ALL := .venv/.installed-all

.PHONY: run test test-all serve lint types bench bench-quick data clean

run: $(STAMP)
	@$(BIN)/glean setup
	$(BIN)/glean simulate --growth

serve: $(STAMP)
	$(BIN)/glean serve --init

test: $(ALL)
	@$(BIN)/glean setup
	$(BIN)/pytest -n auto -m 'not slow and not long' --durations=15
	GLEAN_TEST_DATABASE=postgresql $(BIN)/pytest -n auto -m 'not slow and not long' $(ON_POSTGRESQL)
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder -m 'slow and not long' --durations=15

test-all: test
	GLEAN_TEST_DATABASE=postgresql $(BIN)/pytest -n auto tests/service
	$(BIN)/pytest -m long
	$(BIN)/python -m benchmarks.merge
	$(BIN)/python -m benchmarks.many_bakeries

lint: $(ALL)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive glean

types: $(ALL)
	$(BIN)/mypy

bench: $(ALL)
	$(BIN)/python -m benchmarks

bench-quick: $(ALL)
	$(BIN)/python -m benchmarks.quick

data: $(STAMP)
	$(BIN)/glean data generate

clean:
	rm -rf .venv results .pytest_cache .mypy_cache .ruff_cache .hypothesis

# Installs again only when what is to be installed has changed.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "Glean needs Python 3.11 or later; this is $$($(PYTHON) --version). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	    || { echo "Python lacks venv. On Debian or Ubuntu: apt-get install python3-venv"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(STAMP)

# With PyTorch, which only the workload of pictures needs, and which is large, and what a platform's
# parts need: brokers, databases, registries, storage.
$(ALL): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,images,platform-dev]'
	@touch $(ALL)
