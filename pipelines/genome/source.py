"""One annotated genome, read and cross-checked: which genes are kept, which are dropped and why.

Costs one pass over the annotation and, the first time, an index of the FASTA file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipelines import fingerprint
from pipelines.config import NegativesConfig, SourceConfig
from pipelines.errors import InputError
from pipelines.genome import annotation, bed_reader, contigs, fasta, intervals
from pipelines.genome.fasta import Genome
from pipelines.genome.features import Annotation, Feature
from pipelines.genome.intervals import Intervals
from pipelines.progress import Progress

STRANDS = frozenset("+-")


@dataclass(frozen=True)
class Source:
    """A genome with its annotation, ready to be cut.

    Attributes:
        genome: the sequences.
        contents: key of the configuration to the SHA-256 of the file it names.
        lengths: bases of each chromosome in use, in FASTA order.
        genes: kept genes of each chromosome in use, sorted.
        excluded: gene-like features and barred intervals of each chromosome in use, shape (n, 3): start, end and
            strand (+1, -1, or 0 where it is unknown or both).
        features: genes of the wanted types in the file, dropped ones included.
        dropped: genes left out, by reason.
    """

    genome: Genome
    contents: dict[str, str]
    lengths: dict[str, int]
    genes: dict[str, list[Feature]]
    excluded: dict[str, Intervals]
    features: int
    dropped: Counter[str]

    def bounds(self) -> dict[str, Intervals]:
        """Start and end of the kept genes of each chromosome, shape (genes, 2)."""
        return {
            name: np.array([(gene.start, gene.end) for gene in genes], np.int64) for name, genes in self.genes.items()
        }


def read_source(config: SourceConfig, negatives: NegativesConfig, progress: Progress) -> Source:
    """Read one source and hold its two files against each other.

    Raises:
        InputError: a file is missing or damaged, no name is shared between them, a chosen chromosome does not
            exist, or no gene is left.
    """
    fasta_path, annotation_path = Path(str(config.fasta)), Path(str(config.annotation))
    for path in (fasta_path, annotation_path, *(Path(path) for path in (config.aliases, config.exclude) if path)):
        if not path.exists():
            raise InputError(f"{path}: no such file", f"check the paths of genome {config.genome} under sources")
    genome = fasta.open_genome(config.genome, fasta_path, progress)
    lengths = genome.lengths
    to_fasta = contigs.translator(config, lengths)
    annotated = annotation.read(annotation_path, config.feature_types, negatives.exclude_types, config.biotypes)
    found = annotated.chromosomes
    annotated = annotated.renamed(to_fasta)
    _require_shared(annotated.chromosomes, found, config, lengths)
    choice = contigs.choose(lengths, {gene.chromosome for gene in annotated.genes}, config)
    genes, dropped = _kept(annotated.genes, choice.lengths, set(lengths))
    dropped += annotated.dropped
    features = len(annotated.genes) + annotated.dropped.total()
    if not genes:
        reasons = ", ".join(f"{count} {reason}" for reason, count in dropped.most_common())
        raise InputError(f"{annotation_path}: no gene is left of {features} ({reasons})", "mend the annotation")
    used = {name: length for name, length in choice.lengths.items() if name in genes}
    progress.note(f"{config.genome}: {len(used):,} of {len(lengths):,} sequences used ({choice.reason})")
    _tell_unmatched(annotated, lengths, config, progress)
    contents = {"fasta": genome.content, "annotation": fingerprint.of_file(annotation_path)}
    contents |= {
        key: fingerprint.of_file(Path(path)) for key in ("aliases", "exclude") if (path := getattr(config, key))
    }
    barred = _barred(config, used, to_fasta, progress)
    return Source(
        genome=genome,
        contents=contents,
        lengths=used,
        genes=genes,
        excluded={
            name: np.concatenate([_excluded(annotated, name, length), barred.get(name, np.empty((0, 3), np.int64))])
            for name, length in used.items()
        },
        features=features,
        dropped=dropped,
    )


def _require_shared(renamed: list[str], found: list[str], config: SourceConfig, lengths: dict[str, int]) -> None:
    if not set(renamed) & set(lengths):
        raise InputError(
            f"{config.annotation}: shares no sequence name with {config.fasta}",
            "make the names agree, with sources.aliases for instance; the annotation has "
            f"{contigs.first_of(found)}, the FASTA has {contigs.first_of(lengths)}",
        )


def _tell_unmatched(annotated: Annotation, lengths: dict[str, int], config: SourceConfig, progress: Progress) -> None:
    """Warn of sequences that one of the two files has alone."""
    lost = [name for name in annotated.chromosomes if name not in lengths]
    if not lost:
        return
    genes = sum(gene.chromosome not in lengths for gene in annotated.genes)
    bare = [name for name in lengths if name not in set(annotated.chromosomes)]
    progress.warn(
        f"{config.genome}: {len(lost):,} sequences of the annotation are not in the FASTA file, with {genes:,} genes "
        f"({contigs.first_of(lost)}); of the FASTA's, {len(bare):,} have no annotation"
        + (f" ({contigs.first_of(bare)})" if bare else "")
        + "; sources.aliases can match them"
    )


def _excluded(annotated: Annotation, name: str, length: int) -> Intervals:
    rows = np.array(annotated.excluded.get(name) or np.empty((0, 3)), np.int64)
    return intervals.within(rows, length)


def _barred(
    config: SourceConfig, lengths: dict[str, int], to_fasta: Callable[[str], str], progress: Progress
) -> dict[str, Intervals]:
    """The user's intervals that no negative may touch, by chromosome."""
    if config.exclude is None:
        return {}
    path, found = Path(config.exclude), dict[str, list[tuple[int, int, int]]]()
    elsewhere = 0
    for number, columns in bed_reader.rows(path):
        start, end = bed_reader.location(columns, path, number)
        name = to_fasta(columns[0])
        elsewhere += name not in lengths
        found.setdefault(name, []).append((start, end, 0))
    if elsewhere:
        progress.warn(f"{config.genome}: {elsewhere:,} rows of {path} lie on no sequence in use")
    return {
        name: intervals.within(np.array(rows, np.int64), lengths[name])
        for name, rows in found.items()
        if name in lengths
    }


def _kept(
    genes: list[Feature], lengths: dict[str, int], known: set[str]
) -> tuple[dict[str, list[Feature]], Counter[str]]:
    kept: dict[str, list[Feature]] = {name: [] for name in lengths}
    dropped: Counter[str] = Counter()
    seen: set[tuple[str, int, int, str]] = set()
    for gene in genes:
        place = (gene.chromosome, gene.start, gene.end, gene.strand)
        if gene.chromosome not in known:
            dropped["unknown_sequence"] += 1
        elif gene.chromosome not in lengths:
            dropped["chromosome_not_chosen"] += 1
        elif gene.end > lengths[gene.chromosome]:
            dropped["past_the_end"] += 1
        elif gene.start == gene.end:
            dropped["zero_length"] += 1
        elif gene.strand not in STRANDS:
            dropped["unknown_strand"] += 1
        elif place in seen:
            dropped["duplicate"] += 1
        else:
            seen.add(place)
            kept[gene.chromosome].append(gene)
    by_place = {
        name: sorted(found, key=lambda gene: (gene.start, gene.end, gene.strand))
        for name, found in kept.items()
        if found
    }
    return by_place, dropped
