from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training import models
from training.config import ModelConfig
from training.data.batch import collate
from training.models.frames import join_frames, split_frames
from training.models.positions import Positions


@given(st.lists(st.integers(1, 12), min_size=1, max_size=4), st.integers(2, 5))
def test_a_frame_takes_every_nth_position(lengths: list[int], frames: int) -> None:
    sizes = torch.tensor(lengths)
    mask = torch.arange(max(lengths)) < sizes[:, None]
    states = torch.randn(*mask.shape, 2, generator=torch.Generator().manual_seed(0)) * mask[..., None]
    total = sum(max(length, frames) for length in lengths)
    split = split_frames(Positions(states, mask, sizes, np.array(lengths)), frames)
    assert int(split.mask.sum()) == int(split.lengths.sum()) == split.total == total
    assert split.counts.tolist() == split.lengths.tolist()
    for row, length in enumerate(lengths):
        for frame in range(frames):
            expected = states[row, frame:length:frames] if frame < length else torch.zeros(1, 2)
            states_of_frame = split.states[row * frames + frame]
            torch.testing.assert_close(states_of_frame[split.mask[row * frames + frame]], expected)
            assert states_of_frame[~split.mask[row * frames + frame]].abs().sum() == 0


def test_frames_are_joined_alike_in_any_order() -> None:
    pooled = torch.randn(2, 3, 4)
    expected = torch.cat([pooled.mean(1), pooled.amax(1)], dim=1)
    torch.testing.assert_close(join_frames(pooled.flatten(0, 1), 3), expected)
    torch.testing.assert_close(join_frames(pooled[:, [2, 0, 1]].flatten(0, 1), 3), expected)


@pytest.mark.parametrize("kind", ["lstm", "gru", "transformer"])
def test_with_three_frames_a_window_that_begins_bases_later_gets_the_same_logit(kind: str) -> None:
    torch.manual_seed(0)
    model = models.make(ModelConfig(kind=kind, frames=3, stem=0, hidden=32), 67).eval()
    period = np.random.default_rng(0).integers(1, 67, 3)
    ring = np.tile(period, 8)
    windows = np.concatenate([ring[start : start + 21] for start in range(3)])
    offsets = np.arange(4) * 21
    with torch.inference_mode():
        logits = model(collate(windows, offsets, np.zeros(3, np.int8), np.arange(3)))
    torch.testing.assert_close(logits, logits[:1].expand(3), rtol=1e-5, atol=1e-5)
