from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pybedtools
import pytest

from pipelines.build.pipeline import build
from pipelines.config import DatasetConfig, validate
from pipelines.dataset.export import FORMATS, Row, export, row_formatter
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import DatasetError
from pipelines.progress import Silent
from pipelines.ray_map import in_this_process
from tests.conftest import GenomeFiles, make_genome

COMPLEMENT = str.maketrans("ACGTN", "TGCAN")


def built(genomes: list[dict[str, Any]], output: Path, connect: Any, **tokenizer: object) -> Path:
    values = {
        "sources": genomes,
        "crop": {"length": 101},
        "tokenizer": {"k": 4, "stride": 3} | tokenizer,
        "split": {"test": ["chr4"], "validation": ["chr3"]},
    }
    build(validate(DatasetConfig, values, "test"), output, connect, Silent())
    return output


@pytest.fixture(scope="module")
def one_genome(genome: GenomeFiles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built([genome.source()], tmp_path_factory.mktemp("export") / "one", in_this_process)


@pytest.fixture(scope="module")
def two_genomes(genome: GenomeFiles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    other = make_genome(folder / "genome", seed=1, chromosomes=5)
    return built([genome.source(), other.source("other")], folder / "two", in_this_process, tail="drop")


def rows_of(directory: Path) -> list[dict[str, Any]]:
    tables = [TokenDataset.open(directory, split).table for split in ("train", "validation", "test")]
    return sorted((row for table in tables for row in table.to_pylist()), key=lambda row: row["interval_id"])


def test_bed_holds_every_interval_in_order(one_genome: Path, tmp_path: Path) -> None:
    rows = rows_of(one_genome)
    assert export(one_genome, "bed", tmp_path / "i.bed").rows == len(rows)
    intervals = pybedtools.BedTool(tmp_path / "i.bed")
    assert [(bed.chrom, bed.start, bed.end, bed.name, bed.score, bed.strand) for bed in intervals] == [
        (
            row["chromosome"],
            row["start"],
            row["end"],
            row["gene_id"] if row["label"] else str(row["interval_id"]),
            "1000" if row["label"] else "0",
            row["strand"],
        )
        for row in rows
    ]


def test_gff3_holds_every_interval_with_its_attributes(one_genome: Path, tmp_path: Path) -> None:
    rows = rows_of(one_genome)
    export(one_genome, "gff3", tmp_path / "i.gff3")
    assert (tmp_path / "i.gff3").read_text().startswith("##gff-version 3\n")
    features = list(pybedtools.BedTool(tmp_path / "i.gff3"))
    assert len(features) == len(rows)
    for feature, row in zip(features, rows, strict=True):
        assert (feature.chrom, feature.start, feature.end) == (row["chromosome"], row["start"], row["end"])
        assert (feature.fields[2], feature.strand) == ("gene" if row["label"] else "region", row["strand"])
        assert feature.attrs["ID"] == str(row["interval_id"])
        assert {name: feature.attrs[name] for name in ("label", "source", "split", "gene_id")} == {
            name: str(row[name]) for name in ("label", "source", "split", "gene_id")
        }


def records(path: Path) -> list[tuple[str, str]]:
    return [
        (header, "".join(lines)) for header, *lines in (text.splitlines() for text in path.read_text().split(">")[1:])
    ]


def test_fasta_holds_the_bases_of_the_genome(one_genome: Path, genome: GenomeFiles, tmp_path: Path) -> None:
    written = export(one_genome, "fasta", tmp_path / "i.fa")
    assert (written.truncated, written.missing_bases) == (0, 0)
    rows = rows_of(one_genome)
    for (header, bases), row in zip(records(tmp_path / "i.fa"), rows, strict=True):
        position = f"toy:{row['chromosome']}:{row['start']}-{row['end']}({row['strand']})"
        assert header == f"{row['interval_id']} {position} {row['label']} {row['split']}"
        expected = genome.sequences[row["chromosome"]][row["start"] : row["end"]].upper()
        assert bases == (expected.translate(COMPLEMENT)[::-1] if row["strand"] == "-" else expected)
    lines = (tmp_path / "i.fa").read_text().splitlines()
    assert max(len(line) for line in lines if not line.startswith(">")) == 80


def test_fasta_of_dropped_tails_says_what_is_missing(two_genomes: Path, tmp_path: Path) -> None:
    written = export(two_genomes, "fasta", tmp_path / "i.fa")
    rows = rows_of(two_genomes)
    missing = [(row["end"] - row["start"] - 4) % 3 for row in rows]
    assert (written.truncated, written.missing_bases) == (np.count_nonzero(missing), sum(missing))
    for (header, bases), row, missed in zip(records(tmp_path / "i.fa"), rows, missing, strict=True):
        size = row["end"] - row["start"]
        assert len(bases) == size - missed
        assert header.endswith(f" first {size - missed} of {size} bases" if missed else row["split"])


def test_only_names_that_several_genomes_have_are_preceded_by_the_genome(two_genomes: Path, tmp_path: Path) -> None:
    export(two_genomes, "bed", tmp_path / "i.bed")
    rows = rows_of(two_genomes)
    for interval, row in zip(pybedtools.BedTool(tmp_path / "i.bed"), rows, strict=True):
        both = f"{row['genome']}:{row['chromosome']}"
        assert interval.chrom == ("chr5" if row["chromosome"] == "chr5" else both)
        assert interval.name == f"{both}:{row['gene_id'] if row['label'] else row['interval_id']}"
    export(two_genomes, "gff3", tmp_path / "i.gff3")
    assert {feature.attrs["genome"] for feature in pybedtools.BedTool(tmp_path / "i.gff3")} == {"toy", "other"}


@pytest.mark.parametrize("gene_id", ["a;b=c", "x,y&z%", "tab\there", "gène 1"])
def test_names_of_any_letters_stay_in_their_column_and_can_be_read_back(gene_id: str) -> None:
    row = Row(0, "toy", "chr1", 9, 20, "+", 1, "gene", gene_id, "train")
    manifest = {"counts": [{"genome": "toy", "chromosome": "chr1"}]}
    gff3 = row_formatter("gff3", manifest)(row).rstrip("\n").split("\t")
    attributes = dict(part.split("=") for part in gff3[8].split(";"))
    assert unquote(attributes["gene_id"]) == gene_id
    bed = row_formatter("bed", manifest)(row).split("\t")
    assert len(bed) == 6
    assert not re.search(r"\s", bed[3])


def test_a_damaged_part_leaves_no_file_and_is_named(one_genome: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(one_genome, copy)
    part = next(copy.glob("split=test/*.parquet"))
    part.write_bytes(part.read_bytes()[:100])
    for file_format in FORMATS:
        with pytest.raises(DatasetError, match=part.name):
            export(copy, file_format, tmp_path / "out")
    assert not (tmp_path / "out").exists()
