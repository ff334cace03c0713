"""The section `negatives`: intervals that are no genes."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from pipelines.config.explanations import shortened
from pipelines.config.names import Names, as_list
from pipelines.config.section import Section

Kind = Literal["shuffle", "dinucleotide", "antisense", "partial"]
KINDS: tuple[Kind, ...] = ("shuffle", "dinucleotide", "antisense", "partial")


def _as_parts(value: Any) -> Any:
    """Normalise kinds of negatives to a mapping of kind to part, in the order of `KINDS`.

    Accepts `shuffle`, `[shuffle, antisense:0.5]` and `{shuffle: 2, antisense: 1}`.
    """
    parts: dict[str, Any] = {}
    for item in [value] if isinstance(value, str | Mapping) else value if isinstance(value, list | tuple) else []:
        for kind, part in item.items() if isinstance(item, Mapping) else [str(item).partition(":")[::2]]:
            if kind in parts:
                raise ValueError(f"{kind} is listed twice; give it once")
            if kind not in KINDS:
                near = difflib.get_close_matches(str(kind), KINDS, n=1, cutoff=0.5)
                hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(KINDS)}"
                raise ValueError(f"unknown kind of negatives {shortened(kind)}; {hint}")
            parts[kind] = 1.0 if part == "" else part
    if not parts:
        raise ValueError(f"no kind of negatives; give one or more of {', '.join(KINDS)}")
    return {kind: parts[kind] for kind in KINDS if kind in parts}


Parts = Annotated[
    dict[Kind, Annotated[float, Field(gt=0)]],
    Field(min_length=1),
    BeforeValidator(_as_parts),
]

GENE_LIKE = ["gene", "*_gene", "pseudogene", "mRNA", "*RNA", "*transcript", "CDS", "exon"]


class NegativesConfig(Section):
    """Non-gene intervals: how they are made and which properties of genes they match."""

    kinds: Parts = Field(
        default={"shuffle": 1.0},
        description="kinds of negatives, with their parts (shuffle:2 antisense:1): shuffle = placed at random outside "
        "gene-like features, dinucleotide = the gene itself, shuffled so that its dinucleotides are kept, "
        "antisense = the gene on its other strand, partial = across an edge of the gene, a quarter to three quarters "
        "inside",
    )
    unplaced: Literal["shorten", "drop-pair", "keep"] = Field(
        default="shorten",
        description="what to do with a gene whose negative fits nowhere: shorten = crop the pair until it fits, "
        "drop-pair = drop the gene too, keep = keep the gene without a negative",
    )
    match: Annotated[list[Literal["length", "gc", "soft_masked"]], BeforeValidator(as_list)] = Field(
        default=["length"],
        description="what a shuffled negative has in common with its gene: length (always), gc, soft_masked (shares of "
        "bases)",
    )
    candidates: int = Field(
        default=200, description="positions drawn for each gene, from which a match is chosen", ge=2, le=1000
    )
    tolerance: float = Field(
        default=0.02,
        description="largest difference of a matched share; a gene without such a match is unplaced",
        gt=0,
    )
    ratio: float = Field(default=1.0, description="negatives per gene", gt=0, le=10)
    flank: int = Field(default=0, description="bases kept clear on both sides of gene-like features", ge=0)
    exclude_types: Names = Field(
        default=GENE_LIKE,
        description="GFF3 or GTF types that a negative may not overlap; * stands for any letters, matched without case",
    )
    min_n_run: int = Field(default=10, description="shortest run of N, in bases, that a negative may not overlap", ge=1)
    seed: int = Field(default=0, description="seed of crops and placements", ge=0)
