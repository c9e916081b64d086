# mmsearch: `make demo` shows it, `make test` checks it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
NAME ?=
MODELS ?=
SCALE ?=
FASHION_MNIST ?= /usr/share/datasets/fashion-mnist

.PHONY: help setup demo stop test lint test-fast test-others test-parts test-real test-scheduler soak bench quality demo-models clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(INSTALLED) ## Create the environment in .venv (done by the others when needed)

$(INSTALLED): pyproject.toml docker/constraints.txt docker/torchvision_hook.py docker/install_torchvision_hook.py
	@bash docker/setup.sh "$(PYTHON)" "$(VENV)"
	@touch $@

demo: $(INSTALLED) ## Start the embedded stack, index the sample catalog, publish results
	@$(BIN)/python -m mmsearch_core.demo.run

stop: ## End what `make demo` started, and nothing else
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m mmsearch_core.demo.stack stop; fi

# the scheduler's tests mostly wait, so the others run beside them
test: lint ## All that CI runs
	@$(MAKE) --no-print-directory --jobs 2 test-scheduler test-others

test-others: $(INSTALLED)
	@$(MAKE) --no-print-directory test-fast
	@$(MAKE) --no-print-directory test-parts

lint: $(INSTALLED) ## Style, types, layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

test-fast: $(INSTALLED) ## Unit and contract tests on fakes, DAG policy: seconds
	@$(BIN)/python -m pytest -n 2 -m "not (integration or scheduler or exhaustive)"

test-real: test-parts test-scheduler ## The real parts, what takes long, and the real scheduler

test-parts: $(INSTALLED) ## The real parts (store, Milvus, models), and what takes long on fakes
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "(integration or exhaustive) and not scheduler" --durations=15

test-scheduler: $(INSTALLED) ## Airflow's real scheduler, from bucket to published results
	@$(BIN)/python -m pytest tests/scheduler -m scheduler --durations=10

soak: $(INSTALLED) ## Histories, kills and sleeps at full length, into build/soak.json; SCALE=0.1 for less
	@$(BIN)/python -m tests.proof $(if $(SCALE),--scale $(SCALE))

bench: $(INSTALLED) ## Ratios measured side by side; NAME=… runs one
	@$(BIN)/python -m tests.bench $(NAME)

quality: $(INSTALLED) ## Figures of the shipped models on held-out pictures, or of those in MODELS=folder
	@$(BIN)/python -m mmsearch_core.demo.training.quality $(if $(MODELS),--models $(MODELS))

demo-models: $(INSTALLED) ## Train the shipped models from nothing, the last part on a GPU; FASHION_MNIST=folder
	@$(BIN)/python -m mmsearch_core.demo.training --data $(FASHION_MNIST)

clean: stop ## Remove the environment, the demo's state and all caches
	@rm -rf $(VENV) .demo build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache *.egg-info
