"""The files of an annotation: paths, the record in JSON that is written last, and the counts in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from pipelines.errors import UsageError
from training.genome_tasks import output_record

ENDING, TRACK_ENDINGS = ".gff3", (".bw", ".bigwig")
STRANDS = ("+", "-")


@dataclass(frozen=True)
class Outputs:
    """Paths of the files of an annotation.

    Attributes:
        gff3: the gene models.
        record: JSON of what was annotated with what, the counts, and the SHA-256 of the other files.
        scores: directory of the scores of all bases, in a directory of its own for each model and genome.
        gtf, proteins, cds: the same models as GTF, their proteins and coding sequences; None if not requested.
        tracks: bigWig of the forward and of the reverse strand; None if not requested.
        page: HTML page of counts, distributions and some gene models; None if not requested.
    """

    gff3: Path
    record: Path
    scores: Path
    gtf: Path | None = None
    proteins: Path | None = None
    cds: Path | None = None
    tracks: tuple[Path, Path] | None = None
    page: Path | None = None

    @classmethod
    def of(
        cls,
        gff3: Path,
        *,
        gtf: Path | None = None,
        proteins: Path | None = None,
        cds: Path | None = None,
        bigwig: Path | None = None,
        html: Path | None = None,
    ) -> Outputs:
        """The files for the paths that options give.

        Args:
            gff3: of `--output`.
            gtf, proteins, cds: of the options of these names.
            html: of `--html`.
            bigwig: of `--bigwig`; from `coding.bw` follow `coding.plus.bw` and `coding.minus.bw`.

        Raises:
            UsageError: an ending that is not that of the format.
        """
        if gff3.suffix != ENDING:
            raise UsageError(f"--output {gff3}: does not end in {ENDING}", f"name a file such as genes{ENDING}")
        tracks = None
        if bigwig is not None:
            if bigwig.suffix.lower() not in TRACK_ENDINGS:
                raise UsageError(f"--bigwig {bigwig}: does not end in .bw", "name a file such as coding.bw")
            stem, ending = bigwig.with_suffix("").name, bigwig.suffix
            tracks = (bigwig.with_name(f"{stem}.plus{ending}"), bigwig.with_name(f"{stem}.minus{ending}"))
        stem = gff3.with_suffix("").name
        record, scores = gff3.with_name(f"{stem}.json"), gff3.with_name(f"{stem}.scores")
        return cls(gff3, record, scores, gtf, proteins, cds, tracks, html)

    @property
    def files(self) -> list[Path]:
        """All files but the record."""
        paths = (self.gff3, self.gtf, self.proteins, self.cds, *(self.tracks or ()), self.page)
        return [path for path in paths if path]

    @property
    def all(self) -> list[Path]:
        """All files, the record last."""
        return [*self.files, self.record]

    def match(self, record: Mapping[str, Any]) -> bool:
        """Whether all files exist and have the SHA-256 that a record gives them."""
        return output_record.match(self.record, record, self.files)

    def read_record(self) -> dict[str, Any] | None:
        """The record, or None if it is missing, damaged or of another form."""
        return output_record.read(self.record, frozenset(one.name for one in fields(Counts)))

    def write_record(self, record: Mapping[str, Any], counts: Counts) -> None:
        """Write what a record says, with the counts and the SHA-256 of the files."""
        output_record.write(self.record, record, vars(counts), self.files)


@dataclass
class Counts:
    """Totals of an annotation.

    Attributes:
        genes: by strand.
        complete: genes from start to stop codon.
        partial: genes of which the end of a sequence cuts a part.
        spliced: of both, those with an intron in their coding sequence.
        left_out: decoded genes with a score below `--min-score`.
        too_short: genes of the best path that have fewer coding bases than the settings of the decoder ask for.
        coding_bases: of all genes.
        bases: of the genome.
    """

    genes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STRANDS, 0))
    complete: int = 0
    partial: int = 0
    spliced: int = 0
    left_out: int = 0
    too_short: int = 0
    coding_bases: int = 0
    bases: int = 0
