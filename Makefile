# Everything is built into bin/. `make help` lists the targets.

SHELL := /bin/bash
GO ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
# The commands need no C compiler, and are compiled as those of the image are,
# so that one serves the other.
BUILD := CGO_ENABLED=0 $(GO) build -trimpath

# Tools are pinned here and kept out of go.mod.
BUF := $(GO) run github.com/bufbuild/buf/cmd/buf@v1.75.0
CONTROLLER_GEN := $(GO) run sigs.k8s.io/controller-tools/cmd/controller-gen@v0.23.0
STATICCHECK := $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := $(GO) run golang.org/x/vuln/cmd/govulncheck@v1.9.0

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "%-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build emco-chaos, its plugin and the emulated EMCO into bin/
	@mkdir -p bin
	@echo "compiling: seconds, or ten minutes of processor time when nothing of it is compiled yet"
	@set -o pipefail; $(BUILD) -v -ldflags '$(LDFLAGS)' -o bin/ ./plugin/cmd/... ./probes/cmd/... 2>&1 | \
		awk '!/^[^ :]+$$/ {print; next} ++n % 100 == 0 {print n " packages compiled"; fflush()}'

.PHONY: demo
demo: build ## Run the experiments on an emulated EMCO on this machine
	bin/emco-chaos demo

.PHONY: test
test: ## Run all tests that need no cluster, with the race detector
	$(GO) -C experiments/e2e test -race ./browser ./cluster ./cmd/... ./chart
	$(GO) test -race -timeout 40m ./...

# Everything that the end-to-end tests and the cluster need is built from
# source once, and kept in the user's cache.
E2E := $(GO) -C experiments/e2e run ./cmd/cluster

.PHONY: e2e
e2e: ## Run the experiments on a real cluster with real Chaos Mesh (root on Linux), or on that of KUBECONFIG
	$(E2E) test

.PHONY: cluster-up
cluster-up: ## Bring up that cluster, with an emulated EMCO in it
	$(E2E) up

.PHONY: cluster-down
cluster-down: ## Take that cluster down
	$(E2E) down

IMAGE ?= emco-chaos:$(VERSION)
ARCH ?= $(shell $(GO) env GOARCH)

.PHONY: image
image: ## Build the container image IMAGE into bin/, without a container engine
	@echo "compiling for the image: seconds, or ten minutes of processor time when nothing of it is compiled yet"
	$(GO) -C experiments/e2e run ./image/build --source $(CURDIR) -o $(CURDIR)/bin/emco-chaos-image.tar --version $(VERSION) --name $(IMAGE) --arch $(ARCH)

FUZZTIME ?= 1m

# When its time is up Go's fuzzer can end with "context deadline exceeded" and
# no failing input. That is no finding, and the target is fuzzed again, three
# times at most, because an input that hangs looks the same.
.PHONY: fuzz
fuzz: ## Fuzz every parser, FUZZTIME each (1m)
	@set -euo pipefail; log=$$(mktemp); trap 'rm -f "$$log"' EXIT; \
	for file in $$(grep -rl --include=*_test.go '^func Fuzz' experiments plugin probes | sort); do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z]*\)(.*/\1/p' "$$file"); do \
			echo "$$file: $$target"; \
			fuzz() { $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x "./$$(dirname "$$file")" 2>&1 | tee "$$log" | { grep -v '^fuzz: elapsed' || true; }; }; \
			for try in 1 2 3 4; do \
				fuzz && continue 2; \
				grep -q 'context deadline exceeded' "$$log" && ! grep -q 'Failing input written' "$$log" || exit 1; \
			done; \
			exit 1; \
		done; \
	done

SEED ?= 1

.PHONY: kills
kills: KILLS ?= 200
kills: ## Kill processes of KILLS runs (200), and a crash map five times, at random moments that SEED (1) decides; nothing may be left, and no verdict be false
	$(GO) test -count 1 -timeout 60m ./plugin/cmd/emco-chaos -run '^(TestKills|TestMap)$$' -kills $(KILLS) -map-kills 5 -kill-seed $(SEED)

.PHONY: e2e-kills
e2e-kills: KILLS ?= 30
e2e-kills: ## The same on a real cluster, 30 times: the command, the controller and Chaos Mesh's own die
	EMCO_CHAOS_E2E_KILLS=$(KILLS) EMCO_CHAOS_E2E_SEED=$(SEED) $(E2E) test -- -timeout 2h -run '^TestKills$$'

.PHONY: bench
bench: ## Measure the way from an event in the plugin to the driver, and what emco-probe serve takes
	$(GO) test -run '^$$' -bench . -benchtime 10000x ./plugin/host ./plugin/cmd/emco-chaos-plugin-emco
	$(GO) test -run '^$$' -bench . -benchtime 1x ./probes/cmd/emco-probe

.PHONY: check
check: format vet lint generated ## Check format, vet, lint, and that generated code is up to date

.PHONY: format
format: ## Check that the code is formatted
	@unformatted=$$(gofmt -l experiments plugin probes); \
	if [ -n "$$unformatted" ]; then echo "run gofmt -w on:"; echo "$$unformatted"; exit 1; fi

.PHONY: tidy
tidy: ## Check that the modules name what is used, and no more (it asks for the modules of all tests)
	$(GO) mod tidy -diff
	$(GO) -C experiments/e2e mod tidy -diff

.PHONY: vet
vet: ## Run go vet
	$(GO) vet ./...
	$(GO) -C experiments/e2e vet -tags e2e ./...

.PHONY: lint
lint: ## Run staticcheck
	$(STATICCHECK) ./...
	cd experiments/e2e && $(STATICCHECK) -tags e2e ./...

.PHONY: generate
generate: ## Generate the contract's Go code, the definition of Runs, the schema and the reference of experiments
	cd plugin/sdk && $(BUF) lint && $(BUF) generate
	$(CONTROLLER_GEN) object crd paths=./plugin/controller/api/... output:crd:dir=charts/emco-chaos/files
	$(GO) test ./experiments -run '^(TestSchemaIsUpToDate|TestReference)$$' -update
	$(GO) -C experiments/e2e test ./chart -run '^TestExperimentsFile$$' -update

.PHONY: generated
generated: ## Check that what is generated is up to date
	@files="plugin/sdk/pluginv1/*.pb.go plugin/controller/api/v1alpha1/zz_generated.* charts/emco-chaos/files/* experiments/schema.json experiments/README.md"; \
	before=$$(cat $$files | sha256sum); \
	$(MAKE) --no-print-directory generate; \
	if [ "$$before" != "$$(cat $$files | sha256sum)" ]; then echo "what is generated was out of date: commit what make generate made"; exit 1; fi

.PHONY: vuln
vuln: ## Look for known vulnerabilities
	$(GOVULNCHECK) ./...
	cd experiments/e2e && $(GOVULNCHECK) ./...

.PHONY: clean
clean: ## Remove what was built
	rm -rf bin
