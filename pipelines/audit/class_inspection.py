"""What is in a dataset of sequences with classes: counts, lengths and GC by class, tokens, and trivial rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pipelines import report, schema
from pipelines.audit import class_rules, class_tables, shortcuts, token_counts
from pipelines.audit.class_rules import ClassRule
from pipelines.audit.inspection import Inspection, Sample
from pipelines.dataset.manifest import classes
from pipelines.dataset.token_dataset import TokenDataset, read_manifest
from pipelines.report import Table


@dataclass(frozen=True)
class ClassInspection(Inspection):
    """The results of inspecting a dataset of sequences with classes; labels of samples are numbers of classes."""

    rules: Sequence[ClassRule]  # type: ignore[assignment]

    def tables(self) -> list[Table]:
        """Return all results as tables."""
        leakage = [self._leakage_table()] if self.manifest.get("leakage") else []
        contents = [class_tables.counts_table(self.manifest), self._splits_table(), *leakage]
        return [*contents, self._vocabulary_table(), self._frequent_kmers_table(), self._rules_table()]

    def warnings(self) -> list[str]:
        """Return what a reader should know before anything else."""
        return []

    def to_json(self) -> dict[str, Any]:
        """Return flat figures; `docs/inspect.md` describes the keys."""
        counts = class_tables.counts(self.manifest)
        names = classes(self.manifest)
        return super().to_json() | {
            "classes": names,
            "splits": {split: {name: of_split[name] for name in names} for split, of_split in counts.items()},
        }

    def _label_name(self, label: int) -> str:
        return classes(self.manifest)[label]

    def _lines(self) -> list[tuple[int, str, str, str]]:
        names = enumerate(classes(self.manifest))
        return [(number, report.plain(name), *report.series_style(number)) for number, name in names]

    def _plot_rules(self) -> Figure:
        figure = super()._plot_rules()
        figure.axes[0].set_xlabel("AUROC, mean of the classes", color=report.INK)
        return figure


def inspect(directory: Path) -> ClassInspection:
    """Read a dataset and audit it.

    Raises:
        DatasetError: not a finished dataset, or a damaged file.
    """
    manifest = read_manifest(directory)
    present = [split for split in schema.SPLITS if split in class_tables.counts(manifest)]
    datasets = {split: TokenDataset.open(directory, split) for split in present}
    samples = []
    for split, dataset in datasets.items():
        lengths, gc = shortcuts.base_lengths(dataset), dataset.table["gc"].to_numpy().astype(np.float64)
        for label in np.unique(dataset.labels).tolist():
            rows = dataset.labels == label
            samples.append(Sample(split, label, lengths[rows], gc[rows]))
    train = datasets["train"]
    audited = next((split for split in ("test", "validation") if split in present), "train")
    rules = class_rules.audit(train, datasets[audited], datasets.get("validation"))
    counts = token_counts.count(train.tokens, train.tokenizer.vocabulary_size)
    return ClassInspection(directory, manifest, train.tokenizer, samples, counts, audited, rules)
