# appstore: what people do with the source. `make help` lists it.

STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOFUMPT     = mvdan.cc/gofumpt@v0.12.0
BENCHSTAT   = golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
BUILD    = CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)"
FUZZTIME ?= 30s
GO       ?= go

.PHONY: help run build test quick race check fuzz bench peers golden image clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

run: build ## start the AppStore with the sample catalogue, on its embedded default
	APPSTORE_LOG_LEVEL=$${APPSTORE_LOG_LEVEL:-warn} ./bin/appstore serve --import testdata/catalogue

build: ## build bin/appstore
	@mkdir -p bin
	$(BUILD) -o bin/appstore ./cmd/appstore

test: ## run every test, with the real Elasticsearch and a real S3 server
	$(GO) run ./cmd/engines -- $(GO) test -timeout 15m ./...

quick: ## run the tests on the embedded default alone
	$(GO) test ./...

race: ## run the tests of what is concurrent under the race detector, on the embedded default
	APPSTORE_TEST_REQUIRE= $(GO) test -race -timeout 15m ./registry/... ./storage/files/... ./search/bleve/... ./api/npm ./api/pip ./api/shelf

check: ## vet, staticcheck, gofumpt
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	@unformatted="$$($(GO) run $(GOFUMPT) -l .)"; if [ -n "$$unformatted" ]; then \
		echo "not formatted by gofumpt (run: go run $(GOFUMPT) -w .):"; echo "$$unformatted"; exit 1; fi

fuzz: ## run every fuzz test for FUZZTIME (30s) each
	@set -e; for p in $$($(GO) list ./...); do \
		for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz' || true); do \
			echo "== $$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$p; done; done

bench: ## run the benchmarks; BENCH=pattern selects; compare two runs with: go run $(BENCHSTAT) old new
	$(GO) test -run '^$$' -bench '$(or $(BENCH),.)' -benchmem ./...

peers: ## run the AppStore and its peers (Verdaccio, pypiserver) side by side and print ratios; needs npm and python3
	$(GO) run ./bench

golden: ## write golden files anew; then read the diff
	$(GO) test ./schema/... ./registry ./registry/journal ./api/pip -update

image: ## build the container image
	docker build -t appstore:$(VERSION) --build-arg VERSION=$(VERSION) .

clean: ## remove what make build made
	rm -rf bin
