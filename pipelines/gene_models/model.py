"""A gene with its transcripts, whatever file it came from or program called it.

Coordinates are 0-based half-open on the forward strand, also on the reverse strand.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from pipelines.gene_models.remarks import NONE, Remarks

Spans = tuple[tuple[int, int], ...]
"""Start and end of intervals of one sequence: sorted, and none empty.

Neighbours overlap only in a CDS that reads bases twice, at a frameshift of -1. They touch where a file has two rows.
"""


@dataclass(frozen=True)
class Transcript:
    """One transcript of a gene.

    Attributes:
        transcript_id: its name in the file.
        exons: of all its bases that are not intron; where a file gives only CDS rows, those.
        cds: coding bases, stop codon included; empty for a transcript that codes for nothing or says nothing of it.
        phase: bases before the first whole codon, in reading direction: 0 unless the 5' end is missing.
        is_partial_start: whether its 5' end is missing, cut by the end of a sequence or said to be missing.
        is_partial_stop: whether its 3' end is missing.
        biotype: in the file, if it says one.
        score: of a call, from 0 to 1; None in an annotation.
        kind: type of its row in lower case; empty where it has none.
        remarks: what its rows say of it besides.
    """

    transcript_id: str
    exons: Spans
    cds: Spans = ()
    phase: int = 0
    is_partial_start: bool = False
    is_partial_stop: bool = False
    biotype: str | None = None
    score: float | None = None
    kind: str = ""
    remarks: Remarks = NONE

    @property
    def start(self) -> int:
        """First base."""
        return self.exons[0][0]

    @property
    def end(self) -> int:
        """Base after the last."""
        return self.exons[-1][1]

    @property
    def introns(self) -> Spans:
        """What lies between exons that do not touch."""
        return gaps(self.exons)

    @property
    def coding_introns(self) -> Spans:
        """What lies between parts of the CDS that do not touch."""
        return gaps(self.cds)


@dataclass(frozen=True)
class Gene:
    """A gene at one place.

    Attributes:
        gene_id: its name in the file; a name at two places is two genes.
        chromosome: sequence that it is on.
        start, end: of its row in the file, else of its transcripts.
        strand: +, - or . for none.
        transcripts: its isoforms, in file order; empty where a file gives only the gene.
        biotype: in the file, if it says one.
        score: of a call, from 0 to 1; None in an annotation.
        kind: type of its row in lower case; empty where it has none.
        remarks: what its row says of it besides.
    """

    gene_id: str
    chromosome: str
    start: int
    end: int
    strand: str
    transcripts: tuple[Transcript, ...] = ()
    biotype: str | None = None
    score: float | None = None
    kind: str = ""
    remarks: Remarks = NONE

    @property
    def extent(self) -> tuple[int, int]:
        """The first base of the gene and its transcripts, and the base after their last."""
        starts, ends = (one.start for one in self.transcripts), (one.end for one in self.transcripts)
        return min([self.start, *starts]), max([self.end, *ends])


def gaps(spans: Spans) -> Spans:
    """The intervals between neighbouring spans that do not touch."""
    return tuple((before[1], after[0]) for before, after in itertools.pairwise(spans) if before[1] < after[0])
