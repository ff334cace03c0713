"""Genomes to token datasets: annotation, negatives, splits, tokenizer and the build on Ray Data.

Knows nothing of training, tuning or the cluster; those import from here.
"""

__version__ = "0.1.0"
