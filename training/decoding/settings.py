"""What the decoder assumes of genes: genetic code, introns, shortest and mean lengths, weights. To and from JSON.

Without a fit the values are those of a compact eukaryotic genome. They decide little where a network is sure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from pipelines.errors import BundleError, UsageError
from pipelines.gene_models.genetic_code import STANDARD, GeneticCode, code_with_starts, genetic_code

Kind = Literal["GT-AG", "AT-AC"]
Pair = Literal["GT-AG", "GC-AG", "AT-AC"]
PAIRS: dict[Kind, tuple[Pair, ...]] = {"GT-AG": ("GT-AG", "GC-AG"), "AT-AC": ("AT-AC",)}
"""The pairs of first and last two bases of the introns of each kind."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Minimum(_Section):
    """Shortest lengths, in bases.

    Attributes:
        intron: of an intron, also of one that a sequence's end cuts.
        exon: of the coding part of an exon, also of one that a sequence's end cuts; at least 3, so that
            no codon has two introns.
        coding: of all coding bases of a gene; shorter ones are dropped after decoding, and counted.
    """

    intron: int = Field(default=20, ge=4, le=1000)
    exon: int = Field(default=3, ge=3, le=1000)
    coding: int = Field(default=60, ge=0)


class Lengths(_Section):
    """Mean lengths, in bases, and how often a gene has introns.

    Attributes:
        intergenic: between coding sequences, on both strands.
        exon: of the coding part of an exon.
        intron: of an intron.
        introns: mean number of introns in the coding sequence of a gene.
    """

    intergenic: float = Field(default=2000.0, gt=1)
    exon: float = Field(default=600.0, gt=1)
    intron: float = Field(default=150.0, gt=1)
    introns: float = Field(default=1.0, gt=0)


class Weights(_Section):
    """What the scores of the network and the terms of the grammar count.

    The defaults are near what a search chose for a network after seven minutes of training on S. pombe.

    Attributes:
        state: of the difference between the logarithms of a state's and of intergenic's probability, at every base.
            Far below that of sites: neighbouring bases say the same thing again and again.
        start, stop, donor, acceptor: of the logits of sites.
        length: of the logarithms of transition probabilities that follow from mean lengths.
        gene: added for every gene.
        intron: added for every intron.
        support: of all scores together where posterior probabilities are computed; below 1 where a network is too
            sure, since it scores each base as if there were no others.
    """

    state: float = Field(default=0.005, ge=0)
    start: float = Field(default=2.0, ge=0)
    stop: float = Field(default=1.0, ge=0)
    donor: float = Field(default=2.0, ge=0)
    acceptor: float = Field(default=1.0, ge=0)
    length: float = Field(default=0.25, ge=0)
    gene: float = 0.0
    intron: float = 6.0
    support: float = Field(default=1.0, gt=0)


class Settings(_Section):
    """All that the decoder needs besides scores and bases.

    Attributes:
        version: of this document.
        genetic_code: number of the table at NCBI.
        starts: codons that a gene may begin with.
        pairs: first and last two bases of introns with their shares of all introns; others do not occur.
        utr: whether untranslated regions are called where the network knows them.
        partial: whether the end of a sequence may cut a gene.
        strands: `joint` is one path through both strands, on which no two genes overlap; `separate` is a path for each,
            so that genes of opposite strands may.
        longest_gap: an intron or an untranslated region has no run of N of so many bases.
        minimum: shortest lengths.
        lengths: mean lengths.
        weights: weights.
    """

    version: Literal[1] = 1
    genetic_code: int = STANDARD
    starts: tuple[str, ...] = ("ATG",)
    pairs: dict[Pair, float] = {"GT-AG": 0.985, "GC-AG": 0.014, "AT-AC": 0.001}
    utr: bool = False
    partial: bool = True
    strands: Literal["joint", "separate"] = "joint"
    longest_gap: int = Field(default=5000, ge=1001)
    minimum: Minimum = Minimum()
    lengths: Lengths = Lengths()
    weights: Weights = Weights()

    @field_validator("genetic_code")
    @classmethod
    def _is_known(cls, number: int) -> int:
        try:
            genetic_code(number)
        except UsageError as error:
            raise ValueError(str(error)) from None
        return number

    @field_validator("pairs")
    @classmethod
    def _are_shares(cls, pairs: dict[Pair, float]) -> dict[Pair, float]:
        if any(share <= 0 for share in pairs.values()):
            raise ValueError("a share of introns must be above 0: leave a pair out instead")
        return pairs

    @classmethod
    def from_document(cls, document: Mapping[str, object]) -> Settings:
        """The settings that `model_dump(mode="json")` gave.

        Raises:
            BundleError: a key or value that this version does not know.
        """
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, ("decoding", *first["loc"])))
            raise BundleError(f"{key}: {first['msg']}", "use the version of raygene that wrote it", key=key) from None

    @property
    def code(self) -> GeneticCode:
        """The genetic code with these start codons.

        Raises:
            UsageError: a start codon that is none.
        """
        return code_with_starts(self.genetic_code, self.starts)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of introns that have a pair."""
        return tuple(kind for kind, pairs in PAIRS.items() if any(pair in self.pairs for pair in pairs))
