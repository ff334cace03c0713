"""The tasks in an experiment, the sections of `structure`, and what of the other sections has no meaning for a task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol

from pydantic import Field

from pipelines.section import Section

Task = Literal["recognise", "structure", "classify"]
RECOGNISE: Task = "recognise"
STRUCTURE: Task = "structure"
CLASSIFY: Task = "classify"

OWN_SECTIONS = ("labels", "window")
"""The sections that only this task reads."""
OTHER_SECTIONS = {
    "negatives": "every base of a genome is in a window, so no negative is placed",
    "crop": "windows lie side by side over whole chromosomes, and window.length says how long they are",
}
"""The sections that this task does not read, with the reason."""
CLASSES = "classes"
"""The key that the task classify alone reads."""
NOT_OF_CLASSES = {
    "negatives": "the sequences of every class are given, so no negative is placed",
    "crop": "labelled sequences are read whole",
}
"""The sections that the task classify does not read, with the reason."""
OTHER_SOURCE_KEYS = {
    "feature_types": "genes are read with their transcripts, whatever the type of their row",
    "span": "labels follow the exons and coding sequences within a gene",
    "biotypes": "other genes would pass for intergenic sequence; labels.pseudogenes and labels.noncoding say what is "
    "made of them",
}
"""The keys of a genome that this task does not read, with the reason."""
LATER_SOURCE_KEYS = ("exclude",)
"""The keys of a genome that this task did not read at first: where they are not given, documents stay without them."""
OWN_SOURCE_KEYS = ("genetic_code",)
OTHER_SPLITS = {
    "family": "windows of one chromosome would be in different splits and share the genes at their edges",
    "random": "windows of one chromosome would be in different splits and share the genes at their edges",
}
"""The values of `split.by` that this task refuses, with the reason."""


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


def unread_sections(task: Task) -> set[str]:
    """The top-level keys of an experiment that a task does not read; the task itself is not written for recognition."""
    if task == STRUCTURE:
        return {CLASSES, *OTHER_SECTIONS}
    if task == CLASSIFY:
        return {*NOT_OF_CLASSES, *OWN_SECTIONS}
    return {"task", CLASSES, *OWN_SECTIONS}


def without_meaningless(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of an experiment or dataset without sections and keys that its task does not read.

    Args:
        values: section to its values, `task` included.
    """
    task = values.get("task", RECOGNISE)
    is_structure = task == STRUCTURE
    sections = unread_sections(task)
    keys = OTHER_SOURCE_KEYS if is_structure else OWN_SOURCE_KEYS
    kept = {name: section for name, section in values.items() if name not in sections}
    if isinstance(sources := kept.get("sources"), list):
        later = LATER_SOURCE_KEYS if is_structure else ()
        kept["sources"] = [
            {key: value for key, value in source.items() if key not in keys and not (key in later and value is None)}
            for source in sources
        ]
    return kept
