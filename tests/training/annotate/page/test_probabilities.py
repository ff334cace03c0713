from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.structure import states
from training.annotate import scores
from training.annotate.page import probabilities
from training.annotate.score_tasks import score_path
from training.annotate.sequence_scores import SequenceScores

PLACES = ((0, 0, 0, 400), (0, 1, 400, 1000), (1, 0, 1000, 1300))


@pytest.fixture(scope="module")
def packed() -> scores.Packed:
    generator = np.random.default_rng(3)
    drawn: scores.Packed = generator.integers(0, 80, (2, 12, 1300), np.uint8)
    return drawn


@pytest.fixture(scope="module")
def folder(packed: scores.Packed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scores")
    for task in (0, 1):
        pieces = [np.ascontiguousarray(packed[..., start:end]) for one, _, start, end in PLACES if one == task]
        scores.write(pieces, score_path(folder, task))
    return folder


@given(st.integers(1, 5000), st.integers(0, 10**9), st.integers(1, 900))
def test_columns_cover_a_stretch_without_an_empty_one(bases: int, start: int, columns: int) -> None:
    edges = probabilities.column_edges(start, start + bases, columns)
    assert (edges[0], edges[-1], len(edges)) == (start, start + bases, min(columns, bases) + 1)
    widths = np.diff(edges)
    assert 1 <= widths.min() <= widths.max() <= widths.min() + 1


@pytest.mark.parametrize(("start", "end", "columns"), [(0, 1300, 7), (390, 410, 50), (350, 1100, 100), (1299, 1300, 9)])
def test_a_column_has_the_mean_of_its_bases_whatever_the_pieces(
    packed: scores.Packed, folder: Path, start: int, end: int, columns: int
) -> None:
    edges = probabilities.column_edges(start, end, columns)
    means = probabilities.of_stretch(SequenceScores("chr1", 1300, PLACES), folder, edges)
    assert means.shape == (2, 4, len(edges) - 1)
    np.testing.assert_allclose(means.sum(axis=1), 1)
    by_base = np.exp(scores.LOG_PROBABILITIES.astype(float))[packed[:, :8]]
    for column, (low, high) in enumerate(itertools.pairwise(edges.tolist())):
        of_states = by_base[..., low:high].sum(axis=2)
        wanted = [of_states[:, list(members)].sum(axis=1) for members in probabilities.CLASSES.values()]
        np.testing.assert_allclose(means[..., column], np.stack(wanted, axis=1) / sum(wanted)[:, None], rtol=1e-4)


def test_every_state_belongs_to_one_class() -> None:
    members = [state for of_class in probabilities.CLASSES.values() for state in of_class]
    assert sorted(members) == list(range(states.STATES))
