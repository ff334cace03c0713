"""Networks that read both strands of a sequence with the same weights."""
