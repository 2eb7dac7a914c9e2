"""Necks: one file each, registered by the name that PaddleOCR's YAML uses."""
