"""``ocrtune check``: look at the config and the data without training."""
