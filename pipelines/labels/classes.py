"""The classes of labelled sequences: which there are, and in which order they are numbered."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from pipelines.config.tasks import CLASSES
from pipelines.errors import UsageError
from pipelines.labels.class_name import MAX_LETTERS, class_name

MAX_CLASSES = 100
_WHOLE = re.compile(r"-?[0-9]+")


def resolved(labels: Iterable[str], given: Sequence[str] | None) -> list[str]:
    """The classes in the order of their numbers: as given, or all labels, numbers by value and other names by letters.

    Args:
        labels: every label that a sequence has.
        given: the classes of the experiment, if it names them, written as labels may be.

    Raises:
        UsageError: fewer than two, more than `MAX_CLASSES`, names that differ in case alone, or others than given.
    """
    present = set(labels)
    classes = _sorted(present) if given is None else [_as_label(name) for name in given]
    if given is not None:
        if len(set(classes)) < len(classes):
            raise UsageError("classes: a name is there twice", "leave it out once", key=CLASSES)
        if unknown := _sorted(present - set(classes)):
            raise UsageError(
                f"classes: {unknown[0]!r} is a label of sequences and not in the list",
                "add it, or correct it",
                key=CLASSES,
            )
        if absent := _sorted(set(classes) - present):
            raise UsageError(
                f"classes: no sequence has the label {absent[0]!r}", "leave it out, or correct it", key=CLASSES
            )
    if len(classes) < 2:
        raise UsageError(
            f"labels: {classes[0]!r} alone" if classes else "labels: none",
            "task classify needs sequences of two classes or more",
            key=CLASSES,
        )
    if len(classes) > MAX_CLASSES:
        raise UsageError(
            f"labels: {len(classes):,} different ones are more than {MAX_CLASSES} classes",
            "give names of classes; measured values cannot be learnt",
            key=CLASSES,
        )
    by_letters: dict[str, str] = {}
    for name in classes:
        if (other := by_letters.setdefault(name.casefold(), name)) != name:
            raise UsageError(f"labels: {other!r} and {name!r} differ in case alone", "write one of them", key=CLASSES)
    return classes


def _as_label(name: str) -> str:
    label = class_name(name)
    if label is None:
        raise UsageError(
            f"classes: {name[:20]!r} cannot be a label",
            f"give at most {MAX_LETTERS} printable letters; NA, NaN, None and null stand for missing labels",
            key=CLASSES,
        )
    return label


def problem_of_stored(names: Sequence[Any]) -> str | None:
    """What makes the classes of a manifest or a bundle none; None if nothing does."""
    if not all(isinstance(name, str) and name and name.isprintable() and len(name) <= MAX_LETTERS for name in names):
        return f"not names of at most {MAX_LETTERS} printable letters"
    if len(set(names)) < len(names):
        return "a name is there twice"
    if not 2 <= len(names) <= MAX_CLASSES:
        return f"{len(names)}, where 2 to {MAX_CLASSES} are possible"
    return None


def _sorted(names: Iterable[str]) -> list[str]:
    names = list(names)
    if all(_WHOLE.fullmatch(name) for name in names):
        return sorted(names, key=lambda name: (int(name), name))
    return sorted(names)
