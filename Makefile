# The environment is .venv; two stamps in it say what is installed, so that a second call costs nothing.
# The package is installed in place: a change of the code needs no new install, a change of pyproject.toml makes one.
# Where there is a C compiler the hot path is compiled beside its sources; `fresh` takes that away when a source is newer, and the source runs.

VENV   := .venv
BIN    := $(VENV)/bin
SHARED := ../shared
MAIL   ?= fixtures/bounces
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help run test check lint types score bench golden manual compile pure fresh clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.installed fresh ## create the environment and show verdicts for the fixtures, or for MAIL=path
	@$(BIN)/bounceparse parse -r -f table "$(MAIL)"

test: $(VENV)/.testing fresh ## create the environment with the test extra and run the whole suite
	$(BIN)/python -m pytest -q

check: lint types test ## ruff, mypy --strict and the suite

lint: $(VENV)/.testing ## ruff alone
	$(BIN)/ruff check .

types: $(VENV)/.testing ## mypy --strict alone
	$(BIN)/mypy --strict bounceparse

score: $(VENV)/.installed fresh ## score the corpus in ../shared/corpus, when it is there
	@if [ -f $(SHARED)/corpus/truth.jsonl ]; then \
	  $(BIN)/python $(SHARED)/tools/predict.py $(SHARED)/corpus --bounceparse $(BIN)/bounceparse; \
	else echo "no corpus in $(SHARED)/corpus: nothing to score"; fi

bench: $(VENV)/.testing fresh ## measure speed against the standard library and flufl.bounce
	$(BIN)/python -m pytest tests/bench -q -s

golden: $(VENV)/.testing fresh ## write fixtures/bounces/**/*.json anew; the diff is the review
	$(BIN)/python -m tests.golden

manual: $(VENV)/.testing fresh ## write the output of README's examples anew; the diff is the review
	$(BIN)/python -m tests.manual

compile: $(VENV)/.installed ## compile the hot path anew, after a change of it
	BOUNCEPARSE_COMPILE=1 $(PIP) --no-deps --editable .

pure: ## take the compiled hot path away: its sources run as they are
	@find bounceparse -name '*.so' -delete

fresh: $(VENV)/.installed
	@find bounceparse -name '*.so' | while read -r so; do if [ "$${so%%.*}.py" -nt "$$so" ]; then \
	  echo "$${so%%.*}.py has changed since it was compiled: it runs as it is until \`make compile\`" >&2; $(MAKE) -s pure; break; fi; done

clean: pure ## remove the environment and everything that was made
	rm -rf $(VENV) .bench build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find bounceparse tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.installed: pyproject.toml .ci/venv
	@.ci/venv $(VENV)
	$(PIP) --editable .
	@touch $@

$(VENV)/.testing: pyproject.toml .ci/venv
	@.ci/venv $(VENV)
	$(PIP) --editable '.[test]'
	@touch $@ $(VENV)/.installed
