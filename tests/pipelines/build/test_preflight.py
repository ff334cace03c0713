from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipelines import schema
from pipelines.build import encode_tokens, preflight
from pipelines.build.pipeline import Prepared, build, prepare
from pipelines.config import DatasetConfig, validate
from pipelines.dataset.targets import LocalTarget
from pipelines.errors import ResourceError, UsageError
from pipelines.genome import sequence
from pipelines.progress import Silent
from pipelines.ray_map import in_this_process
from pipelines.stores.staging import RECORDS, Staging
from pipelines.tokens.tokenizer import Tokenizer
from tests.conftest import GenomeFiles
from tests.pipelines.build.builds import connects_never


def config(genome: GenomeFiles, **sections: Any) -> DatasetConfig:
    values: dict[str, Any] = {
        "sources": [genome.source("g")],
        "crop": {"length": 100},
        "tokenizer": {"k": 3, "stride": 1},
        "split": {"test": ["chr4"], "validation": ["chr3"]},
        **sections,
    }
    return validate(DatasetConfig, values, "test")


def test_time_falls_with_cores_and_rises_with_what_is_placed(genome: GenomeFiles) -> None:
    few, many = (prepare(config(genome, negatives={"ratio": ratio}), Silent()).estimates for ratio in (1.0, 4.0))
    assert preflight.estimate_seconds(few, 4) == pytest.approx(preflight.estimate_seconds(few, 1) / 4)
    assert preflight.estimate_seconds(many, 1) > 2 * preflight.estimate_seconds(few, 1)


def test_a_build_shows_what_it_is_about_to_do_before_it_connects(genome: GenomeFiles, tmp_path: Path) -> None:
    started: list[str] = []

    def connect() -> Any:
        assert started == ["train", "validation", "test"]
        raise ResourceError("no Ray", "start it")

    def on_start(prepared: Prepared) -> None:
        started.extend(one.split for one in prepared.splits())

    with pytest.raises(ResourceError, match="no Ray"):
        build(config(genome), tmp_path / "out", connect, Silent(), on_start=on_start)


def test_a_chromosome_in_two_splits_is_refused_before_ray_is_started(genome: GenomeFiles, tmp_path: Path) -> None:
    twice = config(genome, split={"validation": ["chr3"], "test": ["g:chr3"]})
    with pytest.raises(UsageError, match=r"split\.test: g:chr3 is listed twice"):
        build(twice, tmp_path / "out", connects_never, Silent())


@pytest.mark.ray
def test_the_estimate_is_exact_where_every_negative_fits(genome: GenomeFiles, tmp_path: Path) -> None:
    prepared = prepare(config(genome), Silent())
    (estimate,) = preflight.estimate(prepared.config, prepared.sources, prepared.collections, prepared.tokenizer)
    manifest = build(prepared.config, tmp_path / "out", in_this_process, Silent())
    assert estimate.rows == sum(file["rows"] for file in manifest["files"])
    assert estimate.tokens == sum(file["tokens"] for file in manifest["files"])
    assert estimate.longest == manifest["longest"]["bases"]
    assert (estimate.sequences, estimate.all_sequences) == (4, 4)


def test_a_disk_that_is_too_small_is_an_error_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match=r"needs about 909 TiB and .* are free"):
        preflight.require_disk(10**15, tmp_path / "not" / "there" / "yet")


def test_a_small_disk_is_named_in_units_in_which_it_is_not_0(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "free_bytes", lambda folder: 204_800)
    with pytest.raises(ResourceError, match=r"the build needs about 1\.43 MiB and 200 KiB are free: free disk space"):
        preflight.require_disk(1_500_000, tmp_path)


def test_working_files_are_those_of_intervals_and_their_sketches(
    genome: GenomeFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = prepare(config(genome), Silent())
    found: list[int] = []

    def commit(self: LocalTarget, staging: Staging, *arguments: Any) -> dict[str, Any]:
        names = ("*.arrow", "*.samples.npy", "*.sizes.npy")
        files = [path for name in names for path in (staging.path / RECORDS).glob(name)]
        found.append(sum(path.stat().st_size for path in files))
        return original(self, staging, *arguments)

    original = LocalTarget.commit
    monkeypatch.setattr(LocalTarget, "commit", commit)
    build(prepared.config, tmp_path / "out", in_this_process, Silent(), prepared)
    # Each file has a header, of some kB in those of Arrow, which is much beside a few hundred rows.
    assert 0.7 <= preflight.estimate_working_bytes(prepared.estimates) / (found[0] - 4_000) <= 1.3


def estimated(genome: GenomeFiles, **sections: Any) -> preflight.Estimate:
    prepared = prepare(config(genome, **sections), Silent())
    (estimate,) = preflight.estimate(prepared.config, prepared.sources, [], prepared.tokenizer)
    return estimate


@pytest.mark.parametrize("ratio", [0.5, 3])
def test_rows_and_tokens_grow_with_the_negatives_per_gene(genome: GenomeFiles, ratio: float) -> None:
    even, other = estimated(genome), estimated(genome, negatives={"ratio": ratio})
    assert other.genes == even.genes == len(genome.genes)
    assert other.rows == int(len(genome.genes) * (1 + ratio))
    assert other.tokens == int(even.tokens / 2 * (1 + ratio))


@pytest.mark.parametrize("tokenizer", [Tokenizer(3, 1, "anchor"), Tokenizer(6, 3, "anchor")])
def test_the_estimated_bytes_are_those_of_a_file_of_random_bases_or_a_little_more(
    tokenizer: Tokenizer, tmp_path: Path
) -> None:
    rows, length = 2_000, 500
    bases = np.frombuffer(b"ACGT", np.uint8)[np.random.default_rng(0).integers(0, 4, rows * length)]
    starts = np.arange(rows) * 1_000
    values: dict[str, Any] = {
        "interval_id": np.arange(rows),
        "genome": ["g"] * rows,
        "chromosome": ["chr1"] * rows,
        "start": starts,
        "end": starts + length,
        "strand": ["+"] * rows,
        "label": np.arange(rows) % 2,
        "source": ["gene", "shuffle"] * (rows // 2),
        "gene_id": [f"gene{number // 2}" for number in range(rows)],
    }
    table = pa.table({name: pa.array(values.get(name, [None] * rows), kind) for name, kind in interval_fields()})
    encoded = encode_tokens.encode(table, bases, sequence.base_codes(bases), np.full(rows, length), tokenizer)
    entry = encode_tokens.write_part(encoded, tmp_path, "part.parquet", tokenizer)
    estimate = preflight.Estimate("g", 1, 1, rows // 2, rows // 2, {}, rows, entry["tokens"], length)
    # 6 bits of a 3-mer do not fill a byte stream: they compress better than the estimate says.
    assert 0.95 <= preflight.estimate_disk_bytes([estimate], tokenizer) / entry["bytes"] <= 1.3


def interval_fields() -> list[tuple[str, pa.DataType]]:
    return [(field.name, field.type) for field in schema.INTERVALS]


def test_every_window_of_a_gene_has_its_negatives(genome: GenomeFiles) -> None:
    one, several = estimated(genome, crop={"length": 40}), estimated(genome, crop={"length": 40, "per_gene": 3})
    assert one.windows == one.genes == several.genes
    assert several.windows == several.rows / 2 > one.windows
