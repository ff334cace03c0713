"""Decoded genes on disk, one a line of JSON, until they are numbered and written. The last line counts dropped ones."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pipelines import storage
from pipelines.errors import DatasetError
from pipelines.gene_models.model import Gene, Spans, Transcript
from training.decoding.called import CalledGene

# Of a posterior probability; more would show how sums were rounded.
DIGITS = 6
_DROPPED = "dropped"


def write(genes: Iterable[CalledGene], dropped: Counter[str], path: Path) -> None:
    """Write genes in their order, whole or not at all.

    Args:
        genes: of any sequences.
        dropped: by reason, how many genes there are besides; it may grow while genes are taken.
        path: of the file.
    """
    with storage.replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(json.dumps(_document(called)) + "\n" for called in genes)
        stream.write(json.dumps({_DROPPED: dropped}) + "\n")


def read(path: Path, dropped: Counter[str]) -> Iterator[CalledGene]:
    """The genes of a file, in their order; they have no names.

    Args:
        path: of the file.
        dropped: what the file says of genes that it has not is added here, when the last one is taken.

    Raises:
        DatasetError: missing or damaged.
    """
    try:
        with path.open(encoding="utf-8", newline="\n") as stream:
            for line in stream:
                row = json.loads(line)
                if _DROPPED in row:
                    dropped.update(row[_DROPPED])
                    return
                yield _gene(row)
        raise ValueError("it ends early")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path}: cannot be read ({error})", "delete it and annotate again") from error


def _document(called: CalledGene) -> dict[str, Any]:
    gene, transcript = called.gene, called.gene.transcripts[0]
    return {
        "chromosome": gene.chromosome,
        "strand": gene.strand,
        "exons": transcript.exons,
        "cds": transcript.cds,
        "phase": transcript.phase,
        "partial": [transcript.is_partial_start, transcript.is_partial_stop],
        "support": round(called.support, DIGITS),
        "exon_support": [round(value, DIGITS) for value in called.exon_support],
    }


def _gene(row: dict[str, Any]) -> CalledGene:
    exons, cds = _spans(row["exons"]), _spans(row["cds"])
    partial_start, partial_stop = row["partial"]
    support = row["support"]
    transcript = Transcript("", exons, cds, row["phase"], partial_start, partial_stop, None, support)
    gene = Gene("", row["chromosome"], exons[0][0], exons[-1][1], row["strand"], (transcript,), None, support)
    return CalledGene(gene, support, tuple(row["exon_support"]))


def _spans(rows: list[list[int]]) -> Spans:
    return tuple((start, end) for start, end in rows)
