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
        assert {key: value for key, value in written[level].items() if "interval" not in key} == pytest.approx(
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


def with_calls(genome: GenomeFiles, folder: Path) -> list[str]:
    """Arguments for two sets of calls, one of which lacks genes, and one of which is the annotation."""
    calls = folder / "few.bed"
    rows = [f"{name}\t{start}\t{end}\tc{start}\t0\t{strand}" for name, start, end, strand in genome.genes[::2]]
    calls.write_text("\n".join(rows))
    return [str(calls), str(genome.annotation), "--annotation", str(genome.annotation), "--fasta", str(genome.fasta)]


def test_several_call_sets_are_compared_with_paired_differences(
    genome: GenomeFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = tmp_path / "f.json"
    arguments = [*with_calls(genome, tmp_path), "--names", "few", "all", "--samples", "100", "--json", str(figures)]
    assert main(["compare", *arguments]) == 0, capsys.readouterr().err
    output = capsys.readouterr().out
    assert "few − all" in output
    assert "False genes" in output
    written = json.loads(figures.read_text())
    (difference,) = written["differences"]
    assert difference["touched"]["f1"]["interval"][1] < 0
    assert written["bootstrap"] == {"samples": 100, "seed": 0, "unit": "locus", "level": 0.95}


def test_the_page_and_the_lists_are_written(
    genome: GenomeFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report, folder = tmp_path / "new" / "report.html", tmp_path / "lists"
    arguments = with_calls(genome, tmp_path)
    assert main(["compare", *arguments, "--report", str(report), "--lists", str(folder)]) == 0, capsys.readouterr().err
    assert "figure-missed" in report.read_text()
    missed = (folder / "few.bed.missed.bed").read_text().splitlines()
    assert len(missed) == len(genome.genes) - len(genome.genes[::2])
    assert missed == sorted(missed, key=lambda row: (row.split("\t")[0], int(row.split("\t")[1])))
    assert len(list(folder.iterdir())) == 10


def test_lists_do_not_overwrite_calls(genome: GenomeFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    calls = tmp_path / "x.missed.bed"
    calls.write_text("chr1\t1\t9\n")
    files = [str(calls), "--annotation", str(genome.annotation), "--fasta", str(genome.fasta), "--names", "x"]
    assert main(["compare", *files, "--lists", str(tmp_path)]) == 2
    assert "--lists: would overwrite" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("samples", ["7", "1000000000"])
def test_samples_that_give_no_interval_are_refused(
    genome: GenomeFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str], samples: str
) -> None:
    assert main(["compare", *with_calls(genome, tmp_path), "--samples", samples]) == 2
    assert f"--samples {samples}: too" in capsys.readouterr().err


def test_without_samples_there_are_no_intervals(genome: GenomeFiles, tmp_path: Path) -> None:
    figures = tmp_path / "f.json"
    assert main(["compare", *with_calls(genome, tmp_path), "--samples", "0", "--json", str(figures)]) == 0
    written = json.loads(figures.read_text())
    assert written["touched"]["f1"] > 0
    assert written["touched"]["f1_interval"] is None


def gff3(path: Path, rows: list[tuple[str, int, int, str]]) -> str:
    """A file of rows on chr1's forward strand: type, first and last base, attributes."""
    lines = [f"chr1\tx\t{kind}\t{first}\t{last}\t.\t+\t0\t{text}" for kind, first, last, text in rows]
    path.write_text("\n".join(["##gff-version 3", *lines]) + "\n")
    return str(path)


def genes_at(*places: tuple[int, int], kind: str = "mRNA") -> list[tuple[str, int, int, str]]:
    """Rows of genes of one coding exon each."""
    return [
        row
        for number, place in enumerate(places)
        for row in (
            ("gene", *place, f"ID=g{number}"),
            (kind, *place, f"ID=t{number};Parent=g{number}"),
            ("CDS", *place, f"ID=c{number};Parent=t{number}"),
        )
    ]


def test_several_call_sets_are_compared_at_once_each_with_its_own_types(
    genome: GenomeFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    annotation = gff3(tmp_path / "a.gff3", [*genes_at((101, 200), (301, 400)), ("tRNA", 501, 600, "ID=r;Parent=g1")])
    good = gff3(tmp_path / "good.gff3", [row for row in genes_at((101, 200), (301, 400)) if row[0] == "CDS"])
    poor = gff3(tmp_path / "poor.gff3", genes_at((101, 190), kind="transcript"))
    figures = tmp_path / "f.json"
    files = [good, poor, "--annotation", annotation, "--fasta", str(genome.fasta), "--annotation-types", "mRNA"]
    names = ["--names", "first", "second"]
    assert main(["compare", *files, *names, "--json", str(figures)]) == 0, capsys.readouterr().err
    written = json.loads(figures.read_text())
    assert [(one["name"], one["cds"]["f1"]) for one in written["call_sets"]] == [("first", 1), ("second", 0)]
    assert written["cds"]["f1"] == 1
    assert written["call_sets"][1]["half"]["recovered"] == 1
    assert "second" in capsys.readouterr().out


def test_calls_that_overlap_nothing_are_a_warning_that_names_the_types_of_both_files(
    genome: GenomeFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    annotation = gff3(tmp_path / "a.gff3", genes_at((101, 200)))
    calls = gff3(tmp_path / "c.gff3", genes_at((1101, 1200), kind="transcript"))
    files = ["compare", calls, "--annotation", annotation, "--fasta", str(genome.fasta)]
    assert main(files) == 0
    warning = " ".join(capsys.readouterr().err.split())
    assert "none of 1 call overlaps one of 1 annotated genes" in warning
    assert "1 transcript" in warning
    assert "1 mRNA" in warning
    assert main([*files, "--call-types", "pseudogene"]) == 0
    assert "no gene of type pseudogene; the file has 1 gene, 1 transcript" in " ".join(capsys.readouterr().err.split())


def test_rows_of_transcripts_alone_are_genes_without_a_flag(
    genome: GenomeFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    annotation = gff3(tmp_path / "a.gff3", genes_at((101, 200)))
    calls = gff3(tmp_path / "c.gff3", genes_at((101, 200), kind="transcript")[1:])
    figures = tmp_path / "f.json"
    files = [calls, "--annotation", annotation, "--fasta", str(genome.fasta)]
    assert main(["compare", *files, "--json", str(figures)]) == 0, capsys.readouterr().err
    assert json.loads(figures.read_text())["gene"]["f1"] == 1


def test_only_genes_inside_a_region_are_compared_and_those_across_its_border_are_counted(
    genome: GenomeFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    annotation = gff3(tmp_path / "a.gff3", genes_at((101, 200), (301, 400), (501, 600)))
    calls = gff3(tmp_path / "c.gff3", genes_at((101, 200), (290, 400), (451, 500)))
    figures = tmp_path / "f.json"
    files = [calls, "--annotation", annotation, "--fasta", str(genome.fasta), "--json", str(figures)]
    assert main(["compare", *files, "--region", "chr1:101-350", "chr1:451-500"]) == 0, capsys.readouterr().err
    written = json.loads(figures.read_text())
    assert [written["touched"][key] for key in ("annotated", "called", "recovered", "correct")] == [1, 2, 1, 1]
    assert (written["annotated_across_borders"], written["call_sets"][0]["called_across_borders"]) == (1, 1)
    assert "genes across the border of a region are left out: 1 annotated, called 1 of c.gff3" in " ".join(
        capsys.readouterr().err.split()
    )
    assert main(["compare", *files, "--region", "chr1:101-350", "--region", "chr1:451-500"]) == 0
    assert json.loads(figures.read_text()) == written
    assert main(["compare", *files, "--region", "chr1:0-5"]) == 2
    assert "--region: chr1:0-5: lies beyond the ends" in " ".join(capsys.readouterr().err.split())
