"""One genome with its gene models, read and cross-checked: which sequences are used, and which genes are not and why.

The cost is that of reading the annotation twice and, the first time, an index of the FASTA file. Genes are kept packed,
some 100 bytes each, until those of a chromosome are needed.
"""

from __future__ import annotations

import pickle
import zlib
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from pipelines.config import SourceConfig
from pipelines.display import agreeing, counted
from pipelines.errors import InputError
from pipelines.gene_models import reader
from pipelines.gene_models.model import Gene
from pipelines.gene_models.reader import GeneFile
from pipelines.gene_models.selection import Selection
from pipelines.genome import contigs, excluded, fasta, intervals
from pipelines.genome.fasta import Genome
from pipelines.genome.intervals import Intervals
from pipelines.inputs import contents, downloads
from pipelines.progress import Progress


@dataclass(frozen=True)
class AnnotatedGenome:
    """A genome with its gene models.

    Attributes:
        genome: the sequences.
        contents: configuration key to the SHA-256 of the file it names.
        lengths: bases of each chromosome in use, in FASTA order.
        bounds: start and end of the genes of each chromosome in use that has genes, by start; shape (genes, 2).
        dropped: number of genes that are not on a chromosome in use, by reason.
        unused: number of rows of the annotation that belong to no gene, by reason.
        packed: the genes of each of these chromosomes, packed.
        excluded: merged intervals that get no labels, of each chromosome in use that has any, shape (n, 2).
    """

    genome: Genome
    contents: dict[str, str]
    lengths: dict[str, int]
    bounds: dict[str, Intervals]
    dropped: Counter[str]
    unused: Counter[str]
    packed: dict[str, bytes]
    excluded: dict[str, Intervals] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The genome's name in the experiment."""
        return self.genome.name

    def genes(self, chromosome: str) -> list[Gene]:
        """The genes of a chromosome in the order of `bounds`; none for one without genes."""
        return unpack(self.packed[chromosome]) if chromosome in self.packed else []


def pack(genes: list[Gene]) -> bytes:
    """Genes as bytes, for another process of this program or for later."""
    return zlib.compress(pickle.dumps(genes), 1)


def unpack(content: bytes) -> list[Gene]:
    """The genes that `pack` packed."""
    genes: list[Gene] = pickle.loads(zlib.decompress(content))
    return genes


def read(config: SourceConfig, selection: Selection, progress: Progress) -> AnnotatedGenome:
    """Read one genome and check its files against each other.

    Args:
        config: the source, with `fasta` and `annotation`.
        selection: which genes of the annotation are read.
        progress: where what is used, and what does not match, is reported.

    Raises:
        InputError: a file is missing or damaged, FASTA and annotation share no sequence name, a requested chromosome
            does not exist, or no gene with a coding sequence is left.
    """
    config = downloads.fetched(config, progress.note)
    fasta_path, annotation_path = Path(str(config.fasta)), Path(str(config.annotation))
    others = {"annotation": annotation_path}
    others |= {key: Path(path) for key in ("aliases", "exclude") if (path := getattr(config, key))}
    for path in (fasta_path, *others.values()):
        if not path.exists():
            raise InputError(
                f"{path}: no such file", f"check the paths of genome {config.genome} under sources", key="sources"
            )
    with contents.unchanged(*others.values()):
        genome = fasta.open_genome(config.genome, fasta_path, progress)
        names = contigs.NameTranslator(config, genome.lengths)
        gene_file = reader.read(annotation_path, genome.lengths, selection, partial(names.translate))
        digests = {"fasta": genome.content} | {key: contents.of_file(path) for key, path in others.items()}
        _require_shared_names(gene_file, config, genome.lengths)
        _require_genes(gene_file, config)
        chosen = contigs.select(genome.lengths, {gene.chromosome for gene in gene_file.genes}, config)
        without_labels = _excluded(config, chosen.lengths, names, progress)
    on_chromosome: dict[str, list[Gene]] = {}
    dropped = Counter(gene_file.left_out)
    for gene in gene_file.genes:
        if gene.chromosome in chosen.lengths:
            on_chromosome.setdefault(gene.chromosome, []).append(gene)
        else:
            dropped["chromosome_not_chosen"] += 1
    _require_coding(on_chromosome, config)
    progress.note(
        f"{config.genome}: {len(chosen.lengths):,} of {len(genome.lengths):,} sequences used ({chosen.reason})"
    )
    _report(gene_file, config, progress)
    for genes in on_chromosome.values():
        genes.sort(key=lambda gene: (*gene.extent, gene.strand))
    return AnnotatedGenome(
        genome=genome,
        contents=digests,
        lengths=chosen.lengths,
        bounds={name: np.array([gene.extent for gene in genes], np.int64) for name, genes in on_chromosome.items()},
        dropped=dropped,
        unused=gene_file.unused,
        packed={name: pack(genes) for name, genes in on_chromosome.items()},
        excluded=without_labels,
    )


def _excluded(
    config: SourceConfig, lengths: dict[str, int], names: contigs.NameTranslator, progress: Progress
) -> dict[str, Intervals]:
    """The intervals of `sources.exclude`, merged and cut at the ends of their sequences."""
    merged = {}
    for name, rows in excluded.read(config, lengths, names.translate, progress).items():
        clipped = np.minimum(rows, lengths[name])
        if len(clipped := clipped[clipped[:, 0] < clipped[:, 1]]):
            merged[name] = intervals.merge(clipped)
    if config.exclude:
        bases = sum(int((rows[:, 1] - rows[:, 0]).sum()) for rows in merged.values())
        progress.note(f"{config.genome}: {bases:,} of {sum(lengths.values()):,} bases are excluded by {config.exclude}")
    return merged


def _require_shared_names(gene_file: GeneFile, config: SourceConfig, lengths: dict[str, int]) -> None:
    if not gene_file.genes and gene_file.unknown and set(gene_file.left_out) <= {"unknown_sequence"}:
        how = f"{config.aliases} translates none of them" if config.aliases else "for example with sources.aliases"
        raise InputError(
            f"{config.annotation}: shares no sequence name with {config.fasta}",
            f"make the names agree ({how}); the annotation has {contigs.list_names(gene_file.unknown)}, the FASTA has "
            f"{contigs.list_names(lengths)}",
            key="sources.aliases",
        )


def _require_genes(gene_file: GeneFile, config: SourceConfig) -> None:
    """An annotation without genes is at fault itself, not the choice of sequences, none of which has a gene then."""
    if gene_file.genes:
        return
    if left_out := gene_file.left_out.total():
        reasons = ", ".join(
            f"{count:,} {reason.replace('_', ' ')}" for reason, count in gene_file.left_out.most_common()
        )
        problem = f"{config.annotation}: no gene is left of {left_out:,} ({reasons})"
        raise InputError(problem, f"check that it is of the assembly of {config.fasta}", key="sources.annotation")
    types = ", ".join(name for name, _ in gene_file.types.most_common(6))
    raise InputError(
        f"{config.annotation}: no gene in it; {f'it has rows of {types}' if types else 'it has no rows'}",
        "give GFF3 or GTF with genes and their CDS rows",
        key="sources.annotation",
    )


def _require_coding(on_chromosome: dict[str, list[Gene]], config: SourceConfig) -> None:
    if not any(one.cds for genes in on_chromosome.values() for gene in genes for one in gene.transcripts):
        raise InputError(
            f"{config.annotation}: no gene on the sequences in use has a coding sequence (CDS rows of an mRNA)",
            "task structure learns exons and introns from these: give GFF3 or GTF that has them",
            key="sources.annotation",
        )


def _report(gene_file: GeneFile, config: SourceConfig, progress: Progress) -> None:
    """Say which rows are in no gene, which sequences only the annotation has, and how many genes are cut off."""
    if gene_file.unused:
        reasons = ", ".join(f"{count:,} {reason.replace('_', ' ')}" for reason, count in gene_file.unused.most_common())
        rows = gene_file.unused.total()
        are = agreeing(rows, "is", "are")
        progress.note(f"{config.genome}: {counted(rows, 'row')} of the annotation {are} in no gene ({reasons})")
    if gene_file.unknown:
        progress.warn(
            f"{config.genome}: {counted(len(gene_file.unknown), 'sequence')} of the annotation "
            f"{agreeing(len(gene_file.unknown), 'is', 'are')} not in the FASTA file, with "
            f"{counted(gene_file.left_out['unknown_sequence'], 'gene')} ({contigs.list_names(gene_file.unknown)}); "
            "sources.aliases can match them"
        )
    if gene_file.cut_off:
        progress.warn(f"{config.genome}: {gene_file.describe_cut_off()}")
