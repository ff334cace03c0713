"""A slow scorer that follows the definitions of `docs/compare.md` word by word, base by base and pair by pair."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pipelines.gene_models.model import Gene

Item = tuple[object, ...]


def counts(genes: Sequence[Gene], calls: Sequence[Gene]) -> dict[str, tuple[int, int, int, int]]:
    """Annotated, called, recovered and correct items of every level."""
    found: dict[str, tuple[int, int, int, int]] = {}
    for key, items in _ITEMS.items():
        ours, theirs = _union(items, genes), _union(items, calls)
        found[key] = (len(ours), len(theirs), len(ours & theirs), len(ours & theirs))
    for key, is_counted, matches in _PREDICATES:
        ours_counted = [gene for gene in genes if is_counted(gene)]
        theirs_counted = [call for call in calls if is_counted(call)]
        found[key] = (
            len(ours_counted),
            len(theirs_counted),
            sum(any(matches(gene, call) for call in theirs_counted) for gene in ours_counted),
            sum(any(matches(gene, call) for gene in ours_counted) for call in theirs_counted),
        )
    return found


def of_gene(key: str, gene: Gene, others: Sequence[Gene]) -> tuple[int, int]:
    """Items of one gene at a level, and how many of them others have."""
    if key in _ITEMS:
        own = set(_ITEMS[key](gene))
        return len(own), len(own & _union(_ITEMS[key], others))
    _, is_counted, matches = next(row for row in _PREDICATES if row[0] == key)
    return int(is_counted(gene)), int(
        is_counted(gene) and any(matches(gene, other) for other in others if is_counted(other))
    )


def is_of_genes_left_out(call: Gene, genes: Sequence[Gene], left_out: Sequence[Gene]) -> bool:
    """Whether a call shares bases, on its strand, with annotated genes that are left out and with no other."""
    return any(_shared(gene, call) for gene in left_out) and not any(_shared(gene, call) for gene in genes)


def _union(items: Callable[[Gene], list[Item]], genes: Sequence[Gene]) -> set[Item]:
    return {item for gene in genes for item in items(gene)}


def _strands(gene: Gene) -> str:
    return gene.strand if gene.strand in "+-" else "+-"


def _stranded(gene: Gene, places: list[tuple[int, int]]) -> list[Item]:
    return [
        (gene.chromosome, strand, base)
        for start, end in places
        for base in range(start, end)
        for strand in _strands(gene)
    ]


def _exact(gene: Gene, structures: list[object]) -> list[Item]:
    return [(gene.chromosome, gene.strand, structure) for structure in structures]


_ITEMS: dict[str, Callable[[Gene], list[Item]]] = {
    "base": lambda gene: [(gene.chromosome, base) for base in range(gene.start, gene.end)],
    "base_stranded": lambda gene: _stranded(gene, [(gene.start, gene.end)]),
    "exon_base": lambda gene: _stranded(gene, [exon for one in gene.transcripts for exon in one.exons]),
    "cds_base": lambda gene: _stranded(gene, [part for one in gene.transcripts for part in one.cds]),
    "exon": lambda gene: _exact(gene, [exon for one in gene.transcripts for exon in one.exons]),
    "cds_exon": lambda gene: _exact(gene, [part for one in gene.transcripts for part in one.cds]),
    "intron": lambda gene: _exact(gene, [intron for one in gene.transcripts for intron in one.introns]),
    "intron_chain": lambda gene: _exact(gene, [one.introns for one in gene.transcripts if one.introns]),
    "transcript": lambda gene: _exact(gene, [one.exons for one in gene.transcripts]),
}


def _same_place(gene: Gene, call: Gene) -> bool:
    return (gene.chromosome, gene.strand) == (call.chromosome, call.strand)


def _shared(gene: Gene, call: Gene) -> int:
    if gene.chromosome != call.chromosome or not set(_strands(gene)) & set(_strands(call)):
        return 0
    return max(0, min(gene.end, call.end) - max(gene.start, call.start))


def _half(gene: Gene, call: Gene) -> bool:
    shared = _shared(gene, call)
    return shared > 0 and 2 * shared >= gene.end - gene.start and 2 * shared >= call.end - call.start


def _locus(gene: Gene, call: Gene) -> bool:
    if not _same_place(gene, call):
        return False
    for one in gene.transcripts:
        for other in call.transcripts:
            if one.introns and one.introns == other.introns:
                return True
            shared = min(one.end, other.end) - max(one.start, other.start)
            longer = max(one.end - one.start, other.end - other.start)
            if not one.introns and not other.introns and shared > 0 and 5 * shared >= 4 * longer:
                return _shared(gene, call) > 0
    return False


def _cds(gene: Gene, call: Gene) -> bool:
    return _same_place(gene, call) and any(
        one.cds and one.cds == other.cds for one in gene.transcripts for other in call.transcripts
    )


def _gene(gene: Gene, call: Gene) -> bool:
    return (
        _same_place(gene, call)
        and (gene.start, gene.end) == (call.start, call.end)
        and {one.exons for one in gene.transcripts} == {one.exons for one in call.transcripts}
    )


_PREDICATES: list[tuple[str, Callable[[Gene], bool], Callable[[Gene, Gene], bool]]] = [
    ("cds", lambda gene: any(one.cds for one in gene.transcripts), _cds),
    ("gene", lambda gene: True, _gene),
    ("locus", lambda gene: bool(gene.transcripts), _locus),
    ("touched", lambda gene: True, lambda gene, call: _shared(gene, call) > 0),
    ("half", lambda gene: True, _half),
]
