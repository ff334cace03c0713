"""A model judged on a split, beside trivial rules that look at almost nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipelines import metrics, report, shortcuts
from pipelines.config import KINDS
from pipelines.dataset import TokenDataset, read_manifest
from pipelines.errors import DatasetError
from pipelines.metrics import Curve
from pipelines.shortcuts import Rule
from training.bundle import Bundle
from training.scoring import probabilities

ENDS = ("first_six", "last_six", "ends")
HEADER = ("", "AUROC", "AUPRC", "MCC", "F1", "precision", "recall", "accuracy")
SOURCES = ("source", "intervals", "called genes", "share")
SHOWN_RULES = 3
POINTS = 400
GIVEN_AWAY = 0.95


@dataclass(frozen=True)
class Evaluation:
    """A model's figures on a split.

    Attributes:
        bundle: its configuration.
        dataset: the rows it was judged on.
        probabilities: of being a gene, shape (rows,).
        threshold: the bundle's decision threshold.
        metrics: every figure of `metrics.NAMES`.
        rules: trivial rules on the same rows, best first.
    """

    bundle: dict[str, Any]
    dataset: TokenDataset
    probabilities: NDArray[np.float64]
    threshold: float
    metrics: dict[str, float]
    rules: list[Rule]

    def rows(self) -> list[tuple[object, ...]]:
        """The table under `HEADER`: the model, then each rule."""
        named = [("model", self.metrics), *((f"rule: {rule.description}", rule.metrics) for rule in self.rules)]
        return [(name, *(figures[one] for one in metrics.NAMES)) for name, figures in named]

    def by_source(self) -> list[tuple[object, ...]]:
        """The table under `SOURCES`: how many of each kind of interval are called genes."""
        sources: NDArray[np.object_] = np.array(self.dataset.table["source"].to_pylist(), dtype=object)
        called = self.probabilities >= self.threshold
        present = set(sources.tolist())
        rows: list[tuple[object, ...]] = []
        for source in (name for name in ("gene", *KINDS, "sequence") if name in present):
            here = sources == source
            rows.append((source, int(here.sum()), int(called[here].sum()), float(called[here].mean())))
        return rows

    @property
    def verdict(self) -> str:
        """One sentence that sets the model against the best trivial rule."""
        best, mine = self.rules[0], self.metrics["auroc"]
        theirs = best.metrics["auroc"]
        # 5-mers are what a gene is made of: a regression on them is a baseline to beat, not a leak.
        leak = next((rule for rule in self.rules if rule.name != "kmers"), best)
        if leak.metrics["auroc"] >= GIVEN_AWAY:
            reach = "reach" if leak.name in ENDS else "reaches"
            return (
                f"The {leak.description} alone {reach} AUROC {leak.metrics['auroc']:.3f} (model {mine:.3f}): the intervals "
                f"give the answer away, and this figure says little about genes. {self._remedy(leak.name)}"
            )
        if mine > theirs:
            return f"The model's AUROC {mine:.3f} is {mine - theirs:.3f} above the best trivial rule ({best.description}, {theirs:.3f})."
        return f"The model's AUROC {mine:.3f} is not above the best trivial rule ({best.description}, {theirs:.3f})."

    @property
    def caution(self) -> str | None:
        """A warning where the model was trained on another dataset, whose train rows may lie in this split."""
        trained, judged = self.bundle["dataset"]["fingerprint"], self.dataset.manifest["fingerprint"]
        if trained == judged:
            return None
        return (
            f"the model was trained on dataset {trained[:12]} and is judged on dataset {judged[:12]}: "
            f"split {self.dataset.split} may hold intervals it was trained on"
        )

    def _remedy(self, rule: str) -> str:
        """What keeps a rule from giving the answer away."""
        if rule not in {"length", *ENDS}:
            return "Cropping does not hide it; judge the model on genomes in which this rule is weak."
        if self.dataset.manifest["config"]["crop"]["length"] is None:
            return "Crop them (crop.length)."
        return "Lower crop.length." if rule == "length" else "Raise crop.margin."

    def to_json(self) -> dict[str, Any]:
        """Flat figures; the keys are described in `docs/evaluate.md`."""
        genes = int(self.dataset.labels.sum())
        return {
            **self.metrics,
            "threshold": self.threshold,
            "split": self.dataset.split,
            "rows": len(self.dataset),
            "genes": genes,
            "negatives": len(self.dataset) - genes,
            "shortcuts": {rule.name: rule.metrics["auroc"] for rule in self.rules},
            "called_by_source": {row[0]: row[-1] for row in self.by_source()},
            "verdict": self.verdict,
            "dataset_fingerprint": self.dataset.manifest["fingerprint"],
            "tokenizer_fingerprint": self.dataset.tokenizer.fingerprint,
        }

    def page(self) -> report.Page:
        """The figures as one HTML page."""
        genes = int(self.dataset.labels.sum())
        genomes = sorted(set(self.dataset.table["genome"].to_pylist()))
        page = report.Page(
            f"Evaluation on {self.dataset.split}",
            f"{genes:,} genes and {len(self.dataset) - genes:,} negatives of {', '.join(genomes)} · "
            f"dataset {self.dataset.manifest['fingerprint'][:12]}",
        )
        page.paragraph(self.verdict, lead=True)
        page.table(
            f"At the decision threshold {self.threshold:.3f} for the model, chosen on validation; rules at theirs, chosen on train",
            HEADER,
            self.rows(),
            best=int(np.argmax([self.metrics["auroc"], *(rule.metrics["auroc"] for rule in self.rules)])),
        )
        page.table("Called genes, by how the intervals were made", SOURCES, self.by_source())
        page.figures(
            (
                "Receiver operating characteristic",
                self._curves(metrics.roc_curve, "false positive rate", "true positive rate"),
            ),
            ("Precision and recall", self._curves(metrics.precision_recall_curve, "recall", "precision")),
            ("Probabilities by label", self._histogram()),
        )
        page.heading("What was evaluated")
        page.table("Model and data", ("", "value"), self._particulars())
        return page

    def _particulars(self) -> list[tuple[object, ...]]:
        model, tokenizer = self.bundle["model"], self.dataset.tokenizer
        crop = self.dataset.manifest["config"]["crop"]
        window = f"{crop['position']} windows of at most {crop['length']} bases" if crop["length"] else "whole genes"
        held_out = sorted(
            {
                f"{row['genome']}:{row['chromosome']}"
                for row in self.dataset.manifest["counts"]
                if row["split"] == self.dataset.split
            }
        )
        return [
            ("model", f"{model['kind']}, embedding {model['embedding']}, hidden {model['hidden']}"),
            ("tokens", f"{tokenizer.k}-mers, stride {tokenizer.stride}, tail {tokenizer.tail}"),
            ("trained on", f"{', '.join(self.bundle['genomes'])} ({'another' if self.caution else 'this'} dataset)"),
            ("genes shown as", window),
            ("chromosomes", ", ".join(held_out[:12]) + (" …" if len(held_out) > 12 else "")),
            ("epoch kept", self.bundle["metrics"]["epoch"]),
        ]

    def _curves(self, of: Callable[..., Curve], x: str, y: str) -> Figure:
        figure, axes = report.new_figure(x, y)
        shown = [("model", self.probabilities, report.GENE, 2.2)]
        greys = ("#7b8494", "#a1a8b4", "#c3c8d0")
        shown += [
            (rule.description, rule.scores, grey, 1.2)
            for rule, grey in zip(self.rules[:SHOWN_RULES], greys, strict=False)
        ]
        for name, scores, colour, width in shown:
            curve = of(self.dataset.labels, scores)
            keep = np.unique(np.linspace(0, len(curve.x) - 1, POINTS).astype(int))
            axes.plot(curve.x[keep], curve.y[keep], color=colour, linewidth=width, label=name)
        axes.set_xlim(-0.01, 1.01)
        axes.set_ylim(-0.01, 1.01)
        axes.legend(frameon=False, fontsize=9)
        return figure

    def _histogram(self) -> Figure:
        figure, axes = report.new_figure("probability of being a gene", "intervals")
        edges = np.linspace(0, 1, 41).tolist()
        for label, name, colour, line in report.LABELS:
            axes.hist(
                self.probabilities[self.dataset.labels == label],
                bins=edges,
                histtype="step",
                linewidth=1.8,
                color=colour,
                linestyle=line,
                label=name,
            )
        axes.axvline(self.threshold, color=report.INK, linewidth=1, linestyle=":", label="threshold")
        axes.legend(frameon=False)
        return figure


def _split_if_any(directory: Path, split: str) -> TokenDataset | None:
    present = {row["split"] for row in read_manifest(directory)["counts"]}
    return TokenDataset.open(directory, split) if split in present else None


def evaluate(bundle: Bundle, directory: Path, split: str, token_budget: int) -> Evaluation:
    """Judge a model on a split of a dataset.

    Args:
        bundle: the model.
        directory: a dataset of the same tokenizer.
        split: train, validation or test.
        token_budget: most padded tokens in a batch.

    Raises:
        BundleError: the dataset has another tokenizer.
        DatasetError: no such split, or one class only in it.
    """
    dataset = TokenDataset.open(directory, split)
    bundle.require_tokenizer(dataset.tokenizer, str(directory))
    if len(set(dataset.labels.tolist())) < 2:
        raise DatasetError(f"{directory}: split {split} has one class only", "evaluate another split")
    scores = probabilities(bundle.model, dataset.tokens, dataset.lengths, token_budget)
    threshold = float(bundle.config["threshold"])
    train = dataset if split == "train" else TokenDataset.open(directory, "train")
    validation = _split_if_any(directory, "validation")
    rules = shortcuts.audit(train, dataset, validation, kmers=True)
    return Evaluation(
        bundle.config, dataset, scores, threshold, metrics.binary_metrics(dataset.labels, scores, threshold), rules
    )
