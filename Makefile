# Framewire. `make` alone lists the targets; README.md tells what they are for.
# What a target needs and the system's packages hold (ffmpeg, Chromium) is
# installed where that is possible, and named where it is not: see scripts/need.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

# Where `make run` listens, and where `make dev` finds the running server.
LISTEN ?= localhost:8080
SERVER ?= http://localhost:8080
# More arguments for `make run`, such as ARGS='--source cam=rtsp://...'.
ARGS ?=
# What `make bench` is to measure; everything if empty.
BENCH ?=
# How long `make soak` makes trouble, in minutes.
MINUTES ?= 10
# More arguments for it, such as SOAK='-seed 1 -viewers 40'.
SOAK ?=
# How long `make fuzz` gives each target; FUZZ names some of them, all if empty.
FUZZTIME ?= 30s
FUZZ ?=
# More arguments for the Go tests of `make test`, such as -race.
GO_TEST ?=
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

BIN := bin/framewire
NPM_DONE := frontend/node_modules/.package-lock.json
PAGES_DONE := .make/pages

# The tools that npm installed: buf, protoc-gen-es.
export PATH := $(CURDIR)/frontend/node_modules/.bin:$(PATH)

# Folders are listed with their files, so that a file's removal counts as a
# change as well.
list = $(shell find $(1) -not -name '*.test.ts' -not -path '*/node_modules*' -not -path '*/dist*' 2>/dev/null)
PAGES_FROM := $(call list,frontend/site frontend/player gen/ts) $(wildcard frontend/*.json frontend/vite.*.ts)

.PHONY: help
help: ## List the targets
	@echo 'Framewire: live video to any web page over one WebSocket.'
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo 'First time here? make run, then open http://$(LISTEN)'

.PHONY: run
run: build ## Build and start the server with the demo on http://localhost:8080 (ARGS='--source cam=rtsp://...')
	@echo 'Framewire is at http://$(LISTEN) - stop it with Ctrl-C'
	@exec $(BIN) serve --listen '$(LISTEN)' $(ARGS)

.PHONY: build
build: pages ## Build bin/framewire: one static binary with the pages inside
	@scripts/need go
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o $(BIN) ./server/cmd/framewire

.PHONY: pages
pages: $(PAGES_DONE) ## Build the pages and the player into frontend/dist

$(PAGES_DONE): $(NPM_DONE) $(PAGES_FROM)
	cd frontend && npm run --silent build
	@mkdir -p $(@D) && touch $@

.PHONY: packages
packages: $(NPM_DONE) ## Install what package-lock.json names into frontend/node_modules

# npm writes this file last, so it is there only after a whole install.
$(NPM_DONE): frontend/package-lock.json frontend/package.json
	@scripts/need node
	cd frontend && npm ci --no-audit --no-fund
	@touch $@

.PHONY: dev
dev: $(NPM_DONE) ## Serve the pages as they are edited, over the server at SERVER=http://localhost:8080
	@cd frontend && FRAMEWIRE_SERVER='$(SERVER)' npm run --silent dev

.PHONY: test
test: build ## Run every test: Go, TypeScript, and both together in Chromium
	@scripts/need basics ffmpeg gstreamer chromium fonts
	go test $(GO_TEST) ./...
	go build -o bin/badnet ./server/cmd/badnet
	cd frontend && npm run --silent test:unit
	cd frontend && npm run --silent test:site
	cd frontend && npm run --silent test:browser

.PHONY: race
race: $(PAGES_DONE) ## Run the Go tests under the race detector
	@scripts/need basics go gcc ffmpeg gstreamer fonts
	go test -race ./...

.PHONY: lint
lint: $(NPM_DONE) ## Check format, vet, staticcheck, the schema's style, TypeScript, and sizes
	@scripts/need go
	@unformatted=$$(gofmt -l server gen frontend/embed.go); \
	if [ -n "$$unformatted" ]; then printf 'not as gofmt writes it: %s\n' $$unformatted >&2; exit 1; fi
	go vet ./...
	go tool staticcheck ./...
	buf lint
	buf format --diff --exit-code
	cd frontend && npm run --silent lint
	cd frontend && npm run --silent typecheck
	cd frontend && npm run --silent sizes
	@scripts/audit

.PHONY: audit
audit: $(NPM_DONE) ## Look modules and packages up among known vulnerabilities, where the databases can be reached
	@scripts/need go node
	@scripts/audit

.PHONY: format
format: $(NPM_DONE) ## Bring Go, the schema and TypeScript into their format
	gofmt -w server gen frontend/embed.go
	buf format -w
	cd frontend && npm run --silent format

.PHONY: generate
generate: $(NPM_DONE) ## Make gen/, docs/protocol.md and the player's tables from proto/
	@scripts/need go node
	buf generate
	@mkdir -p .make
	buf build --exclude-imports -o -#format=json | node scripts/protodoc.mjs > .make/protocol.md
	@mv .make/protocol.md docs/protocol.md
	cd frontend && npm run --silent generate:wire

.PHONY: breaking
breaking: $(NPM_DONE) ## Compare the schema with what landed before (BASE=commit)
	@scripts/breaking $(BASE)

.PHONY: fuzz
fuzz: ## Run each fuzz target for a while (FUZZTIME=30s, FUZZ='FuzzName ...')
	@scripts/need go
	@scripts/fuzz '$(FUZZTIME)' $(FUZZ)

.PHONY: bench
bench: build ## Measure glass-to-glass latency in Chromium (BENCH='--case av --seconds 20 --runs 2')
	@scripts/need ffmpeg chromium fonts
	go build -o bin/benchclock ./server/cmd/benchclock
	go build -o bin/badnet ./server/cmd/badnet
	cd frontend && npm run --silent bench -- --json ../bench-results/glass-to-glass.json $(BENCH)

.PHONY: bench-fanout
bench-fanout: build ## Measure what viewers cost the server, beside the floor (FANOUT='--rounds 3 --scale 0.5')
	@scripts/need ffmpeg
	go test -run '^$$' -bench 'Follow|Step|Send|Publish' -benchmem ./server/internal/session ./server/internal/web ./server/internal/hub
	$(BIN) bench fanout $(FANOUT)

.PHONY: soak
soak: build ## Run the server among all that can go wrong, and see that nothing is left over (MINUTES=30)
	@scripts/need ffmpeg
	go build -o bin/soak ./server/cmd/soak
	bin/soak -binary $(BIN) -minutes '$(MINUTES)' $(SOAK)

.PHONY: clean
clean: ## Remove what was built (not frontend/node_modules)
	rm -rf bin .make bench-results frontend/test-results
	find frontend/dist -mindepth 1 -not -name .gitkeep -delete
