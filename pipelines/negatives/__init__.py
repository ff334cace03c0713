"""Negatives: `place` makes those of a chromosome; each kind has its own module, and bedtools draws shuffled ones."""
