"""The negatives stage: genes of a chromosome to windows and negatives, as rows of an Arrow table.

One row of input is a chromosome with its genes and gene-like features. One row of output is an interval, a gene that is
left out, or a negative that could not be placed (start -1), so that each is accounted for. Only intervals have no
`reason`. How negatives are made is in `pipelines.negatives.place`.
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


def chromosome_tables(source: Source, blocks: Mapping[tuple[str, str], Blocks], crop: CropConfig) -> list[pa.Table]:
    """Return the chromosomes of a source as tables of `CHROMOSOMES`, small chromosomes together in one table.

    Args:
        source: a genome with its genes.
        blocks: (genome, chromosome) to its blocks; a chromosome that is missing here is one block.
        crop: how many windows a gene has.
    """
    names, bounds = list(source.lengths), source.bounds()
    counts = [int(cropping.window_counts(bounds[name], crop).sum()) for name in names]
    windows_before = [0, *itertools.accumulate(counts)]
    genome = source.genome.name
    rows = [
        _chromosome_row(source, name, count_before, blocks.get((genome, name), Blocks.whole(source.lengths[name])))
        for name, count_before in zip(names, windows_before, strict=False)
    ]
    groups = task_plan.group_sizes(source.lengths.values())
    return [pa.Table.from_pylist(rows[group], schema=CHROMOSOMES) for group in groups]


def _chromosome_row(source: Source, name: str, windows_before: int, blocks: Blocks) -> dict[str, Any]:
    genes, excluded = source.genes[name], source.excluded[name]
    rows = [gene.row for gene in genes if gene.row]
    others = source.others.get(name, excluded[:0])
    return {
        "genome": source.genome.name,
        "chromosome": name,
        "windows_before": windows_before,
        "block_end": blocks.ends,
        "block_split": blocks.splits,
        "blocks_are_closed": blocks.are_closed,
        "gene_start": [gene.start for gene in genes],
        "gene_end": [gene.end for gene in genes],
        "gene_strand": [gene.strand for gene in genes],
        "gene_id": [gene.gene_id for gene in genes],
        "gene_biotype": [gene.biotype for gene in genes],
        "excluded_start": excluded[:, 0],
        "excluded_end": excluded[:, 1],
        "excluded_strand": excluded[:, 2].astype(np.int8),
        "gene_row_start": [start for start, _ in rows],
        "gene_row_end": [end for _, end in rows],
        "other_start": others[:, 0],
        "other_end": others[:, 1],
    }


@dataclass(frozen=True)
class PlaceNegatives:
    """A map from tables of `CHROMOSOMES` to tables of `PLACED`.

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
        for number in range(len(chromosomes)):
            row = chromosomes.slice(number, 1).combine_chunks()
            columns = {
                name: row[name].chunk(0).flatten() for name in CHROMOSOMES.names if pa.types.is_list(row[name].type)
            }
            genome, chromosome, windows_before = (row[name][0].as_py() for name in CHROMOSOMES.names[:3])
            blocks = Blocks(
                columns["block_end"].to_numpy(),
                tuple(columns["block_split"].to_pylist()),
                are_closed=row["blocks_are_closed"][0].as_py(),
            )
            yield self._place(genome, chromosome, windows_before, blocks, columns)

    def _place(
        self, genome: str, name: str, windows_before: int, blocks: Blocks, columns: dict[str, pa.Array]
    ) -> pa.Table:
        genes, rows, others, features = (
            np.stack([columns[f"{kind}_start"].to_numpy(), columns[f"{kind}_end"].to_numpy()], axis=1)
            for kind in ("gene", "gene_row", "other", "excluded")
        )
        is_forward = columns["gene_strand"].to_numpy(zero_copy_only=False) == "+"
        chromosome = place.Chromosome(
            name=(genome, name),
            blocks=blocks,
            genes=genes,
            strands=np.where(is_forward, 1, -1).astype(np.int8),
            features=features,
            feature_strands=columns["excluded_strand"].to_numpy(),
            runs_of_n=self.genomes[genome].runs_of_n(name, self.negatives.min_n_run),
            windows_before=windows_before,
            rows=rows if len(rows) else None,
            others=others if len(rows) else None,
        )
        matched = [share for share in self.negatives.match if share != "length"]
        letters = partial(self.genomes[genome].sequence, name)
        measure = partial(matching.measure_shares, letters, chromosome.length, matched) if matched else None
        placement = place.place_negatives(chromosome, self.negatives, self.crop, measure)
        splits = np.array(blocks.split_names, dtype=object)[blocks.split_numbers(genes[:, 0])]
        sites, _ = cropping.window_sites(genes, self.crop)
        return _to_table(chromosome, columns, placement, splits, cropping.window_lengths(sites, self.crop))


def _to_table(
    chromosome: place.Chromosome,
    columns: dict[str, pa.Array],
    placement: Placement,
    splits: NDArray[np.object_],
    requested_lengths: NDArray[np.int64],
) -> pa.Table:
    """Return windows, their negatives and the negatives that are missing, in this order, as rows of `PLACED`.

    Args:
        chromosome: its genome, name and strands are used.
        columns: of `CHROMOSOMES`, for the genes' ids and biotypes.
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
    rows = len(bounds)
    is_flipped = np.zeros(rows, np.bool_)
    is_flipped[windows : windows + negatives] = placement.kinds == place.ANTISENSE
    is_forward = (chromosome.strands == 1)[gene_index]
    kinds = np.array(KINDS, dtype=object)[placement.kinds]
    genome, name = chromosome.name
    return pa.table(
        {
            "genome": pa.repeat(genome, rows),
            "chromosome": pa.repeat(name, rows),
            "start": bounds[:, 0],
            "end": bounds[:, 1],
            "strand": np.where(is_forward ^ is_flipped, "+", "-").astype(object),
            "label": np.repeat(np.array([1, 0], np.int8), [windows, negatives + len(missing)]),
            "source": pa.array(["gene"] * windows + [*kinds] + ["negative"] * len(missing), pa.string()),
            "gene_id": columns["gene_id"].take(pa.array(gene_index)),
            "gene": gene_index,
            "biotype": pa.array(
                [*columns["gene_biotype"].take(pa.array(placement.genes)).to_pylist(), *([None] * (rows - windows))],
                pa.string(),
            ),
            "split": splits[gene_index],
            "requested_length": requested_lengths[window_index],
            "reason": pa.array([*placement.reasons, *[""] * negatives, *[MISSING_NEGATIVE] * len(missing)]),
        },
        schema=PLACED,
    )
