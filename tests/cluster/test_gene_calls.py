from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest

from cluster import gene_calls
from cluster.terminal import Terminal
from pipelines.errors import UsageError
from pipelines.genome.region import Region


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
    assert gene_calls.names_of([Path("a.gff3")] * 2, None) == ["1:/a.gff3", "2:/a.gff3"]
    assert gene_calls.names_of(paths, ["p", "q", "r"]) == ["p", "q", "r"]
    for names in (["p"], ["p", "p", "q"]):
        with pytest.raises(UsageError, match="--names"):
            gene_calls.names_of(paths, names)
