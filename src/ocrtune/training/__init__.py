"""Training and evaluation: one loop for both tasks, optimiser, schedule, checkpoints, the run folder."""
