"""The sections `labels` and `window` of task structure, and what it needs of a tokenizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol

from pydantic import Field

from pipelines.config.section import Section


class LabelsConfig(Section):
    """What an annotation says of every base (task structure)."""

    transcript: Literal["canonical", "longest"] = Field(
        default="canonical",
        description="the transcript that stands for a gene: canonical = the one tagged Ensembl_canonical, MANE Select "
        "or RefSeq Select, else that of the longest coding sequence; longest = always that",
    )
    utr: Literal["intergenic", "keep"] = Field(
        default="intergenic",
        description="untranslated bases of exons: intergenic = no state of their own, keep = a state of their own",
    )
    pseudogenes: Literal["mask", "intergenic"] = Field(
        default="mask", description="bases of pseudogenes: mask = left out of the loss, intergenic = no gene"
    )
    noncoding: Literal["intergenic", "mask"] = Field(
        default="intergenic",
        description="bases of genes that code for no protein: intergenic = no gene, mask = left out of the loss",
    )


class WindowConfig(Section):
    """Windows of a chromosome, side by side (task structure)."""

    length: int = Field(default=9_999, description="bases of a window", ge=99, le=1_000_000)


class KmerSettings(Protocol):
    """What decides whether a base has a token of its own: a tokenizer, or its section of the configuration."""

    @property
    def k(self) -> int: ...
    @property
    def stride(self) -> int: ...
    @property
    def tail(self) -> str: ...


def tokenizer_problem(tokenizer: KmerSettings) -> tuple[str, str] | None:
    """The key and the reason for which a tokenizer cannot give every base a token; None if it can."""
    if tokenizer.stride != 1:
        return "stride", f"{tokenizer.stride}: task structure needs a token for every base, so a stride of 1"
    if tokenizer.k % 2 == 0:
        return "k", (
            f"{tokenizer.k}: task structure needs an odd k, such as 3: a k-mer is centred on its base, also when read "
            "on the other strand"
        )
    if tokenizer.tail != "anchor":
        return "tail", f"{tokenizer.tail}: with a token for every base nothing is left at the end; leave tail out"
    return None


def genetic_codes(config: Mapping[str, Any]) -> dict[str, int]:
    """The number at NCBI of each genome's genetic code, as `config` of a dataset's manifest gives it."""
    return {source["genome"]: int(source.get("genetic_code", 1)) for source in config["sources"]}
