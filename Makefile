# ClawStream: `make demo` runs the main job, `make test` checks everything. Both set up what they need.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
PYTHON ?= python3
VENV := .venv
JOBS ?= 2
RUN := $(VENV)/bin/python -m
READY := $(VENV)/ready
EXTRAS := agents console dataset gateway processors trainer rollout demo gpu dev
# Where bytecode is forbidden, as in many container images, each of hundreds of processes would compile all it imports.
export PYTHONDONTWRITEBYTECODE :=

help:  ## show what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

demo: $(READY)  ## watch a policy learn through the whole loop (KEEP=1 leaves it running)
	$(VENV)/bin/clawstream demo $(if $(KEEP),--keep)

test: lint debian  ## lint, types, import contracts and every test, in JOBS=2 processes
	$(RUN) pytest --numprocesses=$(JOBS) --dist=loadfile $(ARGS)

lint: $(READY)  ## ruff, mypy strict, import-linter
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(VENV)/bin/lint-imports

docs: $(READY)  ## the documentation with search, at http://127.0.0.1:8000
	$(RUN) clawstream.cli.reference
	$(RUN) zensical serve --dev-addr 127.0.0.1:8000

bench: $(READY)  ## run every benchmark; results in benchmarks/results/
	@for program in loop gateway processors memory delivery trainer serving swaps queueing dataset console personal; do $(RUN) benchmarks.$$program; done

format: $(READY)  ## format the code
	$(RUN) ruff check --fix-only .
	$(RUN) ruff format .

lock: $(VENV)/bin/uv  ## pin every dependency again, with hashes
	$(VENV)/bin/uv pip compile -q requirements/uv.in --universal --python-version 3.11 --generate-hashes -o requirements/uv.txt
	@for extra in $(EXTRAS); do echo "locking $$extra"; $(VENV)/bin/uv pip compile -q pyproject.toml --extra $$extra \
	  --override requirements/overrides.txt --universal --python-version 3.11 --generate-hashes --no-annotate -o requirements/$$extra.txt; done

clean:  ## remove the environment and everything that runs have written
	rm -rf $(VENV) runs dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .cache

$(VENV)/bin/uv: requirements/uv.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install -q --require-hashes -r requirements/uv.txt

# The seconds that this took are part of the demo's result.
$(READY): $(VENV)/bin/uv requirements/dev.txt pyproject.toml
	@echo "Setting up, once: pinned dependencies in $(VENV), Apache Kafka in the user's cache"
	@started=$$(date +%s); \
	$(VENV)/bin/uv pip sync --python $(VENV)/bin/python --require-hashes requirements/uv.txt requirements/dev.txt; \
	$(VENV)/bin/uv pip install -q --python $(VENV)/bin/python --no-deps --no-build-isolation -e .; \
	$(VENV)/bin/python -m clawstream.streams.broker; \
	echo $$(( $$(date +%s) - started )) > $(READY)

# Debian's: the tests drive them. Chromium shows the console, and no browser of its own is downloaded; kcat reads topics.
debian:
	@missing=""; for program in chromium kcat; do command -v $$program > /dev/null || missing="$$missing $$program"; done; \
	[ -z "$$missing" ] || { \
	  root=$$([ $$(id -u) = 0 ] || echo sudo -n); \
	  command -v apt-get > /dev/null && $$root true 2> /dev/null || { \
	    echo "The tests need$$missing on the PATH: install it, on Debian with apt-get install$$missing"; exit 1; }; \
	  echo "Installing Debian's$$missing, for the tests"; \
	  $$root apt-get update -qq; $$root apt-get install -qq -y$$missing > /dev/null; }

.PHONY: debian help demo test lint docs bench format lock clean
