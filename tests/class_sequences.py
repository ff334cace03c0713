"""Labelled sequences of three classes, which differ in their bases, and a dataset of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipelines.build.pipeline import build
from pipelines.config import DatasetConfig, validate
from pipelines.progress import Silent
from pipelines.ray_map import in_this_process

CLASSES = {"exon": (0.2, 0.3, 0.3, 0.2), "intron": (0.15, 0.15, 0.15, 0.55), "10": (0.55, 0.15, 0.15, 0.15)}


def write_sequences(folder: Path, *, seed: int = 0, rows: int = 90, **probabilities: tuple[float, ...]) -> None:
    """Write `train.csv`, and `validation.csv` and `test.csv` of a third as many rows.

    Args:
        folder: to write to.
        seed: of the letters.
        rows: of train.
        probabilities: of A, C, G and T by class (default: `CLASSES`).
    """
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    of_classes = probabilities or CLASSES
    for split, count in (("train", rows), ("validation", rows // 3), ("test", rows // 3)):
        lines = ["sequence,label"]
        for number in range(count):
            name = list(of_classes)[number % len(of_classes)]
            length = int(generator.integers(30, 90))
            lines.append("".join(generator.choice(list("ACGT"), size=length, p=of_classes[name])) + f",{name}")
        (folder / f"{split}.csv").write_text("\n".join(lines) + "\n")


def sections(folder: Path, **changed: Any) -> dict[str, Any]:
    """The sections of a dataset of what `write_sequences` wrote."""
    files = {split: str(folder / f"{split}.csv") for split in ("train", "validation", "test")}
    return {
        "task": "classify",
        "sources": [{"genome": "toy", **files}],
        "tokenizer": {"k": 3, "stride": 1},
        **changed,
    }


def build_classes(folder: Path, output: Path, **changed: Any) -> dict[str, Any]:
    """Build the dataset in this process; return its manifest."""
    return build(validate(DatasetConfig, sections(folder, **changed), "test"), output, in_this_process, Silent())
