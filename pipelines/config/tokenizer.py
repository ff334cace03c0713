"""The section `tokenizer`: k-mers as tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ConfigDict, Field, model_validator

from pipelines.config.section import PATH, Section


class TokenizerConfig(Section):
    """k-mer tokens."""

    model_config = ConfigDict(populate_by_name=False)

    k: int = Field(default=6, description="bases per k-mer", ge=1, le=10)
    stride: int = Field(default=3, description="bases from one k-mer to the next, at most k", ge=1, le=10)
    tail: Literal["anchor", "drop", "partial"] = Field(
        default="anchor",
        description="bases after the last full stride: anchor = one more k-mer flush with the end, drop = no token, "
        "partial = a token of fewer than k bases",
    )
    vocabulary: Literal["complete", "observed"] = Field(
        default="complete",
        description="complete = all 4^k k-mers, observed = those that occur in train; others become <unk>",
    )
    min_count: int = Field(default=1, description="occurrences in train that a k-mer needs to be observed", ge=1)
    warn_unknown: float = Field(
        default=0.1,
        description="share of <unk> tokens of a source from which on build warns; it changes no dataset",
        ge=0,
        le=1,
    )
    max_unknown: float = Field(
        default=0.5,
        description="share of <unk> tokens of a source above which build ends in an error; it changes no dataset",
        ge=0,
        le=1,
    )
    reuse: str | None = Field(
        default=None,
        alias="from",
        description="a dataset, bundle or embedding file whose tokenizer is used unchanged",
        json_schema_extra=PATH,
    )

    @model_validator(mode="before")
    @classmethod
    def _reused_or_described(cls, values: Any) -> Any:
        if not isinstance(values, Mapping) or values.get("from") is None:
            return values
        if conflicting := [key for key in ("k", "stride", "tail", "vocabulary", "min_count") if key in values]:
            raise ValueError(
                f"from and {', '.join(conflicting)} are both given; a reused tokenizer has its own, so leave one out"
            )
        return values

    @model_validator(mode="after")
    def _stride_within_k(self) -> TokenizerConfig:
        if self.stride > self.k:
            raise ValueError(
                f"stride {self.stride} is above k {self.k} and would skip bases; choose a stride of 1 to {self.k}"
            )
        return self
