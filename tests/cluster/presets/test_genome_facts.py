from __future__ import annotations

from pathlib import Path

from cluster.presets.genome_facts import organelles


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
