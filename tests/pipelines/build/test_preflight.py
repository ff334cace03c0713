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


def test_what_is_expected_is_what_a_spacious_genome_gives(
    genome: GenomeFiles, tmp_path: Path, ray_session: Any
) -> None:
    job = prepare(config(genome), Silent())
    (found,) = preflight.estimate(job.config, job.sources, job.collections, job.tokenizer)
    manifest = build(job.config, tmp_path / "out", ray_session, Silent())
    assert found.rows == sum(file["rows"] for file in manifest["files"])
    assert found.tokens == sum(file["tokens"] for file in manifest["files"])
    assert found.longest == manifest["longest"]["bases"]
    assert (found.sequences, found.all_sequences) == (4, 4)


def test_a_disk_that_is_too_small_is_an_error_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match=r"needs about 1,000,000\.00 GB and .* are free"):
        preflight.require_disk(10**15, tmp_path / "not" / "there" / "yet")
