"""The interval stage: genes of a chromosome to windows and negatives, as rows of an Arrow table.

One row of input is a chromosome with its genes and gene-like features; one row of output is an interval, or a
gene or negative that was left out (start -1), so that each can be accounted for.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines import intervals, negatives, plan, sequence
from pipelines.config import CropConfig, NegativesConfig
from pipelines.fasta import Genome
from pipelines.inputs import Source

CHROMOSOMES = pa.schema(
    [
        ("genome", pa.string()),
        ("chromosome", pa.string()),
        ("length", pa.int64()),
        ("earlier_genes", pa.int64()),
        ("gene_start", pa.list_(pa.int64())),
        ("gene_end", pa.list_(pa.int64())),
        ("gene_strand", pa.list_(pa.string())),
        ("gene_id", pa.list_(pa.string())),
        ("gene_biotype", pa.list_(pa.string())),
        ("excluded_start", pa.list_(pa.int64())),
        ("excluded_end", pa.list_(pa.int64())),
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
        ("wanted", pa.int64()),
        ("reason", pa.string()),
    ]
)


def tasks(source: Source) -> list[pa.Table]:
    """The chromosomes of a source as tables of `CHROMOSOMES`, small ones together."""
    names = list(source.lengths)
    counts = [len(source.genes[name]) for name in names]
    earlier = [0, *itertools.accumulate(counts)]
    rows = [_chromosome(source, name, before) for name, before in zip(names, earlier, strict=False)]
    return [pa.Table.from_pylist(rows[run], schema=CHROMOSOMES) for run in plan.grouped(source.lengths.values())]


def _chromosome(source: Source, name: str, earlier: int) -> dict[str, Any]:
    genes, excluded = source.genes[name], source.excluded[name]
    return {
        "genome": source.genome.name,
        "chromosome": name,
        "length": source.lengths[name],
        "earlier_genes": earlier,
        "gene_start": [gene.start for gene in genes],
        "gene_end": [gene.end for gene in genes],
        "gene_strand": [gene.strand for gene in genes],
        "gene_id": [gene.gene_id for gene in genes],
        "gene_biotype": [gene.biotype for gene in genes],
        "excluded_start": excluded[:, 0],
        "excluded_end": excluded[:, 1],
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
            genome, chromosome, length, earlier = (one[name][0].as_py() for name in CHROMOSOMES.names[:4])
            yield self._place(genome, chromosome, length, earlier, columns)

    def _place(self, genome: str, chromosome: str, length: int, earlier: int, columns: dict[str, pa.Array]) -> pa.Table:
        genes = np.stack([columns["gene_start"].to_numpy(), columns["gene_end"].to_numpy()], axis=1)
        excluded = np.stack([columns["excluded_start"].to_numpy(), columns["excluded_end"].to_numpy()], axis=1)
        bases = self.genomes[genome].sequence(chromosome, 0, length)
        runs = sequence.runs_of_n(bases, self.negatives.min_n_run)
        barred = intervals.merge(np.concatenate([intervals.widen(excluded, self.negatives.flank, length), runs]))
        placed = negatives.place(genes, barred, length, self.negatives, self.crop, (genome, chromosome), earlier, bases)
        missing = np.repeat(np.arange(len(genes)), placed.unplaced)
        nowhere = np.full((len(missing), 2), negatives.NOWHERE, np.int64)
        count = len(placed.negatives) + len(missing)
        which = pa.array(np.concatenate([np.arange(len(genes)), placed.partners, missing]))
        spots = np.concatenate([placed.windows, placed.negatives, nowhere])
        label = np.repeat(np.array([1, 0], np.int8), [len(genes), count])
        wanted = negatives.window_lengths(genes, self.crop)
        rows = len(spots)
        return pa.table(
            {
                "genome": pa.repeat(genome, rows),
                "chromosome": pa.repeat(chromosome, rows),
                "start": spots[:, 0],
                "end": spots[:, 1],
                "strand": columns["gene_strand"].take(which),
                "label": label,
                "source": pa.array(["gene"] * len(genes) + ["shuffle"] * count, pa.string()),
                "gene_id": columns["gene_id"].take(which),
                "biotype": pa.array(
                    [*columns["gene_biotype"].to_pylist(), *([None] * count)],
                    pa.string(),
                ),
                "wanted": wanted[which.to_numpy()],
                "reason": pa.array([*placed.reasons, *[""] * len(placed.negatives), *[WITHOUT_ROOM] * len(missing)]),
            },
            schema=PLACED,
        )
