"""Whether a verb that is interrupted has left work from which the same command goes on: looked up on the disk."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_BUILT = ".{name}.building-*/**/*"
"""Files in the hidden sibling in which a result grows."""
_CHECKPOINTS = "checkpoints-*/epoch-*.pt"
PATTERNS = {
    "build": (_BUILT,),
    "scan": (_BUILT,),
    "annotate": ("{stem}.scores/**/*",),
    "train": (f"{{name}}/{_CHECKPOINTS}",),
    "tune": ("{name}/trials/*/epochs.jsonl", "{name}/datasets/*/manifest.json"),
    "demo": ("{name}/dataset/manifest.json", "{name}/.dataset.building-*/**/*", f"{{name}}/run/{_CHECKPOINTS}"),
}
"""Verbs that resume: the files, next to the output, that show finished work."""
_UNFINISHED = ".partial"
_has_sent_job = False


def note_sent_job() -> None:
    """Note that a job is sent to a cluster from now on, which goes on without this process."""
    global _has_sent_job
    _has_sent_job = True


def has_sent_job() -> bool:
    """Whether `note_sent_job` was called in this process."""
    return _has_sent_job


def is_kept(verb: str, arguments: argparse.Namespace, since: float) -> bool:
    """Whether there is finished work of a verb: parts from which it resumes, or its result.

    Args:
        verb: its name.
        arguments: of its command line.
        since: when the command began, as `time.time` tells it; an older result is not its work.
    """
    text = getattr(arguments, "output", None)
    if verb not in PATTERNS or not text:
        return False
    output = Path(text).absolute()
    return any(_parts(verb, output)) or _is_newer(output, since)


def _parts(verb: str, output: Path) -> Iterator[Path]:
    for pattern in PATTERNS[verb]:
        # The names of outputs may hold what is special in a pattern.
        name, stem = (_literal(text) for text in (output.name, output.stem))
        for path in output.parent.glob(pattern.format(name=name, stem=stem)):
            if _UNFINISHED not in path.name and path.is_file():
                yield path


def _literal(text: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in text)


def _is_newer(output: Path, since: float) -> bool:
    with suppress(OSError):
        return output.is_file() and output.stat().st_mtime >= since
    return False
