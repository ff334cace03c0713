"""FASTA, annotations, BED and aliases that were changed."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest

from pipelines.config import NegativesConfig, SourceConfig
from pipelines.genome import bed, fasta
from pipelines.genome.source import Source, read_source
from pipelines.progress import Silent
from tests.fuzz import dialects, mutation
from tests.fuzz.harness import CASES, MANY_CASES, Target, run_cases, written

GENES = dialects.draw_genes(Random(1))
FASTA = dialects.fasta(Random(2)).encode()
ANNOTATIONS: dict[str, list[bytes]] = {
    "GFF3": [dialects.gff3(GENES[:9], write).encode() for write, _ in dialects.GFF3.values()],
    "GTF": [dialects.gtf(GENES[:9], [write], Random(3)).encode() for write, _ in dialects.GTF.values()],
    "BED": [dialects.bed(GENES[:9], columns).encode() for columns in (3, 6, 12)],
}
ANNOTATIONS["GFF3"].append(ANNOTATIONS["GFF3"][2] + b"##FASTA\n" + FASTA)
ANNOTATIONS["mixed"] = [content for contents in ANNOTATIONS.values() for content in contents]
ALIASES = [
    b"one\tc1\ntwo\tc2\n# note\nthree c3\n",
    b"# Assembly name:  x\n# Sequence-Name\tSequence-Role\tAssigned-Molecule\tAssigned-Molecule-Location/Type\t"
    b"GenBank-Accn\tRelationship\tRefSeq-Accn\tAssembly-Unit\tSequence-Length\tUCSC-style-name\n"
    b"one\tassembled-molecule\tone\tChromosome\tCM1.1\t=\tNC_1.1\tPrimary Assembly\t6000\tc1\n"
    b"two\tassembled-molecule\ttwo\tChromosome\tCM2.1\t=\tNC_2.1\tPrimary Assembly\t4000\tc2\n",
    b"# ucsc\tassembly\tgenbank\trefseq\nc1\tone\tCM1.1\tNC_1.1\nc2\ttwo\tCM2.1\tNC_2.1\n",
]


def check_source(folder: Path, **files: bytes) -> Source:
    """Read files as a genome with its annotation; every gene lies within its sequence, and none is lost uncounted."""
    config = {key: str(written(folder, f"{key}.txt", content)) for key, content in files.items()}
    source = read_source(SourceConfig(genome="g", **config), NegativesConfig(), Silent())
    used = [gene for genes in source.genes.values() for gene in genes]
    assert source.features == len(used) + source.dropped.total()
    for name, length in source.lengths.items():
        assert len(source.genome.sequence(name, 0, length)) == length
        excluded = source.excluded[name]
        assert ((excluded[:, 0] >= 0) & (excluded[:, 1] <= length)).all()
        assert all(gene.chromosome == name and 0 <= gene.start < gene.end <= length for gene in source.genes[name])
        assert all(gene.strand in ("+", "-") and isinstance(gene.gene_id, str) for gene in source.genes[name])
    source.genome.close()
    return source


def packed(content: bytes, random: Random) -> bytes:
    """The content compressed by any of the programs, and now and then twice."""
    compress: list[Callable[[bytes], bytes]] = [gzip.compress, bz2.compress, lzma.compress, zstd]
    for _ in range(random.choice((1, 1, 1, 2))):
        content = random.choice(compress)(content)
    return content


def zstd(content: bytes) -> bytes:
    compressed: bytes = pa.compress(content, codec="zstd", asbytes=True)
    return compressed


def check_annotation(kind: str) -> Callable[[Random, Path], None]:
    seeds = ANNOTATIONS[kind]

    def check(random: Random, folder: Path) -> None:
        content = mutation.mutated(random.choice(seeds), seeds, random)
        if random.random() < 0.2:
            content = packed(content, random)
            content = mutation.mutated(content, seeds, random) if random.random() < 0.5 else content
        check_source(folder, fasta=FASTA, annotation=content)

    return check


def check_pair(random: Random, folder: Path) -> None:
    annotation = random.choice(ANNOTATIONS["mixed"])
    check_source(folder, fasta=mutation.mutated(FASTA, [FASTA, annotation], random), annotation=annotation)


def check_excluded(random: Random, folder: Path) -> None:
    seeds = ANNOTATIONS["BED"]
    content = mutation.mutated(random.choice(seeds), seeds, random)
    check_source(folder, fasta=FASTA, annotation=ANNOTATIONS["GFF3"][0], exclude=content)


def check_aliases(random: Random, folder: Path) -> None:
    content = mutation.mutated(random.choice(ALIASES), ALIASES, random)
    named = random.choice((b"one", b"c1", b"NC_1.1"))
    check_source(
        folder, fasta=FASTA, annotation=ANNOTATIONS["GFF3"][0].replace(b"c1\t", named + b"\t"), aliases=content
    )


def check_intervals(random: Random, folder: Path) -> None:
    seeds = ANNOTATIONS["BED"]
    content = mutation.mutated(random.choice(seeds), seeds, random)
    intervals = bed.read_intervals(written(folder, "intervals.bed", content), ["gene"])
    assert intervals
    assert all(0 <= interval.start < interval.end for interval in intervals)
    assert all(interval.strand in ("+", "-", ".") for interval in intervals)


def check_fasta(random: Random, folder: Path) -> None:
    """Every letter is read as a plain reading of the lines has it."""
    content = mutation.mutated(FASTA[: random.choice((200, 2000, len(FASTA)))], [FASTA], random)
    path = written(folder, "genome.fa", packed(content, random) if random.random() < 0.3 else content)
    genome = fasta.open_genome("g", path, Silent())
    for name, letters in letters_of(content).items():
        assert genome.lengths[name] == len(letters)
        assert genome.sequence(name, 0, len(letters)).tobytes() == letters
    assert len(genome.lengths) == len(letters_of(content))
    genome.close()


def letters_of(content: bytes) -> dict[str, bytes]:
    sequences: dict[str, list[bytes]] = {}
    name = ""
    for line in content.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n").split(b"\n"):
        if line.startswith(b">"):
            name = line[1:].split()[0].decode()
            sequences[name] = []
        elif name:
            sequences[name].append(line.rstrip(b"\r"))
    return {name: b"".join(lines) for name, lines in sequences.items()}


TARGETS = [
    *(Target(f"annotation in {kind}", check_annotation(kind)) for kind in ANNOTATIONS),
    Target("FASTA with an annotation", check_pair),
    Target("excluded intervals", check_excluded),
    Target("aliases", check_aliases),
    Target("intervals", check_intervals),
    Target("FASTA", check_fasta),
]


@pytest.mark.parametrize("target", TARGETS, ids=repr)
def test_what_is_read_is_valid_or_an_error_of_one_line(target: Target, tmp_path: Path) -> None:
    run_cases(target, tmp_path, CASES)


@pytest.mark.full
@pytest.mark.parametrize("target", TARGETS, ids=repr)
def test_a_thousand_cases_are_valid_or_an_error_of_one_line(target: Target, tmp_path: Path) -> None:
    run_cases(target, tmp_path, MANY_CASES, first=CASES)
