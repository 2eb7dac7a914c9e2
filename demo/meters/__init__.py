"""Photos of seven-segment meters, drawn: the demo's small domain, with labels for detection and recognition."""
