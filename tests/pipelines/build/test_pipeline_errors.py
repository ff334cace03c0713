from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipelines import storage
from pipelines.build.pipeline import build, prepare
from pipelines.config import DatasetConfig, validate
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import DatasetError, InputError, RaygeneError, ResourceError, UsageError
from pipelines.progress import Silent
from pipelines.ray_map import in_this_process, map_tables
from tests.conftest import GenomeFiles
from tests.pipelines.build.builds import connects_never, dataset_config, files_of
from tests.pipelines.dataset import small_dataset


@pytest.mark.parametrize("damage", ["truncated gzip", "no shared name", "missing", "unknown split name"])
def test_an_error_leaves_no_half_written_dataset(genome: GenomeFiles, tmp_path: Path, damage: str) -> None:
    source, split = genome.source("g"), {"test": ["chr4"], "validation": ["chr3"]}
    if damage == "truncated gzip":
        packed = gzip.compress(genome.fasta.read_bytes())
        (tmp_path / "cut.fa.gz").write_bytes(packed[: len(packed) * 2 // 3])
        source["fasta"] = str(tmp_path / "cut.fa.gz")
    elif damage == "no shared name":
        (tmp_path / "other.gff3").write_text(genome.annotation.read_text().replace("chr", "scaffold"))
        source["annotation"] = str(tmp_path / "other.gff3")
    elif damage == "missing":
        source["fasta"] = str(tmp_path / "none.fa")
    else:
        split["test"] = ["chr99"]
    output = tmp_path / "results" / "out"
    with pytest.raises(RaygeneError) as caught:
        build(dataset_config(genome, sources=[source], split=split), output, in_this_process, Silent())
    assert "\n" not in str(caught.value)
    assert not output.parent.exists() or list(output.parent.iterdir()) == []


def test_names_that_match_nothing_show_both_sides(genome: GenomeFiles, tmp_path: Path) -> None:
    other = tmp_path / "other.gff3"
    other.write_text(genome.annotation.read_text().replace("chr", "scaffold"))
    source = genome.source("g") | {"annotation": str(other)}
    with pytest.raises(InputError, match=r"the annotation has scaffold1.*the FASTA has chr1"):
        build(dataset_config(genome, sources=[source]), tmp_path / "out", connects_never, Silent())


def test_an_error_keeps_the_earlier_dataset(genome: GenomeFiles, tmp_path: Path) -> None:
    build(dataset_config(genome), tmp_path / "out", in_this_process, Silent())
    before = files_of(tmp_path / "out")
    with pytest.raises(UsageError, match="has no interval"):
        build(
            dataset_config(genome, split={"test": ["chr1", "chr2", "chr3", "chr4"]}),
            tmp_path / "out",
            in_this_process,
            Silent(),
        )
    assert files_of(tmp_path / "out") == before


def test_a_directory_that_cannot_be_written_keeps_the_finished_parts(genome: GenomeFiles, tmp_path: Path) -> None:
    output = tmp_path / "out"
    staging = storage.staging_directory(output, prepare(dataset_config(genome), Silent()).fingerprint)
    staging.mkdir()
    (staging / "split=test").write_text("in the way")
    with pytest.raises(ResourceError, match="cannot be written"):
        build(dataset_config(genome), output, in_this_process, Silent())
    assert not output.exists()
    (staging / "split=test").unlink()
    build(dataset_config(genome), output, in_this_process, Silent())
    assert not list(tmp_path.glob(".out*"))


def test_a_folder_of_other_files_is_never_replaced(genome: GenomeFiles, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("five years")
    with pytest.raises(DatasetError, match="not a raygene dataset"):
        build(dataset_config(genome), tmp_path / "out", connects_never, Silent())


def test_a_missing_bedtools_is_reported_with_the_fix(
    genome: GenomeFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.negatives.bedtools.shutil.which", lambda *_, **__: None)
    with pytest.raises(RaygeneError, match="bedtools: program not found: install it with"):
        build(dataset_config(genome), tmp_path / "out", connects_never, Silent())


def test_a_manifest_that_names_another_tokenizer_is_refused(genome: GenomeFiles, tmp_path: Path) -> None:
    build(dataset_config(genome), tmp_path / "out", in_this_process, Silent())
    small_dataset.change(tmp_path / "out", "tokenizer", "fingerprint", to="0" * 64)
    with pytest.raises(DatasetError, match="not the one the dataset was built with"):
        TokenDataset.open(tmp_path / "out", "train")


def dies(table: pa.Table) -> pa.Table:
    os._exit(1)


@pytest.mark.ray
def test_a_worker_that_dies_again_and_again_ends_the_build(ray_session: Any) -> None:
    with pytest.raises(ResourceError, match="a worker was lost 3 times"):
        list(map_tables([pa.table({"task": [0]})], dies))


def test_a_source_of_unknown_letters_is_refused_unless_the_limit_is_raised(tmp_path: Path) -> None:
    bases = str.maketrans("01", "AC")
    rows = [f"{'N' * 60}{f'{number:06b}'.translate(bases)}GATTACA" for number in range(60)]
    path = tmp_path / "c.csv"
    path.write_text("sequence,label\n" + "".join(f"{row},{number % 2}\n" for number, row in enumerate(rows)))
    sections: dict[str, Any] = {"sources": [{"genome": "c", "sequences": str(path)}]}
    tokenizer = {"k": 3, "stride": 1}
    with pytest.raises(InputError, match=r"c: 8\d% of its tokens are <unk>") as caught:
        build(
            validate(DatasetConfig, sections | {"tokenizer": tokenizer}, "x"), tmp_path / "o", in_this_process, Silent()
        )
    assert caught.value.key == "tokenizer.max_unknown"
    assert not (tmp_path / "o").exists()
    limited = sections | {"tokenizer": tokenizer | {"max_unknown": 1.0}}
    build(validate(DatasetConfig, limited, "x"), tmp_path / "o", in_this_process, Silent())
    assert (tmp_path / "o" / "manifest.json").exists()
