# Two commands: `make run` and `make test`. Both install what is missing first.
# Everything uses the release profile, so that one build serves program and tests.
# A third, `make bench`, measures against other implementations, which it installs under target/.
# A fourth, `make cuda`, builds for NVIDIA's GPUs with a compiler that it fetches; no GPU is needed to build. `make
# bench-cuda` measures there.

.PHONY: run test lint bench cuda cuda-home bench-cuda install

# 80 runs on every GPU from Ampere on; name your own (nvidia-smi --query-gpu=compute_cap) for faster kernels.
CUDA_COMPUTE_CAP ?= 80

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

CUDA_BUILD := target/cuda/build
WITH_CUDA = env -u CUDA_PATH -u CUDA_ROOT -u CUDA_TOOLKIT_ROOT_DIR -u CUDNN_LIB \
  CUDA_HOME=$(CURDIR)/target/cuda/home PATH=$(CURDIR)/target/cuda/home/bin:$(PATH) \
  CUDA_COMPUTE_CAP=$(CUDA_COMPUTE_CAP) CARGO_TARGET_DIR=$(CUDA_BUILD)

cuda-home: install
	.ci/cuda/home target/cuda
	mkdir -p $(CUDA_BUILD)/release/deps
	ln -sfn ../../redistributable $(CUDA_BUILD)/release/cuda
	ln -sfn ../cuda $(CUDA_BUILD)/release/deps/cuda

cuda: cuda-home
	$(WITH_CUDA) cargo build --release --features cuda
	@echo "$(CUDA_BUILD)/release/undertone is built"

bench-cuda: cuda-home
	$(WITH_CUDA) python3 bench/run.py --device cuda $(CASES)

install:
	@.ci/install
