"""The section `sources`: annotated genomes and collections of labelled sequences."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipelines.config.names import NAME, Names
from pipelines.config.section import LATER, PATH, Section


class SourceConfig(Section):
    """One annotated genome (fasta and annotation) or a collection of labelled sequences.

    A collection has either `sequences`, which are split, or `train`, `validation` and optionally `test`.
    """

    genome: str = Field(description="short name of the genome or collection, unique in the experiment", pattern=NAME)
    fasta: str | None = Field(default=None, description="FASTA file, plain or compressed", json_schema_extra=PATH)
    annotation: str | None = Field(
        default=None, description="GFF3, GTF or BED file, plain or compressed", json_schema_extra=PATH
    )
    feature_types: Names = Field(
        default=["gene"],
        description="values of GFF3 or GTF column 3 taken as genes, matched without case",
        min_length=1,
    )
    span: Literal["gene", "mrna", "cds"] = Field(
        default="gene",
        description="what of a gene is the gene: gene = its row, mrna = from the first to the last base of its mRNAs, "
        "cds = of their coding sequence, without untranslated ends",
        json_schema_extra=LATER,
    )
    biotypes: Names | None = Field(
        default=None,
        description="biotypes of genes to take, such as protein_coding, matched without case (default: all)",
    )
    chromosomes: Names | None = Field(
        default=None,
        description="FASTA sequences to use, by name or as one /regular expression/ (default: all that have a gene)",
    )
    min_length: int = Field(default=0, description="shortest FASTA sequence to use, bases", ge=0)
    first: int | None = Field(default=None, description="use only this many FASTA sequences, the first ones", ge=1)
    aliases: str | None = Field(
        default=None,
        description="other names of FASTA sequences: two columns (other name, FASTA name) or an NCBI assembly report",
        json_schema_extra=PATH,
    )
    ignore_chr: bool = Field(default=False, description="treat chr1 and 1 as the same sequence")
    exclude: str | None = Field(
        default=None,
        description="BED file of intervals that no negative may overlap (task structure: that get no labels)",
        json_schema_extra=PATH,
    )
    genetic_code: int = Field(
        default=1,
        description="number of the NCBI table by which codons are read (task structure)",
        ge=1,
        json_schema_extra=LATER,
    )
    sequences: str | None = Field(
        default=None,
        description="labelled sequences to split: CSV or TSV with columns sequence and label, or FASTA with labels",
        json_schema_extra=PATH,
    )
    train: str | None = Field(default=None, description="labelled sequences of the train split", json_schema_extra=PATH)
    validation: str | None = Field(
        default=None, description="labelled sequences of the validation split", json_schema_extra=PATH
    )
    test: str | None = Field(default=None, description="labelled sequences of the test split", json_schema_extra=PATH)
    labels: str | None = Field(
        default=None,
        description="file of two columns (name, label) for labelled sequences in FASTA; 1 is a gene, 0 is not (task "
        "classify: names or numbers of classes)",
        json_schema_extra=PATH,
    )

    @property
    def labelled(self) -> bool:
        """Whether this is a collection of labelled sequences rather than a genome."""
        return self.fasta is None

    @property
    def is_divided(self) -> bool:
        """Whether the section `split` divides it: it has no files of its own for its splits."""
        return self.train is None

    @model_validator(mode="after")
    def _one_kind(self) -> SourceConfig:
        genome = self.fasta is not None and self.annotation is not None
        has_splits = self.train is not None and self.validation is not None
        collection = self.sequences is not None or has_splits
        if genome == collection or (self.fasta is None) != (self.annotation is None):
            raise ValueError(
                f"{self.genome} needs fasta and annotation, or else sequences, or else train, validation and test"
            )
        if self.sequences is not None and (self.train or self.validation or self.test):
            raise ValueError(f"{self.genome} has both sequences to split and files of splits; keep one of the two")
        return self
