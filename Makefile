# Every command a developer or CI needs. `make help` lists them.

CARGO ?= cargo
PEERS := target/peers
BOOK := target/docs-tools
.DEFAULT_GOAL := help

.PHONY: help demo test quick check docs worlds bench compare growth billion fuzz sample-data snippets peers ec2-shapes package

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' Makefile | expand -t 14

demo: ## build without the AWS SDK and audit the sample data
	$(CARGO) run --quiet --no-default-features -- demo --out target/demo

test: peers ## set up the peers under target/, then run every test
	$(CARGO) test

quick: ## formatting, unit tests, and the integration tests that need no peer; CI runs `make test`
	@test -z "$$CI" || { echo "make quick leaves out tests; CI runs make check test"; exit 1; }
	$(CARGO) fmt --check
	$(CARGO) test --lib
	CLOSEGATE_PEERS=none CLOSEGATE_SEEDS=25 $(CARGO) test --test integration -- $$(sed '/^#/d; s/^/--skip /' tests/with-peers.txt)
	@echo "NOT RUN: the tests in tests/with-peers.txt, which need peers; of random networks only 25"

check: docs ## formatting, lints with warnings denied, documentation
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- --deny warnings
	$(CARGO) clippy --all-targets --no-default-features -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" $(CARGO) doc --no-deps --document-private-items

docs: $(BOOK)/.ready ## the guides as a book, in target/docs; a broken link or another warning fails
	$(BOOK)/bin/sphinx-build -c docs -d $(BOOK)/doctrees --fresh-env --quiet --fail-on-warning --keep-going . target/docs

# The book's programs are their own environment: building it needs none of the peers.
$(BOOK)/.ready: docs/requirements.txt
	@python3 -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "the documentation is built with Python 3.11 or later and its modules venv and ensurepip: python3 is missing or lacks them" >&2; exit 1; }
	rm -rf $(BOOK)
	python3 -m venv $(BOOK)
	$(BOOK)/bin/pip install --quiet --disable-pip-version-check --no-compile --requirement $<
	touch $@

worlds: ## a thousand random networks: our rules, and the naive method's
	CLOSEGATE_SEEDS=1000 $(CARGO) test --test integration world -- --nocapture

bench: ## measure the stages
	$(CARGO) bench

compare: ## the whole audit beside DuckDB and Polars, and decompression alone; TOPOLOGY=internal, destinations or scans
	benches/compare.sh $(TOPOLOGY)

billion: ## the time of a billion rows, extrapolated from 40 and 160 million
	benches/compare.sh --extrapolate

growth: ## how time, memory and reports grow with an account; AXES="findings days" picks some
	$(CARGO) build --release --no-default-features --features jemalloc --bin closegate
	python3 benches/growth.py $${CARGO_TARGET_DIR:-target}/release/closegate $(AXES)

fuzz: ## ten minutes of each fuzz target; needs nightly and cargo-fuzz
	cd fuzz && for target in line format json parquet content policy; do \
		$(CARGO) +nightly fuzz run -s none $$target -- -max_total_time=600 -rss_limit_mb=4096 || exit 1; done

sample-data: ## make sample-data/ again from its seed
	$(CARGO) run --quiet --example sample-data

snippets: peers ## put the demo's output into the README, and make the report's pictures
	python3 docs/snippets.py

ec2-shapes: peers ## make the table of EC2's answers again, from the service model
	$(PEERS)/bin/python tests/peers/ec2_shapes.py > src/aws/ec2-shapes.json

package: ## build every package for this machine's kind of Linux under target/package/out, and try each; docs/release.md
	python3 -B packaging/package.py

# The peers: real programs that read what closegate writes. Python's and Node's come from their registries; browser, Node, Java, jq,
# shellcheck, and what reads packages, from Debian, where this is root on one. Terraform and its AWS provider have to be there.
# A test whose peer is missing says so, and fails where CI is set.
peers: $(PEERS)/.ready

$(PEERS)/.ready: tests/peers/requirements.txt tests/browser/package-lock.json
	rm -rf $(PEERS)
	@if command -v apt-get >/dev/null && test "$$(id -u)" = 0; then \
		for pair in chromium:chromium shellcheck:shellcheck node:nodejs npm:npm jq:jq java:openjdk-17-jre-headless \
			lintian:lintian man:man-db rpm:rpm skopeo:skopeo umoci:umoci; do \
			command -v "$${pair%%:*}" >/dev/null || wanted="$$wanted $${pair##*:}"; done; \
		test -z "$$wanted" || { apt-get update -qq && apt-get install -y -qq --no-install-recommends $$wanted >/dev/null; } || \
			echo "could not install:$$wanted"; fi
	python3 -m venv $(PEERS)
	$(PEERS)/bin/pip install --quiet --disable-pip-version-check --no-compile --requirement $<
	mkdir $(PEERS)/browser
	cp tests/browser/package.json tests/browser/package-lock.json $(PEERS)/browser/
	if command -v npm >/dev/null; then cd $(PEERS)/browser && npm ci --silent --ignore-scripts --no-audit --no-fund; fi
	touch $@
