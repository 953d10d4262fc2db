# make demo: from nothing to a journey map.  make test: the tests.  Both need only Python, make and pip.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO ?= demo
EVENTS ?= 200000
AIRFLOW_VENV ?= .venv-airflow

.PHONY: demo test test-engine test-browser lint types check constraints constraints-airflow charts clean

$(VENV)/.installed: pyproject.toml setup.py constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(VENV)/.installed ## generate a retailer, run the main job, print where the map is and the main findings
	$(BIN)/footpath demo --folder $(DEMO) --events $(EVENTS)

test: $(VENV)/.installed ## the default suite
	$(BIN)/python -m pytest

$(AIRFLOW_VENV)/.installed: dags/constraints.txt
	$(PYTHON) -m venv $(AIRFLOW_VENV)
	$(AIRFLOW_VENV)/bin/pip install --quiet --disable-pip-version-check --constraint dags/constraints.txt apache-airflow
	@touch $@

build/mermaid/.installed: ## Mermaid's own parser, where there is Node; without it one test is skipped
	mkdir -p $(@D)
	! command -v npm > /dev/null || npm install --prefix $(@D) --silent --no-audit --no-fund mermaid@11.17.2 jsdom@29.1.1
	@touch $@

test-engine: $(VENV)/.installed $(AIRFLOW_VENV)/.installed build/mermaid/.installed ## worker processes, Airflow, a Flink cluster
	AIRFLOW=$(abspath $(AIRFLOW_VENV)/bin/airflow) $(BIN)/python -m pytest -m engine

test-browser: $(VENV)/.installed ## the report in Chromium: the one there is, Playwright's own, or Debian's
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,browser]'
	command -v chromium || command -v chromium-browser || $(BIN)/playwright install --with-deps chromium || apt-get install --yes chromium
	$(BIN)/python -m pytest -m browser

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed
	$(BIN)/mypy

constraints: ## pin the newest versions that pyproject.toml allows; run the tests before committing the result
	rm -rf $(VENV)-fresh
	$(PYTHON) -m venv $(VENV)-fresh
	$(VENV)-fresh/bin/pip install --quiet --disable-pip-version-check --editable '.[dev,browser]'
	$(VENV)-fresh/bin/pip freeze --exclude-editable | sort -f > constraints.txt
	rm -rf $(VENV)-fresh

constraints-airflow: ## the same for the DAG's tests
	rm -rf $(AIRFLOW_VENV)
	$(PYTHON) -m venv $(AIRFLOW_VENV)
	$(AIRFLOW_VENV)/bin/pip install --quiet --disable-pip-version-check apache-airflow
	$(AIRFLOW_VENV)/bin/pip freeze | sort -f > dags/constraints.txt

charts: ## bundle what the report needs of ECharts; needs Node
	npm install --prefix build/charts --silent echarts@6.1.0 esbuild@0.28.2
	NODE_PATH=build/charts/node_modules build/charts/node_modules/.bin/esbuild footpath/report/vendor/entry.js --bundle --minify \
		--format=iife --global-name=echarts --legal-comments=inline --outfile=footpath/report/vendor/echarts.js

clean:
	rm -rf $(VENV) $(AIRFLOW_VENV) .venv-flink $(DEMO) build *.egg-info .pytest_cache .ruff_cache .mypy_cache
