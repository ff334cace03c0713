from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from pipelines.build import left_out
from pipelines.build.pipeline import build
from pipelines.config import DatasetConfig, validate
from pipelines.dataset.token_dataset import TokenDataset, is_whole, read_manifest
from pipelines.errors import DatasetError
from pipelines.genome import sequence
from pipelines.progress import Silent
from pipelines.ray_map import in_this_process
from pipelines.tokens.tokenizer import Tokenizer
from tests.conftest import GenomeFiles, make_genome

SPLIT = {"test": ["chr4"], "validation": ["chr3"]}


def config(genome: GenomeFiles, **sections: Any) -> DatasetConfig:
    values = {"sources": [genome.source("g")], "tokenizer": {"k": 3, "stride": 1}, "split": SPLIT, **sections}
    return validate(DatasetConfig, values, "test")


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> GenomeFiles:
    """Genes so close that negatives of whole ones do not fit, some of them overlapping on the other strand."""
    genome = make_genome(tmp_path_factory.mktemp("crowded"), chromosomes=4, bases=9_000)
    rows = [line for line in genome.annotation.read_text().splitlines() if line and not line.startswith("#")]
    genes = list(genome.genes)
    for number, (name, start, end, strand) in enumerate(genome.genes[::2]):
        first, last, other_strand = start + 20, min(end + 240, 9_000), "-" if strand == "+" else "+"
        genes.append((name, first, last, other_strand))
        rows.append(f"{name}\tt\tgene\t{first + 1}\t{last}\t.\t{other_strand}\t.\tID=more{number};biotype=lncRNA")
    genome.annotation.write_text("\n".join(["##gff-version 3", *rows, ""]))
    return GenomeFiles(genome.fasta, genome.annotation, genome.sequences, genes)


@pytest.fixture(scope="module")
def built(crowded: GenomeFiles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("built") / "data"
    build(config(crowded, negatives={"unplaced": "drop-pair"}), output, in_this_process, Silent())
    return output


def left_out_of(directory: Path) -> left_out.LeftOut:
    genes = left_out.read(directory, read_manifest(directory))
    assert genes is not None
    return genes


def test_every_gene_of_the_annotation_is_a_row_or_left_out_but_never_both(crowded: GenomeFiles, built: Path) -> None:
    tables = [left_out_of(built).table] + [
        TokenDataset.open(built, split).table for split in ("train", "validation", "test")
    ]
    positions = [
        (row["chromosome"], row["start"], row["end"], row["strand"])
        for table in tables
        for row in table.to_pylist()
        if row["label"] == 1
    ]
    assert sorted(positions) == sorted(crowded.genes)
    assert 10 < len(tables[0]) < len(crowded.genes) - 10


def test_ids_continue_after_those_of_the_dataset(built: Path) -> None:
    rows = sum(file["rows"] for file in read_manifest(built)["files"])
    assert left_out_of(built).table["interval_id"].to_pylist() == list(range(rows, rows + len(left_out_of(built))))


def test_tokens_are_those_of_the_annotated_bases_on_their_strand(crowded: GenomeFiles, built: Path) -> None:
    genes, tokenizer = left_out_of(built), Tokenizer.load(built)
    ends = np.cumsum(genes.lengths)
    for row, end, length in zip(genes.table.to_pylist(), ends, genes.lengths, strict=True):
        text = crowded.sequences[row["chromosome"]][row["start"] : row["end"]]
        letters = np.frombuffer(text.encode(), np.uint8)
        letters = sequence.reverse_complement(letters) if row["strand"] == "-" else letters
        assert genes.tokens[end - length : end].tolist() == tokenizer.encode(letters.tobytes().decode()).tolist()
        assert row["token_count"] == length


def test_split_and_overlap_are_those_of_a_plain_search(built: Path) -> None:
    of_chromosome = {"chr1": "train", "chr2": "train", "chr3": "validation", "chr4": "test"}
    train = TokenDataset.open(built, "train").table.to_pylist()
    overlapping = 0
    for row in left_out_of(built).table.to_pylist():
        shared = [
            other
            for other in train
            if other["chromosome"] == row["chromosome"] and other["start"] < row["end"] and row["start"] < other["end"]
        ]
        assert row["overlaps_train"] == bool(shared)
        assert row["split"] == of_chromosome[row["chromosome"]]
        overlapping += bool(shared)
    assert 0 < overlapping < len(left_out_of(built))


def test_the_manifest_counts_them_by_reason(built: Path) -> None:
    manifest = read_manifest(built)
    assert manifest["left_out"]["reasons"] == {"no_room_for_negative": len(left_out_of(built))}
    assert manifest["left_out"]["genes"] == manifest["dropped"]["g"]["no_room_for_negative"] == len(left_out_of(built))


def test_other_readers_of_the_dataset_do_not_see_them(built: Path) -> None:
    rows = sum(file["rows"] for file in read_manifest(built)["files"])
    assert ds.dataset(built, format="parquet", partitioning="hive", exclude_invalid_files=True).count_rows() == rows
    assert len(pq.read_table(built / "split=train")) == len(TokenDataset.open(built, "train"))


def test_windows_follow_the_crop_and_short_genes_lose_their_margins(genome: GenomeFiles, tmp_path: Path) -> None:
    crop = {"length": 150, "exact": True}
    manifest = build(config(genome, crop=crop), tmp_path / "out", in_this_process, Silent())
    short = {gene for gene in genome.genes if gene[2] - gene[1] - 12 < 150}
    by_reason = manifest["left_out"]["reasons"]
    assert by_reason["shorter_than_crop"] == len(short)
    genes = {(name, strand, end): start for name, start, end, strand in genome.genes}
    for row in left_out_of(tmp_path / "out").table.to_pylist():
        if row["reason"] == "shorter_than_crop":
            start = genes[row["chromosome"], row["strand"], row["end"] + 6]
            assert row["start"] == start + 6


def test_a_dataset_without_them_says_so_in_its_manifest(genome: GenomeFiles, tmp_path: Path) -> None:
    manifest = build(config(genome), tmp_path / "out", in_this_process, Silent())
    assert manifest["left_out"] == {"genes": 0, "reasons": {}, "files": []}
    assert not (tmp_path / "out" / left_out.FOLDER).exists()
    assert len(left_out_of(tmp_path / "out")) == 0


def test_an_older_dataset_has_none_to_read(built: Path) -> None:
    manifest = read_manifest(built)
    del manifest["left_out"]
    assert left_out.read(built, manifest) is None


def test_a_lost_or_damaged_file_makes_the_dataset_incomplete(crowded: GenomeFiles, tmp_path: Path) -> None:
    output, experiment = tmp_path / "out", config(crowded, negatives={"unplaced": "drop-pair"})
    manifest = build(experiment, output, in_this_process, Silent())
    part = output / manifest["left_out"]["files"][0]["path"]
    content = part.read_bytes()
    part.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    assert not is_whole(output, manifest)
    with pytest.raises(DatasetError, match=r"part-00000\.parquet: SHA-256"):
        left_out.read(output, manifest)
    build(experiment, output, in_this_process, Silent())
    assert part.read_bytes() == content


def table(*rows: tuple[str, str, int, int, str]) -> pa.Table:
    """Intervals of genome, chromosome, start, end and split."""
    columns = dict(zip(("genome", "chromosome", "start", "end", "split"), zip(*rows, strict=True), strict=True))
    count = len(rows)
    columns |= {"strand": ["+"] * count, "label": [1] * count, "source": ["gene"] * count}
    columns |= {"gene_id": [None] * count, "biotype": [None] * count, "reason": ["r"] * count}
    kinds = {"gene_id": pa.string(), "biotype": pa.string()}
    return pa.table({name: pa.array(list(values), kinds.get(name)) for name, values in columns.items()})


def test_a_gene_on_a_chromosome_of_several_splits_has_no_split_unless_its_block_has_one() -> None:
    rows = table(("a", "1", 0, 10, "train"), ("a", "1", 20, 30, "test"), ("b", "1", 0, 10, "test"))
    genes = table(("a", "1", 12, 18, ""), ("a", "1", 22, 28, "test"), ("b", "1", 5, 9, ""), ("a", "2", 0, 9, ""))
    left_out_rows = left_out.make_rows(genes, rows, 3)
    assert left_out_rows["split"].to_pylist() == [None, "test", "test", None]
    assert left_out_rows["overlaps_train"].to_pylist() == [False, False, False, False]
    assert left_out_rows["interval_id"].to_pylist() == [3, 4, 5, 6]
