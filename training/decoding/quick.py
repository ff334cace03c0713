"""What the validation of an epoch needs: genes without their support, and how many of their exons are right."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from pipelines.structure.states import States
from training.decoding.called import CalledGene
from training.decoding.decoder import decode
from training.decoding.scores import Scores
from training.decoding.settings import Settings
from training.decoding.truth import Counts, Truth

ExonCounts = Counts


def quick(scores: Scores, codes: NDArray[np.uint8], settings: Settings) -> list[CalledGene]:
    """The genes of the best path through a whole stretch, or of one a strand, without their support; sorted.

    Args:
        scores: of every base.
        codes: of every base, as of `pipelines.genome.sequence.base_codes`, shape (bases,).
        settings: of the decoder.

    Raises:
        UsageError: arrays that do not fit each other.
        TrainingError: a score that is not a number.
    """
    return decode(scores, codes, settings, support=False)


def exon_counts(called: Iterable[CalledGene], packed: States) -> ExonCounts:
    """How many coding exons of a stretch are annotated, called, and both with the same ends and strand.

    Args:
        called: genes of the stretch.
        packed: its states, shape (bases,).
    """
    return Truth(packed).exon_counts(called)
