from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines.errors import DatasetError
from training.annotate import scores


def random_scores(bases: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    drawn = torch.randn(2, scores.PLANES, bases, generator=generator) * 6
    drawn[:, :8] = drawn[:, :8].log_softmax(dim=1)
    return drawn


def test_scores_come_back_by_base_within_half_a_step() -> None:
    drawn = random_scores(500)
    unpacked = scores.unpack(scores.pack(drawn))
    by_base = drawn.permute(2, 0, 1).numpy()
    roots = np.sqrt(-unpacked.log_states) - np.sqrt(-by_base[..., :8])
    assert np.abs(roots).max() <= scores.ROOT_STEP / 2 + 1e-5
    most = 63 * scores.SITE_STEP
    assert np.abs(unpacked.site_logits - by_base[..., 8:].clip(-most, most)).max() <= scores.SITE_STEP / 2 + 1e-5
    assert unpacked.log_states.flags.c_contiguous
    assert unpacked.site_logits.flags.c_contiguous


def test_impossible_states_have_the_lowest_score() -> None:
    drawn = random_scores(3)
    drawn[:, 1] = -1e4
    assert (scores.pack(drawn)[:, 1] == 255).all()


def test_pieces_of_a_task_are_read_back_one_by_one(tmp_path: Path) -> None:
    packed = scores.pack(random_scores(700))
    pieces = [packed[..., :200], packed[..., 200:]]
    scores.write(pieces, tmp_path / "0.arrow")
    for number, piece in enumerate(pieces):
        assert np.array_equal(scores.read(tmp_path / "0.arrow", number, piece.shape[-1]), piece)
    assert [path.name for path in tmp_path.iterdir()] == ["0.arrow"]


def test_a_stretch_without_genes_is_intergenic_with_certainty() -> None:
    unpacked = scores.unpack(scores.certainly_intergenic(3))
    assert (unpacked.log_states[..., 0] == 0).all()
    assert (unpacked.log_states[..., 1:] < -200).all()
    assert (unpacked.site_logits < -12).all()


@pytest.mark.parametrize(("piece", "bases", "message"), [(1, 5, "not the scores"), (0, 6, "not the scores of 6 bases")])
def test_scores_of_something_else_are_refused(tmp_path: Path, piece: int, bases: int, message: str) -> None:
    scores.write([scores.certainly_intergenic(5)], tmp_path / "0.arrow")
    with pytest.raises(DatasetError, match=message):
        scores.read(tmp_path / "0.arrow", piece, bases)


def test_a_damaged_file_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "0.arrow"
    with pytest.raises(DatasetError, match="cannot be read"):
        scores.read(path, 0, 5)
    path.write_bytes(b"ARROW1 and no more")
    with pytest.raises(DatasetError, match=r"cannot be read.*delete it and annotate again"):
        scores.read(path, 0, 5)
