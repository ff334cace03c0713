from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from cluster.comparison import gene_calls
from cluster.screen.terminal import Terminal
from pipelines.dataset import split_regions
from pipelines.errors import DatasetError, UsageError
from pipelines.genome.region import Region
from pipelines.inputs import contents
from tests.pipelines.dataset import small_dataset


def flags(**given: object) -> Namespace:
    return Namespace(**{"eval_chromosomes": None, "region": None, "dataset": None, "split": None, **given})


def test_genes_without_a_row_and_names_as_written_are_compared(tmp_path: Path) -> None:
    path = tmp_path / "a.gtf"
    rows = [("chr%2C1", 1, 9, "a"), ("chr%2C1", 21, 30, "a"), ("b%2C2", 1, 9, "b")]
    path.write_text(
        "".join(f'{name}\tx\texon\t{start}\t{end}\t.\t+\t.\tgene_id "{gene}"\n' for name, start, end, gene in rows)
    )
    found = gene_calls.read(path, gene_calls.selection(["gene"]), {"chr%2C1": 99, "b,2": 99}, Terminal())
    assert [(gene.chromosome, gene.start, gene.end) for gene in found.genes] == [("chr%2C1", 0, 30), ("b,2", 0, 9)]


def test_genes_cut_off_at_the_end_of_a_sequence_and_genes_given_twice_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.bed"
    path.write_text("a\t0\t9\tx\t0\t+\na\t0\t9\ty\t0\t+\na\t0\t9\tz\t0\t-\na\t15\t30\tlast\t0\t+\n")
    found = gene_calls.read(path, gene_calls.selection(None), {"a": 20}, Terminal())
    assert (found.repeated, found.cut_off, found.genes[-1].end) == (1, 1, 20)
    told = " ".join(capsys.readouterr().err.split())
    assert "1 gene reaches past the end of its sequence" in told
    assert "1 gene repeats the place and structure of another" in told


def test_all_of_a_hundred_thousand_sequences_can_be_named() -> None:
    lengths = {f"s{number}": 9 for number in range(100_000)}
    everything = gene_calls.regions(flags(eval_chromosomes=list(lengths)), lengths, Path("g.fa"))
    assert everything is not None
    assert len(everything) == len(lengths)
    assert gene_calls.regions(flags(eval_chromosomes=["s7"]), lengths, Path("g.fa")) == [Region("", "s7", 0, 9)]
    assert gene_calls.regions(flags(), lengths, Path("g.fa")) is None


def test_regions_that_overlap_or_come_with_names_of_sequences_are_refused() -> None:
    lengths = {"a": 99, "b": 9}
    with pytest.raises(UsageError, match="overlaps"):
        gene_calls.regions(flags(region=["a:1-5", "a:5-9"]), lengths, Path("g.fa"))
    with pytest.raises(UsageError, match="--region: --eval-chromosomes says already"):
        gene_calls.regions(flags(region=["a:1-5"], eval_chromosomes=["b"]), lengths, Path("g.fa"))
    with pytest.raises(UsageError, match="--split: no dataset"):
        gene_calls.regions(flags(split="test"), lengths, Path("g.fa"))


def test_call_sets_of_one_file_name_are_told_apart() -> None:
    paths = [Path("x/a.gff3"), Path("y/a.gff3"), Path("b.gtf")]
    assert gene_calls.names_of(paths, None) == ["x/a.gff3", "y/a.gff3", "b.gtf"]
    assert gene_calls.names_of([Path("a.gff3")] * 2, None) == ["1:a.gff3", "2:a.gff3"]
    assert gene_calls.names_of(paths, ["p", "q", "r"]) == ["p", "q", "r"]
    for names in (["p"], ["p", "p", "q"], ["p", "", "q"]):
        with pytest.raises(UsageError, match="--names"):
            gene_calls.names_of(paths, names)


def dataset_of(folder: Path, regions: list[Region], **entries: Any) -> Namespace:
    """Flags that name a dataset whose test split has these regions."""
    small_dataset.write_dataset(folder)
    manifest = small_dataset.read(folder) | {split_regions.KEY: split_regions.describe({"test": regions})} | entries
    small_dataset.write(folder, manifest)
    return flags(dataset=str(folder))


def test_what_a_dataset_held_out_is_compared(tmp_path: Path) -> None:
    listed = [Region("toy", "a", 10, 20), Region("toy", "b", 0, 30), Region("toy", "elsewhere", 0, 9)]
    given = dataset_of(tmp_path / "d", listed)
    lengths = {"a": 99, "b": 9, "chr_test": 50, "chr_train": 50}
    found = gene_calls.regions(given, lengths, Path("g.fa"))
    assert found == [Region("", "a", 10, 20), Region("", "b", 0, 9), Region("", "chr_test", 0, 50)]
    with pytest.raises(DatasetError, match="no sequence of its test split is in"):
        gene_calls.regions(given, {"c": 9}, Path("g.fa"))


def test_a_dataset_at_an_address_says_what_is_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYGENE_CACHE", str(tmp_path / "cache"))
    given = dataset_of(tmp_path / "d", [Region("g", "I", 2, 5)])
    given.dataset = f"local://{given.dataset}"
    assert gene_calls.regions(given, {"I": 10}, tmp_path / "genome.fa") == [Region("", "I", 2, 5)]


def test_of_several_genomes_of_a_dataset_that_of_the_fasta_file_is_compared(tmp_path: Path) -> None:
    fasta = tmp_path / "g.fa"
    fasta.write_text(">I\nACGT\n")
    inputs = [{"genome": "one", "fasta_sha256": contents.of_file(fasta)}, {"genome": "two", "fasta_sha256": "0" * 64}]
    given = dataset_of(tmp_path / "d", [Region("one", "I", 0, 3), Region("two", "I", 1, 4)], inputs=inputs)
    assert gene_calls.regions(given, {"I": 4}, fasta) == [Region("", "I", 0, 3)]
    fasta.write_text(">I\nACGG\n")
    with pytest.raises(DatasetError, match="is the file of none"):
        gene_calls.regions(given, {"I": 4}, fasta)
