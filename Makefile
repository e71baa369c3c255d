# make demo   set up, then render the embedded sample to out/platematch-demo.mp4
# make test   set up, then run every check and test
# make run    set up, then open the window
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: setup demo test run screenshots resources lint format clean

setup: $(READY)

# Installs under the tested versions; a change of the pins or of what is needed installs again.
$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	$(BIN)/python -m compileall -q app harmonizer assets
	$(BIN)/python -m app.pipeline.kernel_cache
	$(BIN)/python main.py models list --quiet || $(BIN)/python main.py models fetch
	touch $(READY)

demo: setup
	$(BIN)/python main.py demo --output out/platematch-demo.mp4 --open
	@echo "The result: out/platematch-demo.mp4 (left of the line: pasted, right of it: matched)"

# A network that takes every core in each of several test processes makes them all wait for one another.
test: export OMP_NUM_THREADS = 1
test: setup
	$(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile

run: setup
	$(BIN)/python main.py gui

# The README's pictures of the window, on a virtual screen.
screenshots: setup
	$(BIN)/python main.py screenshots --out docs/images

# After a change of resources.qrc, an icon or a built-in plate.
resources: setup
	$(BIN)/python -m assets.compile_resources

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) out build *.egg-info
