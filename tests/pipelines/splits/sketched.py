"""Short sequences for tests, and their sketches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipelines.genome import sequence
from pipelines.splits import sketch, sketch_files
from pipelines.splits.sketch_files import SketchFiles


def random_text(seed: int, bases: int = 300) -> str:
    return "".join(np.random.default_rng(seed).choice(list("ACGT"), bases))


def reverse(text: str) -> str:
    return text[::-1].translate(str.maketrans("ACGT", "TGCA"))


def mutated(text: str, every: int) -> str:
    """The text with one in `every` bases exchanged."""
    return "".join(
        "ACGT"[("ACGT".index(base) + 1) % 4] if position % every == 0 else base for position, base in enumerate(text, 1)
    )


def of_texts(texts: Sequence[str], one_in: int = 2) -> sketch.Sketches:
    letters = np.frombuffer("".join(texts).encode(), np.uint8)
    lengths = np.array([len(text) for text in texts], np.int64)
    return sketch.sketch(sequence.base_codes(letters), lengths, np.arange(len(texts)), one_in)


def write(folder: Path, texts: Sequence[str], one_in: int = 2, tasks: int = 1) -> SketchFiles:
    """The sketches of texts, written by so many tasks."""
    return write_sketches(folder, of_texts(texts, one_in), tasks)


def write_sketches(folder: Path, sketches: sketch.Sketches, tasks: int = 1) -> SketchFiles:
    """Sketches divided among tasks by row."""
    folder.mkdir(parents=True, exist_ok=True)
    for task in range(tasks):
        own = sketches.rows % tasks == task
        sketch_files.write(folder, task, sketch.Sketches(sketches.hashes[own], sketches.rows[own]))
    return SketchFiles(folder, tasks)
