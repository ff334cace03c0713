"""The negatives stage: genes of a chromosome to windows and negatives, as rows of an Arrow table.

One row of input is a chromosome with its genes and gene-like features. Those of an assembly of very many sequences are
laid end to end and placed together, because a run of bedtools for each would take hours. One row of output is an
interval, a gene that is left out, or a negative that could not be placed (start -1), so that each is accounted for.
Only intervals have no `reason`. How negatives are made is in `pipelines.negatives.place`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.build import task_plan
from pipelines.config import KINDS, CropConfig, NegativesConfig
from pipelines.dataset import table_files
from pipelines.genome.fasta import Genome
from pipelines.genome.intervals import Intervals
from pipelines.genome.source import Source
from pipelines.negatives import cropping, matching, place, shuffle
from pipelines.negatives.end_to_end import EndToEnd
from pipelines.negatives.place import Placement
from pipelines.splits.blocks import Blocks
from pipelines.stores.staging import Staging

CHROMOSOMES = pa.schema(
    [
        ("genome", pa.string()),
        ("chromosome", pa.string()),
        ("windows_before", pa.int64()),
        ("block_end", pa.list_(pa.int64())),
        ("block_split", pa.list_(pa.string())),
        ("blocks_are_closed", pa.bool_()),
        ("gene_start", pa.list_(pa.int64())),
        ("gene_end", pa.list_(pa.int64())),
        ("gene_strand", pa.list_(pa.string())),
        ("gene_id", pa.list_(pa.string())),
        ("gene_biotype", pa.list_(pa.string())),
        ("excluded_start", pa.list_(pa.int64())),
        ("excluded_end", pa.list_(pa.int64())),
        ("excluded_strand", pa.list_(pa.int8())),
        ("gene_row_start", pa.list_(pa.int64())),
        ("gene_row_end", pa.list_(pa.int64())),
        ("other_start", pa.list_(pa.int64())),
        ("other_end", pa.list_(pa.int64())),
        ("length", pa.int64()),
        ("is_one_of_many", pa.bool_()),
    ]
)

# The reason of a negative that could not be placed, as datasets record it.
MISSING_NEGATIVE = "negative_without_room"

# `gene` is the number of the row's gene on its chromosome: windows of one gene share it.
PLACED = pa.schema(
    [
        ("genome", pa.string()),
        ("chromosome", pa.string()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("strand", pa.string()),
        ("label", pa.int8()),
        ("source", pa.string()),
        ("gene_id", pa.string()),
        ("gene", pa.int64()),
        ("biotype", pa.string()),
        ("split", pa.string()),
        ("requested_length", pa.int64()),
        ("reason", pa.string()),
    ]
)

# Those of intervals, which have no reason to be dropped.
INTERVALS = pa.schema([field for field in PLACED if field.name != "reason"])
INTERVALS_FILE, DROPPED_FILE = "intervals-{:05d}.arrow", "dropped-{:05d}.arrow"


def chromosome_tables(source: Source, blocks: Mapping[tuple[str, str], Blocks], crop: CropConfig) -> Iterator[pa.Table]:
    """Yield the chromosomes of a source as tables of `CHROMOSOMES`, small chromosomes together in one table.

    Args:
        source: a genome with its genes.
        blocks: (genome, chromosome) to its blocks; a chromosome that is missing here is one block.
        crop: how many windows a gene has.
    """
    names, genome = list(source.lengths), source.genome.name
    counts = [int(cropping.window_counts(source.genes[name].bounds, crop).sum()) for name in names]
    windows_before = [0, *itertools.accumulate(counts)]
    for group in task_plan.group_sizes(source.lengths.values()):
        own = [blocks.get((genome, name), Blocks.whole(source.lengths[name])) for name in names[group]]
        yield _chromosomes(source, names[group], windows_before[: len(names)][group], own)


def _chromosomes(source: Source, names: list[str], windows_before: list[int], blocks: list[Blocks]) -> pa.Table:
    genes, excluded = [source.genes[name] for name in names], [source.excluded[name] for name in names]
    others = [source.others.get(name, excluded[0][:0]) for name in names]
    columns: dict[str, Any] = {
        "genome": pa.repeat(source.genome.name, len(names)),
        "chromosome": pa.array(names, pa.string()),
        "windows_before": windows_before,
        "block_end": _lists([pa.array(cut.ends) for cut in blocks]),
        "block_split": _lists([pa.array(cut.splits, pa.string()) for cut in blocks]),
        "blocks_are_closed": [cut.are_closed for cut in blocks],
        "gene_strand": _lists([own.strands for own in genes]),
        "gene_id": _lists([own.ids for own in genes]),
        "gene_biotype": _lists([own.biotypes.cast(pa.string()) for own in genes]),
        "excluded_strand": _lists([pa.array(own[:, 2].astype(np.int8)) for own in excluded]),
        "length": [source.lengths[name] for name in names],
        "is_one_of_many": [source.has_many_sequences] * len(names),
    }
    bounds = {"gene": [own.bounds for own in genes], "excluded": excluded, "other": others}
    for kind, of_kind in (bounds | {"gene_row": [own.rows for own in genes]}).items():
        columns[f"{kind}_start"] = _lists([pa.array(own[:, 0]) for own in of_kind])
        columns[f"{kind}_end"] = _lists([pa.array(own[:, 1]) for own in of_kind])
    return pa.Table.from_pydict({name: columns[name] for name in CHROMOSOMES.names}, CHROMOSOMES)


def _lists(values: list[pa.Array]) -> pa.ListArray:
    """A list of each sequence's values."""
    offsets = np.cumsum([0, *map(len, values)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.concat_arrays(values))


@dataclass(frozen=True)
class PlaceNegatives:
    """A map from tables of `CHROMOSOMES` to tables of `PLACED`, sorted by chromosome as these are and by position.

    Attributes:
        genomes: name to genome.
        negatives: how negatives are placed.
        crop: how windows are cut.
    """

    genomes: dict[str, Genome]
    negatives: NegativesConfig
    crop: CropConfig

    def __call__(self, chromosomes: pa.Table) -> pa.Table:
        if len(chromosomes) == 0:
            return PLACED.empty_table()
        return _sort(pa.concat_tables([*self._tables(chromosomes)]), chromosomes["chromosome"])

    def _tables(self, chromosomes: pa.Table) -> Iterator[pa.Table]:
        size = len(chromosomes) if chromosomes["is_one_of_many"][0].as_py() else 1
        for first in range(0, len(chromosomes), size):
            yield self._place(_Rows.of(chromosomes.slice(first, size).combine_chunks(), self.negatives.flank))

    def _place(self, rows: _Rows) -> pa.Table:
        genome = self.genomes[rows.genome]
        axis, (block_numbers, block_ends) = rows.axis, rows.of_lists("block_end")
        block_splits = rows.values("block_split").to_pylist()
        genes, gene_rows, others, features = (rows.bounds(kind) for kind in ("gene", "gene_row", "other", "excluded"))
        is_forward = rows.values("gene_strand").to_numpy(zero_copy_only=False) == "+"
        runs_of_n = [
            genome.runs_of_n(name, self.negatives.min_n_run) + offset
            for name, offset in zip(rows.names, axis.offsets.tolist(), strict=True)
        ]
        is_closed = rows.table["blocks_are_closed"].to_numpy()[block_numbers]
        blocks = axis.blocks(block_numbers, block_ends, block_splits)
        chromosome = place.Chromosome(
            name=(rows.genome, rows.names[0]),
            blocks=blocks,
            genes=genes,
            strands=np.where(is_forward, 1, -1).astype(np.int8),
            features=features,
            feature_strands=rows.values("excluded_strand").to_numpy(),
            runs_of_n=np.concatenate(
                [*runs_of_n, axis.between(), axis.closed_borders(block_numbers[is_closed], block_ends[is_closed])]
            ),
            windows_before=rows.table["windows_before"][0].as_py(),
            rows=gene_rows if len(gene_rows) else None,
            others=others if len(gene_rows) else None,
        )
        matched = [share for share in self.negatives.match if share != "length"]
        letters = partial(axis.letters, lambda number, *bounds: genome.sequence(rows.names[number], *bounds))
        measure = partial(matching.measure_shares, letters, chromosome.length, matched) if matched else None
        placement = place.place_negatives(chromosome, self.negatives, self.crop, measure)
        splits = np.array(block_splits, dtype=object)[blocks.holding(genes[:, 0]).clip(max=len(block_splits) - 1)]
        sites, _ = cropping.window_sites(genes, self.crop)
        return _to_table(rows, chromosome.strands, placement, splits, cropping.window_lengths(sites, self.crop))


def _sort(placed: pa.Table, chromosomes: pa.ChunkedArray) -> pa.Table:
    """Sort rows of one genome by chromosome, in the order given, position, strand and label, genes first."""
    order = np.lexsort(
        (
            1 - placed["label"].to_numpy(),
            placed["strand"].to_numpy(zero_copy_only=False) == "-",
            placed["end"].to_numpy(),
            placed["start"].to_numpy(),
            pc.index_in(placed["chromosome"], chromosomes.combine_chunks()).to_numpy(),
        )
    )
    return placed.take(pa.array(order)).combine_chunks()


@dataclass(frozen=True)
class WritePlaced:
    """A map from tables of `CHROMOSOMES` with `task` that writes the rows of `PLACED`, each task's to two files.

    It returns the number of sequences of each. One file holds the intervals, without `reason`, the other what is
    dropped; that the first is there says that both are.

    Attributes:
        place: gives the rows.
        staging: receives the files.
    """

    place: Callable[[pa.Table], pa.Table]
    staging: Staging

    def __call__(self, chromosomes: pa.Table) -> pa.Table:
        if len(chromosomes):
            task, placed = chromosomes["task"][0].as_py(), self.place(chromosomes)
            is_kept = pc.equal(placed["reason"], "")
            with self.staging.task_folder() as folder:
                table_files.write(folder, DROPPED_FILE.format(task), placed.filter(pc.invert(is_kept)))
                table_files.write(folder, INTERVALS_FILE.format(task), placed.filter(is_kept).select(INTERVALS.names))
        return pa.table({"sequences": [len(chromosomes)]})


@dataclass(frozen=True)
class _Rows:
    """Rows of `CHROMOSOMES` of one genome, end to end.

    Attributes:
        table: the rows.
        axis: where their sequences lie.
    """

    table: pa.Table
    axis: EndToEnd

    @classmethod
    def of(cls, table: pa.Table, flank: int) -> _Rows:
        return cls(table, EndToEnd.of(table["length"].to_numpy(), flank))

    @property
    def genome(self) -> str:
        name: str = self.table["genome"][0].as_py()
        return name

    @cached_property
    def names(self) -> list[str]:
        """The name of each sequence."""
        return self.table["chromosome"].to_pylist()

    def values(self, name: str) -> pa.Array:
        """A column of lists, end to end."""
        return self.table[name].combine_chunks().flatten()

    def of_lists(self, name: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The number of the sequence of each value of a column of lists, and the values."""
        counts = pc.list_value_length(self.table[name]).to_numpy()
        return np.repeat(np.arange(len(counts)), counts), self.values(name).to_numpy()

    def bounds(self, kind: str) -> Intervals:
        """Start and end of intervals of a kind, on the axis."""
        number, start = self.of_lists(f"{kind}_start")
        bounds = np.stack([start, self.values(f"{kind}_end").to_numpy()], axis=1)
        return bounds + self.axis.offsets[number][:, None]


def _to_table(
    rows: _Rows,
    strands: NDArray[np.int8],
    placement: Placement,
    splits: NDArray[np.object_],
    requested_lengths: NDArray[np.int64],
) -> pa.Table:
    """Return windows, their negatives and the negatives that are missing, in this order, as rows of `PLACED`.

    Args:
        rows: the sequences and their genes.
        strands: +1 or -1 of each gene, shape (genes,).
        placement: windows and negatives.
        splits: split of each gene, shape (genes,).
        requested_lengths: bases of each window before any shortening, shape (windows,).
    """
    windows, negatives = len(placement.windows), len(placement.negatives)
    missing = np.repeat(np.arange(windows), placement.missing)
    window_index = np.concatenate([np.arange(windows), placement.partners, missing])
    gene_index = placement.genes[window_index]
    # Either the window or the one left out is -1.
    window_bounds = np.maximum(placement.windows, placement.left_out)
    bounds = np.concatenate(
        [window_bounds, placement.negatives, np.full((len(missing), 2), shuffle.UNPLACED, np.int64)]
    )
    count = len(bounds)
    gene_numbers, _ = rows.of_lists("gene_start")
    numbers = gene_numbers[gene_index]
    bounds = np.where(bounds == shuffle.UNPLACED, bounds, bounds - rows.axis.offsets[numbers][:, None])
    before = np.searchsorted(gene_numbers, np.arange(len(rows.names)))
    is_flipped = np.zeros(count, np.bool_)
    is_flipped[windows : windows + negatives] = placement.kinds == place.ANTISENSE
    is_forward = (strands == 1)[gene_index]
    kinds = np.array(KINDS, dtype=object)[placement.kinds]
    biotypes = rows.values("gene_biotype").take(pa.array(placement.genes))
    return pa.table(
        {
            "genome": pa.repeat(rows.genome, count),
            "chromosome": pa.array(rows.names, pa.string()).take(pa.array(numbers)),
            "start": bounds[:, 0],
            "end": bounds[:, 1],
            "strand": np.where(is_forward ^ is_flipped, "+", "-").astype(object),
            "label": np.repeat(np.array([1, 0], np.int8), [windows, negatives + len(missing)]),
            "source": pa.array(["gene"] * windows + [*kinds] + ["negative"] * len(missing), pa.string()),
            "gene_id": rows.values("gene_id").take(pa.array(gene_index)),
            "gene": gene_index - before[numbers],
            "biotype": pa.concat_arrays([biotypes, pa.nulls(count - windows, pa.string())]),
            "split": splits[gene_index],
            "requested_length": requested_lengths[window_index],
            "reason": pa.array([*placement.reasons, *[""] * negatives, *[MISSING_NEGATIVE] * len(missing)]),
        },
        schema=PLACED,
    )
