"""Gene models as rows of GFF3 and GTF, and sequences as records of FASTA.

GFF3 1.26 of the Sequence Ontology; GTF 2.2 with the rows and tags of Ensembl. In GFF3 a CDS includes its stop codon, in
GTF it does not. An end that is missing is marked in GFF3 as NCBI marks it: `partial=true`, and `start_range=.,N` for
the end of the lower coordinate (N is column 4) or `end_range=N,.` for the other (N is column 5), whatever the strand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

from pipelines.gene_models import coding
from pipelines.gene_models.genetic_code import CODON
from pipelines.gene_models.model import Gene, Spans, Transcript

SOURCE = "raygene"
LINE = 80
# What is not percent-encoded besides letters and digits: in a GFF3 sequence name, and in a value of column 9.
_SEQID = ".:^*$@!+_?-|"
_VALUE = " !\"#$'()*+-./:<>?@[\\]^_`{|}~"
_GTF_VALUE = _VALUE.replace('"', "") + "%,=&"


def seqid(name: str) -> str:
    """A sequence name with what GFF3 does not allow percent-encoded."""
    return quote(name, safe=_SEQID).replace("~", "%7E")


def gff3_header(lengths: Mapping[str, int], processor: str = "") -> Iterator[str]:
    """The first lines of a GFF3 file.

    Args:
        lengths: bases of the sequences that it is about.
        processor: what wrote it, if that is to be said.
    """
    yield "##gff-version 3\n"
    if processor:
        yield f"#!processor {processor}\n"
    for name, length in lengths.items():
        yield f"##sequence-region {seqid(name)} 1 {length}\n"


def gff3_row(
    chromosome: str,
    kind: str,
    span: tuple[int, int],
    strand: str,
    attributes: Mapping[str, str],
    score: float | None = None,
    phase: int | None = None,
) -> str:
    """One row.

    Args:
        chromosome: name of the sequence.
        kind: type of column 3.
        span: start and end, 0-based half-open.
        strand: +, - or . for none.
        attributes: of column 9, in order.
        score: of column 6.
        phase: of column 8.
    """
    column_9 = ";".join(f"{key}={_value(key, value)}" for key, value in attributes.items())
    return _row(seqid(chromosome), kind, span, strand, score, phase, column_9)


def _value(key: str, value: str) -> str:
    # The comma of a range separates its two values.
    return quote(value, safe=f"{_VALUE}," if key.endswith("_range") else _VALUE)


def _row(
    name: str, kind: str, span: tuple[int, int], strand: str, score: float | None, phase: int | None, column_9: str
) -> str:
    # GFF3 and GTF count from 1 and include the end.
    position = f"{span[0] + 1}\t{span[1]}\t{'.' if score is None else f'{score:.4f}'}\t{strand or '.'}"
    return f"{name}\t{SOURCE}\t{kind}\t{position}\t{'.' if phase is None else phase}\t{column_9}\n"


def gff3(
    gene: Gene, attributes: Mapping[str, str] | None = None, cds_scores: Sequence[Sequence[float]] | None = None
) -> str:
    """The rows of a gene: `gene`, and of each transcript `mRNA` (`transcript` without a CDS), `exon`, `CDS` and UTRs.

    Ids follow from those of the model: exons are `TRANSCRIPT.exon1`, … in reading direction, likewise parts of UTRs,
    and all parts of a CDS share `TRANSCRIPT.cds`.

    Args:
        gene: the model.
        attributes: further ones of its row.
        cds_scores: for each transcript, the scores of the parts of its CDS, in the order of `Transcript.cds`.
    """
    ends = [_missing_ends(transcript, gene.strand) for transcript in gene.transcripts]
    missing = (
        any(low and item.start == gene.start for (low, _), item in zip(ends, gene.transcripts, strict=True)),
        any(high and item.end == gene.end for (_, high), item in zip(ends, gene.transcripts, strict=True)),
    )
    span = (gene.start, gene.end)
    own = {"ID": gene.gene_id} | _named("biotype", gene.biotype) | dict(attributes or {}) | _partial(span, missing)
    rows = [gff3_row(gene.chromosome, "gene", span, gene.strand, own, gene.score)]
    for number, (transcript, of_transcript) in enumerate(zip(gene.transcripts, ends, strict=True)):
        rows += _gff3_transcript(gene, transcript, of_transcript, cds_scores[number] if cds_scores else None)
    return "".join(rows)


def _gff3_transcript(
    gene: Gene, transcript: Transcript, missing: tuple[bool, bool], cds_scores: Sequence[float] | None
) -> Iterator[str]:
    name = transcript.transcript_id

    def row(
        kind: str,
        span: tuple[int, int],
        own: dict[str, str],
        whole: Spans,
        score: float | None = None,
        phase: int | None = None,
    ) -> str:
        # Only the outermost part lacks something.
        at_end = (missing[0] and span[0] == whole[0][0], missing[1] and span[1] == whole[-1][1])
        return gff3_row(gene.chromosome, kind, span, gene.strand, own | _partial(span, at_end), score, phase)

    def numbered(kind: str, prefix: str, spans: Spans) -> Iterator[str]:
        numbers = range(1, len(spans) + 1)
        for number, span in zip(numbers[::-1] if gene.strand == "-" else numbers, spans, strict=True):
            yield row(kind, span, {"ID": f"{name}.{prefix}{number}", "Parent": name}, transcript.exons)

    kind = "mRNA" if transcript.cds else "transcript"
    span, score = (transcript.start, transcript.end), transcript.score if transcript.cds else None
    biotype = _named("biotype", transcript.biotype)
    yield row(kind, span, {"ID": name, "Parent": gene.gene_id} | biotype, (span,), score)
    yield from numbered("exon", "exon", transcript.exons)
    five, three = coding.untranslated(transcript, gene.strand)
    yield from numbered("five_prime_UTR", "5utr", five)
    scores: Sequence[float | None] = cds_scores or [None] * len(transcript.cds)
    for span, score, phase in zip(transcript.cds, scores, coding.phases(transcript, gene.strand), strict=True):
        yield row("CDS", span, {"ID": f"{name}.cds", "Parent": name}, transcript.cds, score, phase)
    yield from numbered("three_prime_UTR", "3utr", three)


def _missing_ends(transcript: Transcript, strand: str) -> tuple[bool, bool]:
    """Whether the end of the lower coordinate and that of the higher one are missing."""
    ends = (transcript.is_partial_start, transcript.is_partial_stop)
    return ends[::-1] if strand == "-" else ends


def _partial(span: tuple[int, int], missing: tuple[bool, bool]) -> dict[str, str]:
    """The attributes of a row that lacks an end; none if it lacks nothing."""
    if not any(missing):
        return {}
    low, high = missing
    start = {"start_range": f".,{span[0] + 1}"} if low else {}
    return {"partial": "true"} | start | ({"end_range": f"{span[1]},."} if high else {})


def _named(name: str, value: str | None) -> dict[str, str]:
    return {name: value} if value else {}


def gtf(gene: Gene) -> str:
    """The rows of a gene: `gene`, `transcript`, `exon`, `CDS`, `start_codon`, `stop_codon` and UTRs.

    A missing end of the CDS is marked by the tags `cds_start_NF` and `cds_end_NF`, and has no codon row.
    """
    rows = [_gtf_row(gene, "gene", (gene.start, gene.end), "", gene.score)]
    for transcript in gene.transcripts:
        rows += _gtf_transcript(gene, transcript)
    return "".join(rows)


def _gtf_transcript(gene: Gene, transcript: Transcript) -> Iterator[str]:
    tags = [name for name, lacks in _gtf_tags(transcript) if lacks]
    own = f' transcript_id "{_gtf_value(transcript.transcript_id)}";' + "".join(f' tag "{tag}";' for tag in tags)
    yield _gtf_row(gene, "transcript", (transcript.start, transcript.end), own, transcript.score)
    for span in transcript.exons:
        yield _gtf_row(gene, "exon", span, own)
    if not transcript.cds:
        return
    bases = sum(end - start for start, end in transcript.cds)
    coding_end = bases if transcript.is_partial_stop else bases - CODON
    within = coding.part_of_cds(transcript.cds, gene.strand, 0, coding_end)
    for (start, end), phase in zip(transcript.cds, coding.phases(transcript, gene.strand), strict=True):
        for span in ((max(low, start), min(high, end)) for low, high in within if low < end and high > start):
            yield _gtf_row(gene, "CDS", span, own, None, phase)
    if not transcript.is_partial_start:
        for span in coding.part_of_cds(transcript.cds, gene.strand, 0, CODON):
            yield _gtf_row(gene, "start_codon", span, own, None, 0)
    if not transcript.is_partial_stop:
        for span in coding.part_of_cds(transcript.cds, gene.strand, coding_end, bases):
            yield _gtf_row(gene, "stop_codon", span, own, None, 0)
    five, three = coding.untranslated(transcript, gene.strand)
    for kind, spans in (("five_prime_utr", five), ("three_prime_utr", three)):
        for span in spans:
            yield _gtf_row(gene, kind, span, own)


def _gtf_tags(transcript: Transcript) -> tuple[tuple[str, bool], ...]:
    return ("cds_start_NF", transcript.is_partial_start), ("cds_end_NF", transcript.is_partial_stop)


def _gtf_row(
    gene: Gene, kind: str, span: tuple[int, int], own: str, score: float | None = None, phase: int | None = None
) -> str:
    biotype = f' gene_biotype "{_gtf_value(gene.biotype)}";' if gene.biotype else ""
    column_9 = f'gene_id "{_gtf_value(gene.gene_id)}";{own}{biotype}'
    return _row(seqid(gene.chromosome), kind, span, gene.strand, score, phase, column_9)


def _gtf_value(value: str) -> str:
    return quote(value, safe=_GTF_VALUE)


def fasta(name: str, description: str, letters: str) -> str:
    """One record; lines of 80 letters.

    Args:
        name: first word of the header.
        description: the rest of it; may be empty.
        letters: of the sequence.
    """
    lines = [letters[first : first + LINE] for first in range(0, len(letters), LINE)]
    return "\n".join([f">{name} {description}".rstrip(), *lines, ""])
