from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines.build import preflight
from pipelines.build.pipeline import build, prepare
from pipelines.config import DatasetConfig, validate
from pipelines.errors import ResourceError
from pipelines.progress import Silent
from tests.conftest import GenomeFiles

pytestmark = pytest.mark.ray


def config(genome: GenomeFiles) -> DatasetConfig:
    values = {
        "sources": [genome.source("g")],
        "crop": {"length": 100},
        "tokenizer": {"k": 3, "stride": 1},
        "split": {"test": ["chr4"], "validation": ["chr3"]},
    }
    return validate(DatasetConfig, values, "test")


def test_the_estimate_is_exact_where_every_negative_fits(genome: GenomeFiles, tmp_path: Path, ray_session: Any) -> None:
    prepared = prepare(config(genome), Silent())
    (estimate,) = preflight.estimate(prepared.config, prepared.sources, prepared.collections, prepared.tokenizer)
    manifest = build(prepared.config, tmp_path / "out", ray_session, Silent())
    assert estimate.rows == sum(file["rows"] for file in manifest["files"])
    assert estimate.tokens == sum(file["tokens"] for file in manifest["files"])
    assert estimate.longest == manifest["longest"]["bases"]
    assert (estimate.sequences, estimate.all_sequences) == (4, 4)


def test_a_disk_that_is_too_small_is_an_error_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match=r"needs about 1,000,000\.00 GB and .* are free"):
        preflight.require_disk(10**15, tmp_path / "not" / "there" / "yet")
