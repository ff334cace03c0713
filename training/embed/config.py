"""The section `embedding` of an experiment: how k-mer vectors are trained apart from a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from pipelines.config import Section


class EmbeddingConfig(Section):
    """k-mer vectors trained apart from a model (skip-gram with negative sampling)."""

    RENAMED: ClassVar[Mapping[str, str]] = {
        "opposite": "opposite_strand_weight",
        "shared": "shared_bases_share",
        "mirrored": "reverse_complement_share",
    }

    dimension: int | None = Field(
        default=None, description="size of a token's vector (default: model.embedding)", ge=4, le=1024
    )
    window: int = Field(
        default=4,
        description="tokens on either side that count as context, from the first that shares no base",
        ge=1,
        le=10_000,
    )
    opposite_strand_weight: float = Field(
        default=0.5,
        description="weight of the other strand's token at a context's position as a context of its own (0: none)",
        ge=0,
        le=1,
    )
    shared_bases_share: float = Field(
        default=0.8,
        description="share of the vectors' variance that k-mers with the same bases at the same positions have in "
        "common (0: as learnt)",
        ge=0,
        lt=1,
    )
    reverse_complement_share: float = Field(
        default=0.15,
        description="share of its reverse complement's vector that is added to a k-mer's (0: none)",
        ge=0,
        lt=1,
    )
    strands: Literal["auto", "given", "both"] = Field(
        default="auto",
        description="strands that are read: auto = both of a genome, and a dataset's rows as they are",
    )
    negatives: float = Field(
        default=5, description="negative samples for each pair of token and context", gt=0, le=1_000
    )
    smoothing: float = Field(
        default=0.75, description="power of the frequencies by which negatives are drawn", ge=0, le=1
    )
    subsample: float = Field(
        default=0, description="frequency above which tokens are subsampled, such as 1e-3 (0: none)", ge=0, le=1
    )
    min_count: int = Field(
        default=5, description="occurrences in train below which a k-mer's vector is made of its bases' parts", ge=1
    )
    epochs: int = Field(default=200, description="steps, each over all pairs", ge=1, le=100_000)
    learning_rate: float = Field(default=0.05, description="first learning rate; it falls to 0", gt=0, le=10)
    seed: int = Field(default=0, description="seed of first vectors and of the positions drawn", ge=0)
    held_out: float = Field(
        default=0.1,
        description="share at the end of every sequence that is held out where --hold-out names none (--fasta)",
        gt=0,
        lt=1,
    )
    head_window: int = Field(
        default=16,
        description="tokens on either side that the head sees when it names hidden k-mers, none of them overlapping",
        ge=1,
        le=128,
    )
    head_positions: int = Field(default=1_000_000, description="positions of train that the head is fitted on", ge=1)
    scored: int = Field(default=400_000, description="maximum of positions of held-out sequence that are scored", ge=1)
