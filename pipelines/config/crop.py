"""The section `crop`: windows of genes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipelines.config.section import LATER, Section


class CropConfig(Section):
    """Windows cut out of genes, so that a model cannot recognise genes by their ends and lengths."""

    length: int | None = Field(default=None, description="longest window, bases (default: whole genes)", ge=20)
    exact: bool = Field(default=False, description="every window has exactly this length; shorter genes are dropped")
    position: Literal["random", "centre"] = Field(default="random", description="where in the gene the window lies")
    margin: int = Field(
        default=6,
        description="bases at both ends of a gene that no window contains (the start and stop codons)",
        ge=0,
    )

    per_gene: int = Field(
        default=1,
        description="most windows of a gene: as many as it has room for side by side; each has its own negatives",
        ge=1,
        le=1000,
        json_schema_extra=LATER,
    )

    @model_validator(mode="after")
    def _need_a_length(self) -> CropConfig:
        if self.exact and self.length is None:
            raise ValueError("exact needs crop.length; set both, or leave exact out")
        if self.per_gene > 1 and self.length is None:
            raise ValueError(
                "per_gene needs crop.length, as a whole gene is one window; set both, or leave per_gene out"
            )
        return self
