# `make run` and `make test` set up everything they need; each can be run again at any time.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Idle threads that spin take the cores from those that work; the job scheduler of the workflow divides the cores.
export OMP_WAIT_POLICY := passive
export UV_COMPILE_BYTECODE := 1
export PATH := $(CURDIR)/$(BIN):$(PATH)
# An empty variable, because Python would otherwise never keep compiled bytecode and start three times slower.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: setup run analyses reproduce-smoke test test-slurm test-container browser lint types schema lock bench clean help

help: ## list what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## make .venv and install from the lock

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' \
	  || { echo "setup: $(PYTHON) is not Python 3.11 or 3.12; name one: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	@echo "setup: installing the pinned packages into $(VENV)"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@
	@echo "setup: done"

run: setup ## compute every table and figure of config/config.yaml
	@echo "run: snakemake --cores all"
	snakemake --cores all --quiet rules host reason
	@echo "run: results/snakemake-report.html"
	snakemake --report results/snakemake-report.html --quiet host reason rules progress
	@$(BIN)/python -m smec summary results/tables/*.csv

analyses: setup ## every ablation and analysis of config/analyses.yaml
	@echo "analyses: snakemake --cores all analyses"
	snakemake --cores all analyses --quiet rules host reason
	snakemake --report results/snakemake-report.html --quiet host reason rules progress -- analyses
	@$(BIN)/python -m smec summary results/tables/*.csv

REPRODUCE ?= reproduce_paper
reproduce-smoke: setup ## every job of the paper's tables and figures, on small stand-ins; REPRODUCE names some of them
	@echo "reproduce-smoke: $(REPRODUCE)"
	snakemake --cores all --configfile config/paper.yaml --config scale=smoke --set-threads embed=1 embed_part=1 mine=1 \
	  --quiet rules host reason -- $(REPRODUCE)

test: setup ## all tests
	@echo "test: pytest"
	pytest

test-slurm: setup ## the workflow on a Slurm cluster of one node, which it installs by apt-get and starts; as root
	$(BIN)/python -m tests.slurm.install
	@echo "test-slurm: pytest"
	pytest -m slurm tests/slurm

test-container: setup ## the image of envs/Dockerfile, built and run without a registry; as root, with apt-get
	$(BIN)/python -m tests.container.install
	@echo "test-container: pytest"
	pytest -m container tests/container

browser: ## install Chromium where apt-get can, for the tests that look at the report
	@command -v chromium > /dev/null \
	  || { apt-get update --quiet=2 && apt-get install --quiet=2 --yes --no-install-recommends chromium; }

lint: setup ## format and lint of Python and of the workflow
	ruff format --check .
	ruff check .
	snakefmt --check Snakefile workflow
	snakemake --lint

types: setup ## mypy in strict mode
	mypy smec

schema: setup ## write config/schema.json anew from the settings models
	$(BIN)/python -m smec schema

lock: setup ## pin what pyproject.toml asks for, for every platform; add ARGS=--upgrade for newer versions
	$(BIN)/uv pip compile --quiet --universal --extra dev --no-header --no-annotate --no-emit-index-url $(ARGS) \
	  pyproject.toml -o requirements.lock
	$(BIN)/python -m envs

bench: setup ## speed tables under results/benchmarks
	$(BIN)/python -m benchmarks

clean: ## remove everything computed, keep the environment
	find results -mindepth 1 -maxdepth 1 ! -name README.md -exec rm -rf {} +
