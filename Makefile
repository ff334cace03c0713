# make demo and make test do all set-up by themselves.
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-full lint clean
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Where the variable is set, every one of the many processes of a test run would compile this checkout again.
export PYTHONDONTWRITEBYTECODE :=

help:  ## list these commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

setup:  ## create .venv with pinned packages, and get bedtools
	@bash scripts/setup.sh

demo: setup  ## a real genome through every step, from init to gene models
	@raygene demo --output demo

test: setup  ## run the tests
	@python -m pytest

test-full: setup  ## the tests, and those that need several nodes or a server or take long
	@bash scripts/setup-full.sh
	@RAYGENE_MLFLOW=$(CURDIR)/.venv/full/bin/mlflow RAYGENE_MOTO=$(CURDIR)/.venv/full/bin/moto_server \
		RAYGENE_FULL_PYTHON=$(CURDIR)/.venv/full/bin/python RAYGENE_S3FS=$(CURDIR)/.venv/s3fs \
		python -m pytest -m "full or not full" --hypothesis-profile=full

lint: setup  ## style, types and the layers between packages
	ruff check .
	ruff format --check .
	mypy
	lint-imports

clean:  ## remove what demo, tests and linters wrote; .venv stays
	rm -rf demo .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache
