# `make help` lists the commands.
# With another Python, other packages, or at the article's scale:
#   make report PYTHON=python3.12
#   make report EXTRA=gpu            (locks/: gpu, slurm, jax; torch for benchmarks)
#   make report CONFIG=config/article.yaml
#   make report CONFIG=config/beyond.yaml

PYTHON ?= python3
CORES ?= all
EXTRA ?=
CONFIG ?=
FROM ?=
RUN ?= cpu-small

VENV := .venv$(if $(EXTRA),-$(EXTRA))
LOCK := $(if $(EXTRA),locks/$(EXTRA).lock,requirements.lock)
BIN := $(VENV)/bin
READY := $(VENV)/ready

# This folder, by the name of a link to it if its own is of no use to Snakemake.
WHERE = here=$$(pwd -P); case "$$here" in (*[!a-zA-Z0-9_@%+=,./-]*) pwd -L ;; (*) echo "$$here" ;; esac
export HERE := $(shell $(WHERE))
# Neither other packages nor a user's settings of pip reach the environment.
unexport PYTHONPATH
export PYTHONNOUSERSITE := 1
ONLY_HERE := --no-user --target=

.PHONY: help setup report evidence derive test settings golden benchmark benchmark-short lint format lock clean
.DEFAULT_GOAL := help

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' Makefile

setup: $(READY) ## install everything into .venv (once, and again when the lock changes)

report: $(READY) ## run the study and make reports/report.html
	@test -z "$(CONFIG)" -o -f "$(CONFIG)" || { echo "make report: CONFIG=$(CONFIG) is not a file; name one, for example config/beyond.yaml"; exit 2; }
	@PATH="$$HERE/$(BIN):$$PATH" snakemake --cores $(CORES) $(if $(CONFIG),--configfile $(CONFIG))
	@echo "The report: $$HERE/reports/report.html"

evidence: $(READY) ## record the curves finished in another clone (FROM=CLONE; see docs/evidence.md)
	@test -d "$(FROM)/results" || { echo "make evidence: FROM=$(FROM) has no results; set FROM to the clone in which benchmarks/train_curves.py ran"; exit 2; }
	$(BIN)/python -m convstudy record evidence --results $(FROM)/results
	$(BIN)/python benchmarks/evidence.py

derive: $(READY) ## remake tables and claims of a recorded run, without training (RUN=cpu-small)
	@# The replayed studies in .state are kept.
	@rm -rf results/.derived/config results/.derived/.snakemake results/.derived/results/[!.]*
	$(BIN)/python -m convstudy record $(RUN) --primary results/.derived/results
	ln -s "$$HERE/config" results/.derived/config
	@# No image is read, but the config check requires the files.
	@touch results/.derived/train-0.parquet results/.derived/test-0.parquet
	CONVSTUDY_CIFAR10="$$HERE/results/.derived" PATH="$$HERE/$(BIN):$$PATH" \
		snakemake --directory results/.derived --cores $(CORES) --rerun-triggers mtime \
		--configfile "$$HERE/results/reference/$(RUN)/config.yaml" -- results/claims.csv
	$(BIN)/python -m convstudy record $(RUN) --results results/.derived/results

test: $(READY) ## run the tests
	@PATH="$$HERE/$(BIN):$$PATH" pytest --doctest-modules --doctest-ignore-import-errors -n0 --quiet workflow/convstudy
	@PATH="$$HERE/$(BIN):$$PATH" pytest

settings: $(READY) ## generate config.yaml, its README's tables and the JSON schema from the settings' classes
	$(BIN)/python -m convstudy settings

golden: $(READY) ## update tests/golden and docs/report.html, after an intended change
	$(BIN)/python tests/unit/test_golden_master.py

benchmark: $(READY) ## measure speed and write docs/performance.md (EXTRA=torch: with the peer)
	$(BIN)/python benchmarks/performance.py throughput choices seeds growth run render

benchmark-short: $(READY) ## briefly measure one thread in both precisions (EXTRA=torch: with the peers)
	$(BIN)/python benchmarks/performance.py short render

lint: $(READY) ## check format, style, types, and imports between rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache > /dev/null || $(BIN)/lint-imports --no-cache
	$(BIN)/snakefmt --check Snakefile workflow/Snakefile workflow/rules
	@# Conda environments per rule are not possible, as the library is installed with --editable.
	$(BIN)/snakemake --lint 2>&1 | awk '/^(Lints for|Congrat)/ { ran = 1 } /^    [*] / && !/conda environment/ { wrong = 1 } { all = all $$0 "\n" } END { if (wrong || !ran) printf "%s", all; exit wrong || !ran }'

format: $(READY) ## format the code
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow/Snakefile workflow/rules

# The file `ready` is written last, so that an interrupted set-up is repeated. It names the folder,
# as an environment that was copied or moved still runs the code of the old one. A new lock clears
# the environment, as pip leaves what the old one installed.
ifneq ($(shell test "$$(cat $(READY) 2>/dev/null)" = "$$($(WHERE))" || echo elsewhere),)
.PHONY: $(READY)
endif

$(READY): $(LOCK) pyproject.toml
	@$(PYTHON) workflow/convstudy/core/prerequisites.py "$$HERE"
	@made_for=$$(cat $(READY) 2>/dev/null); if test "$$made_for" != "$$HERE" && ls -d $(VENV) > /dev/null 2>&1; then \
		echo "$(VENV) was made for $${made_for:-another folder, or not completely}: making it anew"; rm -rf $(VENV); fi
	@echo "Installing into $(VENV) (once): downloads about 0.7 GB, takes a minute or more"
	@$(PYTHON) -m venv $(if $(filter $(LOCK),$?),--clear) "$$HERE/$(VENV)"
	@"$$HERE/$(BIN)/python" -m pip install --quiet --disable-pip-version-check --progress-bar on $(ONLY_HERE) --require-hashes -r $(LOCK)
	@"$$HERE/$(BIN)/python" -m pip install --quiet --disable-pip-version-check $(ONLY_HERE) --no-deps --no-build-isolation --editable .
	@echo "$$HERE" > $(READY)

# Needs uv (https://docs.astral.sh/uv), which nothing else in the project uses.
COMPILE := uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate --quiet

lock: ## update the locks and environment.yml from pyproject.toml
	$(COMPILE) --extra cpu -o requirements.lock
	$(COMPILE) --extra cpu --extra slurm -c requirements.lock -o locks/slurm.lock
	$(COMPILE) --extra gpu --extra slurm -c locks/slurm.lock -o locks/gpu.lock
	$(COMPILE) --extra cpu --extra jax -c requirements.lock -o locks/jax.lock
	$(COMPILE) --extra cpu --extra torch -c requirements.lock -o locks/torch.lock
	$(subst pyproject.toml --group dev,--group validators,$(COMPILE)) -o locks/validators.lock
	{ sed '/^      - /d' environment.yml; sed -n 's/^\([a-z].*==[^\\]*[^ \\]\).*/      - \1/p' locks/slurm.lock; echo '      - --editable .'; } > environment.yml.new
	mv environment.yml.new environment.yml

clean: ## remove results and report, but keep the learning curves
	rm -f reports/report.html reports/report.ipynb reports/convstudy-run.crate.zip
	@# Links to folders, on another disk perhaps, stay; what is behind them goes.
	cd results && find -L . \( -path ./.state -o -path ./reference \) -prune -o ! -type d -exec rm -f {} +
	@cd results && find -L . -depth -mindepth 1 -type d ! -path './.state*' ! -path './reference*' -exec rmdir {} \; 2>/dev/null
