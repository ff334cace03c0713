"""Which genes and transcripts of a file count, by the types of column 3 and by biotype."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.genome.gff.reader import TRANSCRIPTS

DEFAULT = "gene"
_CDS = "cds"
# Endings of types whose rows are transcripts, whatever they code for.
_TRANSCRIPT_ENDINGS = ("rna", "transcript", "_segment")


@dataclass(frozen=True)
class Selection:
    """What is taken from a file.

    Attributes:
        types: types of column 3, without case, `*` for any letters. Types of genes (`gene`, `pseudogene`, …) choose
            genes; types of transcripts (`mRNA`, `tRNA`, …) choose transcripts, of genes of any type, and a gene then
            spans those; `CDS` leaves of every transcript its coding part, and no gene without one. Empty: `gene`, which
            includes genes that have no row of their own.
        biotypes: biotypes of genes, without case; None takes all.
    """

    types: tuple[str, ...] = ()
    biotypes: tuple[str, ...] | None = None

    @property
    def is_coding_only(self) -> bool:
        """Whether only coding parts count."""
        return any(name.lower() == _CDS for name in self.types)

    @property
    def transcript_types(self) -> tuple[str, ...]:
        """The types of transcripts that are chosen, in lower case; empty for all."""
        return tuple(name.lower() for name in self.types if is_transcript(name))

    @property
    def gene_types(self) -> tuple[str, ...]:
        """The types, or patterns of them, of the genes that are chosen or whose transcripts are."""
        named = tuple(name for name in self.types if name.lower() != _CDS and not is_transcript(name))
        return named or (("*gene",) if self.types else (DEFAULT,))


def is_transcript(name: str) -> bool:
    """Whether the rows of a type are transcripts."""
    return name.lower() in TRANSCRIPTS or name.lower().endswith(_TRANSCRIPT_ENDINGS)
