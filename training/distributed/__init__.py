"""Training on Ray Train: placing, starting, watching and resuming workers."""
