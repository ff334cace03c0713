from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines.errors import DependencyError
from training.annotate import score_tasks, scores, tracks
from training.annotate.sequence_scores import SequenceScores

LENGTHS = {"b": 300, "B": 100, "a": 250}
PIECES = {"b": (120, 180), "B": (100,), "a": (250,)}


def write_scores(folder: Path) -> tuple[list[SequenceScores], dict[str, scores.Packed]]:
    generator = torch.Generator().manual_seed(3)
    located, whole = [], {}
    for task, (name, sizes) in enumerate(PIECES.items()):
        drawn = torch.randn(2, scores.PLANES, LENGTHS[name], generator=generator) * 3
        drawn[:, 0, 10:40] = 20
        drawn[:, :8] = drawn[:, :8].log_softmax(dim=1)
        whole[name] = scores.pack(drawn)
        ends = np.cumsum(sizes).tolist()
        places = tuple(
            (task, number, end - size, end) for number, (size, end) in enumerate(zip(sizes, ends, strict=True))
        )
        scores.write([whole[name][..., start:end] for _, _, start, end in places], score_tasks.score_path(folder, task))
        located.append(SequenceScores(name, LENGTHS[name], places))
    return located, whole


def test_a_track_holds_the_probability_of_coding_of_every_base_in_hundredths(tmp_path: Path) -> None:
    pybigtools = pytest.importorskip("pybigtools")
    located, whole = write_scores(tmp_path)
    paths = tmp_path / "c.plus.bw", tmp_path / "c.minus.bw"
    tracks.write(paths, located, LENGTHS, tmp_path)
    for strand, path in enumerate(paths):
        reader = pybigtools.open(str(path))
        assert reader.chroms() == dict(sorted(LENGTHS.items()))
        for name, length in LENGTHS.items():
            written = np.nan_to_num(reader.values(name, 0, length))
            expected = np.exp(scores.unpack(whole[name]).log_states[:, strand, 2:5]).sum(axis=1)
            assert np.abs(written - expected.clip(max=1)).max() <= 0.00501
            assert (written[10:40] == 0).all()


def test_a_genome_without_a_coding_base_gives_tracks_of_zero_that_can_be_read(tmp_path: Path) -> None:
    pybigtools = pytest.importorskip("pybigtools")
    scores.write([scores.certainly_intergenic(50)], score_tasks.score_path(tmp_path, 0))
    paths = tmp_path / "c.plus.bw", tmp_path / "c.minus.bw"
    tracks.write(paths, [SequenceScores("n", 50, ((0, 0, 0, 50),))], {"n": 50}, tmp_path)
    for path in paths:
        assert list(pybigtools.open(str(path)).records("n")) == [(0, 50, 0.0)]


def test_neighbouring_bases_of_one_value_are_one_interval() -> None:
    packed = scores.certainly_intergenic(6)
    packed[0, 2, 1:4] = 0
    starts, ends, values = tracks.intervals(packed, 0)
    assert (starts.tolist(), ends.tolist(), values.tolist()) == ([1], [4], [100])
    assert len(tracks.intervals(packed, 1)[0]) == 0


def test_a_missing_library_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pybigtools", None)
    with pytest.raises(DependencyError, match=r"pybigtools.*not installed.*pip install 'raygene\[bigwig\]'"):
        tracks.require_writer()
