"""Label files to batches: formats, checks, transforms, samplers, loader."""
