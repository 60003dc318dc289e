# Heirloom: `make run PHOTOS=<folder>` is all that is needed. Paths are relative, so that the project may lie in
# a folder with spaces. Settings (PORT, DATA_DIR …) are taken from the environment or a .env file.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help install install-dev engines run test test-engines check fix bench

PYTHON ?= python3
PHOTOS ?=
EXTRAS ?=
BIN := .venv/bin

help: ## List these commands
	@echo "Heirloom: a photo library for a family. Start with:  make run PHOTOS=~/Pictures"
	@echo
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /\1|/' | while IFS='|' read -r name text; do \
		printf '  make %-12s %s\n' "$$name" "$$text"; done
	@echo
	@echo "Settings are listed in .env.example; give them as  PORT=8001 make run PHOTOS=…  or in a .env file."

install: .venv/.installed ## Make .venv with the locked dependencies (nothing is installed elsewhere)

install-dev: .venv/.installed-dev ## The same, with what tests and checks need

engines: .venv/.installed ## Add engines to .venv: make engines EXTRAS=insightface (names: docs/models.md)
	@if [ -z "$(EXTRAS)" ]; then echo "Which? For example:  make engines EXTRAS=insightface,openclip"; exit 2; fi
	$(BIN)/python -m pip install --disable-pip-version-check --constraint requirements-engines.lock '.[$(EXTRAS)]'
	@case "$(EXTRAS)" in *paddleocr*) ;; *) $(call keep_headless_opencv,$(BIN)) ;; esac
	@$(call keep_one_onnxruntime,$(BIN))

run: .venv/.installed ## Set up, scan, process and serve: make run PHOTOS=<folder with photos>
	@if [ -z "$${PHOTOS:-}" ]; then \
		echo "Which folder holds your photos? For example:"; \
		echo; \
		echo "    make run PHOTOS=~/Pictures"; \
		echo; \
		echo "Heirloom reads that folder and never writes to it. What it makes of it (database, small"; \
		echo "pictures, models) goes to DATA_DIR: './data' unless you set it. Stop with Ctrl-C; running the"; \
		echo "same command again goes on where it stopped."; \
		exit 2; \
	fi; \
	exec $(BIN)/python manage.py quickstart "$${PHOTOS/#\~/$$HOME}"

test: .venv/.installed-dev ## Run the whole test suite
	$(BIN)/python -m pytest -n auto

test-engines: .venv-engines/.installed ## Run the tests that need the heavy engines, in a venv of their own
	.venv-engines/bin/python -m pytest -n auto -m extra vision ingest

check: .venv/.installed-dev ## Lint, types, import rules, migrations, Django's own checks for production
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	scratch="$$(mktemp -d)"; trap 'rm -rf "$$scratch"' EXIT; chmod 711 "$$scratch"; \
	export ENV_FILE=/dev/null DATA_DIR="$$scratch/data" DEBUG=false HTTPS=true ALLOWED_HOSTS=photos.example.org; \
	$(BIN)/python manage.py makemigrations --check --dry-run; \
	$(BIN)/python manage.py check --deploy --fail-level WARNING

fix: .venv/.installed-dev ## Let ruff repair and format what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/.installed-dev ## Run the benchmarks on this machine
	for file in $$(grep -l __main__ benchmarks/*.py); do echo "== $$file"; $(BIN)/python "$$file"; done

# Where python3 is too old (macOS, older Debians) or has no venv, say so before it fails in an obscure way.
.venv/bin/python:
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Heirloom needs Python 3.11 or newer with its venv module; $(PYTHON) is: $$($(PYTHON) --version 2>&1 || true)"; \
		echo "Install it (Debian: apt install python3 python3-venv), or name another: make install PYTHON=python3.12"; \
		exit 1; }
	@command -v g++ >/dev/null || { \
		echo "A C++ compiler is needed to build the package pdqhash (Debian: apt install g++, macOS: xcode-select --install)."; \
		exit 1; }
	$(PYTHON) -m venv .venv

.venv/.installed: requirements.lock | .venv/bin/python
	@echo "Installing the locked dependencies into .venv (once; about a minute) …"
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

# Everything the engines' tests need but PaddleOCR, which wants an older numpy.
.venv-engines/.installed: requirements-engines.lock requirements-dev.lock
	@echo "Installing the engines' packages into .venv-engines (some gigabytes) …"
	$(PYTHON) -m venv .venv-engines
	.venv-engines/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	.venv-engines/bin/python -m pip install --quiet --disable-pip-version-check --constraint requirements-engines.lock \
		'.[gpu,export]'
	@$(call keep_headless_opencv,.venv-engines/bin)
	@touch $@

# insightface asks for opencv-python, which lies over the headless one and needs the libraries of a desktop.
keep_headless_opencv = if $(1)/python -m pip show --quiet opencv-python 2>/dev/null; then \
	version="$$($(1)/python -c 'from importlib.metadata import version; print(version("opencv-python-headless"))')"; \
	$(1)/python -m pip uninstall --quiet --yes opencv-python; \
	$(1)/python -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall "opencv-python-headless==$$version"; \
	fi

# Both packages hold the same modules: the one for graphics cards is laid anew once the other is gone.
keep_one_onnxruntime = if $(1)/python -m pip show --quiet onnxruntime-gpu 2>/dev/null \
	&& $(1)/python -m pip show --quiet onnxruntime 2>/dev/null; then \
	version="$$($(1)/python -c 'from importlib.metadata import version; print(version("onnxruntime-gpu"))')"; \
	$(1)/python -m pip uninstall --quiet --yes onnxruntime; \
	$(1)/python -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall "onnxruntime-gpu==$$version"; \
	fi

# The development set contains the other one.
.venv/.installed-dev: requirements-dev.lock requirements.lock | .venv/bin/python
	@echo "Installing the locked dependencies and the tools of development into .venv …"
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch .venv/.installed $@
