"""What the benchmarks against PaddleOCR share: cases, inputs, workers and the pipes between them."""
