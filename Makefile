# Everything a user or developer does with this project. `make` alone lists it.

SHELL := /bin/bash
SWIFT ?= swift
# For every build: CI makes errors of warnings here.
FLAGS ?=
SEEDS ?= 1..2000
JOBS ?= $(shell nproc)
SOAK_SECONDS ?= 1800
RELEASE := .build/release

.PHONY: help dev deps build test soak format lint fuzz bench release clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

dev: deps build ## Install what is missing, build, and start an agent in development mode
	$(RELEASE)/consul agent -dev

deps: ## Install the system libraries and tools that are missing (Debian and Ubuntu)
	@Tools/install-dependencies

build: ## Build the release binaries .build/release/consul and consul-sim
	$(SWIFT) build -c release $(FLAGS) --product consul
	$(SWIFT) build -c release $(FLAGS) --product consul-sim

release: ## Build binaries that need no Swift runtime on the target machine
	$(SWIFT) build -c release --static-swift-stdlib --product consul
	$(SWIFT) build -c release --static-swift-stdlib --product consul-sim

test: deps build ## Run all tests: unit, simulator, and the agent as its users run it
	@Tools/install-dependencies tests
	$(SWIFT) build $(FLAGS) --build-tests
	$(SWIFT) test $(FLAGS) --skip-build
	Tests/EndToEnd/run $(RELEASE)/consul $(RELEASE)/consul-sim

soak: build ## Disturb a cluster of real processes for half an hour: make soak SOAK_SECONDS=1800
	SOAK_SECONDS=$(SOAK_SECONDS) Tests/EndToEnd/run $(RELEASE)/consul $(RELEASE)/consul-sim -k "disturbed cluster"

format: ## Reformat all sources
	$(SWIFT) format --in-place --recursive --parallel Sources Tests Package.swift

lint: ## Check formatting, and the purity and layers of Sources/Core
	$(SWIFT) format lint --strict --recursive --parallel Sources Tests Package.swift
	Tools/check-purity
	Tools/check-layers

fuzz: build ## Run the simulator over a range of seeds: make fuzz SEEDS=1..2000
	$(RELEASE)/consul-sim fuzz --seeds $(SEEDS) --jobs $(JOBS)

bench: build ## Measure the simulator and the agent (needs wrk and dnsperf for the agent)
	$(RELEASE)/consul-sim bench
	Tools/bench $(RELEASE)/consul

clean: ## Remove what was built
	rm -rf .build
