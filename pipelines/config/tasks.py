"""The tasks of an experiment by name, and which sections and keys each of them reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Task = Literal["recognise", "structure", "classify"]
RECOGNISE: Task = "recognise"
STRUCTURE: Task = "structure"
CLASSIFY: Task = "classify"

STRUCTURE_SECTIONS = ("labels", "window")
"""The sections that only the task structure reads."""
NOT_OF_STRUCTURE = {
    "negatives": "every base of a genome is in a window, so no negative is placed",
    "crop": "windows lie side by side over whole chromosomes, and window.length says how long they are",
}
"""The sections that the task structure does not read, with the reason."""
CLASSES = "classes"
"""The key that only the task classify reads."""
NOT_OF_CLASSES = {
    "negatives": "the sequences of every class are given, so no negative is placed",
    "crop": "labelled sequences are read whole",
}
"""The sections that labelled sequences, and so the task classify, do not read, with the reason."""
SOURCE_KEYS_NOT_OF_STRUCTURE = {
    "feature_types": "genes are read with their transcripts, whatever the type of their row",
    "span": "labels follow the exons and coding sequences within a gene",
    "biotypes": "other genes would pass for intergenic sequence; labels.pseudogenes and labels.noncoding say what is "
    "made of them",
}
"""The keys of a genome that the task structure does not read, with the reason."""
LATER_SOURCE_KEYS = ("exclude",)
"""The keys of a genome that structure did not read at first: where they are not given, documents stay without them."""
STRUCTURE_SOURCE_KEYS = ("genetic_code",)
"""The keys of a genome that only the task structure reads."""
SPLITS_NOT_OF_STRUCTURE = {
    "family": "windows of one chromosome would be in different splits and share the genes at their edges",
    "random": "windows of one chromosome would be in different splits and share the genes at their edges",
}
"""The values of `split.by` that the task structure refuses, with the reason."""


def unread_sections(task: Task) -> set[str]:
    """The top-level keys of an experiment that a task does not read; the task itself is not written for recognition."""
    if task == STRUCTURE:
        return {CLASSES, *NOT_OF_STRUCTURE}
    if task == CLASSIFY:
        return {*NOT_OF_CLASSES, *STRUCTURE_SECTIONS}
    return {"task", CLASSES, *STRUCTURE_SECTIONS}


def without_meaningless(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of an experiment or dataset without sections and keys that its task does not read.

    Args:
        values: section to its values, `task` included.
    """
    task = values.get("task", RECOGNISE)
    is_structure = task == STRUCTURE
    sections = unread_sections(task)
    keys = SOURCE_KEYS_NOT_OF_STRUCTURE if is_structure else STRUCTURE_SOURCE_KEYS
    kept = {name: section for name, section in values.items() if name not in sections}
    if isinstance(sources := kept.get("sources"), list):
        later = LATER_SOURCE_KEYS if is_structure else ()
        kept["sources"] = [
            {key: value for key, value in source.items() if key not in keys and not (key in later and value is None)}
            for source in sources
        ]
    return kept
