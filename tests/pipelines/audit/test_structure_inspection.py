from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.audit import structure_inspection, structure_tables
from pipelines.audit.structure_inspection import StructureInspection
from pipelines.dataset.manifest import read_manifest
from tests.pipelines.build.gene_genomes import GeneGenome, make_gene_genome, structure_config, write_dataset


@pytest.fixture(scope="module")
def genes(tmp_path_factory: pytest.TempPathFactory) -> GeneGenome:
    return make_gene_genome(tmp_path_factory.mktemp("genes"))


@pytest.fixture(scope="module")
def inspection(genes: GeneGenome, tmp_path_factory: pytest.TempPathFactory) -> StructureInspection:
    return structure_inspection.inspect(
        write_dataset(structure_config(genes), tmp_path_factory.mktemp("dataset") / "out")
    )


def test_lengths_are_those_of_the_annotated_exons_and_introns(
    inspection: StructureInspection, genes: GeneGenome
) -> None:
    test = next(part for part in inspection.parts if part.listed["split"] == "test").statistics
    own = [gene for gene in genes.genes if gene.chromosome == "chr3"]
    exons = sorted(end - start for gene in own for start, end in gene.exons)
    introns = sorted(
        after[0] - before[1] for gene in own for before, after in zip(gene.exons, gene.exons[1:], strict=False)
    )
    assert sorted(test.exons.elements()) == exons
    assert sorted(test.introns.elements()) == introns
    assert test.splice_pairs == {"GT-AG": len(introns)}
    assert (test.starts, test.stops) == ({"ATG": len(own)}, {"TAA": len(own)})


def test_every_table_has_a_column_for_each_split(inspection: StructureInspection) -> None:
    tables = {table.caption: table for table in inspection.tables()}
    for caption in ("Every gene accounted for", "States, share of the bases of both strands", "Stop codons"):
        assert tables[caption].header[1:] == ("train", "validation", "test")
    assert all(len(row) == len(table.header) for table in tables.values() for row in table.rows)


def test_the_json_has_the_figures_of_every_genome_and_split(inspection: StructureInspection, genes: GeneGenome) -> None:
    document = json.loads(json.dumps(inspection.to_json()))
    assert (document["task"], document["rows"], document["tokens"]) == ("structure", 36, 18_000)
    assert [part["split"] for part in document["structure"]] == ["train", "validation", "test"]
    assert sum(part["genes"] for part in document["structure"]) == len(genes.genes)
    assert all(abs(sum(part["states"].values()) - 1) < 1e-9 for part in document["structure"])


def test_the_page_is_written(inspection: StructureInspection, tmp_path: Path) -> None:
    inspection.page().write(tmp_path / "page.html")
    assert "Introns by their first and last two bases" in (tmp_path / "page.html").read_text()


def test_several_genomes_have_columns_of_their_own(genes: GeneGenome, tmp_path: Path) -> None:
    second = make_gene_genome(tmp_path / "second", seed=5)
    folder = write_dataset(structure_config(genes, second), tmp_path / "out")
    columns = structure_tables.columns(read_manifest(folder))
    assert columns == [f"{genome} {split}" for genome in ("g0", "g1") for split in ("train", "validation", "test")]
    parts = structure_inspection.inspect(folder).parts
    assert [sum(part.statistics.genes.values()) for part in parts[3:]] == [
        len([gene for gene in second.genes if gene.chromosome == name]) for name in ("chr1", "chr2", "chr3")
    ]
