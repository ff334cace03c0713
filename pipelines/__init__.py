"""Genomes to token datasets, built on Ray.

Folders, each of which imports only those above it:

- modules at the root: errors, storage, fingerprints, progress, schemas, configuration, reports, remote files, metrics,
  and maps over tables on Ray (`ray_map`)
- `genome`: sequences, intervals, annotations and the file formats that hold them
- `tokens`: the k-mer tokenizer
- `dataset` (a token dataset on disk) and `splits` (train, validation and test)
- `negatives` (non-gene intervals) and `audit` (what a dataset holds, and what gives its labels away)
- `build`: the pipeline from genomes to a dataset

This package knows nothing of training, tuning or the cluster; those import from here.
"""

__version__ = "0.1.0"
