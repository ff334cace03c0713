"""What each split will hold, as known from genes alone: before negatives are placed and before bases are labelled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines import schema
from pipelines.config import SplitConfig
from pipelines.genome import intervals
from pipelines.genome.intervals import Intervals
from pipelines.genome.region import Region
from pipelines.splits import assign
from pipelines.splits.blocks import Blocks
from pipelines.splits.stretches import Stretch

_DRAWN = ("random", "family")
"""Values of `split.by` by which single intervals are drawn."""
_COLUMNS = ("genome", "chromosome", "start", "end", "label", "split")


@dataclass(frozen=True)
class PlannedSplit:
    """The part of a genome, or of a collection of labelled sequences, that goes to one split.

    Attributes:
        split: name of the split.
        genome: name of the genome or collection.
        places: its whole sequences by name and its regions, in order; empty where intervals are drawn one by one.
        sequences: number of FASTA sequences that it has a part of, or of labelled sequences.
        bases: of these parts; of the genes alone where intervals are drawn one by one.
        genes: genes that lie in them, or labelled sequences that are genes.
        is_exact: whether the build cannot change it: shares are filled once negatives are there.
    """

    split: str
    genome: str
    places: tuple[str, ...]
    sequences: int
    bases: int
    genes: int
    is_exact: bool


def of_stretches(
    stretches: Iterable[Stretch], genes: Mapping[str, Mapping[str, Intervals]], lengths: Mapping[str, Mapping[str, int]]
) -> list[PlannedSplit]:
    """The splits of genomes whose every base is in one; a gene counts where it lies with all its bases.

    Args:
        stretches: every base of the genomes.
        genes: genome to chromosome to start and end of its genes, shape (genes, 2).
        lengths: genome to chromosome to its bases.
    """
    parts: dict[tuple[str, str], list[Stretch]] = {}
    for one in stretches:
        parts.setdefault((one.split, one.genome), []).append(one)
    planned = [
        PlannedSplit(
            split=split,
            genome=genome,
            places=tuple(_place(one, lengths[genome][one.chromosome]) for one in own),
            sequences=len({one.chromosome for one in own}),
            bases=sum(one.bases for one in own),
            genes=sum(_genes_within(one, genes[genome].get(one.chromosome)) for one in own),
            is_exact=True,
        )
        for (split, genome), own in parts.items()
    ]
    return _in_order(planned, lengths)


def of_intervals(
    genes: Mapping[str, Mapping[str, Intervals]],
    lengths: Mapping[str, Mapping[str, int]],
    blocks: Mapping[tuple[str, str], Blocks],
    labelled: Sequence[tuple[pa.Table, NDArray[np.int64]]],
    config: SplitConfig,
) -> list[PlannedSplit]:
    """The splits of genes and labelled sequences, as `assign.assign` gives them where there are no negatives.

    Args:
        genes: genome to chromosome to start and end of its genes, shape (genes, 2), at least one.
        lengths: genome to chromosome to its bases; only of chromosomes with genes.
        blocks: (genome, chromosome) to its blocks, for chromosomes that are cut.
        labelled: of each collection of labelled sequences its rows, and the group of each that must stay in one split.
        config: the split.

    Raises:
        UsageError: as `assign.assign`.
    """
    chromosomes = [(genome, name) for genome, own in genes.items() for name in own]
    ends = np.cumsum([len(genes[genome][name]) for genome, name in chromosomes])
    rows_of_genes = int(ends[-1]) if chromosomes else 0
    groups = [np.full(rows_of_genes if labelled else 0, -1, np.int64)]
    following = 0
    for _, own_groups in labelled:
        groups.append(own_groups + following)
        following = int(groups[-1].max(initial=following - 1)) + 1
    tables = _Tables(genes, blocks, [rows.select(_COLUMNS) for rows, _ in labelled])
    splits = assign.assign(tables, config, np.concatenate(groups) if labelled else None)
    of_genes, of_labelled = splits[:rows_of_genes], splits[rows_of_genes:]
    if config.by in _DRAWN:
        planned = [*_drawn(genes, of_genes)]
    else:
        lasts = of_genes[ends - 1].tolist() if chromosomes else []
        whole = {pair: schema.SPLITS[code] for pair, code in zip(chromosomes, lasts, strict=True)}
        planned = of_stretches(_stretches(chromosomes, lengths, blocks, whole), genes, lengths)
        is_exact = not any(assign.shares(config).values()) or len(blocks) == len(chromosomes)
        planned = [replace(one, is_exact=is_exact) for one in planned]
    for rows, _ in labelled:
        own, of_labelled = of_labelled[: len(rows)], of_labelled[len(rows) :]
        planned += _labelled(rows, own, is_exact=not chromosomes and config.by != "family")
    return _in_order(planned, dict.fromkeys(one.genome for one in planned))


def _in_order(planned: Iterable[PlannedSplit], genomes: Iterable[str]) -> list[PlannedSplit]:
    order = {genome: number for number, genome in enumerate(genomes)}
    return sorted(planned, key=lambda one: (schema.SPLITS.index(one.split), order[one.genome]))


def _place(stretch: Stretch, length: int) -> str:
    if stretch.bases == length:
        return stretch.chromosome
    return str(Region("", stretch.chromosome, stretch.start, stretch.end))


def _genes_within(stretch: Stretch, genes: Intervals | None) -> int:
    if genes is None:
        return 0
    return int(((genes[:, 0] >= stretch.start) & (genes[:, 1] <= stretch.end)).sum())


@dataclass(frozen=True)
class _Tables:
    """The genes of each genome as a table of rows, made when it is taken, and then the labelled sequences.

    Attributes:
        genes: genome to chromosome to start and end of its genes, shape (genes, 2).
        blocks: (genome, chromosome) to its blocks, for chromosomes that are cut.
        labelled: rows of labelled sequences.
    """

    genes: Mapping[str, Mapping[str, Intervals]]
    blocks: Mapping[tuple[str, str], Blocks]
    labelled: Sequence[pa.Table]

    def __iter__(self) -> Iterator[pa.Table]:
        for genome, chromosomes in self.genes.items():
            yield _gene_rows(genome, chromosomes, self.blocks)
        yield from self.labelled


def _gene_rows(genome: str, chromosomes: Mapping[str, Intervals], blocks: Mapping[tuple[str, str], Blocks]) -> pa.Table:
    """The genes of a genome as rows, with the split of their block."""
    counts = [len(bounds) for bounds in chromosomes.values()]
    genes = np.concatenate([*chromosomes.values(), intervals.empty()])
    splits = pa.repeat("", len(genes))
    if any((genome, name) in blocks for name in chromosomes):
        splits = pa.concat_arrays([_splits(blocks.get((genome, name)), own) for name, own in chromosomes.items()])
    columns = {
        "genome": pa.repeat(genome, len(genes)),
        "chromosome": pa.array(chromosomes, pa.string()).take(pa.array(np.repeat(np.arange(len(counts)), counts))),
        "start": pa.array(genes[:, 0]),
        "end": pa.array(genes[:, 1]),
        "label": pa.repeat(pa.scalar(1, pa.int8()), len(genes)),
        "split": splits,
    }
    return pa.table(columns, schema=pa.schema([schema.INTERVALS.field(name) for name in columns]))


def _splits(cut: Blocks | None, genes: Intervals) -> pa.Array:
    """The split of each gene's block; empty where the chromosome is not cut."""
    if cut is None:
        return pa.repeat("", len(genes))
    return pa.array(cut.split_names, pa.string()).take(pa.array(cut.split_numbers(genes[:, 0])))


def _stretches(
    chromosomes: Iterable[tuple[str, str]],
    lengths: Mapping[str, Mapping[str, int]],
    blocks: Mapping[tuple[str, str], Blocks],
    whole: Mapping[tuple[str, str], str],
) -> Iterator[Stretch]:
    for genome, name in chromosomes:
        cut = blocks.get((genome, name))
        if cut is None:
            yield Stretch(genome, name, 0, lengths[genome][name], whole[genome, name])
            continue
        starts = [0, *cut.ends[:-1].tolist()]
        for start, end, split in zip(starts, cut.ends.tolist(), cut.splits, strict=True):
            yield Stretch(genome, name, start, end, split)


def _drawn(genes: Mapping[str, Mapping[str, Intervals]], splits: assign.Codes) -> Iterator[PlannedSplit]:
    first = 0
    for genome, chromosomes in genes.items():
        bounds = np.concatenate([*chromosomes.values(), intervals.empty()])
        number = np.repeat(np.arange(len(chromosomes)), [len(own) for own in chromosomes.values()])
        own, first = splits[first : first + len(bounds)], first + len(bounds)
        for code, split in enumerate(schema.SPLITS):
            rows = np.flatnonzero(own == code)
            if len(rows):
                bases = int((bounds[rows, 1] - bounds[rows, 0]).sum())
                sequences = len(np.unique(number[rows]))
                yield PlannedSplit(split, genome, (), sequences, bases, len(rows), is_exact=False)


def _labelled(rows: pa.Table, splits: assign.Codes, *, is_exact: bool) -> Iterator[PlannedSplit]:
    genome = rows["genome"][0].as_py()
    lengths, is_gene = rows["end"].to_numpy() - rows["start"].to_numpy(), rows["label"].to_numpy() == 1
    chromosomes, given = (np.array(rows[name].to_pylist(), dtype=object) for name in ("chromosome", "split"))
    for code, split in enumerate(schema.SPLITS):
        own = splits == code
        if not own.any():
            continue
        has_file = bool((given[own] != "").all())
        yield PlannedSplit(
            split=split,
            genome=genome,
            places=tuple(dict.fromkeys(chromosomes[own])) if has_file else (),
            sequences=int(own.sum()),
            bases=int(lengths[own].sum()),
            genes=int(is_gene[own].sum()),
            is_exact=has_file or is_exact,
        )
