from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipelines.build import place_negatives, task_plan
from pipelines.build.recognise_build import PreparedIntervals, prepare
from pipelines.config import DatasetConfig, validate
from pipelines.genome import intervals, source
from pipelines.progress import Silent
from tests.conftest import GenomeFiles


def prepared(genome: GenomeFiles, **negatives: Any) -> PreparedIntervals:
    values = {"sources": [genome.source("g")], "tokenizer": {"k": 3}, "negatives": negatives}
    return prepare(validate(DatasetConfig, values, "test"), Silent())


def place(build: PreparedIntervals) -> tuple[list[pa.Table], pa.Table]:
    """Return the input tables and all rows of their output."""
    inputs = [table for one in build.sources for table in place_negatives.chromosome_tables(one, {}, build.config.crop)]
    mapper = place_negatives.PlaceNegatives(build.genomes, build.config.negatives, build.config.crop)
    return inputs, pa.concat_tables([mapper(table) for table in inputs])


def test_genes_negatives_and_missing_negatives_add_up(genome: GenomeFiles) -> None:
    _, placed = place(prepared(genome, ratio=10))
    rows = placed.to_pylist()
    genes = [row for row in rows if row["label"] == 1]
    negatives = [row for row in rows if row["label"] == 0 and row["reason"] == ""]
    missing = [row for row in rows if row["reason"] == place_negatives.MISSING_NEGATIVE]
    assert len(genes) == len(genome.genes)
    assert len(negatives) + len(missing) == 10 * sum(gene["reason"] == "" for gene in genes)
    assert missing
    assert all((row["start"], row["end"], row["source"]) == (-1, -1, "negative") for row in missing)
    assert all(0 <= row["start"] < row["end"] and row["source"] == "shuffle" for row in negatives)


def test_a_negative_has_the_id_the_split_and_the_strand_of_its_gene_unless_it_is_antisense(genome: GenomeFiles) -> None:
    _, placed = place(prepared(genome, kinds=["dinucleotide", "antisense", "partial"], ratio=3))
    rows = placed.to_pylist()
    genes = {row["gene_id"]: row for row in rows if row["label"] == 1}
    negatives = [row for row in rows if row["label"] == 0 and row["reason"] == ""]
    assert {row["source"] for row in negatives} == {"dinucleotide", "antisense", "partial"}
    for row in negatives:
        gene = genes[row["gene_id"]]
        assert (row["strand"] != gene["strand"]) == (row["source"] == "antisense")
        assert (row["chromosome"], row["split"], row["biotype"]) == (gene["chromosome"], gene["split"], None)
        assert row["end"] - row["start"] == gene["end"] - gene["start"]


@pytest.mark.parametrize("ratio", [0.3, 1.7])
def test_chromosomes_placed_in_one_task_or_in_several_give_the_same_rows(
    genome: GenomeFiles, monkeypatch: pytest.MonkeyPatch, ratio: float
) -> None:
    build = prepared(genome, kinds={"shuffle": 2, "partial": 1}, ratio=ratio)
    together, placed_together = place(build)
    monkeypatch.setattr(task_plan, "TASK_BASES", 1)
    apart, placed_apart = place(build)
    assert (len(together), len(apart)) == (1, len(genome.sequences))
    assert placed_apart.equals(placed_together)
    assert Counter(placed_apart["label"].to_pylist())[0] == int(ratio * len(genome.genes))


@pytest.mark.parametrize(
    "keys",
    [
        {"ratio": 1.5, "kinds": {"shuffle": 2, "partial": 1, "antisense": 1}, "flank": 7},
        {"match": ["length", "gc"], "tolerance": 0.2},
    ],
)
def test_sequences_of_an_assembly_of_very_many_are_placed_together(
    genome: GenomeFiles, monkeypatch: pytest.MonkeyPatch, keys: dict[str, Any]
) -> None:
    alone = prepared(genome, **keys)
    _, placed_alone = place(alone)
    monkeypatch.setattr(source, "MANY_SEQUENCES", 1)
    build = prepared(genome, **keys)
    assert build.fingerprint != alone.fingerprint
    _, placed = place(build)
    assert not placed.equals(placed_alone)
    genes, genes_alone = (
        [(row["chromosome"], row["gene_id"], row["gene"], row["strand"], row["split"]) for row in rows if row["label"]]
        for rows in (placed.to_pylist(), placed_alone.to_pylist())
    )
    assert sorted(genes) == sorted(genes_alone)
    chromosome_of = {row["gene_id"]: row["chromosome"] for row in placed.to_pylist() if row["label"]}
    excluded = build.sources[0].excluded
    shuffled = [row for row in placed.to_pylist() if row["source"] == "shuffle" and not row["reason"]]
    assert shuffled
    for row in shuffled:
        assert row["chromosome"] == chromosome_of[row["gene_id"]]
        assert 0 <= row["start"] < row["end"] <= build.sources[0].lengths[row["chromosome"]]
        bounds = np.array([[row["start"], row["end"]]])
        assert not intervals.overlaps(bounds, intervals.merge(excluded[row["chromosome"]][:, :2])).any()


def test_an_empty_table_gives_an_empty_table(genome: GenomeFiles) -> None:
    build = prepared(genome)
    mapper = place_negatives.PlaceNegatives(build.genomes, build.config.negatives, build.config.crop)
    assert mapper(place_negatives.CHROMOSOMES.empty_table()).schema == place_negatives.PLACED
