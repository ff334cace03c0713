"""Small genomes whose genes translate, with the state of every base as an obvious loop gives it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.build import encode_tokens, structure_build
from pipelines.config import DatasetConfig, validate
from pipelines.dataset.manifest import MANIFEST, sealed_text
from pipelines.progress import Silent
from pipelines.ray_map import in_this_process
from pipelines.stores.staging import Staging

CDS, INTRON, MASKED = 2, 5, 8
CODONS = ["GCT", "CGT", "AAC", "GAT", "TGC", "CAA", "GAA", "GGT", "CAC", "ATC", "CTG", "AAG", "TTC", "CCA", "ACG"]
_COMPLEMENT = str.maketrans("ACGTN", "TGCAN")


@dataclass(frozen=True)
class SmallGene:
    """A gene: its name, chromosome, strand, and the exons of its CDS, which is all of it."""

    name: str
    chromosome: str
    strand: str
    exons: list[tuple[int, int]]

    @property
    def start(self) -> int:
        return self.exons[0][0]

    @property
    def end(self) -> int:
        return self.exons[-1][1]


@dataclass
class GeneGenome:
    """A genome on disk and what is in it."""

    fasta: Path
    annotation: Path
    sequences: dict[str, str]
    genes: list[SmallGene] = field(default_factory=list)

    def source(self, name: str = "toy") -> dict[str, Any]:
        """Its entry under `sources`."""
        return {"genome": name, "fasta": str(self.fasta), "annotation": str(self.annotation)}

    def write(self) -> GeneGenome:
        """Write both files."""
        self.fasta.parent.mkdir(parents=True, exist_ok=True)
        self.fasta.write_text("".join(f">{name}\n{text}\n" for name, text in self.sequences.items()))
        rows = ["##gff-version 3"]
        for gene in self.genes:
            place = f"{gene.chromosome}\ttest"
            tail = f".\t{gene.strand}"
            rows.append(f"{place}\tgene\t{gene.start + 1}\t{gene.end}\t{tail}\t.\tID={gene.name}")
            rows.append(f"{place}\tmRNA\t{gene.start + 1}\t{gene.end}\t{tail}\t.\tID={gene.name}.1;Parent={gene.name}")
            for start, end in gene.exons:
                rows.append(f"{place}\texon\t{start + 1}\t{end}\t{tail}\t.\tParent={gene.name}.1")
            done = 0
            for start, end in gene.exons if gene.strand == "+" else gene.exons[::-1]:
                rows.append(f"{place}\tCDS\t{start + 1}\t{end}\t{tail}\t{-done % 3}\tParent={gene.name}.1")
                done += end - start
        self.annotation.write_text("\n".join([*rows, ""]))
        return self

    def states(self, chromosome: str, masked: tuple[str, ...] = ()) -> NDArray[np.uint8]:
        """The states of every base as the dataset packs them, shape (bases,); genes named in `masked` are masked."""
        strands = {strand: np.zeros(len(self.sequences[chromosome]), np.uint8) for strand in "+-"}
        for gene in self.genes:
            if gene.chromosome != chromosome:
                continue
            states, read = strands[gene.strand], 0
            exons = gene.exons if gene.strand == "+" else gene.exons[::-1]
            for number, (start, end) in enumerate(exons):
                for base in range(start, end) if gene.strand == "+" else range(end - 1, start - 1, -1):
                    states[base] = CDS + read % 3
                    read += 1
                if number + 1 < len(exons):
                    low, high = sorted([exons[number], exons[number + 1]])
                    states[low[1] : high[0]] = INTRON + read % 3
            if gene.name in masked:
                states[gene.start : gene.end] = MASKED
        is_n = np.frombuffer(self.sequences[chromosome].encode(), np.uint8) == ord("N")
        for states in strands.values():
            states[is_n] = MASKED
        return strands["+"] | strands["-"] << 4


def make_gene_genome(folder: Path, *, seed: int = 0, chromosomes: int = 3, bases: int = 6_000) -> GeneGenome:
    """Write chromosomes with a gene every few hundred bases, of one to three exons, on both strands, and a run of N."""
    generator = np.random.default_rng(seed)
    sequences, genes = {}, []
    for number in range(1, chromosomes + 1):
        name = f"chr{number}"
        letters = generator.choice(list("ACGT"), size=bases)
        letters[20:60] = "N"
        position = 150
        while position + 700 < bases:
            gene = _gene(generator, f"{name}g{len(genes)}", name, position, letters)
            genes.append(gene)
            position = gene.end + int(generator.integers(60, 300))
        sequences[name] = "".join(letters)
    return GeneGenome(folder / "genome.fa", folder / "genes.gff3", sequences, genes).write()


def _gene(generator: np.random.Generator, name: str, chromosome: str, start: int, letters: Any) -> SmallGene:
    """A gene that begins at a base, written into the letters of its chromosome."""
    coding = "ATG" + "".join(generator.choice(CODONS, size=int(generator.integers(40, 80)))) + "TAA"
    cuts = sorted(int(cut) for cut in generator.integers(20, len(coding) - 20, size=int(generator.integers(0, 3))))
    cuts = [cut for number, cut in enumerate(cuts) if number == 0 or cut - cuts[number - 1] > 10]
    strand = "+-"[int(generator.integers(2))]
    text, exons = "", []
    for first, last in zip([0, *cuts], [*cuts, len(coding)], strict=True):
        if text:
            text += "GT" + "".join(generator.choice(list("ACGT"), size=int(generator.integers(30, 60)))) + "AG"
        exons.append((len(text), len(text) + last - first))
        text += coding[first:last]
    if strand == "-":
        text = text.translate(_COMPLEMENT)[::-1]
        exons = [(len(text) - end, len(text) - begin) for begin, end in exons[::-1]]
    letters[start : start + len(text)] = list(text)
    return SmallGene(name, chromosome, strand, [(start + begin, start + end) for begin, end in exons])


def structure_config(*genomes: GeneGenome, **sections: Any) -> DatasetConfig:
    """A configuration of genomes named g0, g1, … with chr2 for validation and chr3 for test."""
    values = {
        "task": "structure",
        "sources": [genome.source(f"g{number}") for number, genome in enumerate(genomes)],
        "tokenizer": {"k": 3, "stride": 1},
        "window": {"length": 500},
        "split": {"validation": ["chr2"], "test": ["chr3"]},
        **sections,
    }
    return validate(DatasetConfig, values, "test")


def write_dataset(config: DatasetConfig, folder: Path) -> Path:
    """Build a dataset in this process, without Ray; returns the folder."""
    folder.mkdir(parents=True)
    with in_this_process():
        document, tokenizer = structure_build.prepare(config, Silent()).write(Staging(folder), Silent())
    tokenizer.save(folder)
    shutil.rmtree(folder / encode_tokens.RECORDS)
    (folder / MANIFEST).write_text(sealed_text(document))
    return folder
