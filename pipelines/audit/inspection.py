"""What is in a dataset: counts, lengths, composition, vocabulary, drops and the shortcut audit.

Reads every split once; memory is that of all token ids, and of the k-mer frequencies that the audit fits.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipelines import report, schema
from pipelines.audit import shortcuts
from pipelines.audit.shortcuts import Rule
from pipelines.config import KINDS
from pipelines.dataset.token_dataset import TokenDataset, read_manifest
from pipelines.genome import sequence
from pipelines.report import Table
from pipelines.tokens.tokenizer import Tokenizer
from pipelines.tokens.vocabulary import UNK

PERCENT = (0, 5, 50, 95, 100)
EXTREMES = 5
WIDE_RANGE = 20


@dataclass(frozen=True)
class Sample:
    """One label of one split: lengths in bases and GC shares, both of shape (rows,)."""

    split: str
    label: int
    lengths: NDArray[np.int64]
    gc: NDArray[np.float64]

    @property
    def name(self) -> str:
        """`gene` or `negative`."""
        return "gene" if self.label else "negative"


@dataclass(frozen=True)
class Inspection:
    """The findings.

    Attributes:
        directory: the dataset.
        manifest: of the dataset.
        samples: lengths and GC by split and label.
        token_counts: occurrences of every id in train, shape (vocabulary,).
        audited: the split the rules were scored on.
        rules: the trivial rules, best first.
    """

    directory: Path
    manifest: dict[str, Any]
    tokenizer: Tokenizer
    samples: list[Sample]
    token_counts: NDArray[np.int64]
    audited: str
    rules: list[Rule]

    def tables(self) -> list[Table]:
        """Everything as tables."""
        before = [self._splits(), self._sources(), self._chromosomes(), self._genes()]
        leakage = [self._leakage()] if self.manifest.get("leakage") else []
        return [*before, *leakage, self._vocabulary(), self._frequent(), self._audit()]

    def _splits(self) -> Table:
        header = ("split", "label", "intervals", *(_percent_name(percent) for percent in PERCENT), "mean GC")
        rows: list[tuple[object, ...]] = []
        for sample in self.samples:
            lengths = [round(float(np.percentile(sample.lengths, percent))) for percent in PERCENT]
            rows.append((sample.split, sample.name, len(sample.lengths), *lengths, float(sample.gc.mean())))
        return Table("Intervals by split and label; lengths in bases", header, rows)

    def _sources(self) -> Table:
        counts: Counter[tuple[str, str]] = Counter()
        for one in self.manifest["counts"]:
            counts[one["source"], one["split"]] += one["rows"]
        present = {source for source, _ in counts}
        rows: list[tuple[object, ...]] = [
            (name, *(counts[name, split] for split in schema.SPLITS))
            for name in ("gene", *KINDS, "sequence")
            if name in present
        ]
        return Table("How they were made", ("source", *schema.SPLITS), rows)

    def _chromosomes(self) -> Table:
        counts: Counter[tuple[str, str, str, int]] = Counter()
        for one in self.manifest["counts"]:
            counts[one["genome"], one["chromosome"], one["split"], one["label"]] += one["rows"]
        keys = list(dict.fromkeys(key[:3] for key in counts))
        rows: list[tuple[object, ...]] = [(*key, counts[*key, 1], counts[*key, 0]) for key in keys]
        return Table("Where they come from", ("genome", "chromosome", "split", "genes", "negatives"), rows)

    def _genes(self) -> Table:
        rows: list[tuple[object, ...]] = []
        for genome, genes in self.manifest["genes"].items():
            rows.append((genome, "annotated", genes["annotated"]))
            rows += [
                (genome, f"left out: {reason.replace('_', ' ')}", count)
                for reason, count in self.manifest["dropped"][genome].items()
            ]
            rows += [(genome, "kept", genes["kept"]), (genome, "kept, shortened to find room", genes["shortened"])]
        return Table("Every gene accounted for", ("genome", "genes", "count"), rows)

    def _vocabulary(self) -> Table:
        total = int(self.token_counts.sum())
        longest = self.manifest["longest"]
        rows: list[tuple[object, ...]] = [
            ("k, stride, tail", f"{self.tokenizer.k}, {self.tokenizer.stride}, {self.tokenizer.tail}"),
            ("tokens in the vocabulary", self.tokenizer.vocabulary_size),
        ]
        if self.tokenizer.observed_words is not None:
            rows.append(("observed k-mers", f"{self._share_of_all_kmers():.1%} of all {4**self.tokenizer.k:,}"))
        rows += [("tokens in train", total), ("k-mers seen in train", f"{self._kmers_seen():.1%}")]
        if self.tokenizer.tail == "partial":
            rows.append(("partial k-mers in train", f"{self.token_counts[self._partial()].sum() / total:.3%}"))
        rows += [
            ("unknown tokens in train", f"{self.token_counts[UNK] / total:.3%}"),
            (
                "longest interval",
                f"{longest['bases']:,} bases at {longest['genome']}:{longest['chromosome']}:{longest['start']:,}-{longest['end']:,}",
            ),
        ]
        return Table("Vocabulary", ("", "value"), rows)

    def _partial(self) -> NDArray[np.bool_]:
        """True for the ids of words shorter than k, shape (vocabulary,)."""
        letters = self.tokenizer.letters
        return (letters[:, 0] != sequence.OTHER) & (letters[:, -1] == sequence.OTHER)

    def _kmers(self) -> NDArray[np.int64]:
        """The ids of complete k-mers."""
        return np.flatnonzero(self.tokenizer.letters[:, -1] != sequence.OTHER)

    def _share_of_all_kmers(self) -> float:
        return len(self._kmers()) / 4**self.tokenizer.k

    def _kmers_seen(self) -> float:
        """The share of the vocabulary's complete k-mers that occur in train."""
        counts = self.token_counts[self._kmers()]
        return np.count_nonzero(counts) / max(len(counts), 1)

    def _leakage(self) -> Table:
        found = self.manifest["leakage"]
        share = None if found["share"] is None else f"{found['share']:.2%}"
        rows: list[tuple[object, ...]] = [
            (found["intervals"], found["judged"], found["near_duplicates"], share, found["threshold"], found["k"])
        ]
        header = ("intervals", "judged", "near-duplicates", "share", "of their k-mers, at least", "k")
        return Table(f"Intervals of {found['split']} with a near-duplicate in train", header, rows)

    def _frequent(self) -> Table:
        kmers = self._kmers()
        order = kmers[np.argsort(-self.token_counts[kmers], kind="stable")]
        ends = order if len(order) <= 2 * EXTREMES else np.concatenate([order[:EXTREMES], order[-EXTREMES:]])
        words = self.tokenizer.decode(ends)
        total = int(self.token_counts.sum())
        rows: list[tuple[object, ...]] = [
            (word, int(self.token_counts[token]), f"{self.token_counts[token] / total:.3%}")
            for word, token in zip(words, ends, strict=True)
        ]
        return Table("Most and least frequent k-mers in train", ("k-mer", "count", "share"), rows)

    def _audit(self) -> Table:
        rows: list[tuple[object, ...]] = [
            (rule.name, rule.description, *(rule.metrics[name] for name in ("auroc", "auprc", "mcc")))
            for rule in self.rules
        ]
        return Table(
            f"Trivial rules, fitted on train and scored on {self.audited}",
            ("rule", "looks at", "AUROC", "AUPRC", "MCC"),
            rows,
        )

    def to_json(self) -> dict[str, Any]:
        """Flat figures; the keys are described in `docs/inspect.md`."""
        splits = {sample.split: {"genes": 0, "negatives": 0} for sample in self.samples}
        for sample in self.samples:
            splits[sample.split]["genes" if sample.label else "negatives"] = len(sample.lengths)
        total = int(self.token_counts.sum())
        return {
            "fingerprint": self.manifest["fingerprint"],
            "rows": sum(file["rows"] for file in self.manifest["files"]),
            "tokens": sum(file["tokens"] for file in self.manifest["files"]),
            "splits": splits,
            "dropped": self.manifest["dropped"],
            "longest_bases": self.manifest["longest"]["bases"],
            "vocabulary_size": self.tokenizer.vocabulary_size,
            "kmers_seen_in_train": float(self._kmers_seen()),
            "unknown_share_in_train": float(self.token_counts[UNK] / total),
            "audited_split": self.audited,
            "shortcuts": {rule.name: rule.metrics["auroc"] for rule in self.rules},
            **({"leakage": self.manifest["leakage"]} if self.manifest.get("leakage") else {}),
        }

    def page(self) -> report.Page:
        """The findings as one HTML page."""
        page = report.Page("Token dataset", f"{self.directory} · fingerprint {self.manifest['fingerprint'][:12]}")
        best = self.rules[0]
        page.paragraph(
            f"The best trivial rule, {best.description}, reaches AUROC {best.metrics['auroc']:.3f} on {self.audited}: a model has to beat it.",
            lead=True,
        )
        page.figures(
            ("Lengths by label, all splits", self._histogram("lengths", "bases")),
            ("GC by label, all splits", self._histogram("gc", "share of G and C")),
            (f"AUROC of the trivial rules on {self.audited}", self._bars()),
        )
        for table in self.tables():
            page.table(table.caption, table.header, table.rows)
        return page

    def _histogram(self, what: str, axis: str) -> Figure:
        figure, axes = report.new_figure(axis, "intervals")
        values = {
            label: np.concatenate([getattr(one, what) for one in self.samples if one.label == label])
            for label in (1, 0)
        }
        low, high = (min(map(np.min, values.values())), max(map(np.max, values.values())))
        log = low > 0 and high > WIDE_RANGE * low
        edges = np.geomspace(low, high + 1, 41) if log else np.linspace(low, high + 1e-9, 41)
        for label, name, colour, line in report.LABELS:
            style: dict[str, Any] = {"color": colour, "linestyle": line, "linewidth": 1.8, "label": name}
            axes.hist(values[label], bins=edges.tolist(), histtype="step", **style)
        if log:
            axes.set_xscale("log")
        axes.legend(frameon=False)
        return figure

    def _bars(self) -> Figure:
        figure, axes = report.new_figure("AUROC", "")
        rules = self.rules[::-1]
        values = [rule.metrics["auroc"] for rule in rules]
        axes.barh([rule.name for rule in rules], values, color=report.ACCENT, height=0.6)
        axes.axvline(0.5, color=report.INK, linewidth=1, linestyle="--")
        axes.set_xlim(0, 1)
        return figure


def _percent_name(percent: int) -> str:
    return {0: "shortest", 50: "median", 100: "longest"}.get(percent, f"{percent} %")


def inspect(directory: Path) -> Inspection:
    """Read a dataset and audit it.

    Raises:
        DatasetError: not a finished dataset, or a damaged file.
    """
    manifest = read_manifest(directory)
    present = [
        split
        for split in schema.SPLITS
        if any(file["path"].startswith(f"split={split}/") for file in manifest["files"])
    ]
    train = TokenDataset.open(directory, "train")
    audited = next((split for split in ("test", "validation") if split in present), "train")
    samples: list[Sample] = []
    opened_as = {split: train if split == "train" else TokenDataset.open(directory, split) for split in present}
    for split, opened in opened_as.items():
        for label in (1, 0):
            rows = opened.labels == label
            gc = opened.table["gc"].to_numpy().astype(np.float64)
            if rows.any():
                samples.append(Sample(split, label, shortcuts.bases(opened)[rows], gc[rows]))
    validation = opened_as.get("validation") if audited == "test" else None
    rules = shortcuts.audit(train, opened_as[audited], validation, kmers=True)
    counts = np.bincount(train.tokens, minlength=train.tokenizer.vocabulary_size)
    return Inspection(directory, manifest, train.tokenizer, samples, counts, audited, rules)
