"""The sites of packed states as targets: the rules of `pipelines.structure.states`, on any device and for both strands.

A start is the first base of a codon after a base that no coding exon or intron holds; a stop is the last base of one
before such a base. A donor is the first base of an intron after a coding base, an acceptor the last before one, if the
phase of the intron is that of the codon.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from pipelines.structure.states import CDS_0, CDS_2, INTRON_0, INTRON_2, MASKED, UTR

CODON = 3


@dataclass(frozen=True)
class SiteTargets:
    """Which bases are sites, in the order of `pipelines.structure.states`.

    Attributes:
        is_site: shape (rows, strands, sites, bases).
        is_known: False where a neighbour that decides is masked or outside the window; same shape.
    """

    is_site: Tensor
    is_known: Tensor


def strands(packed: Tensor) -> Tensor:
    """States of each strand by the forward coordinate: uint8, shape (rows, bases) to (rows, strands, bases)."""
    return torch.stack([packed & 0x0F, packed >> 4], dim=1)


def targets(states: Tensor) -> SiteTargets:
    """The sites of states as `strands` gives them."""
    left, right = pad(states[..., :-1], (1, 0), value=MASKED), pad(states[..., 1:], (0, 1), value=MASKED)
    # The reverse strand is read from the right.
    before = torch.stack([left[:, 0], right[:, 1]], dim=1)
    after = torch.stack([right[:, 0], left[:, 1]], dim=1)
    # The coding state that follows an intron of a phase, and the one that follows a coding base.
    following, intron = states - (INTRON_0 - CDS_0), _between(states, INTRON_0, INTRON_2)
    follows_before = (before - (CDS_0 - 1)) % CODON + CDS_0
    is_site = torch.stack(
        [
            (states == CDS_0) & (before <= UTR),
            (states == CDS_2) & (after <= UTR),
            intron & _between(before, CDS_0, CDS_2) & (follows_before == following),
            intron & (after == following),
        ],
        dim=2,
    )
    with_before, with_after = ((states != MASKED) & (other != MASKED) for other in (before, after))
    return SiteTargets(is_site, torch.stack([with_before, with_after, with_before, with_after], dim=2))


def _between(states: Tensor, first: int, last: int) -> Tensor:
    return (states >= first) & (states <= last)
