"""The interval stage: genes of a chromosome to windows and negatives, as rows of an Arrow table.

One row of input is a chromosome with its genes and gene-like features; one row of output is an interval, a gene that was
left out, or a negative that is missing (start -1), so that each can be accounted for. Only intervals have no `reason`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.build import task_plan
from pipelines.config import KINDS, CropConfig, NegativesConfig
from pipelines.genome.fasta import Genome
from pipelines.genome.source import Source
from pipelines.negatives import cropping, matching, place, shuffle
from pipelines.negatives.place import Placement
from pipelines.splits.blocks import Blocks

CHROMOSOMES = pa.schema(
    [
        ("genome", pa.string()),
        ("chromosome", pa.string()),
        ("earlier_genes", pa.int64()),
        ("block_end", pa.list_(pa.int64())),
        ("block_split", pa.list_(pa.string())),
        ("gene_start", pa.list_(pa.int64())),
        ("gene_end", pa.list_(pa.int64())),
        ("gene_strand", pa.list_(pa.string())),
        ("gene_id", pa.list_(pa.string())),
        ("gene_biotype", pa.list_(pa.string())),
        ("excluded_start", pa.list_(pa.int64())),
        ("excluded_end", pa.list_(pa.int64())),
        ("excluded_strand", pa.list_(pa.int8())),
    ]
)

WITHOUT_ROOM = "negative_without_room"

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
        ("biotype", pa.string()),
        ("split", pa.string()),
        ("wanted", pa.int64()),
        ("reason", pa.string()),
    ]
)


def tasks(source: Source, blocks: Mapping[tuple[str, str], Blocks]) -> list[pa.Table]:
    """The chromosomes of a source, with the blocks of those that are cut, as tables of `CHROMOSOMES`, small ones together."""
    names = list(source.lengths)
    counts = [len(source.genes[name]) for name in names]
    earlier = [0, *itertools.accumulate(counts)]
    genome = source.genome.name
    rows = [
        _chromosome(source, name, before, blocks.get((genome, name), Blocks.whole(source.lengths[name])))
        for name, before in zip(names, earlier, strict=False)
    ]
    return [pa.Table.from_pylist(rows[run], schema=CHROMOSOMES) for run in task_plan.grouped(source.lengths.values())]


def _chromosome(source: Source, name: str, earlier: int, blocks: Blocks) -> dict[str, Any]:
    genes, excluded = source.genes[name], source.excluded[name]
    return {
        "genome": source.genome.name,
        "chromosome": name,
        "earlier_genes": earlier,
        "block_end": blocks.ends,
        "block_split": blocks.splits,
        "gene_start": [gene.start for gene in genes],
        "gene_end": [gene.end for gene in genes],
        "gene_strand": [gene.strand for gene in genes],
        "gene_id": [gene.gene_id for gene in genes],
        "gene_biotype": [gene.biotype for gene in genes],
        "excluded_start": excluded[:, 0],
        "excluded_end": excluded[:, 1],
        "excluded_strand": excluded[:, 2].astype(np.int8),
    }


@dataclass(frozen=True)
class PlaceNegatives:
    """A map over tables of `CHROMOSOMES` that gives tables of `PLACED`.

    Attributes:
        genomes: name to genome.
        negatives: how negatives are placed.
        crop: how windows are cut.
    """

    genomes: dict[str, Genome]
    negatives: NegativesConfig
    crop: CropConfig

    def __call__(self, chromosomes: pa.Table) -> pa.Table:
        return pa.concat_tables([*self._tables(chromosomes)]) if len(chromosomes) else PLACED.empty_table()

    def _tables(self, chromosomes: pa.Table) -> Iterator[pa.Table]:
        for row in range(len(chromosomes)):
            one = chromosomes.slice(row, 1).combine_chunks()
            columns = {
                name: one[name].chunk(0).flatten() for name in CHROMOSOMES.names if pa.types.is_list(one[name].type)
            }
            genome, chromosome, earlier = (one[name][0].as_py() for name in CHROMOSOMES.names[:3])
            yield self._place(genome, chromosome, earlier, columns)

    def _place(self, genome: str, chromosome: str, earlier: int, columns: dict[str, pa.Array]) -> pa.Table:
        genes = np.stack([columns["gene_start"].to_numpy(), columns["gene_end"].to_numpy()], axis=1)
        forward = columns["gene_strand"].to_numpy(zero_copy_only=False) == "+"
        blocks = Blocks(columns["block_end"].to_numpy(), tuple(columns["block_split"].to_pylist()))
        letters = partial(self.genomes[genome].sequence, chromosome)
        site = place.Chromosome(
            where=(genome, chromosome),
            blocks=blocks,
            genes=genes,
            strands=np.where(forward, 1, -1).astype(np.int8),
            features=np.stack([columns["excluded_start"].to_numpy(), columns["excluded_end"].to_numpy()], axis=1),
            feature_strands=columns["excluded_strand"].to_numpy(),
            runs_of_n=self.genomes[genome].runs_of_n(chromosome, self.negatives.min_n_run),
            earlier=earlier,
        )
        composition = [name for name in self.negatives.match if name != "length"]
        shares = partial(matching.shares, letters, site.length, composition) if composition else None
        placed = place.place(site, self.negatives, self.crop, shares)
        splits = np.array(blocks.names, dtype=object)[blocks.numbers(genes[:, 0])]
        return self._table(genome, chromosome, columns, placed, splits, cropping.lengths(genes, self.crop))

    def _table(
        self,
        genome: str,
        chromosome: str,
        columns: dict[str, pa.Array],
        placed: Placement,
        splits: NDArray[np.object_],
        wanted: NDArray[np.int64],
    ) -> pa.Table:
        """Genes, their negatives and the negatives that are missing, as rows of `PLACED`."""
        genes, found = len(placed.windows), len(placed.negatives)
        missing = np.repeat(np.arange(genes), placed.unplaced)
        nowhere = np.full((len(missing), 2), shuffle.NOWHERE, np.int64)
        which = np.concatenate([np.arange(genes), placed.partners, missing])
        # Of a gene one of the two is -1.
        spots = np.concatenate([np.maximum(placed.windows, placed.left_out), placed.negatives, nowhere])
        flipped = np.zeros(len(which), np.bool_)
        flipped[genes : genes + found] = placed.kinds == place.ANTISENSE
        forward = (columns["gene_strand"].to_numpy(zero_copy_only=False) == "+")[which]
        kinds = np.array(KINDS, dtype=object)[placed.kinds]
        rows = len(spots)
        return pa.table(
            {
                "genome": pa.repeat(genome, rows),
                "chromosome": pa.repeat(chromosome, rows),
                "start": spots[:, 0],
                "end": spots[:, 1],
                "strand": np.where(forward ^ flipped, "+", "-").astype(object),
                "label": np.repeat(np.array([1, 0], np.int8), [genes, found + len(missing)]),
                "source": pa.array(["gene"] * genes + [*kinds] + ["negative"] * len(missing), pa.string()),
                "gene_id": columns["gene_id"].take(pa.array(which)),
                "biotype": pa.array([*columns["gene_biotype"].to_pylist(), *([None] * (rows - genes))], pa.string()),
                "split": splits[which],
                "wanted": wanted[which],
                "reason": pa.array([*placed.reasons, *[""] * found, *[WITHOUT_ROOM] * len(missing)]),
            },
            schema=PLACED,
        )
