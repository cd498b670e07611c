# Every target makes .venv and fills it by itself; all that is needed is Python 3.11 or newer.
.DEFAULT_GOAL := help
SHELL := /bin/sh
BIN := .venv/bin
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check
PROTOS := $(shell find protos -name '*.proto')
SERVICES := $(shell grep -l '^service ' $(PROTOS))
ARGS ?=
CONFIG ?= config.yaml
# What `buf breaking` compares with: main, or where main itself is checked out, the commit before.
BASE ?= $(shell [ "$$(git rev-parse HEAD)" = "$$(git rev-parse -q --verify main)" ] \
  && git rev-parse -q --verify HEAD~1 || echo main)

help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/server ## Run with simulated models: no key, no network (ARGS='--port 0')
	@exec $(BIN)/understudy demo $(ARGS)

serve: .venv/server ## Run with CONFIG=config.yaml (ARGS='--log-level debug')
	@exec $(BIN)/understudy serve --config $(CONFIG) $(ARGS)

protos: .venv/dev ## Rewrite understudy.v1 from the .proto files
	@rm -f protos/understudy/v1/*_pb2*
	$(BIN)/python -m grpc_tools.protoc --proto_path=protos --plugin=protoc-gen-mypy=$(BIN)/protoc-gen-mypy \
	  --python_out=protos --mypy_out=quiet:protos $(PROTOS)
	$(BIN)/python -m grpc_tools.protoc --proto_path=protos --plugin=protoc-gen-mypy_grpc=$(BIN)/protoc-gen-mypy_grpc \
	  --grpc_python_out=protos --mypy_grpc_out=quiet:protos $(SERVICES)

format: .venv/dev ## Rewrite the code the way ruff and buf like it
	$(BIN)/ruff check --fix && $(BIN)/ruff format && $(BIN)/buf format --write

lint: .venv/dev ## Check style, types and protos
	$(BIN)/ruff check && $(BIN)/ruff format --check
	$(BIN)/buf lint && $(BIN)/buf format --diff --exit-code
	$(BIN)/mypy
	$(BIN)/pyright

test: .venv/dev ## Run the tests (ARGS='-k routing')
ifeq ($(strip $(ARGS)),)
	$(BIN)/pytest -n 2 -m 'not proof and not alone'
	$(BIN)/pytest -m 'alone and not proof'
else
	$(BIN)/pytest $(ARGS)
endif

proof: .venv/dev ## Run the proofs that take minutes
	$(BIN)/pytest -m proof $(ARGS)

check: lint breaking test protos ## Do all that CI does; fail if generated code is stale
	@test -z "$$(git status --porcelain -- protos)" || { echo "generated code is stale: commit what 'make protos' wrote" >&2; exit 1; }
	@echo "all checks passed"

breaking: .venv/dev
	@if git rev-parse -q --verify '$(BASE):protos' >/dev/null 2>&1; then \
	  old=$$(mktemp -d) && trap 'rm -rf "$$old"' EXIT && \
	  git archive '$(BASE)' protos buf.yaml | tar -x -C "$$old" && \
	  echo "buf breaking --against $(BASE)" && $(BIN)/buf breaking --against "$$old"; \
	else echo "buf breaking: skipped, $(BASE) has no protos"; fi

bench: .venv/dev ## Measure the service against a bare relay (ARGS='--rounds 3')
	@exec $(BIN)/python -m benchmarks.speed $(ARGS)

bench-isolation: .venv/dev ## Measure what a silent model in trouble costs the primary (ARGS='--fault huge')
	@exec $(BIN)/python -m benchmarks.isolation $(ARGS)

bench-dashboard: .venv/dev ## Measure what open dashboards cost callers (ARGS='--blocks 2')
	@exec $(BIN)/python -m benchmarks.dashboard $(ARGS)

bench-reports: .venv/dev ## Measure what reports over a million records cost callers
	@exec $(BIN)/python -m benchmarks.reports $(ARGS)

bench-sinks: .venv/dev ## Measure what tools cost callers that are well, slow or dead
	@exec $(BIN)/python -m benchmarks.sinks $(ARGS)

bench-peers: .venv/dev ## Measure the service beside LiteLLM and Portkey (ARGS='--rounds 3')
	@exec $(BIN)/python -m benchmarks.peers $(ARGS)

bench-concurrency: .venv/dev ## Measure thousands of calls in flight (ARGS='--in-flight 2000')
	@exec $(BIN)/python -m benchmarks.concurrency $(ARGS)

bench-overload: .venv/dev ## Measure what is left at three times capacity; needs h2load
	@exec $(BIN)/python -m benchmarks.overload $(ARGS)

soak: .venv/dev ## Play faults for ten minutes, and look for what grows (ARGS='--minutes 60')
	@exec $(BIN)/python -m benchmarks.soak $(ARGS)

faults: .venv/dev ## Play every way in which an upstream misbehaves (ARGS='--case redirect')
	@exec $(BIN)/python -m benchmarks.faults $(ARGS)

fuzz: .venv/dev ## Fuzz conversion, parsing, framing and the service for ten minutes
	$(BIN)/pytest -m proof tests/faults/test_fuzz.py tests/faults/test_fuzz_service.py $(ARGS)

lock: .venv/dev ## Rewrite the locked requirements from pyproject.toml
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate --extra server --extra postgres --extra s3 --group dev pyproject.toml -o requirements-dev.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate --extra server --extra postgres --group build -c requirements-dev.txt pyproject.toml -o requirements.txt

.venv/bin/python:
	@python=; for name in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
	  if $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$name; break; fi; done; \
	if [ -z "$$python" ]; then echo "Python 3.11 or newer is needed; name yours with PYTHON=…" >&2; exit 1; fi; \
	echo "Making .venv with $$($$python --version)" >&2; $$python -m venv .venv

# The development tools include all that the service needs.
.venv/server: .venv/bin/python requirements.txt pyproject.toml
	@if [ ! -e .venv/dev ]; then \
	  echo "Installing what the service needs into .venv (once, up to a minute) …" >&2; \
	  $(INSTALL) --no-deps --require-hashes -r requirements.txt && \
	  $(INSTALL) --no-deps --no-build-isolation --editable .; fi
	@touch $@

.venv/dev: .venv/bin/python requirements-dev.txt pyproject.toml
	@echo "Installing the service and its development tools into .venv (once, a minute or two) …" >&2
	@$(INSTALL) --no-deps --require-hashes -r requirements-dev.txt
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: help demo serve protos format lint test proof check breaking bench bench-isolation bench-dashboard bench-reports bench-sinks bench-peers bench-concurrency bench-overload soak faults fuzz lock
