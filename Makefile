# Two commands do all the set-up: make study, make test.
VENV := .venv
RUN := $(VENV)/bin/tastelab
STUDY ?= study.toml

.PHONY: setup study test evidence mutants lint site sbom clean

setup:
	@sh scripts/setup.sh

study: setup
	@$(RUN) study run --study $(STUDY) $(ARGS)

test:
	@sh scripts/setup.sh test
	@sh scripts/test.sh $(ARGS)

evidence:
	@sh scripts/setup.sh evidence
	@$(VENV)/bin/python -m pytest tests/analysis/test_against_r.py
	@$(VENV)/bin/python -m benchmarks.evidence
	@test -f docs/evidence/generate.json || $(VENV)/bin/python -m benchmarks.generate
	@test -f docs/evidence/fad.json || $(VENV)/bin/python -m benchmarks.fad
	@$(VENV)/bin/python -m benchmarks.quoted

# How many single faults, drawn over all packages, the tests notice (an hour or two; it goes on where it was stopped).
mutants:
	@sh scripts/setup.sh evidence
	@$(VENV)/bin/python -m tests.mutation.mutants $(ARGS)

lint: setup
	@$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check . && $(VENV)/bin/mypy && $(VENV)/bin/lint-imports

# The guides as a site, in outputs/site.
site: setup
	@$(VENV)/bin/python -m sphinx -q -W -b html docs outputs/site && echo outputs/site/index.html

# What is installed, networks too, as CycloneDX: outputs/sbom.cdx.json.
sbom: setup
	@$(VENV)/bin/python scripts/sbom.py

clean:
	rm -rf $(VENV) outputs
