# Everything a user or developer does with this project. `make` alone lists it.

SHELL := /bin/bash
SWIFT ?= swift
# For every build: CI makes errors of warnings here.
FLAGS ?=
SEEDS ?= 1..2000
JOBS ?= $(shell nproc)
SOAK_SECONDS ?= 1800
# Of fuzzing with bytes.
MINUTES ?= 2
TARGET ?=
# Suites of whole runs and of many random cases: `make check` leaves them to `make test`.
SLOW := (Simulation|AgentRun|Archive|RaftRun|RaftSafety|StoreProperty|RandomInput|Study|Linearizability|MemberlistNetwork|Scenario)Tests\.
RELEASE := .build/release

.PHONY: help dev deps build test check sanitize soak format lint fuzz fuzz-input planted bench clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

dev: deps build ## Install what is missing, build, and start an agent in development mode
	$(RELEASE)/consul agent -dev

deps: ## Install the system libraries and tools that are missing (Debian and Ubuntu)
	@Tools/install-dependencies

build: ## Build the release binaries .build/release/consul and consul-sim
	$(SWIFT) build -c release $(FLAGS) --product consul
	$(SWIFT) build -c release $(FLAGS) --product consul-sim

test: deps build ## Run all tests: unit, simulator, and the agent as its users run it
	@Tools/install-dependencies tests
	$(SWIFT) build $(FLAGS) --build-tests
	$(SWIFT) test $(FLAGS) --skip-build
	Tests/EndToEnd/run $(RELEASE)/consul $(RELEASE)/consul-sim

check: lint ## Check quickly what most changes can break: debug build, quick tests, 50 seeds
	$(SWIFT) build $(FLAGS) --build-tests
	Tools/fuzz-input --typecheck
	$(SWIFT) test $(FLAGS) --skip-build --skip '$(SLOW)'
	.build/debug/consul-sim fuzz --seeds 1..50 --jobs $(JOBS)

sanitize: ## Run tests with AddressSanitizer (Wire, Store, Raft, Gossip) and ThreadSanitizer (Runtime)
	Tools/sanitize

soak: build ## Disturb real processes for half an hour, then fuzz as long: make soak SOAK_SECONDS=1800
	SOAK_SECONDS=$(SOAK_SECONDS) Tests/EndToEnd/run $(RELEASE)/consul $(RELEASE)/consul-sim -k "disturbed cluster"
	Tools/fuzz-input --minutes $$(( $(SOAK_SECONDS) / 60 ))

format: ## Reformat all sources
	$(SWIFT) format --in-place --recursive --parallel Sources Tests Package.swift

lint: ## Check formatting, and the purity, layers, sizes and planted bugs of Sources/Core
	$(SWIFT) format lint --strict --recursive --parallel Sources Tests Package.swift
	Tools/check-purity
	Tools/check-layers
	Tools/check-sizes
	Tools/check-planted

fuzz: build ## Run the simulator over a range of seeds: make fuzz SEEDS=1..2000
	$(RELEASE)/consul-sim fuzz --seeds $(SEEDS) --jobs $(JOBS)

fuzz-input: ## Send mutated bytes to everything that reads those of strangers: make fuzz-input MINUTES=2 TARGET=raft,dns
	Tools/fuzz-input --minutes $(MINUTES) $(if $(TARGET),--target $(TARGET))

planted: ## Look for the planted bugs and write the table of docs/planted-bugs.md: make planted ONLY=voteTwice SEEDS=1..2000
	$(SWIFT) build -c release --product consul-sim -Xswiftc -DPLANTED --scratch-path .build/planted
	Tools/planted-bugs .build/planted/release/consul-sim --seeds $(SEEDS) --jobs $(JOBS) $(if $(ONLY),--only $(ONLY))

bench: build ## Measure the simulator and the agent (needs wrk and dnsperf for the agent)
	$(RELEASE)/consul-sim bench
	Tools/bench $(RELEASE)/consul

clean: ## Remove what was built
	rm -rf .build
