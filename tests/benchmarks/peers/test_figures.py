"""Stored figures of the comparison of gene finders, recomputed for one caller by a few lines of plain Python."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path

import pytest

from benchmarks.peers.callers import PYRODIGAL, ROOT, Case, calls_of
from benchmarks.peers.figures import compared
from benchmarks.peers.genomes import GENOMES, BenchmarkGenome, HeldOut

STORED = ROOT / "benchmarks" / "results" / "genes.json"
DATA = os.environ.get("RAYGENE_DATA")
Structure = tuple[str, str, tuple[tuple[int, int], ...]]


def coding_structures(path: Path, held_out: tuple[HeldOut, ...]) -> list[set[Structure]]:
    """For each gene of a GFF3 file, the coding parts of its transcripts: sequence, strand, and rows of CDS."""
    starts = {part.chromosome: part.start for part in held_out}
    gene_of: dict[str, str] = {}
    rows: dict[str, list[tuple[int, int]]] = defaultdict(list)
    place: dict[str, tuple[str, str]] = {}
    for line in path.read_text().splitlines():
        if line.startswith("#"):
            continue
        name, _, kind, start, end, _, strand, _, text = line.split("\t")
        names = dict(part.split("=", 1) for part in text.split(";") if "=" in part)
        if kind in ("mRNA", "transcript"):
            gene_of[names["ID"]] = names["Parent"]
        if kind == "CDS" and name in starts and int(start) > starts[name]:
            rows[names["Parent"]].append((int(start), int(end)))
            place[names["Parent"]] = (name, strand)
    genes: dict[str, set[Structure]] = defaultdict(set)
    for transcript, parts in rows.items():
        genes[gene_of[transcript]].add((*place[transcript], tuple(sorted(parts))))
    return list(genes.values())


def exact_genes(annotation: Path, calls: Path, held_out: tuple[HeldOut, ...]) -> tuple[int, int, int, int]:
    """Annotated and called coding genes, and how many of each have a CDS that the other side has too."""
    ours, theirs = (coding_structures(path, held_out) for path in (annotation, calls))
    in_ours, in_theirs = set().union(*ours), set().union(*theirs)
    return len(ours), len(theirs), sum(bool(g & in_theirs) for g in ours), sum(bool(g & in_ours) for g in theirs)


def made_up(folder: Path) -> Case:
    (folder / "x").mkdir()
    (folder / "x" / "x.fa").write_text(">I\n" + "A" * 900 + "\n>II\n" + "C" * 900 + "\n")
    genome = BenchmarkGenome("x", "x", "x", "x.fa", "x.gff3", "", "", (HeldOut("I", 100), HeldOut("II")))
    return Case(genome, folder, folder)


def gene(chromosome: str, number: int, *parts: tuple[int, int], strand: str = "+") -> str:
    def row(kind: str, start: int, end: int, names: str) -> str:
        return f"{chromosome}\tx\t{kind}\t{start}\t{end}\t.\t{strand}\t{0 if kind == 'CDS' else '.'}\t{names}\n"

    start, end = parts[0][0], parts[-1][1]
    rows = [row("gene", start, end, f"ID=g{number}"), row("mRNA", start, end, f"ID=t{number};Parent=g{number}")]
    rows += [row("exon", *part, f"Parent=t{number}") for part in parts]
    return "".join(rows + [row("CDS", *part, f"ID=c{number};Parent=t{number}") for part in parts])


def test_figures_of_a_caller_are_those_of_plain_python(tmp_path: Path) -> None:
    case, calls = made_up(tmp_path), tmp_path / "calls.gff3"
    case.__dict__["coding_genes"] = tmp_path / "coding.gff3"
    case.coding_genes.write_text(
        gene("I", 1, (10, 60))  # not held out
        + gene("I", 2, (201, 300), (401, 500))
        + gene("II", 3, (31, 90), strand="-")
        + gene("II", 4, (301, 390))
    )
    calls.write_text(gene("I", 1, (201, 300), (401, 500)) + gene("II", 2, (31, 90)) + gene("II", 3, (304, 390)))
    figures = compared(case, {"own": calls})["own"]
    row = tuple(figures["cds"][key] for key in ("annotated", "called", "recovered", "correct"))
    assert row == exact_genes(case.coding_genes, calls, case.genome.test) == (3, 3, 1, 1)
    assert figures["cds"]["f1"] == 0.3333


def test_the_leader_is_compared_with_each_of_the_others(tmp_path: Path) -> None:
    case, rows = made_up(tmp_path), [gene("II", number, (30 * number, 30 * number + 20)) for number in range(1, 25)]
    case.__dict__["coding_genes"] = tmp_path / "coding.gff3"
    case.coding_genes.write_text("".join(rows))
    (tmp_path / "half.gff3").write_text("".join(rows[::2]))
    figures = compared(case, {"raygene-orfs": case.coding_genes, "other": tmp_path / "half.gff3"})
    lead, low, high = figures["other"]["cds"]["f1_lead"]
    assert lead == pytest.approx(1 / 3, abs=1e-4)
    assert 0 < low < lead < high
    assert "f1_lead" not in figures["raygene-orfs"]["cds"]


@pytest.mark.parametrize("name", json.loads(STORED.read_text())["genomes"])
def test_stored_figures_follow_from_their_counts(name: str) -> None:
    for caller in json.loads(STORED.read_text())["genomes"][name]["callers"].values():
        for level in caller["accuracy"].values():
            sensitivity = level["recovered"] / level["annotated"]
            precision = level["correct"] / max(level["called"], 1)
            f1 = 2 * sensitivity * precision / max(sensitivity + precision, 1e-12)
            assert level["f1"] == pytest.approx(f1, abs=1e-4)
            assert level["f1_interval"][0] <= level["f1"] <= level["f1_interval"][1]


@pytest.mark.full
@pytest.mark.skipif(not DATA, reason="RAYGENE_DATA does not name the folder of genomes")
@pytest.mark.skipif(not PYRODIGAL.exists(), reason="pyrodigal is not installed: scripts/setup-peers.sh does it")
def test_the_stored_row_of_pyrodigal_is_that_of_plain_python(tmp_path: Path) -> None:
    case = Case(GENOMES["cerevisiae"], Path(str(DATA)), tmp_path)
    calls, _ = calls_of(case, "pyrodigal")
    annotated, called, recovered, correct = exact_genes(case.coding_genes, calls, case.genome.test)
    stored = json.loads(STORED.read_text())["genomes"]["cerevisiae"]["callers"]["pyrodigal"]["accuracy"]["cds"]
    row = {"annotated": annotated, "called": called, "recovered": recovered, "correct": correct}
    assert {key: stored[key] for key in row} == row
