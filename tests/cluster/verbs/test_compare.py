"""Called genes compared with an annotation through the command line."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pybedtools
import pytest

from cluster.cli import main
from tests.conftest import GenomeFiles


def test_an_annotation_compared_with_itself_agrees_in_everything(
    genome: GenomeFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = tmp_path / "a.json"
    files = [str(genome.annotation), "--annotation", str(genome.annotation), "--fasta", str(genome.fasta)]
    assert main(["compare", *files, "--json", str(figures)]) == 0, capsys.readouterr().err
    assert "genes, half of both overlaps" in capsys.readouterr().out
    levels = json.loads(figures.read_text())
    assert {levels[level]["f1"] for level in ("base", "base_stranded", "touched", "half")} == {1.0}
    assert levels["everything"]["sensitivity"] == 1


def merged_bases(*tools: Any) -> int:
    """Bases of the intervals that all of these share, each counted once."""
    shared = tools[0].sort().merge()
    for tool in tools[1:]:
        shared = shared.intersect(tool.sort().merge())
    return sum(len(row) for row in shared)


@pytest.mark.parametrize("seed", range(3))
def test_the_figures_are_those_of_bedtools(genome: GenomeFiles, tmp_path: Path, seed: int) -> None:
    random, rows = Random(seed), []
    for number, (name, start, end, strand) in enumerate(genome.genes):
        for _ in range(random.choice((0, 1, 1, 2))):
            first = max(start + random.randint(-150, 150), 0)
            last = max(first + 1, end + random.randint(-150, 150))
            rows.append(f"{name}\t{first}\t{last}\tc{number}\t0\t{random.choice(('+', '-', strand, strand))}")
    calls, figures = tmp_path / "calls.bed", tmp_path / "f.json"
    calls.write_text("\n".join(rows))
    files = [str(calls), "--annotation", str(genome.annotation), "--fasta", str(genome.fasta)]
    assert main(["compare", *files, "--json", str(figures)]) == 0
    called, annotated = pybedtools.BedTool(str(calls)), pybedtools.BedTool(str(genome.annotation))
    expected = {"base": (merged_bases(annotated), merged_bases(called), *[merged_bases(called, annotated)] * 2)}
    by_strand = []
    for strand in "+-":
        tools = [tool.filter(lambda row, strand=strand: row.strand == strand).saveas() for tool in (annotated, called)]
        by_strand.append([*map(merged_bases, tools), *[merged_bases(*tools)] * 2])
    expected["base_stranded"] = tuple(map(sum, zip(*by_strand, strict=True)))
    for level, options in {"touched": {}, "half": {"f": 0.5, "r": True}}.items():
        hits = [
            len(first.intersect(second, s=True, u=True, **options))
            for first, second in ((annotated, called), (called, annotated))
        ]
        expected[level] = (len(annotated), len(called), *hits)
    written = json.loads(figures.read_text())
    for level, (genes, number, recovered, correct) in expected.items():
        sensitivity, precision = recovered / genes, correct / number
        assert written[level] == pytest.approx(
            {
                "annotated": genes,
                "called": number,
                "recovered": recovered,
                "correct": correct,
                "sensitivity": sensitivity,
                "precision": precision,
                "f1": 2 * sensitivity * precision / (sensitivity + precision),
            }
        ), level


def test_the_figures_do_not_overwrite_an_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "c.bed", "--fasta", "f.fa", "--annotation", "a.gff3", "--json", "c.bed"]) == 2
    assert "--json: would overwrite c.bed, which is CALLS's" in " ".join(capsys.readouterr().err.split())


def test_only_the_named_sequences_are_compared(
    genome: GenomeFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(genome.annotation), "--annotation", str(genome.annotation), "--fasta", str(genome.fasta)]
    assert main(["compare", *files, "--eval-chromosomes", "chr1"]) == 0
    shown = capsys.readouterr()
    assert "Calls compared with the annotation, on chr1" in shown.out
    assert "are on sequences that are not compared" in " ".join(shown.err.split())
    assert main(["compare", *files, "--eval-chromosomes", "chrX"]) == 2
    assert "--eval-chromosomes chrX: no such sequence" in " ".join(capsys.readouterr().err.split())


def test_calls_on_sequences_that_the_genome_lacks_are_counted_or_refused(
    genome: GenomeFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = tmp_path / "calls.bed"
    files = [str(calls), "--annotation", str(genome.annotation), "--fasta", str(genome.fasta)]
    calls.write_text("chr1\t10\t99\nchrX\t10\t99\n")
    assert main(["compare", *files]) == 0
    assert "1 of 2 features are left out: they are on sequences that the genome lacks (chrX)" in " ".join(
        capsys.readouterr().err.split()
    )
    calls.write_text("chrX\t10\t99\n")
    assert main(["compare", *files]) == 1
    assert "make the names agree; the genome has chr1" in " ".join(capsys.readouterr().err.split())


def test_no_calls_at_all_find_nothing(genome: GenomeFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    calls, figures = tmp_path / "calls.bed", tmp_path / "a.json"
    calls.write_text("# none\n")
    files = [str(calls), "--annotation", str(genome.annotation), "--fasta", str(genome.fasta)]
    assert main(["compare", *files, "--json", str(figures)]) == 0, capsys.readouterr().err
    assert json.loads(figures.read_text())["base"]["sensitivity"] == 0
