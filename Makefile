# `make help` lists what there is. Nothing here pins a toolchain: the installed one is used.
.DEFAULT_GOAL := help
CARGO ?= cargo
# More seeds, kills and rounds than `make test` takes the time for.
ROUNDS ?= 5
SEEDS ?= 100000
FROM ?= 1
KILLS ?= 100
SECONDS_EACH ?= 60

.PHONY: help run test lint bench sim fuzz generate web test-web test-api test-connectors

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Build the web app and the release binary, and serve a demonstration on onward.db in this folder
	@scripts/web.sh build || echo "going on without the web app; / will say how to get it"
	$(CARGO) build --release --bin onward
	./target/release/onward serve --demo

test: lint ## Formatting, lints, and all tests
	@scripts/test.sh

lint: ## Formatting and lints only
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

bench: ## Measure speed and memory (release build); JSON lines on standard output (ON=--postgres: on a throwaway PostgreSQL)
	$(CARGO) bench --bench onward -- $(ON)

sim: ## Seeded simulation of the runtime and the kill test, with many more seeds and kills (SEEDS=, FROM=, KILLS=)
	ONWARD_SIM_SEEDS=$(SEEDS) ONWARD_SIM_FROM=$(FROM) $(CARGO) test --release -p onward-runtime simulation -- --nocapture
	ONWARD_KILLS=$(KILLS) $(CARGO) test --release --test onward kill -- --nocapture

fuzz: ## Coverage-guided fuzzing of definitions, expressions and scripts (SECONDS_EACH=60), then the property tests again and again (ROUNDS=)
	SECONDS_EACH=$(SECONDS_EACH) fuzz/run.sh
	for round in $$(seq $(ROUNDS)); do \
		export PROPTEST_RNG_SEED=$$(od -An -N6 -tu8 /dev/urandom | tr -d ' '); echo "property tests with PROPTEST_RNG_SEED=$$PROPTEST_RNG_SEED"; \
		$(CARGO) test --release --quiet -p onward-core -p onward-script -p onward-connectors -p onward-messaging || exit 1; done

generate: ## Write the files that are made from the code (the API document and the JSON Schema for the web app)
	$(CARGO) run --quiet -p onward-api --example generate

web: ## Build the web app into web/dist (does nothing while its sources are the same)
	@scripts/web.sh build

test-web: ## Test the web app: types, lint, Vitest, all journeys in a browser, sizes
	@scripts/web.sh test

test-api: ## The API's own tests
	$(CARGO) test -p onward-api

test-connectors: ## The connectors' and the sandbox's own tests
	$(CARGO) test -p onward-connectors -p onward-sandbox
