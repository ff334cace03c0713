"""Whether a training step fits in memory: estimated by a formula, measured by a probe, planned as a token budget."""
