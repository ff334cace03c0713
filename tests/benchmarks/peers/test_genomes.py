from __future__ import annotations

from pathlib import Path

from benchmarks.peers import genomes
from benchmarks.peers.genomes import BenchmarkGenome, HeldOut
from pipelines.genome import fasta
from pipelines.genome.fasta import Genome
from pipelines.progress import Silent

GENOME = BenchmarkGenome("x", "", "", "x.fa", "x.gff3", "", "", (HeldOut("II"), HeldOut("III", 4)))


def opened(folder: Path) -> Genome:
    (folder / "x.fa").write_text(">I\nACGT\n>II\nAAac\n>III\nCCCCGGTT\n")
    return fasta.open_genome("x", folder / "x.fa", Silent())


def test_held_out_sequence_and_training_sequence_share_no_base_and_are_all(tmp_path: Path) -> None:
    sequences = opened(tmp_path)
    bases = genomes.write_test_sequences(GENOME, sequences, tmp_path / "test.fa")
    assert (tmp_path / "test.fa").read_text() == ">II\nAAac\n>III\nGGTT\n"
    assert genomes.training_sequences(GENOME, sequences) == {"I": "ACGT", "III": "CCCC"}
    assert bases == 8


def test_calls_move_back_to_where_their_sequence_was_taken_from() -> None:
    rows = ["# AUGUSTUS\n", "II\tx\tgene\t1\t3\t.\t+\t.\tID=a\n", "\n", "III\tx\tgene\t2\t4\t.\t-\t.\tID=b\n"]
    moved = list(genomes.moved_back(GENOME, rows))
    assert moved == ["II\tx\tgene\t1\t3\t.\t+\t.\tID=a\n", "III\tx\tgene\t6\t8\t.\t-\t.\tID=b\n"]


def test_only_genes_with_a_coding_mrna_are_to_be_called() -> None:
    def row(kind: str, attributes: str) -> str:
        return f"I\tx\t{kind}\t1\t9\t.\t+\t.\t{attributes}\n"

    coding = [
        row("gene", "ID=g1"),
        row("mRNA", "ID=t1;Parent=g1"),
        row("exon", "ID=e1;Parent=t1,t2"),
        row("CDS", "ID=c1;Parent=t1"),
    ]
    others = [
        row("mRNA", "ID=t2;Parent=g2"),  # no CDS
        row("gene", "ID=g2"),
        row("gene", "ID=g3"),
        row("ncRNA", "ID=t3;Parent=g3"),
        row("CDS", "ID=c3;Parent=t3"),  # PomBase writes some
        row("transposable_element", "ID=t4"),
    ]
    assert list(genomes.coding_rows(["##gff-version 3\n", *coding, *others])) == coding
