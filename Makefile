PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test soak check bench bench-features audit nightly oldest deb vm arm clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(MAKEFILE_LIST) | expand -t 16

demo: $(VENV)/demo.stamp ## camera to collector without hardware; ONCE=1 ends by itself, VIDEO=path takes a clip, PORT=8080
	@$(BIN)/python -m demo $(if $(ONCE),--once) $(if $(VIDEO),--video "$(VIDEO)") $(if $(PORT),--port $(PORT))

test: $(VENV)/dev.stamp ## all tests, in under ten minutes on two cores
	@$(BIN)/python -m pytest --numprocesses 2 --dist worksteal $(ARGS)

soak: $(VENV)/dev.stamp ## random faults on whole devices, and the account of each; ARGS="--faults 10000" or "--minutes 60"
	@PYTHONPATH=tests $(BIN)/python -m soak $(ARGS)

check: $(VENV)/dev.stamp ## lint, format and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: ## what frames, noise and memory cost, beside what others would take
	@test -d $(VENV)-bench || $(PYTHON) -m venv $(VENV)-bench
	@$(VENV)-bench/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	@$(VENV)-bench/bin/python -m benchmarks $(ARGS)

bench-features: ## keypoints and descriptors on private maps, beside what else is known: DATA=folder of clips and photographs
	@test -d $(VENV)-bench || $(PYTHON) -m venv $(VENV)-bench
	@$(VENV)-bench/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	@$(VENV)-bench/bin/python -m benchmarks.features $(or $(DATA),../shared/data) --jobs 2 $(ARGS)

audit: $(VENV)/dev.stamp ## every claim against exhaustion, attack or mutation, in one table: audit-run; about ten minutes
	@$(BIN)/python -m audit --out audit-run $(ARGS)

nightly: $(VENV)/dev.stamp ## the estimators of min-entropy on a million samples, and against NIST's tool where it is installed
	@SPECKLED_NIGHTLY=1 $(BIN)/python -m pytest tests/edge/test_estimators_nist.py --timeout 1800 $(ARGS)

oldest: ## the tests of the numeric rooms with the oldest numpy that is supported
	@test -d $(VENV)-oldest || $(PYTHON) -m venv $(VENV)-oldest
	@$(VENV)-oldest/bin/pip install --quiet --disable-pip-version-check -c constraints-oldest.txt -e '.[collector,dev]'
	@$(VENV)-oldest/bin/python -m pytest tests/edge tests/audit tests/wire $(ARGS)

deb: ## a Debian package in dist: ARCH=arm64 (default) or amd64; docs/install.md
	@PYTHON=$(PYTHON) packaging/deb $(or $(ARCH),arm64)

vm: $(BIN)/python ## as root: the units and the real picamera2 in a virtual machine with Debian 13; 4 GB in ~/.cache/speckled
	@PYTHON=$(BIN)/python tests/vm/run

arm: $(VENV)/dev.stamp ## as root: the numeric rooms on emulated Cortex-A53, A72 and A76, and their numbers beside ours
	@PYTHON=$(BIN)/python tests/arm/run

clean: ## remove everything that make made
	rm -rf $(VENV) $(VENV)-oldest $(VENV)-bench demo-run audit-run build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "speckled needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/demo.stamp: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Setting up $(VENV) (once, about a minute) ..."
	@$(PIP) --editable '.[collector,demo]'
	@touch $@

$(VENV)/dev.stamp: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Setting up $(VENV) for development (once, about a minute) ..."
	@$(PIP) --editable '.[collector,demo,dev]'
	@$(PIP) spidev 2>/dev/null || echo "Without a C compiler the tests of the real spidev extension are skipped."
	@touch $@
