"""Column 9 in all its dialects: what a row calls itself, its transcript and its gene.

GFF3 writes `ID=g1;Parent=x`, GTF `gene_id "g1"; transcript_id "t1"`, GFF2 `name "x"; transcriptId 7`, AUGUSTUS and
BRAKER a bare `g1`. The row decides, never the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from urllib.parse import unquote

BIOTYPES = ("biotype", "gene_biotype", "gene_type")
Dialect = Literal["GFF3", "GTF", "bare", ""]
_GFF3_FIRST = re.compile(r'\s*[^\s=;"]+\s*=')
_GTF_FIRST = re.compile(r'\s*[^\s=;"]+\s+[^\s=]')
_BLANK = re.compile(r"(?:^|;)\s*[^\s=;]+\s+=")
_GTF_PAIR = re.compile(r'(?:^|;)\s*([^\s;"]+)[ \t]+(?:"([^"]*)"|([^\s;"]+))')
# Attributes that name a gene, the surest first, as `_plain` writes keys. `name` is last: GFF3 has it on every row.
_GENE_KEYS = ("geneid", "locustag", "gene")
# The last four are of WormBase's GFF2.
_TRANSCRIPT_KEYS = ("transcriptid", "proteinid", "transcript", "mrna", "cds", "sequence")
_PLAIN_KEYS = {"id", *_GENE_KEYS, *_TRANSCRIPT_KEYS, "name", "genename", "exonnumber"}
# What stands for no value.
_NONE = frozenset({"", ".", "-"})


@dataclass(slots=True)
class Names:
    """What a row of a transcript or of a part of one names.

    Attributes:
        transcript: the transcript, by the row's own name or its parent's.
        gene: the gene; None if no attribute names it.
        other_genes: further names of its gene.
        parents: values of `Parent`.
        symbol: `gene_name`.
        exon: `exon_number`.
        biotype: of the gene.
        gtf_name: gene_id, else transcript_id, of a row in the dialect of GTF.
    """

    transcript: str | None
    gene: str | None
    other_genes: list[str]
    parents: list[str]
    symbol: str | None
    exon: str | None
    biotype: str | None
    gtf_name: str | None


def dialect_of(text: str) -> Dialect:
    """The dialect of column 9; empty if it holds nothing."""
    if _GFF3_FIRST.match(text):
        return "GFF3"
    if _GTF_FIRST.match(text):
        return "GTF"
    if "=" in text:
        return "GFF3"
    return "" if text.strip(' ;"') in _NONE else "bare"


def pairs_of(text: str, dialect: Dialect) -> dict[str, str]:
    """Key to value of column 9; of a repeated key GFF3's last value counts, and GTF's first."""
    if dialect == "GFF3":
        values = dict(part.strip().split("=", 1) for part in text.split(";") if "=" in part)
        return _without_blanks(values) if _has_blank(text) else values
    pairs: dict[str, str] = {}
    if dialect == "GTF":
        for key, quoted, bare in _GTF_PAIR.findall(text):
            pairs.setdefault(key, quoted or bare)
    return pairs


def _has_blank(text: str) -> bool:
    """Whether a blank follows a key (`ID = g1`)."""
    return " =" in text and _BLANK.search(text) is not None


def _without_blanks(pairs: dict[str, str]) -> dict[str, str]:
    """The pairs without the blanks around `=`, where a key ends with one."""
    return {key.rstrip(): value.strip() if key[-1:].isspace() else value for key, value in pairs.items()}


@dataclass(slots=True)
class GeneNames:
    """What a gene row calls itself.

    Attributes:
        gene_id: its id; None if it has no name.
        names: every name by which other rows may call it.
        biotype: if it has one.
        is_standard: whether the id is of an attribute by which GFF3 and GTF name genes, written as they write it.
    """

    gene_id: str | None
    names: list[str]
    biotype: str | None
    is_standard: bool


def gene_names(text: str, dialect: Dialect) -> GeneNames:
    """What the column 9 of a gene row says."""
    pairs = pairs_of(text, dialect)
    if dialect == "GFF3":
        gene_id = pairs.get("ID") or pairs.get("Name")
    else:
        gene_id = pairs.get("gene_id") or pairs.get("transcript_id")
    plain = _plain(pairs, dialect)
    names = [plain[key] for key in ("id", *_GENE_KEYS, "name") if key in plain]
    if dialect == "bare" or (dialect == "GTF" and not pairs):
        names += filter(None, [_bare(text)])
    elif dialect == "GFF3" and gene_id:
        gene_id = unquote(gene_id)
    is_standard = bool(gene_id) and not (dialect == "GFF3" and _has_blank(text))
    return GeneNames(gene_id or next(iter(names), None), names, _biotype(pairs, dialect), is_standard=is_standard)


def part_names(text: str, *, is_transcript: bool, is_exon: bool = False) -> Names:
    """What a transcript, exon or CDS names.

    Args:
        text: column 9.
        is_transcript: whether the row is a transcript, so that `Parent` is its gene, and not an exon or CDS, whose
            `Parent` is a transcript.
        is_exon: whether it is an exon, which is no unit of its own.
    """
    dialect = dialect_of(text)
    pairs = pairs_of(text, dialect)
    plain = _plain(pairs, dialect)
    own = plain.get("id")
    parents = [name for name in _list(pairs.get("Parent", "")) if name != own or not is_transcript]
    genes = [plain[key] for key in _GENE_KEYS if key in plain]
    transcripts = [plain[key] for key in _TRANSCRIPT_KEYS if key in plain]
    name = plain.get("name")
    if dialect == "GTF" and not genes and name:
        genes.append(name)
    bare = _bare(text) if dialect == "bare" or (dialect == "GTF" and not pairs) else None
    if is_transcript:
        genes = [*parents, *genes]
        own_names = [own, *transcripts, bare, name]
    else:
        own_names = [*parents, *transcripts, bare, *([] if is_exon else [own, name])]
    return Names(
        transcript=next((value for value in own_names if value), None),
        gene=genes[0] if genes else None,
        other_genes=genes[1:],
        parents=parents,
        symbol=plain.get("genename"),
        exon=plain.get("exonnumber"),
        biotype=_biotype(pairs, dialect),
        gtf_name=(pairs.get("gene_id") or pairs.get("transcript_id") or None) if dialect == "GTF" else None,
    )


def quick_value(text: str, key: str, end: str) -> str | None:
    """The text between a key that begins an attribute and what ends its value, without reading the others."""
    at = text.find(key)
    if at < 0 or (at > 0 and text[at - 1] not in "; "):
        return None
    first = at + len(key)
    last = text.find(end, first)
    return text[first:] if last < 0 else text[first:last]


def _plain(pairs: dict[str, str], dialect: Dialect) -> dict[str, str]:
    """Decoded values of the keys that name something; no empty ones."""
    plain: dict[str, str] = {}
    for key, value in pairs.items():
        if (name := _plain_key(key)) and (value := value.strip().strip('"')) not in _NONE:
            plain.setdefault(name, unquote(value) if dialect == "GFF3" and "%" in value else value)
    return plain


@lru_cache(1024)
def _plain_key(key: str) -> str | None:
    """A key in lower case without underscores, so that gene_id, geneId and geneID are one; None if it names nothing."""
    plain = key.lower().replace("_", "")
    return plain if plain in _PLAIN_KEYS else None


def _biotype(pairs: dict[str, str], dialect: Dialect) -> str | None:
    biotype = next((pairs[key] for key in BIOTYPES if pairs.get(key)), None)
    return unquote(biotype) if biotype and dialect == "GFF3" else biotype


def _bare(text: str) -> str | None:
    """The first word of column 9."""
    return next(iter(text.replace(";", " ").replace('"', " ").split()), None)


def _list(value: str) -> list[str]:
    return [unquote(name.strip()) for name in value.strip('"').split(",") if name.strip()]
