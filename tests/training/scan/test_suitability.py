from __future__ import annotations

from typing import Any

import pytest

from pipelines.errors import BundleError, UsageError
from training.scan import suitability
from training.scan.grid import Grid


def config(length: int | None, *kinds: str) -> dict[str, Any]:
    return {"dataset": {"config": {"crop": {"length": length}, "negatives": {"kinds": dict.fromkeys(kinds, 1.0)}}}}


SUITABLE = config(240, "shuffle", "antisense", "partial")


def test_a_suitable_model_scans_in_its_own_windows_a_quarter_apart() -> None:
    assert suitability.grid_for_bundle(SUITABLE, None, None, "b") == Grid(240, 60)
    assert suitability.grid_for_bundle(SUITABLE, 240, 80, "b") == Grid(240, 80)


@pytest.mark.parametrize(
    ("bundle_config", "window", "reason"),
    [
        (config(None, "shuffle", "antisense", "partial"), None, "trained on whole genes"),
        (SUITABLE, 300, "windows of 240 bases, not of 300"),
        (config(240, "shuffle"), None, "never saw antisense nor partial negatives"),
        (config(240, "antisense", "partial"), None, "never saw shuffle negatives"),
        (config(None), None, "trained on whole genes, and it never saw"),
    ],
)
def test_an_unsuitable_model_is_refused_with_the_configuration_that_makes_one(
    bundle_config: dict[str, Any], window: int | None, reason: str
) -> None:
    with pytest.raises(BundleError) as refused:
        suitability.grid_for_bundle(bundle_config, window, None, "run/bundle")
    assert reason in str(refused.value)
    assert f"crop: {{length: {window or 240}}}" in str(refused.value)
    assert "kinds: [shuffle, antisense, partial]" in str(refused.value)
    assert "examples/scan/experiment.yaml" in str(refused.value)


def test_a_model_of_labelled_sequences_is_refused_as_one() -> None:
    labelled = config(None, "shuffle")
    labelled["dataset"]["inputs"] = [{"genome": "promoters", "train_sha256": "0"}]
    with pytest.raises(BundleError) as refused:
        suitability.grid_for_bundle(labelled, None, None, "run/bundle")
    assert "run/bundle: not suitable for scanning a genome: it was trained on labelled sequences" in str(refused.value)
    assert "whole genes" not in str(refused.value)
    assert "raygene predict" in str(refused.value)


def test_a_stride_beyond_the_window_is_refused() -> None:
    with pytest.raises(UsageError, match="--stride 300"):
        suitability.grid_for_bundle(SUITABLE, None, 300, "b")


def test_a_requested_window_alone_keeps_the_stride_of_a_quarter() -> None:
    assert suitability.grid_for_bundle(config(2, "shuffle", "antisense", "partial"), 2, None, "b") == Grid(2, 1)
