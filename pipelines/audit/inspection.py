"""What is in a dataset: counts, lengths, composition, vocabulary, dropped records and the shortcut audit.

Reads every split once, and tokens a few at a time. Memory is that of some numbers for each row, and of the k-mer
frequencies that the audit fits, whatever the number of tokens.
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
from pipelines.audit import shortcuts, shortened, token_counts
from pipelines.audit.rule_names import OF_ENDS
from pipelines.audit.shortcuts import Rule
from pipelines.config import KINDS
from pipelines.dataset import split_regions
from pipelines.dataset.token_dataset import TokenDataset, read_manifest
from pipelines.genome import sequence
from pipelines.report import Table
from pipelines.tokens.tokenizer import Tokenizer
from pipelines.tokens.vocabulary import UNK

PERCENTILES = (0, 5, 50, 95, 100)
# k-mers shown of the most frequent, and of the least frequent.
KMERS_SHOWN = 5
# Values that span more than this factor are shown on a logarithmic axis.
LOG_AXIS_FACTOR = 20
ENDS_TELL = 0.8
"""AUROC from which on the six bases at the ends of genes are said to give the answer away."""


@dataclass(frozen=True)
class Sample:
    """The rows of one label in one split.

    Attributes:
        split: name of the split.
        label: 1 for genes, 0 for negatives; or the number of a class.
        lengths: bases, shape (rows,).
        gc: share of G and C among A, C, G, T, shape (rows,).
    """

    split: str
    label: int
    lengths: NDArray[np.int64]
    gc: NDArray[np.float64]


@dataclass(frozen=True)
class Inspection:
    """The results of inspecting a dataset.

    Attributes:
        directory: the dataset's directory.
        manifest: the dataset's manifest.
        tokenizer: the dataset's tokenizer.
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
        """Return all results as tables."""
        contents = [self._splits_table(), self._sources_table(), self._chromosomes_table()]
        if self.manifest["genes"]:
            contents.append(self._genes_table())
        if self.manifest.get("config", {}).get("split", {}).get("by") == "region":
            contents.append(self._regions_table())
        leakage = [self._leakage_table()] if self.manifest.get("leakage") else []
        return [*contents, *leakage, self._vocabulary_table(), self._frequent_kmers_table(), self._rules_table()]

    def warnings(self) -> list[str]:
        """Return what a reader should know before anything else."""
        found = shortened.warnings(self.manifest)
        ends = max((rule.metrics["auroc"] for rule in self.rules if rule.name in OF_ENDS), default=0.0)
        is_whole = self.manifest.get("config", {}).get("crop", {}).get("length") is None
        if is_whole and self.manifest.get("genes") and ends >= ENDS_TELL:
            found.append(
                f"the ends of whole genes give the answer away: their six bases alone reach AUROC {ends:.3f} on "
                f"{self.audited}; crop.length cuts windows of genes, and crop.margin keeps them off their ends"
            )
        return found

    def _splits_table(self) -> Table:
        header = ("split", "label", "intervals", *(_percentile_name(percent) for percent in PERCENTILES), "mean GC")
        rows: list[tuple[object, ...]] = []
        for sample in self.samples:
            lengths = [round(float(np.percentile(sample.lengths, percent))) for percent in PERCENTILES]
            name = self._label_name(sample.label)
            rows.append((sample.split, name, len(sample.lengths), *lengths, float(sample.gc.mean())))
        return Table("Intervals by split and label; lengths in bases", header, rows)

    def _label_name(self, label: int) -> str:
        return "gene" if label else "negative"

    def _lines(self) -> list[tuple[int, str, str, str]]:
        """Of each label that plots show: its number, its name, a colour and a line style."""
        return list(report.LABELS)

    def _sources_table(self) -> Table:
        counts: Counter[tuple[str, str]] = Counter()
        for entry in self.manifest["counts"]:
            counts[entry["source"], entry["split"]] += entry["rows"]
        present = {source for source, _ in counts}
        rows: list[tuple[object, ...]] = [
            (name, *(counts[name, split] for split in schema.SPLITS))
            for name in ("gene", *KINDS, "sequence")
            if name in present
        ]
        return Table("Intervals by source", ("source", *schema.SPLITS), rows)

    def _chromosomes_table(self) -> Table:
        counts: Counter[tuple[str, str, str, int]] = Counter()
        for entry in self.manifest["counts"]:
            counts[entry["genome"], entry["chromosome"], entry["split"], entry["label"]] += entry["rows"]
        keys = list(dict.fromkeys(key[:3] for key in counts))
        rows: list[tuple[object, ...]] = [(*key, counts[*key, 1], counts[*key, 0]) for key in keys]
        return Table("Intervals by chromosome", ("genome", "chromosome", "split", "genes", "negatives"), rows)

    def _genes_table(self) -> Table:
        rows: list[tuple[object, ...]] = []
        for genome, genes in self.manifest["genes"].items():
            rows.append((genome, "annotated", genes["annotated"]))
            rows += [
                (genome, f"left out: {reason.replace('_', ' ')}", count)
                for reason, count in self.manifest["dropped"].get(genome, {}).items()
            ]
            rows += [
                (genome, "kept", genes["kept"]),
                *([(genome, "windows of those kept", genes["windows"])] if "windows" in genes else []),
                (genome, "kept, shortened so that a negative fits", genes["shortened"]),
            ]
        return Table("Every gene accounted for", ("genome", "genes", "count"), rows)

    def _regions_table(self) -> Table:
        regions = [(split, one) for split in schema.SPLITS for one in split_regions.listed(self.manifest, split)]
        rows: list[tuple[object, ...]] = [(split, str(one), one.end - one.start) for split, one in regions]
        return Table("Regions", ("split", "region, first to last base", "bases"), rows)

    def _vocabulary_table(self) -> Table:
        total = int(self.token_counts.sum())
        longest = self.manifest["longest"]
        position = f"{longest['genome']}:{longest['chromosome']}:{longest['start']:,}-{longest['end']:,}"
        rows: list[tuple[object, ...]] = [
            ("k, stride, tail", f"{self.tokenizer.k}, {self.tokenizer.stride}, {self.tokenizer.tail}"),
            ("tokens in the vocabulary", self.tokenizer.vocabulary_size),
        ]
        if self.tokenizer.observed_words is not None:
            rows.append(("observed k-mers", f"{self._share_of_all_kmers():.1%} of all {4**self.tokenizer.k:,}"))
        rows += [("tokens in train", total), ("k-mers seen in train", f"{self._share_of_kmers_seen():.1%}")]
        if self.tokenizer.tail == "partial":
            rows.append(("partial k-mers in train", f"{self.token_counts[self._is_partial()].sum() / total:.3%}"))
        rows += [
            ("unknown tokens in train", f"{self.token_counts[UNK] / total:.3%}"),
            ("longest interval", f"{longest['bases']:,} bases at {position}"),
        ]
        return Table("Vocabulary", ("", "value"), rows)

    def _is_partial(self) -> NDArray[np.bool_]:
        """Return whether each id is of a word shorter than k, shape (vocabulary,)."""
        letters = self.tokenizer.letters
        return (letters[:, 0] != sequence.OTHER) & (letters[:, -1] == sequence.OTHER)

    def _kmers(self) -> NDArray[np.int64]:
        """Return the ids of complete k-mers, shape (k-mers,)."""
        return np.flatnonzero(self.tokenizer.letters[:, -1] != sequence.OTHER)

    def _share_of_all_kmers(self) -> float:
        return len(self._kmers()) / 4**self.tokenizer.k

    def _share_of_kmers_seen(self) -> float:
        """Return the share of the vocabulary's complete k-mers that occur in train."""
        counts = self.token_counts[self._kmers()]
        return np.count_nonzero(counts) / max(len(counts), 1)

    def _leakage_table(self) -> Table:
        leakage = self.manifest["leakage"]
        columns = {
            "intervals": leakage["intervals"],
            "evaluated": leakage["evaluated"],
            "near-duplicates": leakage["near_duplicates"],
            "share": None if leakage["share"] is None else f"{leakage['share']:.2%}",
            "of their k-mers, at least": leakage["threshold"],
            "k": leakage["k"],
        }
        if "similar" in leakage:
            share = leakage["similar_share"]
            columns |= {
                "similar": leakage["similar"],
                "share similar": None if share is None else f"{share:.2%}",
                "by identity": leakage["similar_identity"],
            }
        caption = f"Intervals of {leakage['split']} with a near-duplicate in train"
        return Table(caption, tuple(columns), [tuple(columns.values())])

    def _frequent_kmers_table(self) -> Table:
        kmers = self._kmers()
        shown = kmers[np.argsort(-self.token_counts[kmers], kind="stable")]
        if len(shown) > 2 * KMERS_SHOWN:
            shown = np.concatenate([shown[:KMERS_SHOWN], shown[-KMERS_SHOWN:]])
        words = self.tokenizer.decode(shown)
        total = int(self.token_counts.sum())
        rows: list[tuple[object, ...]] = [
            (word, int(self.token_counts[token]), f"{self.token_counts[token] / total:.3%}")
            for word, token in zip(words, shown, strict=True)
        ]
        return Table("Most and least frequent k-mers in train", ("k-mer", "count", "share"), rows)

    def _rules_table(self) -> Table:
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
        """Return flat figures; `docs/inspect.md` describes the keys."""
        splits = {sample.split: {"genes": 0, "negatives": 0} for sample in self.samples}
        for sample in self.samples:
            splits[sample.split]["genes" if sample.label else "negatives"] = len(sample.lengths)
        total = int(self.token_counts.sum())
        return {
            "fingerprint": self.manifest["fingerprint"],
            "warnings": self.warnings(),
            "rows": sum(file["rows"] for file in self.manifest["files"]),
            "tokens": sum(file["tokens"] for file in self.manifest["files"]),
            "splits": splits,
            "dropped": self.manifest["dropped"],
            "longest_bases": self.manifest["longest"]["bases"],
            "vocabulary_size": self.tokenizer.vocabulary_size,
            "kmers_seen_in_train": float(self._share_of_kmers_seen()),
            "unknown_share_in_train": float(self.token_counts[UNK] / total),
            "audited_split": self.audited,
            "shortcuts": {rule.name: rule.metrics["auroc"] for rule in self.rules},
            **({"leakage": self.manifest["leakage"]} if self.manifest.get("leakage") else {}),
        }

    def page(self, command: str = "") -> report.Page:
        """Return the results as one HTML page."""
        page = report.Page("Token dataset", f"{self.directory} · fingerprint {self.manifest['fingerprint'][:12]}")
        best = self.rules[0]
        page.paragraph(
            f"The best trivial rule, {best.description}, reaches AUROC {best.metrics['auroc']:.3f} on {self.audited}: "
            "a model has to beat it.",
            lead=True,
        )
        for text in self.warnings():
            page.paragraph(f"Warning: {text}.")
        page.figures(
            ("Lengths by label, all splits", self._plot_histogram("lengths", "bases")),
            ("GC by label, all splits", self._plot_histogram("gc", "share of G and C")),
            (f"AUROC of the trivial rules on {self.audited}", self._plot_rules()),
        )
        for table in self.tables():
            page.add(table)
        page.provenance(report.made_from(self.manifest, command))
        return page

    def _plot_histogram(self, attribute: str, axis_label: str) -> Figure:
        figure, axes = report.new_figure(axis_label, "intervals")
        values = {
            label: np.concatenate([getattr(sample, attribute) for sample in self.samples if sample.label == label])
            for label, *_ in self._lines()
        }
        low, high = (min(map(np.min, values.values())), max(map(np.max, values.values())))
        is_log = low > 0 and high > LOG_AXIS_FACTOR * low
        edges = np.geomspace(low, high + 1, 41) if is_log else np.linspace(low, high + 1e-9, 41)
        for label, name, colour, line in self._lines():
            style: dict[str, Any] = {"color": colour, "linestyle": line, "linewidth": 1.8, "label": name}
            axes.hist(values[label], bins=edges.tolist(), histtype="step", **style)
        if is_log:
            axes.set_xscale("log")
        axes.legend(frameon=False)
        return figure

    def _plot_rules(self) -> Figure:
        figure, axes = report.new_figure("AUROC", "")
        rules = self.rules[::-1]
        values = [rule.metrics["auroc"] for rule in rules]
        axes.barh([rule.name for rule in rules], values, color=report.ACCENT, height=0.6)
        axes.axvline(0.5, color=report.INK, linewidth=1, linestyle="--")
        axes.set_xlim(0, 1)
        return figure


def _percentile_name(percent: int) -> str:
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
    datasets = {split: train if split == "train" else TokenDataset.open(directory, split) for split in present}
    for split, dataset in datasets.items():
        for label in (1, 0):
            rows = dataset.labels == label
            gc = dataset.table["gc"].to_numpy().astype(np.float64)
            if rows.any():
                samples.append(Sample(split, label, shortcuts.base_lengths(dataset)[rows], gc[rows]))
    validation = datasets.get("validation") if audited == "test" else None
    rules = shortcuts.audit(train, datasets[audited], validation, kmers=True)
    counts = token_counts.count(train.tokens, train.tokenizer.vocabulary_size)
    return Inspection(directory, manifest, train.tokenizer, samples, counts, audited, rules)
