# Everything that a person types. "make help" lists it.

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo development)
PLUGINS := $(notdir $(wildcard plugins/*))
GO      := go
SUDO    := $(shell [ "$$(id -u)" = 0 ] || command -v sudo)
LISTEN  ?= 127.0.0.1:8089
ROUNDS  ?= 10
NPM     := axe-core@4.14.1 standardwebhooks@1.1.1 svix@2.5.0

.PHONY: help build run test check deps contract generate bench screenshots crash kill-sender cluster-proof swaps real-input fuzz clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile

build: ## bin/restante and bin/plugins/*
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-X main.version=$(VERSION)" -o bin/restante ./host/cmd/restante
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/plugins/ $(addprefix ./plugins/,$(PLUGINS))

run: build ## a daemon with plugins and sample messages; prints the calls to try (LISTEN=127.0.0.1:8089)
	$(GO) build -trimpath -o bin/receiver ./examples/receiver
	@examples/run.sh $(LISTEN)

test: deps check ## install what the tests need, run every check and test
	$(GO) test -race -timeout 40m ./...

deps: ## install what the tests need, with apt and npm
	@missing=; for p in xmllint:libxml2-utils curl:curl pgrep:procps python3:python3 node:nodejs npm:npm chromium:chromium; do \
	  command -v $${p%%:*} >/dev/null || missing="$$missing $${p#*:}"; done; \
	PATH=/usr/bin:/bin python3 -c 'import grpc, google.protobuf' 2>/dev/null || missing="$$missing python3-grpcio python3-protobuf"; \
	if [ -n "$$missing" ]; then $(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq --no-install-recommends $$missing; fi
	@(cd run/node_modules && ls axe-core/axe.min.js standardwebhooks svix) >/dev/null 2>&1 || { mkdir -p run && \
	  npm install --silent --no-save --no-audit --no-fund --prefix run $(NPM); }

check: ## format, vet, static checks, generated code, go.mod, other systems
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "run gofmt -w on:" $$unformatted; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	GOOS=darwin $(GO) vet ./host/... ./sdk/... ./plugins/...
	GOOS=windows $(GO) vet ./host/... ./sdk/... ./plugins/...
	@before=$$(cat proto/formatter/v1/*.go | cksum); $(MAKE) -s generate >/dev/null && \
	  [ "$$before" = "$$(cat proto/formatter/v1/*.go | cksum)" ] || { echo "generated code was out of date; make generate has mended it"; exit 1; }
	$(GO) mod tidy -diff
	bash -n examples/*.sh examples/*/*.sh .ci/run

contract: ## copies of formatter.proto for plugins in other languages
	cp proto/formatter/v1/formatter.proto host/scaffold/templates/
	awk '/^```proto$$/ {print; while ((getline line < "proto/formatter/v1/formatter.proto") > 0) print line; inside = 1; next} \
	  /^```$$/ {inside = 0} !inside' docs/plugin-protocol.md > docs/.page && mv docs/.page docs/plugin-protocol.md

generate: ## Go code from proto/**/*.proto
	$(GO) run ./proto/generate proto

bench: build ## speed, as ratios measured in one run
	$(GO) build -o bin/bench ./bench
	bin/bench

screenshots: ## pictures of all pages, light and dark, wide and narrow, in run/screenshots
	rm -rf run/screenshots
	$(GO) test -count=1 -run '^TestPages(Of.*)?$$' ./host/cmd/restante -screenshots "$(CURDIR)/run/screenshots"
	@echo "see run/screenshots"

crash: ## kill -9 the daemon fifty times in the middle of adds by 64 clients
	$(GO) test -count=1 -timeout 30m -run '^TestKill$$' -v ./host/cmd/restante -rounds 50

kill-sender: ## kill -9 the daemon a hundred times while it sends 10,000 messages
	$(GO) test -count=1 -timeout 30m -run '^TestKillSender$$' -v ./host/cmd/restante -send-rounds 100

cluster-proof: ## kill, stop, cut off and replace daemons of a cluster, again and again (ROUNDS=10; partitions as root)
	$(GO) test -count=1 -timeout 3h -v ./host/clustertest -rounds $(ROUNDS) -takeovers $(ROUNDS) -standstill 12s

swaps: ## replace a plugin fifty times, by good and bad files, under pollers and adders
	$(GO) test -count=1 -timeout 30m -run '^TestSwapUnderLoad$$' -v ./host/cmd/restante -swaps 50

real-input: ## all 329 real webhooks of @octokit/webhooks-examples through every step
	mkdir -p run
	npm install --silent --no-save --no-audit --no-fund --prefix run @octokit/webhooks-examples@7.6.1 $(NPM)
	$(GO) test -count=1 -run '^TestRealInput$$' -v ./host/cmd/restante \
	  -payloads "$(CURDIR)/run/node_modules/@octokit/webhooks-examples/api.github.com/index.json"

fuzz: ## every fuzz target for half a minute
	@for p in $$($(GO) list ./...); do for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz'); do \
	  echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime 30s -fuzzminimizetime 10x $$p || exit 1; done; done

clean: ## remove what was built, and the data of the demo and the tour
	rm -rf bin run tour
