# Every target makes the environment it needs. Nothing here deletes results.
#
#   make sweep EXP=base_monster_colored ARGS="adapter.rank=2,8 seed=0,1"

SHELL := /bin/bash
PYTHON ?= python3
# Tested versions. A CUDA build of torch, or newer packages: `make CONSTRAINTS= sweep EXP=...`
CONSTRAINTS ?= constraints.txt
VENV := .venv
READY := $(VENV)/.ready
RUN := $(VENV)/bin/python -m
LAB := $(RUN) lab
# Keeps the working directory off sys.path, where datasets/ would pose as the library of that name.
export PYTHONSAFEPATH := 1
export HYDRA_FULL_ERROR := 1
export MLFLOW_DISABLE_TELEMETRY := true

.DEFAULT_GOAL := help
.PHONY: help setup sweep plan report results dataset pictures ui sync notebook test test-all lint format bench audit chaos base-model noun-classifier exam

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' Makefile | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(READY) ## make the virtual environment

$(READY): pyproject.toml $(CONSTRAINTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "PYTHON=$(PYTHON) must be Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 2; }
	@echo "making $(VENV) (once; a few minutes)"
	@$(PYTHON) -m venv $(VENV)
	@$(RUN) pip install --quiet --disable-pip-version-check --upgrade pip
	@$(RUN) pip install --quiet --disable-pip-version-check \
	  $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS)) --editable '.[dev]'
	@touch $@

# The experiment's name is checked by the lab, which lists the choices.
sweep: $(READY) ## EXP=name [ARGS=...]: train, sample, measure and compare every arm
	@$(LAB) sweep experiment=$(EXP) $(ARGS)

plan: $(READY) ## EXP=name [ARGS=...]: which runs are new, done, partial or stale, and the minutes they take
	@$(LAB) plan experiment=$(EXP) $(ARGS)

report: $(READY) ## EXP=name: write sheets, verdicts and page again
	@$(LAB) report experiment=$(EXP) $(ARGS)

results: $(READY) ## write the verdicts of all finished experiments into experiments/README.md
	@$(LAB) results $(ARGS)

dataset: $(READY) ## DATASET=name [ARGS=...]: build one dataset and show its contact sheet
	@$(LAB) dataset dataset=$(DATASET) $(ARGS)

pictures: $(READY) ## EXP=name [PROMPT="green monster"]: the README's pictures; needs a Chromium
	@$(LAB) pictures experiment=$(EXP) $(if $(PROMPT),"prompt=$(PROMPT)") $(ARGS)

ui: $(READY) ## [EXP=name]: open the MLflow UI on the lab's store
	@$(LAB) ui $(if $(EXP),experiment=$(EXP)) $(ARGS)

sync: $(READY) ## mirror all run folders to MLflow
	@$(LAB) sync $(ARGS)

notebook: $(VENV)/.notebooks ## open JupyterLab on notebooks/
	@$(RUN) jupyterlab notebooks

$(VENV)/.notebooks: $(READY)
	@$(RUN) pip install --quiet --disable-pip-version-check \
	  $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS)) --editable '.[notebooks]'
	@touch $@

base-model: $(VENV)/.pretrain ## [ARGS=--toy]: make the embedded base model from nothing (hours)
	@$(RUN) lab.pretrain $(ARGS)

noun-classifier: $(VENV)/.pretrain ## make the classifier behind the probe noun/... from nothing (minutes)
	@$(RUN) lab.pretrain.noun_classifier $(ARGS)

exam: $(VENV)/.pretrain ## the written exam of the embedded base model; status 1 when a bar falls short
	@$(RUN) lab.pretrain.exam $(ARGS)

$(VENV)/.pretrain: $(READY)
	@$(RUN) pip install --quiet --disable-pip-version-check \
	  $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS)) --editable '.[pretrain]'
	@touch $@

# One process for each core, at most eight; the tests of a file stay together, because they share
# what is expensive to make. `make test ARGS="-n 0 tests/test_x.py"` runs in this process.
TESTS := $(RUN) pytest --numprocesses auto --maxprocesses 8 --dist loadfile \
  --no-loadscope-reorder

test: $(READY) ## the tests that take seconds, on all cores
	@$(TESTS) -m "not slow" $(ARGS)

test-all: $(READY) ## all tests, slow ones too
	@$(TESTS) $(ARGS)

bench: $(READY) ## [ARGS=only=packed,start]: speed, as ratios measured in turns; all parts: only=all
	@$(RUN) lab.bench $(ARGS)

audit: $(READY) ## [ARGS=--replicates=200]: how often the verdicts err; writes experiments/AUDIT.md
	@$(RUN) lab.bench.audit $(ARGS)

chaos: $(READY) ## [ARGS=--kills=50]: kill sweeps at random moments; status 1 when a byte differs after
	@$(RUN) lab.bench.chaos $(ARGS)

lint: $(READY) ## ruff and mypy
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) mypy

format: $(READY) ## let ruff format the code
	@$(RUN) ruff check --fix .
	@$(RUN) ruff format .
