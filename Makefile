# `make demo` and `make test` on a fresh machine: only python3 >= 3.11 with pip, and make, are needed.
# All is installed into .venv, and again only when pyproject.toml or constraints.txt changed.

PYTHON ?= python3
PIP_FLAGS ?=
DEMO_ARGS ?=
PYTEST_ARGS ?=
# Test processes; each may use all cores.
TEST_JOBS ?= auto

VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo test test-all docs clean

help:
	@echo "make demo   install, render a real portrait, and say where the result is (DEMO_ARGS: options of render)"
	@echo "make test   install, then run ruff, mypy and pytest (PYTEST_ARGS: what to run; TEST_JOBS: processes)"
	@echo "make test-all  the same, with the slow tests"
	@echo "make docs   install, then build the documentation into build/site"
	@echo "make clean  remove the environment, the demo's pictures and all caches"

demo: $(VENV)/installed-demo
	@$(BIN)/python scripts/demo.py $(DEMO_ARGS)

test: $(VENV)/installed-test
	@echo "== ruff check"
	@$(BIN)/ruff check .
	@echo "== ruff format --check"
	@$(BIN)/ruff format --check .
	@echo "== mypy, while the kernels are compiled"
	@$(BIN)/python scripts/compile_kernels.py & $(BIN)/mypy && wait $$!
	@echo "== pytest"
	@$(BIN)/python -m pytest -n $(TEST_JOBS) --dist worksteal $(PYTEST_ARGS)

test-all: PYTEST_ARGS += -m ""
test-all: test

docs: $(VENV)/installed-docs
	@$(BIN)/python scripts/cli_reference.py
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet
	@echo "build/site/index.html"

$(VENV)/installed-demo: EXTRAS := demo
$(VENV)/installed-docs: EXTRAS := docs
$(VENV)/installed-test: EXTRAS := dev,train
$(VENV)/installed-demo $(VENV)/installed-docs $(VENV)/installed-test: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if v >= (3, 11) else \
	    "$(PYTHON): expected Python 3.11 or later (make PYTHON=...), found %d.%d" % v[:2])'
	@echo "== installing .[$(EXTRAS)] into $(VENV) (the first time some minutes)"
	@test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV) >/dev/null || { \
	    echo "venv brings no pip here; the system's pip installs one"; \
	    $(PYTHON) -m venv --clear --without-pip $(VENV) && \
	    $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; }
	@$(BIN)/python -m pip install --quiet $(PIP_FLAGS) -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $@

clean:
	rm -rf $(VENV) demo build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis src/*.egg-info
	find src tests scripts benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
