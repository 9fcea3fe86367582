# The front door. Every target does its own set-up, builds what it needs, and then does its job.
# `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
export JOBS ?= $(shell nproc)
GELATO := build/release/bin/gelato
CPP_FILES := find include src apps tests -name '*.h' -o -name '*.cc'

# The last line of what users run: how long all of it took, set-up and compiler included.
STARTED := $(shell date +%s)
took = @echo "make $@ took $$(($$(date +%s) - $(STARTED))) s"

.PHONY: help setup setup-dev build demo test bench peers format format-check tidy asan tsan asan-all tsan-all fuzz \
        docs-check clean

help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1|\2/p' Makefile | awk -F'|' '{printf "  make %-13s %s\n", $$1, $$2}'

setup: ## install what is missing (Debian packages, llama.cpp libraries)
	@scripts/setup.sh

setup-dev: ## the same, with the tools that the checks below need (clang)
	@scripts/setup.sh --dev

build: setup ## build the release preset: build/release/bin/gelato
	@scripts/build.sh release

demo: setup ## generate with the bundled models, target alone and speculative, and compare
	@scripts/build.sh release gelato
	@$(GELATO) demo
	$(took)

test: build ## run every test
	@ctest --preset release -j $$(($(JOBS) + 1)) # some wait for a clock
	$(took)

bench: setup ## micro-benchmarks, then `gelato bench local` (about two minutes)
	@scripts/bench.sh

peers: setup ## compile llama.cpp's llama-speculative-simple against the same libraries
	@scripts/peers.sh

format: setup-dev ## rewrite the C++ files in the house format
	@$(CPP_FILES) | xargs clang-format -i

format-check: setup-dev ## fail if a C++ file is not in the house format
	@$(CPP_FILES) | xargs clang-format --dry-run -Werror

tidy: setup-dev ## clang-tidy over every C++ file
	@scripts/tidy.sh

# What .ci/run checks with sanitizers: every module, but not the programs, which take as long to
# compile again; with ThreadSanitizer those that share something between threads. `make asan-all` and
# `make tsan-all` build everything and run every test.
ASAN_TESTS := base_test spec_test energy_test link_test control_test engine_test engine_model_test \
              proto_test report_test device_test edge_test edge_net_test sim_test
TSAN_TESTS := base_test engine_test engine_model_test device_test edge_test edge_net_test sim_test
# The names of the tests in executables MODULE[_LABEL]_test, for ctest -R: ^(MODULE|...)\.
names_in = ^($(subst $(eval ) ,|,$(sort $(foreach test,$(1),$(firstword $(subst _, ,$(test)))))))\.
FUZZERS := dist_codec_fuzz gguf_fuzz policy_fuzz link_spec_fuzz link_trace_fuzz profile_fuzz result_fuzz scenario_fuzz \
           session_fuzz trace_file_fuzz wire_fuzz

asan: setup ## tests of the modules with Address-, Leak- and UndefinedBehaviorSanitizer
	@scripts/build.sh asan $(ASAN_TESTS)
	@ctest --preset asan -j $(JOBS) -R '$(call names_in,$(ASAN_TESTS))'

tsan: setup ## tests of the modules with threads, with ThreadSanitizer
	@scripts/build.sh tsan $(TSAN_TESTS)
	@scripts/without_aslr.sh ctest --preset tsan -j $(JOBS) -R '$(call names_in,$(TSAN_TESTS))'

asan-all: setup ## every test with the same sanitizers
	@scripts/build.sh asan
	@ctest --preset asan -j $(JOBS)

tsan-all: setup ## every test with ThreadSanitizer
	@scripts/build.sh tsan
	@scripts/without_aslr.sh ctest --preset tsan -j $(JOBS)

fuzz: setup-dev ## run the fuzzers for FUZZ_SECONDS (default 30) each
	@scripts/build.sh fuzz $(FUZZERS)
	@scripts/fuzz.sh $(FUZZERS)

docs-check: build ## run the commands of README.md, check the links of every page
	@scripts/docs_check.sh

clean: ## remove everything that was built (downloads stay in build/deps)
	@find build -mindepth 1 -maxdepth 1 ! -name deps -exec rm -rf {} +
