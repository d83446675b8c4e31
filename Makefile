# noports: one entry for people and for CI. Needs a POSIX shell and either Deno of the pinned version
# (.deno-version) or Node.js with npm, from which Deno is then installed under .deno/.
# What a target runs with Deno is a task of deno.json; `make` adds what has to be there first.
.POSIX:

# Packages and compiled modules lie in the checkout too, whoever runs make.
DENO_DIR ?= $(CURDIR)/.deno/cache
export DENO_DIR
# Kept in the compiled file: trust what the user's system trusts, besides Deno's own list.
DENO_TLS_CA_STORE ?= mozilla,system
export DENO_TLS_CA_STORE

DENO = .deno/deno
TASK = DENO_NO_UPDATE_CHECK=1 $(DENO) task --quiet
AGAIN = $(MAKE) --no-print-directory

help: ## list the targets (this text)
	@echo "usage: make TARGET"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' Makefile

setup: ## install Deno and the packages of deno.lock
	@sh scripts/setup_deno.sh
	@DENO_NO_UPDATE_CHECK=1 $(DENO) ci --quiet

demo: setup ## run the whole system on this machine's loopback, then remove it
	@bin/noports demo

test: setup ## run all tests; TESTS="FILE…" runs only these files or folders
	@$(TASK) test $(TESTS)

check: setup ## format, lint, types, architecture
	@$(TASK) check

ci: setup ## what CI runs: check, a trial compile, test
	@$(AGAIN) check
	@$(AGAIN) compile-check
	@$(AGAIN) test

build: setup ## compile everything into one file, dist/noports
	@$(TASK) build

# Compiles onto a stand-in for Deno's base runtime: everything but the download of that runtime.
compile-check: setup
	@DENORT_BIN=`ls /bin/true /usr/bin/true 2>/dev/null | sed 1q` $(TASK) compile-check

bench: setup ## measure: session set-up, throughput, the server under load
	@for f in bench/setup.ts bench/throughput.ts bench/server.ts; do \
	  if [ -f $$f ]; then echo "== $$f"; $(DENO) run -A --quiet $$f || exit 1; fi; \
	done

fmt: setup ## format the source
	@$(TASK) fmt

clean: ## remove build results (keeps .deno/)
	@rm -rf dist

.PHONY: help setup demo test check ci build compile-check bench fmt clean
