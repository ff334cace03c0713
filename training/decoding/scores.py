"""Scores of a stretch of a sequence: what a network says of every base of both strands, or what labels would."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.structure import states
from pipelines.structure.states import INTERGENIC, MASKED, SITES, STATES, States


class Scores(NamedTuple):
    """Scores by the forward coordinate; strand 0 is forward, 1 reverse.

    Attributes:
        log_states: logarithms of the probabilities of states, shape (bases, 2, 8). Only their differences to
            intergenic on the same strand and base count.
        site_logits: of start, stop, donor and acceptor, shape (bases, 2, 4).
    """

    log_states: NDArray[np.float32]
    site_logits: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.log_states)

    def part(self, start: int, end: int) -> Scores:
        """The scores of the bases from `start` to before `end`."""
        return Scores(self.log_states[start:end], self.site_logits[start:end])

    def of_strand(self, strand: int) -> Scores:
        """The scores with the other strand as intergenic and without sites for certain."""
        log_states = np.full_like(self.log_states, -np.inf)
        log_states[:, :, INTERGENIC] = 0
        log_states[:, strand] = self.log_states[:, strand]
        site_logits = np.full_like(self.site_logits, -np.inf)
        site_logits[:, strand] = self.site_logits[:, strand]
        return Scores(log_states, site_logits)


def true_scores(packed: States, *, certainty: float = 0.99) -> Scores:
    """The scores of a network that knows the labels, and nothing of what is masked.

    Args:
        packed: states of both strands, shape (bases,).
        certainty: probability of the true state and of the truth about a site, below 1.
    """
    bases = len(packed)
    log_states = np.full((bases, 2, STATES), np.log((1 - certainty) / (STATES - 1)), np.float32)
    site_logits = np.zeros((bases, 2, SITES), np.float32)
    for strand, own in enumerate(states.unpack(packed)):
        is_known = own != MASKED
        log_states[is_known, strand, own[is_known]] = np.log(certainty)
        log_states[~is_known, strand] = -np.log(STATES)
        sites = states.sites(own[::-1] if strand else own)
        logits = np.where(sites.is_known, np.where(sites.is_site, 1, -1), 0) * np.log(certainty / (1 - certainty))
        site_logits[:, strand] = logits[::-1] if strand else logits
    return Scores(log_states, site_logits)
