"""The section `split`: train, validation and test."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipelines.config.names import ShareOrList
from pipelines.config.section import Section


class SplitConfig(Section):
    """How intervals are divided into train, validation and test."""

    by: Literal["chromosome", "block", "region", "genome", "family", "random"] = Field(
        default="chromosome",
        description="what is kept in one split: chromosome = same-named chromosomes of all genomes (genomes of one or "
        "two sequences are cut into blocks), block = contiguous blocks of every chromosome, region = the listed "
        "stretches of chromosomes, genome = whole genomes, family = overlapping intervals and similar ones of all "
        "genomes, random = overlapping intervals only",
    )
    validation: ShareOrList = Field(
        default=0.1,
        description="a share of all intervals (of the genes, for blocks), or a list of chromosomes (of genomes if by "
        "is genome, of regions such as chr1:24000001-30427671 if by is region)",
    )
    test: ShareOrList = Field(
        default=0.1,
        description="a share of all intervals (of the genes, for blocks), or a list of chromosomes (of genomes if by "
        "is genome, of regions such as chr1:24000001-30427671 if by is region)",
    )
    identity: float = Field(
        default=0.9,
        description="matches per base at which intervals are similar if by is family, estimated from shared 21-mers",
        ge=0.8,
        le=1,
    )
    seed: int = Field(default=0, description="seed of the choice when shares are given", ge=0)

    @model_validator(mode="after")
    def _shares_leave_train(self) -> SplitConfig:
        shares = [share for share in (self.validation, self.test) if isinstance(share, float)]
        if sum(shares) >= 1:
            raise ValueError(
                f"validation and test add up to {sum(shares):g}, which leaves nothing for train; lower them"
            )
        if self.by in {"block", "family", "random"} and len(shares) < 2:
            raise ValueError(f"by: {self.by} needs shares; give validation and test as numbers such as 0.1")
        if self.by == "region" and any(shares):
            raise ValueError(
                "by: region needs lists; give validation and test as regions such as chr1:24000001-30427671, or [] for "
                "none"
            )
        if self.by == "region" and not (self.validation or self.test):
            raise ValueError("by: region lists no region; give validation or test such as chr1:24000001-30427671")
        return self
