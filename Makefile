PYTHON ?= python3
VENV ?= .venv
TEST_PROCESSES ?= 2
PACKAGE_FILES := $(wildcard src/torchvitals/* functional/*.py callbacks/*.py callbacks/*/*.py callbacks/reporting/assets/* callbacks/*/*/*.py callbacks/*/*/*/*.py datamodules/*.py datamodules/*/* lightning_modules/*.py lightning_modules/*/*.py)

.PHONY: clinic mutants demo test lint clean

demo: $(VENV)/package.stamp  ## train a sick and a treated network and compare them
	$(VENV)/bin/python examples/demo.py

clinic: $(VENV)/package.stamp $(VENV)/test.stamp  ## judge the doctor on all programs of the clinic
	$(VENV)/bin/python benchmarks/clinic/judge.py --processes 2

mutants: $(VENV)/package.stamp $(VENV)/test.stamp  ## judge it on faults put into healthy programs
	$(VENV)/bin/python benchmarks/clinic/judge_mutants.py --processes 2

test: $(VENV)/package.stamp $(VENV)/test.stamp  ## run the whole test suite
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -n $(TEST_PROCESSES)

lint: $(VENV)/test.stamp .typing/torchvitals  ## style and types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy -p torchvitals

clean:
	rm -rf $(VENV) build dist *.egg-info .typing

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "Expected Python 3.10 or newer, but $(PYTHON) is older: try make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/dependencies.stamp: pyproject.toml | $(VENV)/bin/python
	$(VENV)/bin/pip install .
	touch $@

# build/ is removed first: setuptools would put files that no longer exist into the wheel.
$(VENV)/package.stamp: $(VENV)/dependencies.stamp $(PACKAGE_FILES)
	rm -rf build
	$(VENV)/bin/pip install --quiet --no-deps --force-reinstall .
	touch $@

$(VENV)/test.stamp: $(VENV)/dependencies.stamp
	$(VENV)/bin/pip install --quiet '.[test]'
	touch $@

# Type checkers follow a folder of links, not an installed mapping.
.typing/torchvitals:
	mkdir -p $@
	for f in src/torchvitals/*; do ln -s ../../$$f $@/; done
	for d in functional callbacks datamodules lightning_modules; do ln -s ../../$$d $@/$$d; done
