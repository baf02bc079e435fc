# `make demo` and `make test` each do all the set-up they need; nothing is written outside this folder but uv's cache.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3.11
export UV_PYTHON_DOWNLOADS := never
# The index brings hnswlib as source: built for any CPU of this kind, not for the builder's alone.
export HNSWLIB_NO_NATIVE := 1
ENV := source .envrc &&
# By group (tests/suite.py): what tests share is made once. More workers would make it anew more often than they save.
TESTS_SIDE_BY_SIDE := --numprocesses auto --maxprocesses 4 --dist loadscope
UV := $(shell command -v uv || echo .tools/uv/bin/uv)

.PHONY: help setup demo test test-long test-quick lint types lock benchmarks docs clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 14

.PHONY: python
python:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing: install Python 3.11, or name another with make PYTHON=..."; exit 1; }

.tools/uv/bin/uv: | python
	@$(PYTHON) -m pip --version >/dev/null || { echo "$(PYTHON) has no pip: install it (Debian: python3-pip), or install uv."; exit 1; }
	@echo "uv is not on this machine: putting it into .tools/"
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --target .tools/uv uv

.venv/installed: $(filter .tools/%,$(UV)) requirements.txt pyproject.toml edge_runtime/pyproject.toml | python
	@echo "installing the environment (about 7 GB, mostly torch's CUDA libraries)"
	@unset PYTHONDONTWRITEBYTECODE; test -x .venv/bin/python || $(UV) venv --quiet --python $(PYTHON) .venv
	@unset PYTHONDONTWRITEBYTECODE; $(UV) pip sync --python .venv/bin/python --compile-bytecode --require-hashes requirements.txt
	@$(UV) pip install --quiet --python .venv/bin/python --no-deps --editable . --editable edge_runtime
	@touch $@

setup: .venv/installed  ## install everything and bring the local stack up
	@$(ENV) discern stack apply local
	@$(ENV) discern release init
	@echo "Ready: run \`source .envrc\` in each new shell, then \`discern --help\`."

demo: .venv/installed  ## sample pills, from photos to an answer on the device, in minutes
	@$(ENV) discern demo

test: .venv/installed lint types  ## everything that CI runs
	@$(ENV) python -m pytest $(TESTS_SIDE_BY_SIDE) --cpu-times 20 -m "not long"

# An S3 server that checks signatures and knows no condition on a write; its requirements do not fit ours.
.tools/swift/installed: $(filter .tools/uv/%,$(UV)) | python
	@echo "installing Swift (OpenStack's object store) for the long tests"
	@$(UV) venv --quiet --clear --python $(PYTHON) .tools/swift
	@$(UV) pip install --quiet --python .tools/swift/bin/python "swift==2.38.3" "setuptools<81"
	@touch $@

test-long: .venv/installed .tools/swift/installed  ## the tests that take minutes, or repeat others at scale
	@$(ENV) python -m pytest --cpu-times 20 -m long

test-quick: .venv/installed  ## the tests nearest to what you changed, in 20 seconds
	@$(ENV) python -m tests.quick

lint: .venv/installed  ## style and the import rule
	@$(ENV) ruff check . && ruff format --check . && lint-imports

types: .venv/installed  ## static types
	@$(ENV) mypy

lock: $(filter .tools/%,$(UV))  ## resolve both lock files anew
	@$(UV) pip compile --quiet --universal --generate-hashes --no-header --no-annotate --no-emit-package discern-edge \
		--extra dev --python-version 3.11 --output-file requirements.txt pyproject.toml
	@cd edge_runtime && $(abspath $(UV)) pip compile --no-config --quiet --universal --generate-hashes --no-header --no-annotate \
		--extra cpu --extra heif --extra s3 --python-version 3.10 --output-file requirements.txt pyproject.toml

docs: .venv/installed  ## write docs/configs.md from the models, and the tables of docs/results.md from benchmarks/results
	@$(ENV) python -m cli.config_page
	@$(ENV) python -m benchmarks.tables

clean:  ## remove everything that was made here but the signing keys, which devices and buckets rely on
	rm -rf .venv .tools
	@if test -d .discern; then find .discern -mindepth 1 -maxdepth 1 ! -name keys -exec rm -rf {} +; fi
