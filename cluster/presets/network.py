"""The network of a structure model and how long it is trained, by the introns of the genomes that it learns from."""

from __future__ import annotations

from dataclasses import dataclass

WIDE_FROM = 2.0
"""Coding introns per gene from which on the wide network is taken: S. pombe has about 1, A. thaliana about 4."""
_FEWEST_EPOCHS, _MOST_EPOCHS = 6, 40


@dataclass(frozen=True)
class Network:
    """A network with its training, as measured in examples/structure.

    Attributes:
        settings: of the section `model`.
        learning_rate: of `training`.
        bases: of training in all, over epochs.
        seconds_per_megabase: of training, on one core without bf16.
        why: it was chosen, for a comment.
    """

    settings: str
    learning_rate: float
    bases: int
    seconds_per_megabase: float
    why: str

    def epochs(self, train_bases: int) -> int:
        """Passes over training data of a size in bases."""
        return min(max(round(self.bases / max(train_bases, 1)), _FEWEST_EPOCHS), _MOST_EPOCHS)

    def minutes(self, train_bases: int) -> float:
        """Minutes of training on one quiet core."""
        return self.epochs(train_bases) * train_bases / 1e6 * self.seconds_per_megabase / 60


def choose(introns: float) -> Network:
    """The network for genes with so many coding introns in the mean.

    Small: S. pombe, 24 to 29 minutes for 20 epochs of 9.1 Mb. Wide: A. thaliana, 77 minutes for 16 epochs of 22 Mb with
    bf16, which is 1.5 times as fast as without where a processor has it.
    """
    found = f"{introns:.1f} coding introns a gene"
    both = "both strands are read with the same weights"
    if introns < WIDE_FROM:
        settings = "embedding: 16, base_channels: 32, stem: 64, stem_stride: 9, hidden: 64, layers: 2, dropout: 0"
        return Network(f"{{kind: lstm, {settings}}}", 0.004, 180_000_000, 8.3, f"{found}: the small network; {both}")
    settings = "embedding: 16, base_channels: 48, stem: 128, stem_stride: 9, hidden: 128, layers: 2, dropout: 0"
    return Network(f"{{kind: lstm, {settings}}}", 0.003, 350_000_000, 19.7, f"{found}: the wide network; {both}")
