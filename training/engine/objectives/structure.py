"""Structure: which state has every base of both strands? The best epoch has the highest F1 of exons after decoding.

A row's shift and strand in an epoch are drawn from (seed, epoch, row), and the pieces of validation depend on the
dataset alone. So neither workers, nor token budget, nor interruptions change a figure beyond rounding.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipelines.config.structure import genetic_codes
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.structure.states import CDS_0, CDS_2, MASKED, unpack
from training.config import TrainingConfig
from training.data.batch import TokenBatch
from training.data.step_plan import Rows
from training.decoding.called import CalledGene
from training.decoding.decoder import decode
from training.decoding.fit import fit
from training.decoding.settings import Settings
from training.decoding.truth import Truth
from training.engine.collective import Alone, Collective
from training.engine.epoch_metrics import diverged
from training.engine.objectives import validation_pieces
from training.engine.objectives.window_scores import (
    PieceScores,
    centre_codes,
    labelled_stretches,
    piece_scores,
)
from training.structure.augmentation import Augmentation
from training.structure.batch import StructureBatch, collate
from training.structure.loss import LossWeights, losses
from training.structure.windows import Windows
from training.tasks import CRITERIA, STRUCTURE, Task

STATE_WEIGHTS = (0.003, 0.01, 0.03, 0.1)
"""Weights of states against sites that are tried in the decode after each epoch; the best of them counts.

What a network is sure of at one base it is sure of at its neighbours, so that the logarithms of states count far less
than those of sites; how much less changes while it learns. With one weight the wrong epoch would be kept."""
_SUMS = ("loss", "rows", "right", "known", "cds")
_DECODED = ("called_cds", "right_cds", "exons", "called_exons", "right_exons")
"""The sums of a piece: those of the model's outputs, then those of the decode with each weight."""


class Structure:
    """The objective of structure.

    Args:
        config: with a value for every key of this task, as `Task.training` gives it.
        train: the rows to learn from.
    """

    criterion = CRITERIA[STRUCTURE].figure

    def __init__(self, config: TrainingConfig, train: TokenDataset) -> None:
        self._config, self._train = config, train
        self._windows = Windows.of(train)
        self.weights = loss_weights(config, train)
        self._drawn: tuple[int, Augmentation] | None = None

    def collate(self, train: TokenDataset, epoch: int, rows: Rows) -> TokenBatch:
        augmentation = self._augmentation(epoch)
        return collate(self._windows, rows, augmentation.shifts[rows], augmentation.turned[rows])

    def loss(self, model: nn.Module, batch: TokenBatch) -> Tensor:
        assert isinstance(batch, StructureBatch)
        return losses(model(batch), batch, self.weights).sum()

    def validate(
        self, model: nn.Module, validation: TokenDataset, collective: Collective, device: torch.device
    ) -> dict[str, Any]:
        figures = self._figures(model, validation, int(self._config.validation_bases or 1), collective, device)
        if not np.isfinite(figures["loss"]):
            raise diverged("validation: the outputs are")
        return {f"validation_{name}": value for name, value in figures.items()}

    def train_figures(
        self, model: nn.Module, train: TokenDataset, max_rows: int, device: torch.device
    ) -> dict[str, float]:
        bases = min(int(self._config.validation_bases or 1), max_rows * self.weights.length)
        figures = self._figures(model, train, bases, Alone(), device)
        return {f"train_{name}": figures[name] for name in ("exon_f1", "cds_f1")}

    def _figures(
        self, model: nn.Module, dataset: TokenDataset, bases: int, collective: Collective, device: torch.device
    ) -> dict[str, float]:
        """What a part of a split is like under the model: the loss of rows, states of bases, and decoded genes."""
        windows, centres = Windows.of(dataset), centre_codes(dataset.tokenizer)
        pieces = pieces_of(windows, bases)
        codes = genetic_codes(dataset.manifest["config"])
        genomes = dataset.table["genome"]
        width = len(_SUMS) + len(STATE_WEIGHTS) * len(_DECODED)
        sums = torch.zeros((len(pieces), width), dtype=torch.float64, device=device)
        for number, rows in validation_pieces.dealt(pieces, collective.workers, collective.rank):
            scored = piece_scores(model, windows, centres, rows, self.weights, self._config.budget, device)
            settings = self._settings.model_copy(update={"genetic_code": codes[genomes[int(rows[0])].as_py()]})
            sums[number] = torch.from_numpy(_sums_of(scored, len(rows), settings)).to(device)
        # Each piece is one worker's and zero on the others, and pieces are added in their order.
        collective.sum_(sums)
        totals = sums.cpu().numpy().sum(axis=0)
        total = dict(zip(_SUMS, totals[: len(_SUMS)].tolist(), strict=True))
        return {
            "loss": total["loss"] / total["rows"],
            "accuracy": total["right"] / max(total["known"], 1),
            **_best_decode(total["cds"], totals[len(_SUMS) :].reshape(len(STATE_WEIGHTS), len(_DECODED))),
        }

    @cached_property
    def _settings(self) -> Settings:
        """What the grammar knows of the train split's genes, before weights are chosen."""
        return fit(labelled_stretches(self._train), [], initial_settings(self._train)).settings

    def _augmentation(self, epoch: int) -> Augmentation:
        if self._drawn is None or self._drawn[0] != epoch:
            config = self._config
            drawn = Augmentation.draw(
                self._windows,
                config.seed,
                epoch,
                shift=bool(config.shift),
                reverse_complement=bool(config.reverse_complement),
            )
            self._drawn = epoch, drawn
        return self._drawn[1]


def loss_weights(config: TrainingConfig, train: TokenDataset) -> LossWeights:
    """The weights of the loss; a full window's weights add up to one, apart from the states' own."""
    length = int(train.manifest["config"]["window"]["length"])
    return LossWeights(length, sites=float(config.site_weight or 0.0))


def initial_settings(train: TokenDataset) -> Settings:
    """The decoder's settings before anything is fitted: a genetic code, and whether untranslated bases are known.

    Of several genetic codes it is that of the first genome, as settings hold one; what is decoded has that of its own.
    """
    config = train.manifest["config"]
    genetic_code = next(iter(genetic_codes(config).values()))
    return Settings(genetic_code=genetic_code, utr=Task.of_dataset(config).utr)


def pieces_of(windows: Windows, bases: int) -> list[Rows]:
    """The pieces of a split that are decoded: a number of bases, spread evenly."""
    pieces = validation_pieces.cut(windows.offsets, windows.stretches)
    return validation_pieces.spread(pieces, windows.offsets, bases)


def _best_decode(cds: float, decodes: NDArray[np.float64]) -> dict[str, float]:
    """The figures of the decode with the highest F1 of exons, the earliest of equals.

    Args:
        cds: annotated coding bases.
        decodes: sums of each decode, shape (len(STATE_WEIGHTS), len(_DECODED)).
    """
    figures = []
    for called_cds, right_cds, exons, called_exons, right_exons in decodes.tolist():
        figures.append(
            {
                "cds_f1": _f1(right_cds, cds, called_cds),
                "exon_f1": _f1(right_exons, exons, called_exons),
                "exon_precision": right_exons / max(called_exons, 1),
                "exon_recall": right_exons / max(exons, 1),
            }
        )
    return max(figures, key=lambda decode: decode["exon_f1"])


def _sums_of(scored: PieceScores, rows: int, settings: Settings) -> NDArray[np.float64]:
    """The sums of one piece, shape (len(_SUMS) + len(STATE_WEIGHTS) * len(_DECODED),)."""
    if not scored.is_finite:
        return np.full(len(_SUMS) + len(STATE_WEIGHTS) * len(_DECODED), np.nan)
    labels = np.stack(unpack(scored.packed), axis=1)
    known = labels != MASKED
    right = known & (scored.scores.log_states.argmax(axis=2) == labels)
    is_cds = known & (labels >= CDS_0) & (labels <= CDS_2)
    truth = Truth(scored.packed)
    sums = [scored.loss, rows, right.sum(), known.sum(), is_cds.sum()]
    for weight in STATE_WEIGHTS:
        weights = settings.weights.model_copy(update={"state": weight})
        weighted = settings.model_copy(update={"weights": weights})
        called = decode(scored.scores, scored.codes, weighted, support=False)
        called_cds = known & _coding(called, len(labels))
        exons = truth.exon_counts(called)
        sums += [called_cds.sum(), (is_cds & called_cds).sum(), exons.annotated, exons.called, exons.correct]
    return np.array(sums, np.float64)


def _coding(called: list[CalledGene], bases: int) -> NDArray[np.bool_]:
    """Which bases of either strand called genes code with, shape (bases, 2)."""
    coding = np.zeros((bases, 2), np.bool_)
    for one in called:
        strand = int(one.gene.strand == "-")
        for transcript in one.gene.transcripts:
            for start, end in transcript.cds:
                coding[start:end, strand] = True
    return coding


def _f1(right: float, annotated: float, called: float) -> float:
    return 2 * right / max(annotated + called, 1)
