# Front doors of hopcheck. Each recipe is one script or one command: what happens stands in scripts/, not here.
# Only `apt-get install -y make git` is needed beforehand; scripts/setup installs the rest.

PROVIDER ?= auto
ISTIO    ?=
SUITE    ?= e2e
SEED     ?=
BUILD    ?= build
ARGS     ?=

export BUILD

.DEFAULT_GOAL := help
.PHONY: help setup build test e2e replay up down bench clean

help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile
	@printf '\nVariables (now):\n'
	@printf '  PROVIDER=%-10s where the mesh comes from: auto, kind, local\n' '$(PROVIDER)'
	@printf '  ISTIO=%-13s Istio version by dotted prefix, as 1.31; empty: default of the images file\n' '$(ISTIO)'
	@printf '  SUITE=%-13s a name in scenarios/suites, or a path\n' '$(SUITE)'
	@printf '  SEED=%-14s repeats the choices of an earlier run; empty: a fresh one, printed\n' '$(SEED)'
	@printf '  BUILD=%-13s build directory\n' '$(BUILD)'
	@printf '  ARGS=%-14s handed on to hopcheck (or to ctest by make test)\n' '$(ARGS)'

setup: ## install the Debian packages that are missing
	@scripts/setup

build: setup ## compile everything into BUILD
	@scripts/build

test: ## set up, build, run every unit test; the last line counts them
	@scripts/test $(ARGS)

e2e: ## set up, build, bring up a mesh, drive it, judge it, remove it
	@scripts/e2e --provider '$(PROVIDER)' --suite '$(SUITE)' --istio '$(ISTIO)' --seed '$(SEED)' -- $(ARGS)

replay: ## set up, build, judge a recorded real failure; needs no Docker
	@scripts/replay

up: build ## a standing environment, reused by later runs
	@$(BUILD)/hopcheck up $(if $(ISTIO),--istio '$(ISTIO)') $(ARGS)

down: build ## remove the standing environment
	@$(BUILD)/hopcheck down $(ARGS)

bench: build ## how long the verdict on 10 000 recorded traces takes
	@scripts/bench

clean: ## remove BUILD; run directories and caches stay
	@rm -rf -- '$(BUILD)'
