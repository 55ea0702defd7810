# The everyday commands. `make check` is what has to pass before a change lands.
PYTHON ?= python3
BIN = .venv/bin

MINUTES ?= 30
SIZE ?= 400

.PHONY: help install check lint test coverage validate mutate mutate-sample soak bench fuzz gallery docs clean

help:
	@echo "make install   a virtual environment in .venv with everything for development"
	@echo "make check     linters, types and the test suite"
	@echo "make test      the test suite alone"
	@echo "make coverage  which branches of sim/ no test takes (long: the model is then plain Python, and traced)"
	@echo "make validate  the slow proofs: every queue with a known answer, by replication, and random cases that no run has had"
	@echo "make mutate    ten bugs made on purpose: the suite has to catch each within two minutes"
	@echo "make mutate-sample   how many of SIZE small changes to model, fleet and results it catches (SIZE=all: hours)"
	@echo "make soak      random scenarios over the whole schema for MINUTES=30; a finding is written as a scenario in outputs/soak"
	@echo "make bench     how fast the engine is, beside yardsticks in the same run"
	@echo "make fuzz      hostile input for every reader: INPUTS=1000000 over all of them, SEED=1"
	@echo "make gallery   run the seventeen systems of the gallery, two at a time, and say how long they take together"
	@echo "make docs      run everything the documentation quotes and rebuild its pages and pictures"

install: $(BIN)/pytest

$(BIN)/pytest: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet -e '.[dev]'
	@touch $@

check: lint test

lint: install
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

test: install
	$(BIN)/pytest -n auto --dist worksteal

# Nothing traces compiled functions, so what can be is run in plain Python; the rest would take hours that way.
# A test that the tracer makes too slow does not end it: what counts here is which branches were taken.
coverage: install
	$(BIN)/coverage erase
	-NUMBA_DISABLE_JIT=1 $(BIN)/coverage run -m pytest tests/unit tests/property tests/contract tests/faults
	-$(BIN)/coverage run -m pytest tests/e2e tests/validation
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report
	$(BIN)/coverage json --quiet -o - | $(BIN)/python -m tests.branches

validate: install
	$(BIN)/pytest -m slow -n auto --dist worksteal
	$(BIN)/pytest tests/property -n auto --dist worksteal --hypothesis-profile=random

mutate: install
	$(BIN)/python -m tests.mutation.gate

mutate-sample: install
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m tests.mutation.sample --size $(SIZE)

soak: install
	$(BIN)/python -m tests.swarm.soak --minutes $(MINUTES)

bench: install
	$(BIN)/pytest -m bench tests/benchmarks

INPUTS ?= 100000
SEED ?= 1
fuzz: install
	$(BIN)/pip install --quiet -e '.[fuzz]'
	$(BIN)/python -m tests.fuzz --inputs $(INPUTS) --seed $(SEED)

gallery: install
	time $(BIN)/fleetcast examples --json \
	  | $(BIN)/python -c "import json, sys; print(*[row['name'] for row in json.load(sys.stdin) if row['gallery']], sep='\n')" \
	  | xargs -P 2 -I NAME sh -c '$(BIN)/fleetcast run NAME --no-save --quiet > /dev/null && echo NAME'

docs: install
	$(BIN)/python docs/build.py
	$(BIN)/python docs/run_notebooks.py

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
