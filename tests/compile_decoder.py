"""Compiles the decoder of gene models, as a program: `conftest.py` starts it while tests are collected.

In a clean checkout each of the processes that decode first would compile it, for half a minute of a core.
"""

from __future__ import annotations

from tests.training.decoding.genome import genome
from training.decoding.decoder import decode
from training.decoding.scores import true_scores
from training.decoding.settings import Settings

if __name__ == "__main__":
    packed, codes = genome(seed=0, genes=3)
    decode(true_scores(packed), codes, Settings())
