# make demo and make test do all set-up themselves; see tools/setup.sh.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PY := .venv/bin/python
OUT ?= demo-output
# test processes side by side, each with a virtual screen of its own
JOBS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); echo $$((n > 4 ? 4 : n)))

.PHONY: help setup demo app test lint docs screenshots benchmark soak lock lowest clean

help: ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 14

setup: ## create .venv from the lock file and install system packages
	@bash tools/setup.sh

demo: ## run the main job on the built-in sample; writes demo-output/, opens napari where there is a screen; WINDOW=no: without Qt
	@bash tools/setup.sh $(if $(filter no,$(WINDOW)),report,demo)
	@.venv/bin/dynamic-connectome demo --output $(OUT) $(if $(filter no,$(WINDOW)),--no-viewer)

app: setup ## open napari with the plugin's docks
	@$(PY) -m napari_dynamic_connectome.widgets.app

test: ## run the tests (on a virtual screen where there is none)
	@bash tools/setup.sh test
	@$(PY) -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

lint: setup ## check style, types and layers
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@.venv/bin/deptry src

docs: setup ## build the site into docs/_build/html, warnings are errors
	@bash tools/with_screen.sh $(PY) -m sphinx -W --keep-going -q -b html docs docs/_build/html && echo "docs/_build/html/index.html"

screenshots: setup ## make the pictures of README and docs again, from real runs
	@bash tools/with_screen.sh $(PY) docs/make_screenshots.py

benchmark: setup ## run every speed and memory comparison, write the tables
	@for script in tests/benchmarks/bench_*.py; do echo "== $$script"; bash tools/with_screen.sh $(PY) $$script $(ARGS) || exit 1; done

soak: ## hundreds of kills, full disks, fuzzing, random clicks: long
	@bash tools/setup.sh test
	@bash tools/with_screen.sh $(PY) tests/soak/soak.py $(ARGS)
	@DYNAMIC_CONNECTOME_REPEATS=50 bash tools/with_screen.sh $(PY) -m pytest -q tests/widgets/test_leaks.py

# "fewest": one version of a package for all Pythons, so that what passes on one is what runs on the others
COMPILE = uv pip compile --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
	--no-emit-index-url --no-annotate --no-header --quiet
lock: ## resolve the dependencies again into requirements.lock (needs uv); ARGS=--upgrade takes the newest
	@$(COMPILE) pyproject.toml --extra dev $(ARGS) -o requirements.lock
	@rm -f requirements-demo.lock requirements-report.lock # the same versions: nothing but the new lock file says which
	@$(COMPILE) pyproject.toml --extra demo --constraint requirements.lock -o requirements-demo.lock
	@python3 tools/report_needs.py | $(COMPILE) - --constraint requirements.lock -o requirements-report.lock

lowest: ## run the tests with the oldest versions that pyproject.toml allows, in .venv-lowest (needs uv)
	@bash tools/setup.sh system
	@uv venv --quiet --clear --python 3.11 .venv-lowest
	@uv pip install --quiet --python .venv-lowest --resolution lowest-direct -e ".[all,test]"
	@.venv-lowest/bin/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

clean: ## remove what was built, not the environment
	@rm -rf build dist docs/_build docs/_generated demo-output soak-output .pytest_cache .mypy_cache .ruff_cache
