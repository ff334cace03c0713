"""Negatives: `place` makes them on one chromosome; each kind has a module of its own, and bedtools draws the shuffled."""
