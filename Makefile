# Usher's commands. `make` alone shows them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 5000
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Every command, test and server is a process: without the bytecode of the one before, each compiles the application anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo dev test lint format bench chaos docs translations lock clean

help:  ## show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(VENV)/.installed  ## make .venv with the pinned requirements (nothing to do the second time)

$(VENV)/.installed: requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Usher needs Python 3.11 or later; this is " + sys.version.split()[0] + ". Say which one: make PYTHON=python3.12")'
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "This Python cannot make virtual environments: install its venv package (Debian: apt install python3-venv)."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@echo "Installing the requirements: about a minute the first time."
	$(BIN)/python -m pip install --require-hashes --progress-bar on -r requirements-dev.txt || { echo; echo "The requirements could not be installed. Is the package index reachable (pip config list)? Then: make setup"; exit 1; }
	@touch $@

demo: setup  ## the main job on real parts, step by step (ONCE=1 ends after it; DATA=FILE plays a whole conference)
	@$(BIN)/python manage.py demo $(if $(ONCE),--once) $(if $(DATA),--data "$(DATA)")

dev: setup  ## web, worker, beat, realtime gateway (PORT+1) and a mail catcher on embedded servers (PORT=5000)
	@$(BIN)/python manage.py dev --port $(PORT)

test: setup  ## the whole test suite, on embedded servers
	@$(BIN)/python -m pytest -n auto --dist loadfile $(ARGS)

lint: setup  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup  ## let ruff format and mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup  ## the benchmarks; figures go to benchmarks/results.json
	@$(BIN)/python -m benchmarks $(ARGS)

chaos: setup  ## kill, restart and refuse everything while mail is sent (ROUNDS=20, FULL=1: a minute without a mail server)
	@$(BIN)/python -m benchmarks.chaos --rounds $(or $(ROUNDS),20) $(if $(FULL),--full) $(ARGS)

docs: setup  ## write docs/actions.md anew, from the declarations of all actions
	@$(BIN)/python manage.py actions > docs/actions.md.new && mv docs/actions.md.new docs/actions.md

translations: setup  ## collect the texts for translators, and compile what they have written
	$(BIN)/pybabel -q extract -F babel.cfg -k msg -k msgs:1,2 --no-wrap --sort-by-file --add-location file --omit-header -o app/translations/messages.pot app
	$(BIN)/pybabel -q update -i app/translations/messages.pot -d app/translations --no-wrap --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date
	$(BIN)/pybabel -q compile -d app/translations

lock: setup  ## compile the requirements anew, with hashes and without index addresses
	$(BIN)/pip-compile --quiet $(LOCK) --output-file requirements.txt requirements.in
	$(BIN)/pip-compile --quiet $(LOCK) --output-file requirements-dev.txt requirements-dev.in

LOCK := --generate-hashes --allow-unsafe --strip-extras --no-header \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links

clean:  ## remove what the commands above made
	rm -rf $(VENV) .usher .pytest_cache .mypy_cache .ruff_cache
