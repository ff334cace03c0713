from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.build import place_negatives
from pipelines.build.recognise_build import PreparedIntervals, prepare
from pipelines.config import CropConfig, DatasetConfig, NegativesConfig, SplitConfig, validate
from pipelines.errors import UsageError
from pipelines.genome import intervals
from pipelines.genome.features import Feature
from pipelines.genome.gene_columns import GeneColumns
from pipelines.negatives import place
from pipelines.progress import Silent
from pipelines.splits import regions
from pipelines.splits.blocks import Blocks
from tests.conftest import GenomeFiles
from tests.hypothesis_profiles import examples

LENGTH = 6_000


def prepared(genome: GenomeFiles, sources: list[dict[str, Any]] | None = None, **split: Any) -> PreparedIntervals:
    values = {
        "sources": sources or [genome.source("g")],
        "negatives": {"kinds": ["shuffle", "antisense", "partial"], "ratio": 1.5},
        "split": {"by": "region", "validation": [], **split},
    }
    return prepare(validate(DatasetConfig, values, "test"), Silent())


def within(genome: GenomeFiles, chromosome: str, start: int, end: int) -> int:
    return sum(name == chromosome and start <= first and last <= end for name, first, last, _ in genome.genes)


def test_genes_within_a_region_are_of_its_split_and_those_across_a_border_are_counted(genome: GenomeFiles) -> None:
    border = next((first + last) // 2 for name, first, last, _ in genome.genes if name == "chr2" and first > 5000)
    build = prepared(genome, test=[f"chr2:1-{border}", "g:chr4"], validation=[f"chr2:{border + 1}-12000"])
    (source,) = build.sources
    assert source.dropped == Counter({regions.CROSSES: 1})
    assert sum(map(len, source.genes.values())) == len(genome.genes) - 1
    blocks = build.blocks["g", "chr2"]
    splits = np.array(blocks.split_names)[blocks.split_numbers(source.bounds()["chr2"][:, 0])]
    assert (splits == "test").sum() == within(genome, "chr2", 0, border)
    assert (splits == "validation").sum() == within(genome, "chr2", border, LENGTH * 2)
    assert build.split_regions()["train"] == [
        regions.Region("g", "chr1", 0, 12_000),
        regions.Region("g", "chr3", 0, 12_000),
    ]
    assert build.genomes_in_blocks == ["g"]


def test_no_interval_of_a_build_crosses_a_border(genome: GenomeFiles) -> None:
    build = prepared(genome, test=["chr1:2001-4321", "chr3:1-6000"], validation=["chr1:4322-9000"])
    mapper = place_negatives.PlaceNegatives(build.genomes, build.config.negatives, build.config.crop)
    rows = [
        row
        for source in build.sources
        for table in place_negatives.chromosome_tables(source, build.blocks, build.config.crop)
        for row in mapper(table).to_pylist()
        if row["start"] >= 0
    ]
    assert {row["split"] for row in rows} == {"train", "validation", "test"}
    for row in rows:
        homes = [
            split
            for split, found in build.split_regions().items()
            for one in found
            if one.chromosome == row["chromosome"] and one.holds(row["start"], row["end"])
        ]
        assert homes == [row["split"]]


def with_coding_parts(genome: GenomeFiles) -> str:
    """Genes of the same rows, each with an mRNA and a CDS that leave out its outer tenths."""
    rows = []
    for number, (name, start, end, strand) in enumerate(genome.genes):
        rim = (end - start) // 10
        for kind, low, high, names in (
            ("gene", start, end, f"ID=gene{number}"),
            ("mRNA", start, end, f"ID=t{number};Parent=gene{number}"),
            ("CDS", start + rim, end - rim, f"Parent=t{number}"),
        ):
            rows.append(f"{name}\ttest\t{kind}\t{low + 1}\t{high}\t.\t{strand}\t.\t{names}\n")
    path = genome.annotation.with_name("coding.gff3")
    path.write_text("".join(rows))
    return str(path)


def test_partial_negatives_avoid_the_whole_row_of_a_gene_across_a_border_where_genes_are_coding_spans(
    genome: GenomeFiles,
) -> None:
    name, start, end, _ = next(gene for gene in genome.genes if gene[1] > 5000)
    source = {**genome.source("g"), "annotation": with_coding_parts(genome), "span": "cds"}
    build = prepared(genome, sources=[source], test=[f"{name}:1-{(start + end) // 2}"])
    (found,) = build.sources
    assert found.dropped == Counter({regions.CROSSES: 1})
    assert [start, end] in found.others[name][:, :2].tolist()


def test_regions_on_thousands_of_contigs_are_cut_in_seconds(genome: GenomeFiles) -> None:
    names = [f"c{number}" for number in range(4_000)]
    lengths = dict.fromkeys(names, 1_000)
    (template,) = prepared(genome, test=["chr1"]).sources
    source = replace(
        template,
        genome=cast(Any, SimpleNamespace(name="g", lengths=lengths)),
        lengths=lengths,
        genes={name: GeneColumns([Feature(name, 100, 200, "+", name, None)]) for name in names},
        excluded=dict.fromkeys(names, intervals.empty()),
    )
    config = SplitConfig(by="region", validation=[], test=[f"{name}:1-500" for name in names])
    started = time.process_time()
    (found,), blocks = regions.cut([source], config)
    assert time.process_time() - started < 5
    assert {tuple(cut.ends.tolist()) for cut in blocks.values()} == {(500, 1_000)}
    assert found.dropped == source.dropped


genes = st.lists(st.tuples(st.integers(0, LENGTH - 400), st.integers(40, 400)), min_size=1, max_size=20)


@examples(60)
@given(genes, st.sets(st.integers(1, LENGTH - 1), min_size=1, max_size=6), st.integers(0, 9))
def test_no_negative_crosses_a_closed_border_wherever_it_lies(
    found: list[tuple[int, int]], borders: set[int], seed: int
) -> None:
    ends = np.array([*sorted(borders), LENGTH])
    blocks = Blocks(ends, tuple("train" if number % 2 else "test" for number in range(len(ends))), are_closed=True)
    bounds = np.array([(start, start + size) for start, size in found], np.int64)
    outside = regions.crosses(bounds, blocks)
    assert outside.tolist() == [any(start < border < end for border in borders) for start, end in bounds.tolist()]
    kept = bounds[~outside]
    strands = np.ones(len(bounds), np.int8)
    chromosome = place.Chromosome(("toy", "chr1"), blocks, kept, strands[~outside], bounds, strands, intervals.empty())
    config = NegativesConfig(kinds={"partial": 2, "shuffle": 1, "antisense": 1}, ratio=2, seed=seed)
    result = place.place_negatives(chromosome, config, CropConfig(length=200))
    assert not regions.crosses(result.negatives, blocks).any()
    of_gene, of_negative = (blocks.split_numbers(start) for start in (kept[:, 0], result.negatives[:, 0]))
    assert (of_gene[result.partners] == of_negative).all()


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ({"test": ["chr1:1-13000"]}, "split.test: chr1:1-13000: lies beyond the ends"),
        ({"test": ["chr1:5-x"]}, "split.test: chr1:5-x: is no region"),
        ({"test": ["chr9:5-7"]}, "split.test: chr9:5-7: no such sequence: did you mean chr"),
        ({"test": ["chr1:9-7"]}, "split.test: chr1:9-7: is empty"),
        ({"test": ["chr1:1-20"]}, "split.test: g:chr1:1-20: no gene lies within it"),
        ({"test": ["chr1:1-5000", "chr1:4000-9000"]}, "split.test: g:chr1:4000-9000: overlaps g:chr1:1-5000"),
        (
            {"test": ["chr1"], "validation": ["chr1:4000-9000"]},
            "split.validation: g:chr1:4000-9000: overlaps g:chr1:1-12000 of split.test",
        ),
        ({"test": ["chr1"], "validation": 0.1}, "by: region needs lists"),
        ({"test": []}, "by: region lists no region"),
    ],
)
def test_a_wrong_region_is_one_line_with_the_key_and_the_fix(
    genome: GenomeFiles, split: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        prepared(genome, **split)
    assert message in str(caught.value)
    assert caught.value.key in ("split", "split.test", "split.validation")
