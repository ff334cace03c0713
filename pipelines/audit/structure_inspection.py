"""What is in a dataset of labelled windows: lengths of exons, introns and intergenic stretches, splice pairs, states.

Reads every split once, in pieces of stretches. Memory is that of a piece, cut between genes, and of what is counted,
however long a stretch is.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipelines import report, schema
from pipelines.audit import structure_tables, token_counts
from pipelines.audit.structure_tables import share
from pipelines.dataset import split_regions
from pipelines.dataset.token_dataset import TokenDataset, read_manifest
from pipelines.report import Table
from pipelines.structure import statistics
from pipelines.structure.statistics import Statistics
from pipelines.tokens import centred
from pipelines.tokens.tokenizer import Tokenizer
from pipelines.tokens.vocabulary import UNK

LENGTHS = {
    "exons": "coding parts of exons",
    "introns": "introns between them",
    "intergenic": "intergenic stretches",
    "coding": "coding bases of a gene",
}
"""The lengths of `Statistics` that are shown, each with what it is of."""
# Splice pairs that are shown; the others are counted together.
PAIRS_SHOWN = 6
MANY_EXONS = 5
BINS = 40


@dataclass(frozen=True)
class Part:
    """A genome in a split.

    Attributes:
        listed: its entry of the manifest's `structure`.
        statistics: of its labels.
    """

    listed: Mapping[str, Any]
    statistics: Statistics


@dataclass(frozen=True)
class StructureInspection:
    """The results of inspecting a dataset of labelled windows.

    Attributes:
        directory: the dataset's directory.
        manifest: the dataset's manifest.
        tokenizer: the dataset's tokenizer.
        parts: its genomes and splits, in the manifest's order.
        token_counts: occurrences of every id in train, shape (vocabulary,).
    """

    directory: Path
    manifest: dict[str, Any]
    tokenizer: Tokenizer
    parts: list[Part]
    token_counts: NDArray[np.int64]

    def tables(self) -> list[Table]:
        """Return all results as tables."""
        tables = [
            structure_tables.windows_table(self.manifest),
            structure_tables.genes_table(self.manifest),
            structure_tables.left_out_table(self.manifest),
            structure_tables.states_table(self.manifest),
            structure_tables.masked_table(self.manifest),
            self._lengths_table(),
            self._counts_table("Introns by their first and last two bases", "splice pair", self._pairs()),
            self._counts_table("Genes by number of coding exons", "exons", self._exons_of_genes()),
            self._counts_table("Start codons", "codon", [part.statistics.starts for part in self.parts]),
            self._counts_table("Stop codons", "codon", [part.statistics.stops for part in self.parts]),
        ]
        if self.manifest["config"].get("split", {}).get("by") == "region":
            tables.append(self._regions_table())
        return [table for table in [*tables, self._vocabulary_table()] if table.rows]

    def _lengths_table(self) -> Table:
        rows: list[tuple[object, ...]] = []
        for part, name in zip(self.parts, structure_tables.columns(self.manifest), strict=True):
            for attribute, shown in LENGTHS.items():
                of_lengths = statistics.summary(getattr(part.statistics, attribute))
                if of_lengths["count"]:
                    keys = ("count", "mean", "min", "0.05", "0.5", "0.95", "max")
                    values = (round(of_lengths[key]) for key in keys)
                    rows.append((name, shown, *values))
        header = ("split", "length of", "number", "mean", "shortest", "5 %", "median", "95 %", "longest")
        return Table("Lengths in bases, of what no masked base and no border cuts", header, rows)

    def _pairs(self) -> list[Counter[str]]:
        """The splice pairs of each part; the rarest together."""
        total: Counter[str] = sum((part.statistics.splice_pairs for part in self.parts), Counter())
        shown = {name for name, _ in total.most_common(PAIRS_SHOWN)}
        return [_gathered(part.statistics.splice_pairs, shown) for part in self.parts]

    def _exons_of_genes(self) -> list[Counter[str]]:
        return [_by_exons(part.statistics.genes) for part in self.parts]

    def _counts_table(self, caption: str, name: str, counts: list[Counter[str]]) -> Table:
        total: Counter[str] = sum(counts, Counter())
        rows: list[tuple[object, ...]] = [
            (key, *(_count_and_share(own[key], own.total()) for own in counts)) for key, _ in total.most_common()
        ]
        return Table(caption, (name, *structure_tables.columns(self.manifest)), rows)

    def _regions_table(self) -> Table:
        regions = [(split, one) for split in schema.SPLITS for one in split_regions.listed(self.manifest, split)]
        rows: list[tuple[object, ...]] = [(split, str(one), one.end - one.start) for split, one in regions]
        return Table("Regions", ("split", "region, first to last base", "bases"), rows)

    def _vocabulary_table(self) -> Table:
        total = int(self.token_counts.sum())
        labels = self.manifest["config"]["labels"]
        rows: list[tuple[object, ...]] = [
            ("k, the k-mer around a base", self.tokenizer.k),
            ("tokens in the vocabulary", self.tokenizer.vocabulary_size),
            ("tokens in train, one for a base", total),
            ("unknown tokens in train", f"{self.token_counts[UNK] / max(total, 1):.3%}"),
            *((f"labels.{key}", value) for key, value in labels.items()),
            ("bytes of a base on disk", round(self._bytes_per_base(), 3)),
        ]
        return Table("Tokens and labels", ("", "value"), rows)

    def _bytes_per_base(self) -> float:
        files = self.manifest["files"]
        return sum(file["bytes"] for file in files) / max(sum(file["tokens"] for file in files), 1)

    def to_json(self) -> dict[str, Any]:
        """Return the figures; `docs/inspect.md` describes the keys."""
        files = self.manifest["files"]
        total = int(self.token_counts.sum())
        return {
            "fingerprint": self.manifest["fingerprint"],
            "task": self.manifest["config"]["task"],
            "warnings": [],
            "rows": sum(file["rows"] for file in files),
            "tokens": sum(file["tokens"] for file in files),
            "bytes_per_base": self._bytes_per_base(),
            "window_length": self.manifest["config"]["window"]["length"],
            "dropped": self.manifest["dropped"],
            "vocabulary_size": self.tokenizer.vocabulary_size,
            "unknown_share_in_train": float(self.token_counts[UNK] / max(total, 1)),
            "structure": [
                {
                    **{key: part.listed[key] for key in ("genome", "split", "stretches", "windows")},
                    "genes_by_fate": part.listed["genes"],
                    **part.statistics.document(),
                }
                for part in self.parts
            ],
        }

    def page(self, command: str = "") -> report.Page:
        """Return the results as one HTML page."""
        page = report.Page("Labelled windows", f"{self.directory} · fingerprint {self.manifest['fingerprint'][:12]}")
        genes = sum(part.listed["genes"].get("labelled", 0) for part in self.parts)
        masked = sum(part.listed["states"].get("masked", 0) for part in self.parts)
        bases = sum(part.listed["bases"] for part in self.parts)
        page.paragraph(
            f"{genes:,} genes label {bases:,} bases on both strands; {share(masked, 2 * bases)} of these are masked.",
            lead=True,
        )
        page.figures(
            ("Coding parts of exons", self._plot_lengths("exons")),
            ("Introns", self._plot_lengths("introns")),
            ("Intergenic stretches", self._plot_lengths("intergenic")),
        )
        for table in self.tables():
            page.add(table)
        page.provenance(report.made_from(self.manifest, command))
        return page

    def _plot_lengths(self, attribute: str) -> Figure:
        figure, axes = report.new_figure("bases", "share")
        counts = {
            name: getattr(part.statistics, attribute)
            for name, part in zip(structure_tables.columns(self.manifest), self.parts, strict=True)
        }
        longest = max((max(own) for own in counts.values() if own), default=1)
        edges = np.geomspace(1, longest + 1, BINS + 1)
        for number, (name, own) in enumerate(counts.items()):
            colour, line = report.series_style(number)
            if own:
                lengths, weights = np.array([*own]), np.array([*own.values()]) / own.total()
                style: dict[str, Any] = {"color": colour, "linestyle": line, "linewidth": 1.6}
                axes.hist(lengths, edges.tolist(), weights=weights, histtype="step", label=report.plain(name), **style)
        axes.set_xscale("log")
        axes.legend(frameon=False)
        return figure


def _by_exons(genes: Counter[int]) -> Counter[str]:
    """Genes by their number of exons as text; those of many together."""
    counts: Counter[str] = Counter()
    for exons, count in genes.items():
        counts[str(exons) if exons < MANY_EXONS else f"{MANY_EXONS} or more"] += count
    return counts


def _gathered(counts: Counter[str], shown: set[str]) -> Counter[str]:
    gathered = Counter({name: count for name, count in counts.items() if name in shown})
    if rest := counts.total() - gathered.total():
        gathered["others"] = rest
    return gathered


def _count_and_share(count: int, total: int) -> str:
    return f"{count:,} ({share(count, total)})" if count else "0"


def inspect(directory: Path) -> StructureInspection:
    """Read a dataset of labelled windows.

    Raises:
        DatasetError: not a finished dataset, or a damaged file.
    """
    manifest = read_manifest(directory)
    parts = []
    train = TokenDataset.open(directory, "train")
    opened = {split: train if split == "train" else TokenDataset.open(directory, split) for split in _present(manifest)}
    of_genome = {split: _statistics(dataset) for split, dataset in opened.items()}
    for listed in manifest["structure"]:
        found = of_genome[listed["split"]][listed["genome"]] + Statistics(masked=Counter(listed["masked"]))
        parts.append(Part(listed, found))
    counts = token_counts.count(train.tokens, train.tokenizer.vocabulary_size)
    return StructureInspection(directory, manifest, train.tokenizer, parts, counts)


def _present(manifest: Mapping[str, Any]) -> list[str]:
    listed = {part["split"] for part in manifest["structure"]}
    return [split for split in schema.SPLITS if split in listed]


def _statistics(dataset: TokenDataset) -> dict[str, Statistics]:
    """Add up the statistics of the stretches of each genome, a piece of a stretch at a time."""
    assert dataset.states is not None
    found: defaultdict[str, Statistics] = defaultdict(Statistics)
    stretches, rows = np.unique(dataset.stretches, axis=0, return_index=True)
    genomes = dataset.table["genome"].take(pa.array(rows)).to_pylist()
    for genome, (first, last) in zip(genomes, stretches.tolist(), strict=True):
        tokens, packed = dataset.tokens[first:last], dataset.states[first:last]
        found[genome] += statistics.of_pieces(packed, partial(_codes, dataset.tokenizer, tokens))
    return found


def _codes(tokenizer: Tokenizer, tokens: NDArray[Any], start: int, end: int) -> NDArray[np.uint8]:
    """The base codes of a piece of a stretch, which the tokens around it may show."""
    first, last = max(start - tokenizer.k, 0), min(end + tokenizer.k, len(tokens))
    codes = centred.decode(tokenizer, tokens[first:last], np.array([last - first]))
    return codes[start - first : end - first]
