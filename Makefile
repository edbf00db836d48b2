# `make` sets everything up and runs the pipeline; `make test` sets everything up and runs all checks and tests.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: run test check setup

run: setup
	dvc repro
	@echo
	@echo "Scores:      .venv/bin/dvc metrics show"
	@echo "The report:  reports/report.html"
	@echo "Its history: .venv/bin/python -m tools.history"
	@echo "A model:     AutoModelForSequenceClassification.from_pretrained('models/tasks/library/student')"

test: check
	pytest

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
