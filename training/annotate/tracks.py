"""The probability of coding along the genome as bigWig, one file a strand.

Written by pybigtools, in the format of UCSC (Kent et al. 2010, doi:10.1093/bioinformatics/btq351). Neighbouring bases
of one value in hundredths are one interval, and those of 0 have none. A strand of nothing but 0 has one interval of 0:
no reader opens a bigWig without any.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines import storage
from pipelines.errors import DependencyError
from pipelines.structure import states
from training.annotate.scores import LOG_PROBABILITIES, Packed
from training.annotate.sequence_scores import SequenceScores

HUNDREDTHS = 100
_CODING = slice(states.CDS_0, states.CDS_2 + 1)
# The probability of every packed level.
_PROBABILITIES = np.exp(LOG_PROBABILITIES)


def require_writer() -> None:
    """Check that bigWig can be written.

    Raises:
        DependencyError: pybigtools is not installed.
    """
    try:
        import pybigtools  # noqa: F401
    except ImportError as error:
        raise DependencyError(
            "--bigwig: pybigtools, which writes bigWig, is not installed", "pip install 'raygene[bigwig]'"
        ) from error


def write(
    paths: tuple[Path, Path], sequences: Sequence[SequenceScores], lengths: Mapping[str, int], folder: Path
) -> None:
    """Write the tracks of both strands, each whole or not at all.

    Args:
        paths: of the forward and the reverse strand.
        sequences: where scores lie; at least one.
        lengths: bases of all sequences.
        folder: directory of the scores.
    """
    import pybigtools

    # bigWig has its sequences sorted by name, byte for byte.
    ordered = sorted(sequences, key=lambda one: one.chromosome.encode())
    for strand, path in enumerate(paths):
        # pybigtools goes by the ending.
        with storage.replacing(path, keeps_suffix=True) as temporary:
            rows = (row for one in ordered for row in _rows(one, folder, strand))
            first = next(rows, (ordered[0].chromosome, 0, ordered[0].length, 0.0))
            pybigtools.open(str(temporary), "w").write(dict(lengths), itertools.chain([first], rows))


def _rows(one: SequenceScores, folder: Path, strand: int) -> Iterator[tuple[str, int, int, float]]:
    """Sequence, start, end and probability of every interval of one strand of a sequence."""
    for first, _, packed in one.read(folder):
        starts, ends, values = intervals(packed, strand)
        for start, end, value in zip((starts + first).tolist(), (ends + first).tolist(), values.tolist(), strict=True):
            yield one.chromosome, start, end, value / HUNDREDTHS


def intervals(packed: Packed, strand: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Starts, ends and probabilities of coding in hundredths of the intervals of one strand, without those of 0.

    Args:
        packed: scores, shape (2, 12, bases).
        strand: 0 forward, 1 reverse.
    """
    coding = _PROBABILITIES[packed[strand, _CODING]].sum(axis=0)
    levels = np.rint(np.minimum(coding, 1) * HUNDREDTHS).astype(np.int64)
    starts = np.flatnonzero(np.append(True, levels[1:] != levels[:-1]))
    ends = np.append(starts[1:], len(levels))
    shown = levels[starts] > 0
    return starts[shown], ends[shown], levels[starts][shown]
