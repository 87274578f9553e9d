# Two commands set everything up: `make demo` runs the main job, `make test` passes the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Half of the time is waiting for processes and stores: twice as many workers as two cores would have.
PYTEST_ARGS ?= -n 4 --dist worksteal
SEEDS ?= 20
JOBS ?= 3

.PHONY: setup demo test test-deep lint format features schema lock bench chaos

setup: $(STAMP)

# The lock pins every package with its hashes; the project itself goes in without dependencies.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Tallyport needs Python 3.11 or newer; say which with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the pinned packages into $(VENV) (once, about a minute) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(STAMP)
	$(BIN)/tallyport demo --once --json

test: $(STAMP)
	$(BIN)/python -m pytest $(PYTEST_ARGS)

test-deep: $(STAMP)
	HYPOTHESIS_PROFILE=deep $(BIN)/python -m pytest $(PYTEST_ARGS)

# Real processes killed, stopped and lied to; `make chaos SEEDS=200` takes a while.
chaos: $(STAMP)
	$(BIN)/python -m tests.chaos --seeds $(SEEDS) --jobs $(JOBS)

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/codespell

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

features: $(STAMP)
	$(BIN)/python -m tests.features.report

schema: $(STAMP)
	$(BIN)/python -m tallyport.schema > api/schema.graphql

bench: $(STAMP)
	$(BIN)/python benchmarks/plan.py

# For maintainers: needs `uv`; the lock is universal (every supported Python and system) and names no index.
lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --extra dev --quiet pyproject.toml -o requirements.lock
