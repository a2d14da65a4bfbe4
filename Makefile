# Every way to work on Ironpost; `make help` lists them.
SHELL := /bin/bash
SWIFT := swift
# lld links an incremental debug build in seconds.
FLAGS := -Xswiftc -use-ld=lld
BUILD_PACKAGES := libsqlite3-dev libsystemd-dev libtomlplusplus-dev zlib1g-dev
TEST_PACKAGES := iproute2 logrotate nftables openssh-client openssh-server rsyslog sshpass util-linux prometheus systemd-journal-remote sqlite3 procps strace

.PHONY: help run build test test-deep bench format lint deps test-deps

help: ## This list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: deps ## Build, start on this host, show a first alert, follow alerts until Ctrl-C
	@scripts/run

build: deps ## Optimised executables in .build/release
	$(SWIFT) build -c release $(FLAGS) --product ironpost-daemon
	$(SWIFT) build -c release $(FLAGS) --product ironpost-responder
	$(SWIFT) build -c release $(FLAGS) --product ironpost

test: deps test-deps ## Build and run the test suite
	$(SWIFT) build $(FLAGS) --build-tests
	$(SWIFT) test $(FLAGS) --skip-build --no-parallel

test-deep: deps test-deps ## The same suite with the counts of the long proofs
	IRONPOST_DEEP=1 $(SWIFT) test $(FLAGS) --no-parallel

bench: build test-deps ## Every benchmark, peers beside it; JSON in .build/bench, page in docs/benchmarks.md
	@scripts/bench

format: ## Format all Swift and C
	$(SWIFT) format --in-place --recursive --parallel Sources Tests Package.swift
	@git ls-files '*.c' '*.h' '*.cpp' | xargs -r $(CLANG_FORMAT) -i

lint: ## Check the format of Swift
	$(SWIFT) format lint --strict --recursive --parallel Sources Tests Package.swift

CLANG_FORMAT := $(firstword $(wildcard /usr/bin/clang-format /usr/bin/clang-format-14) clang-format)

deps:
	@scripts/install-packages $(BUILD_PACKAGES)

test-deps:
	@scripts/install-packages $(TEST_PACKAGES)
