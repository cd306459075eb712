# Each target sets up .venv by itself; `make help` lists them.

# The newest of 3.13, 3.12 and 3.11 that is here, if none is named. It decides
# which TensorFlow is installed; of a VENV that is there its own Python stays.
PYTHON ?=
VENV ?= .venv
RUN := $(VENV)/bin/python
# Newer than the files that decide what is installed, if that is installed.
STAMP := $(VENV)/installed
DOCS_STAMP := $(VENV)/installed-docs

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help

# Without a GPU, TensorFlow prints three "errors" on CUDA at each start; a true
# one is raised besides.
export TF_CPP_MIN_LOG_LEVEL ?= 3

##@ Use

.PHONY: demo
demo: lane  ## The whole chain on synthetic images, into runs/demo
	@$(RUN) tools/demo.py

.PHONY: camvid
camvid: lane  ## The whole chain on CamVid: make camvid CAMVID=FOLDER
	@test -f "$(CAMVID)/val.txt" || { echo "make camvid needs CamVid in SegNet's \
	layout, the folder of val.txt: make camvid CAMVID=FOLDER" >&2; exit 1; }
	$(RUN) tools/demo.py --dataset=camvid --data_dir="$(CAMVID)"

##@ Develop

# By file, for the tests of one file share what they build. A process takes up to
# 4 GB.
IN_PROCESSES := -n auto --maxprocesses=4 --dist=loadfile

.PHONY: test
test: lane lint  ## Format, lint, types and all tests (10 to 25 minutes on 2 cores)
	$(RUN) -m pytest $(IN_PROCESSES)

.PHONY: check
check: lane lint  ## The same without slow tests and whole chains (5 minutes)
	$(RUN) -m pytest $(IN_PROCESSES) -m 'not chain and not slow'

LANE_TESTS ?= chain or not slow

.PHONY: test-lane
test-lane: lane  ## Quick tests and whole chains, for a second Python
	$(RUN) -m pytest $(IN_PROCESSES) -m '$(LANE_TESTS)'

# Says what all that follows runs on.
.PHONY: lane
lane: $(STAMP)
	@lock=$$(.ci/lock_for "$(PYTHON)" "$(VENV)")
	echo "$$($(RUN) --version), $$(basename $$lock .txt), in $(VENV)"

.PHONY: lint
lint: $(STAMP)  ## Format, lint and types alone
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m mypy

.PHONY: format
format: $(STAMP)  ## Mend format and what the linter can mend
	$(RUN) -m ruff check --fix-only --quiet .
	$(RUN) -m ruff format .

# Anew each time, so that no page of a module that is gone stays.
.PHONY: docs
docs: $(DOCS_STAMP)  ## The pages and the API reference, docs/_build/html
	@rm -rf docs/_build docs/reference
	$(RUN) -m sphinx -q -W --keep-going docs docs/_build/html
	echo "Wrote docs/_build/html/index.html."

.PHONY: check-device
check-device: $(STAMP)  ## Compare this device with a CPU, then time it
	$(RUN) -m benchmarks.device

.PHONY: build-file
build-file: $(STAMP)  ## Write BUILD anew from the imports
	$(RUN) -m tests.build_file

.PHONY: setup
setup: $(STAMP)  ## Make .venv from its lock file, or bring it up to date

# What a lock file pins already stays, unless setup.cfg asks for another; delete
# a line, or the file, to have the newest.
LOCK = $(VENV)/bin/uv pip compile setup.cfg locks/build.in --quiet \
  --extra dev --extra geo --extra serving --extra onnx --extra openvino \
  --extra docs --extra gpu --no-annotate \
  --python-platform x86_64-unknown-linux-gnu --custom-compile-command 'make lock'

.PHONY: lock
lock: $(STAMP)  ## Write the lock files anew from setup.cfg
	$(LOCK) --python-version 3.11 -o locks/tensorflow-2.15.txt
	$(LOCK) --python-version 3.12 -o locks/tensorflow-2.20.txt

.PHONY: clean
clean:  ## Delete caches and build outputs; .venv and runs stay
	rm -rf build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	rm -rf docs/_build docs/reference
	find auto_deeplab benchmarks tools tests -name __pycache__ -prune -exec rm -rf {} +

.PHONY: help
help:
	@awk -F ':.*## ' '/^##@/ {print "\n" substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Takes its versions from the lock file, the builds of packages that come as
# source included. What pip says is of interest only if it fails.
PIP_INSTALL = $(RUN) -m pip install --quiet --disable-pip-version-check \
  --no-input -c $$lock

$(STAMP): $(wildcard locks/*.txt) setup.cfg pyproject.toml
	@lock=$$(.ci/lock_for "$(PYTHON)" "$(VENV)")
	# By its real name: the Pythons of uv make no environment by a link to them.
	[[ -e $(RUN) ]] || {
	  python="$(PYTHON)"
	  "$$(realpath "$$(command -v "$${python:-$$(.ci/find_python)}")")" -m venv $(VENV)
	}
	# Those that uv makes have no pip.
	$(RUN) -m pip --version > /dev/null 2>&1 || $(RUN) -m ensurepip > /dev/null
	echo "Installing $$lock for $$($(RUN) --version) into $(VENV); the first time \
	this takes minutes and 3.5 GB."
	{
	  $(PIP_INSTALL) pip &&
	  $(PIP_INSTALL) setuptools wheel &&
	  $(PIP_INSTALL) --build-constraint $$lock -e '.[dev,geo,serving,onnx,openvino]' &&
	  $(RUN) -m pip check
	} > $(VENV)/install.log 2>&1 || {
	  tail -n 20 $(VENV)/install.log >&2
	  echo "The installation failed; all that pip said: $(VENV)/install.log" >&2
	  exit 1
	}
	touch $@

# Sphinx is for `make docs` alone: the first one installs it.
$(DOCS_STAMP): $(STAMP)
	@lock=$$(.ci/lock_for "$(PYTHON)" "$(VENV)")
	echo "Installing what builds the pages into $(VENV)."
	$(PIP_INSTALL) --build-constraint $$lock -e '.[docs]'
	touch $@
