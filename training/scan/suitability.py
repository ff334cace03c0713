"""Whether a model may scan a genome: its training must have shown it what a scan shows it.

A window of a genome may lie over a gene's edge, on the strand opposite to a gene, or between genes. A model that never
saw such windows labelled as negatives calls most of them genes.
"""

from __future__ import annotations

from typing import Any

from pipelines.dataset.manifest import is_of_labelled_sequences
from pipelines.errors import BundleError
from training.scan.grid import Grid

REQUIRED_NEGATIVES = ("shuffle", "antisense", "partial")
EXAMPLE = "examples/scan/experiment.yaml"
# With the default stride, a quarter of the window.
WINDOWS_OVER_A_BASE = 4


def grid_for_bundle(config: dict[str, Any], window: int | None, stride: int | None, name: str) -> Grid:
    """The windows in which a bundle's model may scan.

    Args:
        config: configuration of the bundle.
        window: requested window in bases (default: that of its training).
        stride: requested stride in bases (default: a quarter of the window).
        name: the bundle, for messages.

    Raises:
        BundleError: it was not trained on windows of genomes, of that length and with all of `REQUIRED_NEGATIVES`; the
            message has the configuration that would make it suitable.
        UsageError: a stride that leaves bases between windows.
    """
    if is_of_labelled_sequences(config["dataset"]):
        raise BundleError(
            f"{name}: not suitable for scanning a genome: it was trained on labelled sequences, not on windows of "
            "genomes",
            f"train one on a genome and its annotation, as in {EXAMPLE}, or score sequences with raygene predict",
        )
    dataset = config["dataset"]["config"]
    trained_on, kinds = dataset.get("crop", {}).get("length"), list(dataset.get("negatives", {}).get("kinds", []))
    missing = [kind for kind in REQUIRED_NEGATIVES if kind not in kinds]
    reasons = []
    if trained_on is None:
        reasons.append("it was trained on whole genes")
    elif window not in (None, trained_on):
        reasons.append(f"it was trained on windows of {trained_on} bases, not of {window}")
    if missing:
        reasons.append(f"it never saw {' nor '.join(missing)} negatives")
    if reasons:
        length = window or trained_on or 240
        raise BundleError(
            f"{name}: not suitable for scanning a genome: {', and '.join(reasons)}",
            f"build and train with crop: {{length: {length}}} and negatives: "
            f"{{kinds: [{', '.join(REQUIRED_NEGATIVES)}]}}, as in {EXAMPLE}",
        )
    size = window or int(trained_on)
    return Grid(size, stride if stride is not None else max(size // WINDOWS_OVER_A_BASE, 1))
