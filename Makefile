# `make` sets everything up and runs the pipeline; `make test` sets everything up and runs all checks and tests;
# `make fast` runs the unit tests alone.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
REMOTES := .venv/remotes
MLFLOW := .venv/mlflow
SWIFT := .venv/swift/ready
AZURITE := .venv/azurite/ready
TRANSFORMERS_JS := .venv/transformers-js/ready
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: run test fast check setup remotes servers demo

run: setup
	dvc repro
	@echo
	@echo "Scores:      .venv/bin/dvc metrics show"
	@echo "The report:  reports/report.html"
	@echo "Its history: .venv/bin/python -m tools.history"
	@echo "A model:     AutoModelForSequenceClassification.from_pretrained('models/tasks/library/students/small')"

# A page on this machine in which the students answer, in the browser: it takes npm, and `make` before.
demo: setup $(TRANSFORMERS_JS)
	python -m tools.demo

# Two at a time, each on cores of its own (tests/conftest.py).
test: check servers
	pytest -n 2 --dist loadfile --no-loadscope-reorder

# Folders and files of tests/ that start stages, processes, servers or a browser, export models, or measure.
SLOW := architecture benchmarks pipeline_runs sharing stages/bad_input stages/many_processes stages/test_fuzzing.py \
  test_gpu.py test_packaging.py tinybert/export tinybert/reporting tinybert/test_readme_example.py \
  tinybert/inference tinybert/training/test_devices.py transformers_js

fast: setup
	pytest -n 2 --dist loadfile -m "not dvc" $(SLOW:%=--ignore=tests/%)

check: setup
	ruff check
	ruff format --check
	basedpyright

setup: $(READY)

# Written last, so that an interrupted set-up starts again; a changed requirements.txt is installed over the old one.
$(READY): requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $(READY)

# The clients of DVC's remotes, other than a folder.
remotes: $(REMOTES)

$(REMOTES): requirements-remotes.txt $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-remotes.txt
	touch $(REMOTES)

# Servers for the tests of remotes, MLflow's client for that of trackers; without one, its tests skip. OpenSSH and Apache are Debian packages, which .ci/run
# installs; Azurite comes by npm, which a machine need not have.
servers: remotes $(MLFLOW) $(SWIFT) $(AZURITE) $(TRANSFORMERS_JS)

$(MLFLOW): tests/tinybert/training/requirements-mlflow.txt $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r tests/tinybert/training/requirements-mlflow.txt
	touch $(MLFLOW)

$(SWIFT): tests/sharing/requirements-swift.txt $(READY)
	$(BIN)/python -m venv .venv/swift
	.venv/swift/bin/python -m pip install --quiet --disable-pip-version-check -r tests/sharing/requirements-swift.txt
	touch $(SWIFT)

$(AZURITE): tests/sharing/package.json $(READY)
	mkdir -p $(@D)
	cp tests/sharing/package.json $(@D)
	npm install --prefix $(@D) --no-audit --no-fund --loglevel error --fetch-retries 1 && touch $(AZURITE) \
	  || echo "Azurite cannot be installed: its tests skip."

# Without scripts: one of them downloads what a GPU would take.
$(TRANSFORMERS_JS): tests/transformers_js/package.json tests/transformers_js/package-lock.json $(READY)
	mkdir -p $(@D)
	cp tests/transformers_js/package.json tests/transformers_js/package-lock.json $(@D)
	cd $(@D) && npm ci --ignore-scripts --no-audit --no-fund --loglevel error --fetch-retries 1 && touch ready \
	  || echo "Transformers.js cannot be installed: its tests skip, and make demo does not work."
