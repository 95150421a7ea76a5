# Compiled modules are kept, and beside no source, also where the environment says to keep none.
export PYTHONPYCACHEPREFIX := $(CURDIR)/.cache/clarion/bytecode
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test check bench train training-environment

# Everything that the others need: .venv and the embedded runtime. PYTHON=… names the interpreter.
setup:
	@PYTHON="$(PYTHON)" deploy/embedded/setup.sh

# A chest CT through the whole system, on this machine; CLARION_HOME names where it lives.
demo: setup
	@.venv/bin/clarion demo

# The second is for real parts, each file with a system of its own: two at a time, as they mostly
# wait. The last is for what needs PyTorch: training itself, and parity with MONAI.
test: setup training-environment
	@deploy/embedded/test-tools.sh
	@.venv/bin/python -m pytest -n 2 -m "not e2e and not torch"
	@.venv/bin/python -m pytest -n 2 --dist loadfile -m e2e
	@.cache/training/bin/python -m pytest -m torch training clarion/bundles

check: setup
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy .
	@.venv/bin/lint-imports

bench: setup
	@.venv/bin/python -m benchmarks

# Draws, trains, exports, fits threshold and gate, measures, writes the cards. Hours on a CPU;
# brings PyTorch into an environment of its own. Real CT is looked at where this machine has it.
train: training-environment
	@.cache/training/bin/python -m training
	@.venv/bin/python -m training.threshold
	@.cache/training/bin/python -m training.gate
	@.venv/bin/python -m training.gate --real
	@.venv/bin/python -m training.cards --measure

training-environment: setup
	@.venv/bin/uv venv --quiet --allow-existing --python .venv/bin/python .cache/training
	@echo "    installing PyTorch and what training needs into .cache/training (several GB, once)"
	@UV_SYSTEM_CERTS=1 .venv/bin/uv pip sync --quiet --python .cache/training/bin/python --require-hashes requirements-training.lock
