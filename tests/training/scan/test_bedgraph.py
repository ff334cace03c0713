from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.errors import InputError
from training.scan import bedgraph
from training.scan.grid import Grid
from training.scan.scores import NO_SCORE, SCALE

GRID = Grid(40, 10)
SEQUENCE = st.tuples(st.integers(30, 200), st.integers(0, 2**32 - 1))


def drawn(length: int, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    scores = generator.choice([0, 1, 5_000, SCALE, int(NO_SCORE)], GRID.bins(length))
    return scores.astype(np.uint16)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(SEQUENCE, min_size=1, max_size=5))
def test_what_is_written_is_read_back(tmp_path: Path, sequences: list[tuple[int, int]]) -> None:
    lengths = {f"s{number}": length for number, (length, _) in enumerate(sequences)}
    scores = {f"s{number}": drawn(*sequence) for number, sequence in enumerate(sequences)}
    path = tmp_path / "a.bedgraph"
    text = "".join(line for name in lengths for line in bedgraph.lines(name, lengths[name], scores[name], GRID))
    path.write_text("# a comment\n" + text)
    read_scores = dict(bedgraph.read(path, lengths, GRID))
    assert list(read_scores) == list(lengths)
    assert all((read_scores[name] == scores[name]).all() for name in lengths)


def test_neighbours_of_one_score_are_one_line_and_unscored_bins_none() -> None:
    scores = np.array([5000, 5000, NO_SCORE, 0, 0, 10_000], np.uint16)
    assert "".join(bedgraph.lines("a", 57, scores, GRID)).splitlines() == [
        "a\t0\t20\t0.5000",
        "a\t30\t50\t0.0000",
        "a\t50\t57\t1.0000",
    ]


@pytest.mark.parametrize(
    "line",
    ["a\t0\t20", "a\t5\t20\t0.5", "a\t0\t900\t0.5", "a\t0\t20\t1.5", "a\t20\t20\t0.5", "b\t0\t10\t0.5", "a\tx\t20\t1"],
)
def test_a_line_that_a_scan_does_not_write_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "a.bedgraph"
    path.write_text(f"# a comment\n{line}\n")
    with pytest.raises(InputError, match=r"a\.bedgraph: line 2: .*: scan again"):
        list(bedgraph.read(path, {"a": 57}, GRID))
