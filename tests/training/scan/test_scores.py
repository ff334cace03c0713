from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import DatasetError
from training.scan import scores
from training.scan.scores import NO_SCORE, SCALE


def test_scores_become_ten_thousandths_and_nan_no_score() -> None:
    packed = scores.pack(np.array([0.0, 0.25, 0.99996, 1.0, np.nan]))
    assert packed.dtype == np.uint16
    assert packed.tolist() == [0, 2500, SCALE, SCALE, int(NO_SCORE)]


@given(st.integers(1, SCALE))
def test_a_threshold_written_with_four_decimals_is_its_own_level(level: int) -> None:
    assert scores.threshold_level(level / SCALE) == level


def test_a_threshold_between_two_scores_needs_the_higher_one_and_0_needs_a_score() -> None:
    assert scores.threshold_level(0.50001) == 5001
    assert scores.threshold_level(0.0) == 1


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    written = np.array([[1, 2, int(NO_SCORE)], [4, 5, 6]], np.uint16)
    scores.write(written, tmp_path / "000000.npy")
    assert (scores.read(tmp_path / "000000.npy", 3) == written).all()
    assert [path.name for path in tmp_path.iterdir()] == ["000000.npy"]


@pytest.mark.parametrize("content", [b"", b"no array", None])
def test_a_missing_or_damaged_file_is_an_error_that_says_what_to_do(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "000001.npy"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"000001\.npy: cannot be read .*: delete it and run the scan again"):
        scores.read(path, 3)


@pytest.mark.parametrize("wrong", [np.zeros((2, 4), np.uint16), np.zeros((1, 3), np.uint16), np.zeros((2, 3))])
def test_scores_of_another_shape_or_type_are_refused(tmp_path: Path, wrong: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", wrong)
    with pytest.raises(DatasetError, match="not the scores of 3 bins"):
        scores.read(tmp_path / "a.npy", 3)


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DatasetError, match="cannot be read"):
        scores.read(tmp_path / "a.npy", 3)
