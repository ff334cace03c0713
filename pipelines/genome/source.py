"""One annotated genome, read and cross-checked: which genes are used, which are dropped and why.

The cost is one pass over the annotation and, the first time, an index of the FASTA file.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.config import NegativesConfig, SourceConfig
from pipelines.display import agreeing, counted
from pipelines.errors import InputError
from pipelines.genome import annotation, contigs, excluded, fasta, gene_columns, intervals
from pipelines.genome.fasta import Genome
from pipelines.genome.features import Annotation, Feature, rows_left_out
from pipelines.genome.gene_columns import GeneColumns
from pipelines.genome.intervals import Intervals
from pipelines.inputs import contents, downloads
from pipelines.progress import Progress

STRANDS = frozenset("+-")
MANY_SEQUENCES = 1_000
"""Sequences with genes above which negatives are placed on several at once; see `pipelines.build.place_negatives`."""


@dataclass(frozen=True)
class Source:
    """A genome with its annotation.

    Attributes:
        genome: the sequences.
        contents: configuration key to the SHA-256 of the file it names.
        lengths: bases of each chromosome in use, in FASTA order.
        genes: genes of each chromosome in use that are not dropped, sorted.
        excluded: gene-like features and the user's excluded intervals of each chromosome in use, of a strand
            merged where there are many, shape (n, 3): start, end and strand (+1, -1, or 0 where it is unknown or both).
        features: number of features of the requested types in the file, dropped ones included.
        dropped: number of dropped genes, by reason.
        unused: number of rows of the annotation that belong to no gene, by reason.
        rules: what was read otherwise than by versions before these rules; part of a dataset's fingerprint.
        others: where genes are less than their rows, the intervals of `excluded`, not merged, that belong to no gene,
            shape (n, 3).
    """

    genome: Genome
    contents: dict[str, str]
    lengths: dict[str, int]
    genes: dict[str, GeneColumns]
    excluded: dict[str, Intervals]
    features: int
    dropped: Counter[str]
    unused: Counter[str]
    rules: list[str]
    others: dict[str, Intervals] = field(default_factory=dict)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Map the intervals of a source that comes from another process, as those that are read here."""
        intervals_of = {name: gene_columns.mapped(state[name]) for name in ("excluded", "others")}
        self.__dict__.update(state | intervals_of)

    @property
    def has_many_sequences(self) -> bool:
        """Whether there are too many sequences to place the negatives of each on its own."""
        return len(self.lengths) > MANY_SEQUENCES

    def bounds(self) -> dict[str, Intervals]:
        """Start and end of the genes of each chromosome, shape (genes, 2)."""
        return {name: genes.bounds for name, genes in self.genes.items()}


def read_source(config: SourceConfig, negatives: NegativesConfig, progress: Progress) -> Source:
    """Read one source and check its files against each other.

    Args:
        config: the source, with `fasta` and `annotation`.
        negatives: which features are gene-like.
        progress: where what is used, and what does not match, is reported.

    Raises:
        InputError: a file is missing or damaged, FASTA and annotation share no sequence name, a requested chromosome
            does not exist, or no gene is left.
    """
    config = downloads.fetched(config, progress.note)
    others = [Path(path) for path in (config.annotation, config.aliases, config.exclude) if path]
    for path in (Path(str(config.fasta)), *others):
        if not path.exists():
            raise InputError(
                f"{path}: no such file", f"check the paths of genome {config.genome} under sources", key="sources"
            )
    with contents.unchanged(*others):
        return _read_unchanged(config, negatives, progress)


def _read_unchanged(config: SourceConfig, negatives: NegativesConfig, progress: Progress) -> Source:
    """Read a source whose files are watched, so that their hashes are those of what is parsed."""
    fasta_path, annotation_path = Path(str(config.fasta)), Path(str(config.annotation))
    genome = fasta.open_genome(config.genome, fasta_path, progress)
    lengths = genome.lengths
    names = contigs.NameTranslator(config, lengths)
    annotated = annotation.read(
        annotation_path, config.feature_types, negatives.exclude_types, config.biotypes, span=config.span
    )
    original_names = annotated.chromosomes
    annotated = annotated.renamed(partial(names.translate, is_decoded=annotated.has_encoded_names))
    _require_shared_names(annotated.chromosomes, original_names, config, lengths)
    selection = contigs.select(lengths, {gene.chromosome for gene in annotated.genes}, config)
    genes, dropped = _filter_genes(annotated.genes, selection.lengths, set(lengths))
    dropped += annotated.dropped
    features = len(annotated.genes) + annotated.dropped.total()
    if not genes:
        raise _no_gene_left(config, annotated.genes, features, dropped, lengths)
    used = {name: length for name, length in selection.lengths.items() if name in genes}
    progress.note(f"{config.genome}: {len(used):,} of {len(lengths):,} sequences used ({selection.reason})")
    _report_rows(annotated, config, progress)
    _warn_of_unmatched_names(annotated, lengths, config, progress)
    digests = {"fasta": genome.content, "annotation": contents.of_file(annotation_path)}
    digests |= {key: contents.of_file(Path(path)) for key in ("aliases", "exclude") if (path := getattr(config, key))}
    none = np.empty((0, 3), np.int64)
    # The user's intervals are on both strands: 0.
    intervals_of_user = excluded.read(config, used, names.translate, progress)
    user_excluded = {name: np.pad(rows, ((0, 0), (0, 1))) for name, rows in intervals_of_user.items()}
    avoided = {
        name: [np.array(annotated.excluded.get(name) or none, np.int64), user_excluded.get(name, none)] for name in used
    }
    rules = set(annotated.rules)
    if names.has_new_rules:
        rules.add("names of sequences")
    if _warn_of_rows_past_the_end(avoided, used, annotated.circular, config, progress):
        rules.add("ends of linear sequences")

    if len(used) > MANY_SEQUENCES:
        rules.add("negatives of many sequences")

    def clipped(name: str, parts: list[Intervals]) -> Intervals:
        is_circular = name in annotated.circular
        return np.concatenate([intervals.within(rows, used[name], is_circular=is_circular) for rows in parts])

    annotated_on: dict[str, list[Feature]] = {}
    for gene in annotated.genes:
        annotated_on.setdefault(gene.chromosome, []).append(gene)

    def others_of(name: str) -> list[Intervals]:
        used_genes = set(genes[name])
        left_out = rows_left_out((gene for gene in annotated_on[name] if gene not in used_genes), used_genes)
        return [np.array(annotated.others.get(name) or none, np.int64), left_out, user_excluded.get(name, none)]

    return Source(
        genome=genome,
        contents=digests,
        lengths=used,
        genes=GeneColumns.of_genome(genes),
        excluded=gene_columns.mapped(
            {name: intervals.merge_each(clipped(name, both)) for name, both in avoided.items()}
        ),
        features=features,
        dropped=dropped,
        unused=annotated.unused,
        rules=sorted(rules),
        others={}
        if config.span == "gene"
        else gene_columns.mapped({name: clipped(name, others_of(name)) for name in used}),
    )


def _no_gene_left(
    config: SourceConfig, genes: list[Feature], features: int, dropped: Counter[str], lengths: dict[str, int]
) -> InputError:
    reasons = ", ".join(f"{count} {reason}" for reason, count in dropped.most_common())
    problem = f"{config.annotation}: no gene is left of {features} ({reasons})"
    if not (dropped["past_the_end"] or dropped["unknown_sequence"]):
        return InputError(problem, "correct the annotation")
    on_sequence = [gene for gene in genes if gene.chromosome in lengths]
    last = max(on_sequence, key=lambda gene: gene.end, default=None)
    reach = f"; genes reach base {last.end:,} of {last.chromosome}" if last else ""
    name, length = max(lengths.items(), key=lambda item: item[1])
    return InputError(
        problem,
        "check that both files are of one assembly, and that neither is damaged or cut off: "
        f"{config.fasta} has {len(lengths):,} sequences, the longest {name} of {length:,} bases{reach}",
    )


def _require_shared_names(
    renamed: list[str], original_names: list[str], config: SourceConfig, lengths: dict[str, int]
) -> None:
    if not set(renamed) & set(lengths):
        how = f"{config.aliases} translates none of them" if config.aliases else "for example with sources.aliases"
        raise InputError(
            f"{config.annotation}: shares no sequence name with {config.fasta}",
            f"make the names agree ({how}); the annotation has "
            f"{contigs.list_names(original_names)}, the FASTA has {contigs.list_names(lengths)}",
            key="sources.aliases",
        )


def _warn_of_unmatched_names(
    annotated: Annotation, lengths: dict[str, int], config: SourceConfig, progress: Progress
) -> None:
    """Warn of sequences that only one of the two files has."""
    annotated_names = annotated.chromosomes
    not_in_fasta = [name for name in annotated_names if name not in lengths]
    if not not_in_fasta:
        return
    genes = sum(gene.chromosome not in lengths for gene in annotated.genes)
    has_annotation = set(annotated_names)
    not_annotated = [name for name in lengths if name not in has_annotation]
    progress.warn(
        f"{config.genome}: {counted(len(not_in_fasta), 'sequence')} of the annotation "
        f"{agreeing(len(not_in_fasta), 'is', 'are')} not in the FASTA file, with {counted(genes, 'gene')} "
        f"({contigs.list_names(not_in_fasta)}); {counted(len(not_annotated), 'sequence')} of the FASTA file "
        f"{agreeing(len(not_annotated), 'has', 'have')} no annotation"
        + (f" ({contigs.list_names(not_annotated)})" if not_annotated else "")
        + "; sources.aliases can match them"
    )


def _report_rows(annotated: Annotation, config: SourceConfig, progress: Progress) -> None:
    """Say how many genes have no row, which are at several places, and how many rows are in no gene."""
    if annotated.derived:
        span = agreeing(
            annotated.derived, "has no row of its own and spans its", "have no row of their own and span their"
        )
        progress.note(f"{config.genome}: {counted(annotated.derived, 'gene')} {span} parts")
    places = Counter(gene.gene_id for gene in annotated.genes)
    if several := [name for name, count in places.items() if count > 1]:
        progress.note(
            f"{config.genome}: gene ids at several places, of which each is a gene: {len(several):,} "
            f"({contigs.list_names(several)})"
        )
    if unused := annotated.describe_unused():
        progress.note(f"{config.genome}: {unused}")
    if annotated.unnamed:
        progress.warn(
            f"{config.annotation}: line {annotated.unnamed}: an exon or CDS names neither a gene nor a transcript; "
            f"{annotated.unused['without_gene_name']:,} such rows are in no gene"
        )


def _warn_of_rows_past_the_end(
    avoided: dict[str, list[Intervals]],
    lengths: dict[str, int],
    circular: set[str],
    config: SourceConfig,
    progress: Progress,
) -> bool:
    """Warn of rows past the end of linear sequences; whether one of them begins before the end."""
    past = {
        name: np.concatenate([rows[rows[:, 1] > lengths[name]] for rows in both])
        for name, both in avoided.items()
        if name not in circular
    }
    past = {name: rows for name, rows in past.items() if len(rows)}
    if past:
        rows = sum(map(len, past.values()))
        progress.warn(
            f"{config.genome}: {counted(rows, 'interval')} that negatives avoid "
            f"{agreeing(rows, 'ends past the end of its', 'end past the end of their')} sequence and "
            f"{agreeing(rows, 'is', 'are')} cut there ({contigs.list_names(past)}); no row of the annotation says "
            "Is_circular=true of these sequences"
        )
    return any(bool((rows[:, 0] < lengths[name]).any()) for name, rows in past.items())


def _filter_genes(
    genes: list[Feature], lengths: dict[str, int], fasta_names: set[str]
) -> tuple[dict[str, list[Feature]], Counter[str]]:
    """Genes of each selected sequence that has any, sorted; and the number of dropped ones by reason."""
    accepted: dict[str, list[Feature]] = {name: [] for name in lengths}
    dropped: Counter[str] = Counter()
    seen: set[tuple[str, int, int, str]] = set()
    for gene in genes:
        position = (gene.chromosome, gene.start, gene.end, gene.strand)
        if gene.chromosome not in fasta_names:
            dropped["unknown_sequence"] += 1
        elif gene.chromosome not in lengths:
            dropped["chromosome_not_chosen"] += 1
        elif gene.end > lengths[gene.chromosome]:
            dropped["past_the_end"] += 1
        elif gene.start == gene.end:
            dropped["zero_length"] += 1
        elif gene.strand not in STRANDS:
            dropped["unknown_strand"] += 1
        elif position in seen:
            dropped["duplicate"] += 1
        else:
            seen.add(position)
            accepted[gene.chromosome].append(gene)
    ordered = {
        name: sorted(on_sequence, key=lambda gene: (gene.start, gene.end, gene.strand))
        for name, on_sequence in accepted.items()
        if on_sequence
    }
    return ordered, dropped
