# make up      bring the stack up (STACK=dev), on a fresh machine, too; ends with its addresses
# make test    run every check
# The rest are the same as `ops` commands; everything that is needed is set up first.

STACK ?= dev
# How many tests run beside each other. Most of them wait most of the time; one for ten minutes.
WORKERS ?= 3
# How long `make soak` listens.
QUIET_MINUTES ?= 120
ifeq ($(MONITORING_CACHE)$(XDG_CACHE_HOME)$(HOME),)
$(error HOME is not set; set it, or MONITORING_CACHE to a directory for what is built)
endif
CACHE := $(or $(MONITORING_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/monitoring)
# uv: the one on PATH, else one of its own, from PyPI.
UV := $(or $(shell command -v uv),$(CACHE)/uv/bin/uv)
UV_VERSION := 0.13.9
RUN := $(UV) run --frozen --no-sync
OPS := $(RUN) python -m ops

.PHONY: up down preview refresh validate smoke doctor outputs faults docs test upgrade-test lint unit promtail logs-load bench \
	soak mutate mutate-python pipelines
.DEFAULT_GOAL := up

# Where it fails for something that this machine lacks, the doctor says what and how to get it.
up: .venv/synced
	@$(OPS) up --stack $(STACK) || { code=$$?; $(OPS) --quiet doctor --stack $(STACK) || true; exit $$code; }

preview refresh validate smoke doctor outputs: .venv/synced
	@$(OPS) $@ --stack $(STACK)

down: .venv/synced
	@$(OPS) destroy --stack $(STACK)

test: lint
	$(RUN) python -m tests.prepare
	$(RUN) pytest --numprocesses=$(WORKERS) --dist=loadgroup

# Peace for two hours: a fresh stack sends nothing but its heartbeat. `make test` has ten minutes of it.
soak: .venv/synced
	$(RUN) python -m tests.prepare
	QUIET_MINUTES=$(QUIET_MINUTES) $(RUN) pytest tests/engine/test_notifications.py -k peace

# The life of a pull request and of a deployment, by the workflows' own steps; stacks come up many times, so it takes long.
pipelines: .venv/synced
	$(RUN) python -m tests.prepare
	$(RUN) pytest -m pipelines tests/pipelines tests/engine

# Every fault that validation and smoke tests must name, on a stack of its own: what `test` has is a part of them.
faults: .venv/synced
	$(RUN) python -m tests.prepare
	$(RUN) pytest tests/engine/test_checks.py -m "faults or not faults"

# Are rules, routes and inhibitions held by their cases? OF=redis_alerts.yml for one file, OF=routing for the latter two.
# It needs the tools that the tests put into the cache, and goes on where it was interrupted.
mutate: .venv/synced
	PATH=$(CACHE)/tools:$$PATH $(RUN) python -m bench.mutation $(OF)

# The same of Python: the files that pyproject.toml names, against their unit tests. Its survivors: mutmut browse.
mutate-python: .venv/synced
	PATH=$(CACHE)/tools:$$PATH $(UV) run --frozen --group mutation mutmut run

# Our commands and Docker Compose in turn, three rounds.
bench: .venv/synced
	$(RUN) python -m bench

# Apart from `test`, as it builds two of everything: see docs/upgrades.md.
upgrade-test: .venv/synced
	$(RUN) pytest -s tests/upgrade/check_volumes.py tests/upgrade/check_upgrade.py

# The handbook as a site, in reports/site; a link that leads nowhere fails it. Its tools are in no other environment.
# (Material for MkDocs is mended until May 2027; its successor Zensical reads the same mkdocs.yml.)
docs: | $(UV)
	NO_MKDOCS_2_WARNING=1 $(UV) run --frozen --isolated --only-group docs mkdocs build --quiet

unit: .venv/synced
	$(RUN) pytest tests/unit tests/rules -m "not live and not promtail and not load"

# What only Promtail needs, which nothing else builds.
promtail: .venv/synced
	$(RUN) pytest -m promtail

# Log lines under load, with Loki away for minutes: what arrives, how fast, and what gives way first.
logs-load: .venv/synced
	$(RUN) pytest tests/logs -m load -s

lint: .venv/synced
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) mypy
	$(RUN) lint-imports --no-cache

.venv/synced: uv.lock pyproject.toml | $(UV)
	# Compiled once: where Python writes no bytecode (as in many containers), each start would compile 2,000 modules.
	$(UV) sync --frozen --quiet --compile-bytecode
	@touch $@

$(CACHE)/uv/bin/uv:
	python3 -m venv $(CACHE)/uv
	$(CACHE)/uv/bin/pip install --quiet uv==$(UV_VERSION)
