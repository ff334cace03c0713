from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipelines.structure import states
from pipelines.structure.states import MASKED, pack
from tests.training.structure.synthetic import realistic_states
from training.structure import site_targets


@given(st.integers(1, 60), st.integers(0, 10_000), st.booleans())
def test_sites_are_those_of_each_strand_read_in_its_direction(bases: int, seed: int, is_random: bool) -> None:
    if is_random:
        forward, reverse = np.random.default_rng(seed).integers(0, MASKED + 1, (2, bases)).astype(np.uint8)
    else:
        forward, reverse = realistic_states(bases, seed), realistic_states(bases, seed + 1)[::-1]
    packed = torch.from_numpy(pack(forward, reverse))[None]
    targets = site_targets.targets(site_targets.strands(packed))
    for strand, read in enumerate((forward, reverse[::-1])):
        expected = states.sites(read)
        step = -1 if strand else 1
        known = targets.is_known[0, strand].numpy().T
        assert np.array_equal(known, expected.is_known[::step])
        assert np.array_equal(
            targets.is_site[0, strand].numpy().T & known, (expected.is_site & expected.is_known)[::step]
        )
