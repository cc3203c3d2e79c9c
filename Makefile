# `make` checks a change as CI does, without its slow lanes; `make ci` runs those too, each defined in .ci/run.

LINT := go tool -modfile=.ci/tools/go.mod golangci-lint

.PHONY: all
all: fmt-check vet lint test build ## everything quick: what to run before a commit

.PHONY: help
help: ## list the targets
	@sed -nE 's/^([a-z-]+):.* ## (.*)/\1	\2/p' $(MAKEFILE_LIST) | sort | expand -t 12

.PHONY: build
build: ## build bin/understudy
	go build -ldflags='-s -w' -o bin/understudy .

.PHONY: fmt
fmt: ## format the code
	$(LINT) fmt

.PHONY: fmt-check
fmt-check: ## show what fmt would change
	$(LINT) fmt --diff

.PHONY: vet
vet: ## run go vet
	go vet ./...

.PHONY: lint
lint: ## run the linters of .golangci.yml
	$(LINT) run

.PHONY: test
test: ## run the tests
	go test ./...

.PHONY: race
race: ## run the tests with the race detector
	.ci/run race

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (20s)
	.ci/run fuzz

.PHONY: corpus
corpus: ## replay recorded traffic, where there is any
	.ci/run corpus

.PHONY: sdk
sdk: ## run the vendors' SDKs against the binary
	.ci/run sdk

.PHONY: crash
crash: ## kill the gateway 1,000 times and hold its ledger against the vendors' journals
	CRASH_RUNS=1000 .ci/run crash

.PHONY: bench
bench: ## measure against a bare proxy, in one go
	go run ./bench

.PHONY: load
load: ## measure what only shows under load: make load LOAD='-streams 10000 -duration 15m' at full length
	go run ./bench -load $(LOAD)

.PHONY: books
books: ## measure a ledger of ten million rows, and a million keys: about ten minutes, and 10 GB
	UNDERSTUDY_LEDGER_ROWS=10000000 go test -run '^$$' -bench LargeLedger -benchtime 1x -timeout 60m ./app
	UNDERSTUDY_KEYS=1000000 go test -run '^$$' -bench ManyKeys -benchtime 3x -timeout 20m ./access

.PHONY: histories
histories: ## look for an order that explains what clients were told by the ledger, in 10,000 random histories: five minutes
	UNDERSTUDY_HISTORIES=10000 go test -count=1 -timeout 60m -run '^TestStore$$/^races$$' -v ./store/...

.PHONY: scenarios
scenarios: ## let vendors fail as a whole, cut streams at every byte, upgrade ten times: all at full length, half an hour
	UNDERSTUDY_SCENARIOS=full go test -count=1 -timeout 60m -run 'TestScenarios|Anywhere' -v ./gateway
	UNDERSTUDY_SCENARIOS=full go test -count=1 -timeout 60m -run 'TestRollingUpgrade|TestTinyEvents|TestChurn|TestReloadUnderLoad|TestStopCutsNoStream|TestSlowReaders|TestVendorDiesUnderItsStreams' -v ./e2e

.PHONY: docs
docs: ## write the pages of docs/ that are made from the tables in the code
	go test -count=1 ./docs -update

.PHONY: ci
ci: ## run every lane, as CI does
	.ci/run
