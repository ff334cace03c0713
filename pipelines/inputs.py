"""One annotated genome, read and cross-checked: which genes are kept, which are dropped and why.

Costs one pass over the annotation and, the first time, an index of the FASTA file.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipelines import annotation, fasta, fingerprint, intervals
from pipelines.annotation import Annotation, Feature
from pipelines.config import NegativesConfig, SourceConfig
from pipelines.errors import InputError
from pipelines.fasta import Genome
from pipelines.intervals import Intervals
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
        excluded: gene-like features of each chromosome in use, shape (n, 2), as annotated.
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


def read_source(config: SourceConfig, negatives: NegativesConfig, progress: Progress) -> Source:
    """Read one source and hold its two files against each other.

    Raises:
        InputError: a file is missing or damaged, no name is shared between them, a chosen chromosome does not
            exist, or no gene is left.
    """
    fasta_path, annotation_path = Path(str(config.fasta)), Path(str(config.annotation))
    for path in (fasta_path, annotation_path):
        if not path.exists():
            raise InputError(f"{path}: no such file", f"check the paths of genome {config.genome} under sources")
    genome = fasta.open_genome(config.genome, fasta_path, progress)
    annotated = annotation.read_gff3(annotation_path, config.feature_types, negatives.exclude_types)
    lengths = _chosen(genome, annotated, config)
    genes, dropped = _kept(annotated.genes, lengths, set(genome.lengths))
    if not genes:
        reasons = ", ".join(f"{count} {reason}" for reason, count in dropped.most_common())
        raise InputError(
            f"{annotation_path}: no gene is left of {len(annotated.genes)} ({reasons})", "mend the annotation"
        )
    excluded = {
        name: intervals.within(
            np.array(annotated.excluded.get(name) or intervals.empty(), np.int64).reshape(-1, 2), lengths[name]
        )
        for name in genes
    }
    return Source(
        genome=genome,
        contents={"fasta": genome.content, "annotation": fingerprint.of_file(annotation_path)},
        lengths={name: length for name, length in lengths.items() if name in genes},
        genes=genes,
        excluded=excluded,
        features=len(annotated.genes),
        dropped=dropped,
    )


def _chosen(genome: Genome, annotated: Annotation, config: SourceConfig) -> dict[str, int]:
    lengths = genome.lengths
    shared = [name for name in annotated.chromosomes if name in lengths]
    if not shared:
        raise InputError(
            f"{config.annotation}: shares no sequence name with {config.fasta}",
            f"make the names agree; the annotation has {_first(annotated.chromosomes)}, the FASTA has {_first(list(lengths))}",
        )
    if config.chromosomes is None:
        return lengths
    if unknown := [name for name in config.chromosomes if name not in lengths]:
        raise InputError(
            f"{config.fasta}: sources.chromosomes: no sequence {unknown[0]!r}",
            f"choose among {_first(list(lengths), 8)}",
        )
    return {name: length for name, length in lengths.items() if name in config.chromosomes}


def _first(names: list[str], count: int = 3) -> str:
    return ", ".join(names[:count]) + (", …" if len(names) > count else "")


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
