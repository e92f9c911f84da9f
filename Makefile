# Everything that is done with this repository. `make help` lists it.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The version comes in by the linker, so the build need not read the repository's state.
export GOFLAGS ?= -buildvcs=false
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
export GO ?= go
FUZZTIME ?= 20s
ROWS     ?=
DEMO     ?=

BIN   := bin/tributary
TOOLS := .cache/bin

# Under the race detector SQLite, which is C translated to Go, takes fifty times as long, and what is found in it is not
# ours. That one package goes without, and no larger part: code of the standard library that is compiled into a package
# without the detector hides its synchronisation from the others.
RACE = -race -gcflags=modernc.org/sqlite/lib=-race=false

# Not under the race detector at all: what starts sandboxed children, whose address space is limited to less than the
# detector reserves, and what links DuckDB, which it cannot see into.
# So do the tests of the built program, which the detector does not see: it would only slow down how they make gigabytes.
NO_RACE ?= tributary/internal/sandbox|github.com/duckdb/|^tributary/test[./]

# One line for each package that has tests: its test binary and all that goes into it.
TESTED = $(GO) list -test -f '{{.ImportPath}} {{join .Deps " "}}' ./... | grep -E '^[^ ]+\.test '

# What `make check` leaves to `make test`.
SLOW = ^tributary/(test|bench)(/|$$)

.PHONY: help
help: ## list what can be made
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

.PHONY: ui
ui: ## build the portals, which go into the binary
	@scripts/ui

.PHONY: build
build: ui ## build bin/tributary, static, with the portals
	@scripts/build $(BIN) $(VERSION)

.PHONY: demo
demo: compilers build ## build, start and fill a server to look at; DEMO='--http 127.0.0.1:9090' has it elsewhere
	$(BIN) demo $(DEMO)

.PHONY: deps
deps: ## install what is missing (as root; otherwise prints the command)
	@scripts/deps

.PHONY: compilers
compilers:
	@scripts/deps build

.PHONY: lint
lint: ui $(TOOLS)/staticcheck $(TOOLS)/golangci-lint ## format, vet, staticcheck, golangci-lint, generated files fresh
	@files=$$(git ls-files "*.go" | xargs gofmt -l); if [ -n "$$files" ]; then echo "not formatted, run gofmt -w on:" $$files; exit 1; fi
	$(GO) vet ./...
	$(TOOLS)/staticcheck ./...
	$(TOOLS)/golangci-lint run
	@scripts/check-generated
	cd web && npm run --silent check && npm test --silent

.PHONY: check
check: lint ## lint, layers and fast tests: under a minute once everything is built
	@packages=$$($(TESTED) | sed 's/\.test .*//' | grep -vE '$(SLOW)'); $(GO) test -p 2 -short $$packages

# Two runs, as the detector is for a whole run; go's own summary comes last. All tests of the program run this one. They are
# the slowest and last by name: they come first, so that no core waits for another's at the end.
.PHONY: test
test: export TRIBUTARY_TEST_BINARY = $(CURDIR)/$(BIN)
test: export TRIBUTARY_TEST_VERSITYGW = $(CURDIR)/$(TOOLS)/versitygw
test: deps lint build $(TOOLS)/versitygw ## everything, on both control databases: what CI runs
	@packages=$$($(TESTED) | grep -vE '$(NO_RACE)' | sed 's/\.test .*//'); \
		echo "with the race detector:"; $(GO) test -p 2 -timeout 10m $(RACE) $$packages
	@packages=$$($(TESTED) | grep -E '$(NO_RACE)' | sed 's/\.test .*//' | sort -r) || exit 0; \
		echo "without the race detector:"; $(GO) test -p 2 -timeout 10m $$packages

.PHONY: fuzz
fuzz: ## fuzz each target for FUZZTIME (20s)
	@scripts/fuzz $(FUZZTIME)

.PHONY: torture
torture: ## attack 1,000 random worlds of releases, where `make test` attacks 40
	TRIBUTARY_TORTURE=1 $(GO) test -count 1 -p 1 -timeout 30m ./internal/disclosure/... ./internal/analysis/trial/...

.PHONY: bench
bench: ## run the benchmarks against their peers and limits; ROWS='6 8' picks some, MINUTES=10 is how long the soak is
	$(GO) run ./bench $(if $(MINUTES),-minutes $(MINUTES)) $(ROWS)

.PHONY: generate
generate: ## write the generated files anew
	$(GO) generate ./...

.PHONY: release
release: ## build a release with checksums in dist/
	@scripts/release $(VERSION)

# Pinned, with checksums, in a module of their own, so that what they need stays out of ours.
$(TOOLS)/staticcheck: scripts/tools/go.mod
	$(GO) -C scripts/tools build -o $(CURDIR)/$@ honnef.co/go/tools/cmd/staticcheck

$(TOOLS)/golangci-lint: scripts/tools/go.mod
	$(GO) -C scripts/tools build -o $(CURDIR)/$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

# The S3 service that tests start. Two minutes of a core, once: go keeps what it has built outside of the repository.
$(TOOLS)/versitygw: scripts/s3gateway/go.mod
	$(GO) -C scripts/s3gateway build -o $(CURDIR)/$@ github.com/versity/versitygw/cmd/versitygw

.PHONY: s3gateway
s3gateway: $(TOOLS)/versitygw ## build the S3 service that tests start

.PHONY: clean
clean: ## remove what was built
	rm -rf bin dist .cache
