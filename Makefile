# Two commands: `make run` and `make test`. Both install what is missing first.
# Everything uses the release profile, so that one build serves program and tests.
# A third, `make bench`, measures against other implementations, which it installs under target/.

.PHONY: run test lint bench install

ifeq ($(shell uname -s),Linux)
DISPLAY_FOUND := $(DISPLAY)$(WAYLAND_DISPLAY)
else
DISPLAY_FOUND := yes
endif

run: install
	cargo build --release
ifneq ($(DISPLAY_FOUND),)
	target/release/undertone --demo
else
	@echo "There is no display: doing the same job on the command line."
	.ci/demo target/release/undertone
endif

test: install lint
	cargo test --release

lint:
	cargo fmt --check
	cargo clippy --release --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --release --no-deps --lib

bench: install
	python3 bench/run.py $(CASES)

install:
	@.ci/install
