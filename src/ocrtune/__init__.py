"""ocrtune fine-tunes PP-OCR text detection and recognition models on your own labelled images."""

__version__ = "0.1.0"
