"""What requested splits must hold: genes and negatives, or sequences of several classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

from pipelines import schema
from pipelines.config import DatasetConfig
from pipelines.errors import UsageError
from pipelines.splits import assign
from pipelines.splits.plan import PlannedSplit

_LABELS = ("negatives", "genes")
_FIXES = {
    "family": "raise split.identity, or use split.by block",
    "region": "hold out other regions, with room between their genes for negatives",
}
_FIX = "hold out other chromosomes, other shares, or use split.by block"


def require_genes(planned: Sequence[PlannedSplit], config: DatasetConfig) -> None:
    """Check that every requested split will have a gene, as far as that is known.

    Args:
        planned: all splits.
        config: what is requested.

    Raises:
        UsageError: one has none.
    """
    if not all(one.is_exact for one in planned):
        return
    for split in config.requested_splits:
        if any(one.genes for one in planned if one.split == split):
            continue
        if key := _file_key(config, split):
            fix = "give it sequences that are genes"
        elif split == "train":
            key, fix = "split", "hold out less, or use split.by block"
        else:
            key, fix = f"split.{split}", "hold out another chromosome, or a longer region, or use split.by block"
        raise UsageError(f"{key}: {split} would have no gene", fix, key=key)


def require_classes(splits: assign.Codes, tables: Iterable[pa.Table], config: DatasetConfig) -> None:
    """Check that every requested split has genes and negatives, or two classes, and train all classes.

    Args:
        splits: of each row, shape (rows,).
        tables: the interval table in pieces, with label.
        config: what is requested, with the names of all classes.

    Raises:
        UsageError: a split that is empty or has only one class, or a train split that lacks one.
    """
    names = config.classes or _LABELS
    counts = np.zeros((len(schema.SPLITS), len(names)), np.int64)
    for rows, table in assign.slices(tables):
        numbers = len(names) * splits[rows].astype(np.int64) + table["label"].to_numpy()
        counts += np.bincount(numbers, minlength=counts.size).reshape(counts.shape)
    for split in config.requested_splits:
        rows_of_classes = counts[schema.SPLITS.index(split)].tolist()
        present = [name for name, rows in zip(names, rows_of_classes, strict=True) if rows]
        needed = len(names) if split == "train" else 2
        if len(present) >= needed:
            continue
        problem = f"has only {', '.join(present)}" if present else "has no interval"
        if config.classes and len(present) > 1:
            problem = f"has no sequence of class {next(name for name in names if name not in present)}"
        if key := _file_key(config, split):
            of_classes = "of every class" if split == "train" else f"of at least {needed} classes"
            fix = f"give it sequences {of_classes if config.classes else 'of both labels'}"
        else:
            key, fix = "split", _FIXES.get(config.split.by, _FIX)
        raise UsageError(f"{key}: {split} {problem}", fix, key=key)


def _file_key(config: DatasetConfig, split: str) -> str | None:
    """The key of the first file of a split, where files alone decide what is in it."""
    if any(source.is_divided for source in config.sources) and (split == "train" or getattr(config.split, split)):
        return None
    return next(f"sources.{number}.{split}" for number, source in enumerate(config.sources) if getattr(source, split))
