from __future__ import annotations

from pathlib import Path

from cluster.presets.genome_facts import mean_introns, organelles
from pipelines.gene_models.model import Gene, Transcript


def test_organelles_are_known_by_name_or_description_and_insertions_of_them_are_not(tmp_path: Path) -> None:
    fasta = tmp_path / "genome.fa"
    records = {
        "ChrM": "",
        "Pt": "",
        "NC_001224.1": "Toy mitochondrion, complete genome",
        "C": "",
        "M": "",
        "scaffold_9": "nuclear insertion of mitochondrial DNA",
        "NC_1": "Toy chromosome 1, complete sequence",
    }
    fasta.write_text("".join(f">{name} {description}\nACGT\n" for name, description in records.items()))
    assert organelles(fasta, set(records)) == {"ChrM", "Pt", "NC_001224.1"}


def test_introns_are_counted_in_the_longest_coding_sequence_of_each_coding_gene() -> None:
    long = Transcript("long", ((0, 100), (200, 300), (400, 500)), ((0, 100), (200, 300), (400, 500)))
    short = Transcript("short", ((0, 100),), ((0, 90),))
    genes = [
        Gene("a", "1", 0, 500, "+", (short, long)),
        Gene("b", "1", 600, 700, "-", (short,)),
        Gene("c", "1", 800, 900, "+", (Transcript("rna", ((800, 900),)),)),
    ]
    assert mean_introns(genes) == 1.0
    assert mean_introns([]) == 0.0
