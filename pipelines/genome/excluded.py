"""The intervals of `sources.exclude`, a BED file of what no negative may overlap and no label is given to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from pipelines.config import SourceConfig
from pipelines.display import agreeing, counted
from pipelines.genome import bed_reader
from pipelines.genome.intervals import Intervals
from pipelines.progress import Progress


def read(
    config: SourceConfig, lengths: Mapping[str, int], to_fasta_name: Callable[[str], str], progress: Progress
) -> dict[str, Intervals]:
    """The intervals by chromosome as they are in the file, shape (n, 2); none where the key is not given.

    Args:
        config: the source.
        lengths: bases of each chromosome in use.
        to_fasta_name: gives a sequence's name in the FASTA file for its name in the BED file.
        progress: where rows on other sequences are counted.

    Raises:
        InputError: the file is missing or damaged, or a row is no interval.
    """
    if config.exclude is None:
        return {}
    path, rows = Path(config.exclude), dict[str, list[tuple[int, int]]]()
    unused = 0
    for number, columns in bed_reader.rows(path):
        name, interval = to_fasta_name(columns[0]), bed_reader.location(columns, path, number)
        unused += name not in lengths
        rows.setdefault(name, []).append(interval)
    if unused:
        are = agreeing(unused, "is", "are")
        progress.warn(f"{config.genome}: {counted(unused, 'row')} of {path} {are} on sequences that are not used")
    return {name: np.array(on_sequence, np.int64) for name, on_sequence in rows.items() if name in lengths}
