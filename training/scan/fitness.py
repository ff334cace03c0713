"""Whether a model may scan a genome: it must have been shown what a scan shows it.

A window of a genome may lie over a gene's edge, on the strand opposite to a gene, or between genes. A model that never saw such
windows labelled calls most of them genes.
"""

from __future__ import annotations

from typing import Any

from pipelines.errors import BundleError
from training.scan.grid import Grid

NEEDED = ("shuffle", "antisense", "partial")
EXAMPLE = "examples/scan/experiment.yaml"
PARTS_OF_WINDOW = 4


def grid_of(config: dict[str, Any], window: int | None, stride: int | None, what: str) -> Grid:
    """The windows in which a bundle may scan.

    Args:
        config: a bundle's.
        window: asked for (default: that of its training).
        stride: asked for (default: a quarter of the window).
        what: the bundle, for messages.

    Raises:
        BundleError: it was not trained on windows of that length beside all of `NEEDED`; the configuration that would
            make one is named.
        UsageError: a stride that does not suit the window.
    """
    dataset = config["dataset"]["config"]
    trained, kinds = dataset.get("crop", {}).get("length"), list(dataset.get("negatives", {}).get("kinds", []))
    missing = [kind for kind in NEEDED if kind not in kinds]
    wrong = []
    if trained is None:
        wrong.append("it was trained on whole genes")
    elif window not in (None, trained):
        wrong.append(f"it was trained on windows of {trained} bases, not of {window}")
    if missing:
        wrong.append(f"it never saw {' nor '.join(missing)} negatives")
    if wrong:
        length = window or trained or 240
        raise BundleError(
            f"{what}: not fit to scan a genome: {', and '.join(wrong)}",
            f"build and train with crop: {{length: {length}}} and negatives: {{kinds: [{', '.join(NEEDED)}]}}, as in {EXAMPLE}",
        )
    size = window or int(trained)
    return Grid(size, stride if stride is not None else max(size // PARTS_OF_WINDOW, 1))
