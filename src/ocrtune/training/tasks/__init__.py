"""What differs between detection and recognition: from a model's outputs to metrics."""
