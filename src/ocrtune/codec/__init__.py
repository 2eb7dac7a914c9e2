"""Numpy on both sides of the network: image <-> tensor, polygons <-> DB maps, text <-> class numbers. No torch."""
