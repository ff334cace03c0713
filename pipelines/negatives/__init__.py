"""Negatives: where non-gene intervals come from, placed by bedtools and verified."""
