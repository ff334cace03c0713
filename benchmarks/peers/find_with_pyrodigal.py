"""Calls genes with pyrodigal, in the virtual environment that scripts/setup-peers.sh makes.

    .venv/peers/bin/python benchmarks/peers/find_with_pyrodigal.py TRAINING.fa TEST.fa CALLS.gff3

Prodigal's single mode: it learns by itself from all training sequences together, without genes. Genetic code 1, so
that ATG alone starts; everything else as by default.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pyrodigal

GENETIC_CODE = 1


def sequences(path: Path) -> dict[str, str]:
    """Name to letters of a FASTA file."""
    found = {}
    for record in path.read_text().split(">")[1:]:
        name, _, lines = record.partition("\n")
        found[name] = lines.replace("\n", "")
    return found


def main() -> None:
    """Train, and write calls as GFF3."""
    training, test, calls = map(Path, sys.argv[1:])
    finder = pyrodigal.GeneFinder(meta=False)
    finder.train(*sequences(training).values(), translation_table=GENETIC_CODE)
    with calls.open("w") as stream:
        stream.write("##gff-version 3\n")
        for name, letters in sequences(test).items():
            for number, gene in enumerate(finder.find_genes(letters), 1):
                own = f"{name}_{number}"
                # GFF3's phase: bases to leave out before the first whole codon of a gene cut at its start.
                phase = (gene.end - gene.begin + 1) % 3 if gene.partial_begin or gene.partial_end else 0
                place = f"{name}\tpyrodigal\t{{}}\t{gene.begin}\t{gene.end}\t.\t{'+' if gene.strand > 0 else '-'}\t"
                stream.write(place.format("gene") + f".\tID={own}\n")
                stream.write(place.format("mRNA") + f".\tID={own}.t;Parent={own}\n")
                stream.write(place.format("exon") + f".\tID={own}.e;Parent={own}.t\n")
                stream.write(place.format("CDS") + f"{phase}\tID={own}.c;Parent={own}.t\n")


if __name__ == "__main__":
    main()
