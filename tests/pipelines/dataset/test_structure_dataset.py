"""Datasets of the task `structure`, as they are opened, cached, checked and exported."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import fingerprint, schema, storage
from pipelines.dataset import columns, export, row_checks, split_cache, split_regions
from pipelines.dataset.manifest import is_structure, read_manifest, require_intervals
from pipelines.dataset.parts import Part
from pipelines.dataset.row_checks import checked_row_groups
from pipelines.dataset.token_dataset import TokenDataset, is_whole
from pipelines.errors import DatasetError, ResourceError
from pipelines.genome.region import Region
from pipelines.structure import states
from tests.pipelines.build.gene_genomes import GeneGenome, make_gene_genome, structure_config, write_dataset
from tests.pipelines.dataset.small_dataset import change


@pytest.fixture(scope="module")
def genes(tmp_path_factory: pytest.TempPathFactory) -> GeneGenome:
    return make_gene_genome(tmp_path_factory.mktemp("genes"), bases=3_000)


@pytest.fixture(scope="module")
def dataset(genes: GeneGenome, tmp_path_factory: pytest.TempPathFactory) -> Path:
    split = {"by": "region", "validation": ["chr2"], "test": ["chr1:1001-2000"]}
    return write_dataset(structure_config(genes, split=split), tmp_path_factory.mktemp("dataset") / "out")


def test_every_token_has_a_state(dataset: Path) -> None:
    for split in schema.SPLITS:
        opened = TokenDataset.open(dataset, split)
        assert opened.states is not None
        assert opened.states.dtype == np.uint8
        assert opened.states.shape == opened.tokens.shape


def test_a_row_lies_in_the_stretch_of_its_neighbours(dataset: Path) -> None:
    """Train is the first and the last kb of chr1, in windows of 500 bases, and chr3."""
    train = TokenDataset.open(dataset, "train")
    expected = [(0, 1000)] * 2 + [(1000, 2000)] * 2 + [(2000, 5000)] * 6
    assert [tuple(pair) for pair in train.stretches.tolist()] == expected
    assert not train.stretches.flags.writeable


def test_its_files_are_shared_by_copies_in_other_processes(dataset: Path) -> None:
    opened = TokenDataset.open(dataset, "train")
    copied = pickle.loads(pickle.dumps(opened))
    assert opened.states is not None
    assert np.array_equal(copied.states, opened.states)
    assert len(pickle.dumps(opened)) < 1_000


def test_a_process_without_a_cache_reads_the_same(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = TokenDataset.open(dataset, "train")

    def fails(*_: Any, **__: Any) -> Any:
        raise ResourceError("the disk is full", "free space")

    monkeypatch.setattr(split_cache, "open_columns", fails)
    own = TokenDataset.open(dataset, "train")
    assert own.note
    assert np.array_equal(own.states, shared.states)
    assert np.array_equal(own.tokens, shared.tokens)


def test_an_entry_of_the_cache_has_a_file_of_states(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAYGENE_CACHE", str(tmp_path))
    first = np.array(TokenDataset.open(dataset, "test").states)
    (path,) = storage.cache_directory().glob("datasets/*/test-*/states.arrow")
    content = bytearray(path.read_bytes())
    content[-200] ^= 1
    path.write_bytes(bytes(content))
    assert np.array_equal(TokenDataset.open(dataset, "test").states, first)
    path.unlink()
    assert np.array_equal(TokenDataset.open(dataset, "test").states, first)


def test_the_manifest_counts_genes_states_and_masked_bases(dataset: Path, genes: GeneGenome) -> None:
    manifest = read_manifest(dataset)
    assert is_structure(manifest)
    by_split = {part["split"]: part for part in manifest["structure"]}
    assert [by_split[split]["bases"] for split in schema.SPLITS] == [5_000, 3_000, 1_000]
    assert sum(sum(part["genes"].values()) for part in manifest["structure"]) == len(genes.genes)
    for split in schema.SPLITS:
        opened = TokenDataset.open(dataset, split)
        assert opened.states is not None
        counts = sum(np.bincount(strand, minlength=9) for strand in states.unpack(opened.states))
        assert by_split[split]["states"] == dict(zip(states.NAMES, counts.tolist(), strict=True))
        assert by_split[split]["states"]["masked"] == sum(by_split[split]["masked"].values())
        assert by_split[split]["windows"] == len(opened)
    assert sum(row["rows"] for row in manifest["counts"]) == sum(part["windows"] for part in manifest["structure"])


def test_its_regions_are_those_of_its_splits(dataset: Path) -> None:
    manifest = read_manifest(dataset)
    assert split_regions.of(manifest, "test") == [Region("g0", "chr1", 1000, 2000)]
    assert split_regions.of(manifest, "validation") == [Region("g0", "chr2", 0, 3000)]


def test_it_is_whole_until_a_file_is_damaged(dataset: Path, tmp_path: Path) -> None:
    import shutil

    copied = shutil.copytree(dataset, tmp_path / "copy")
    assert is_whole(copied, read_manifest(copied))
    part = next(copied.glob("split=train/*.parquet"))
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    assert not is_whole(copied, read_manifest(copied))


@pytest.mark.parametrize(
    ("keys", "value", "problem"),
    [
        (("config", "window", "length"), 0, "config.window.length"),
        (("config", "task"), "annotate", "config.task"),
        (("config", "labels"), None, "config.labels"),
        (("structure", 0, "states", "masked"), -1, "structure.0.states.masked"),
        (("structure", 0, "split"), "other", "structure.0.split"),
    ],
)
def test_a_wrong_value_of_the_manifest_is_refused_by_its_key(
    keys: tuple[Any, ...], value: Any, problem: str, genes: GeneGenome, tmp_path: Path
) -> None:
    copied = write_dataset(structure_config(genes), tmp_path / "copy")
    change(copied, *keys, to=value)
    with pytest.raises(DatasetError, match=problem.replace(".", r"\.")):
        read_manifest(copied)


def test_verbs_that_need_intervals_refuse_it_in_one_line(dataset: Path) -> None:
    with pytest.raises(DatasetError, match=r"raygene evaluate needs intervals.*raygene annotate") as caught:
        require_intervals(read_manifest(dataset), dataset, "evaluate")
    assert caught.value.code == "task"


def test_it_is_exported_as_the_bases_of_its_windows(dataset: Path, genes: GeneGenome, tmp_path: Path) -> None:
    for file_format in export.FORMATS:
        summary = export.export(dataset, file_format, tmp_path / f"windows.{file_format}")
        assert (summary.rows, summary.truncated) == (18, 0)
    records = (tmp_path / "windows.fasta").read_text().split(">")[1:]
    for record in records:
        header, *lines = record.strip().split("\n")
        _, chromosome, place = header.split()[1].split(":")
        start, end = map(int, place.removesuffix("(+)").split("-"))
        assert "".join(lines) == genes.sequences[chromosome][start:end]
    assert "\tregion\t" in (tmp_path / "windows.gff3").read_text()
    assert "\tgene\t" not in (tmp_path / "windows.gff3").read_text()


def test_the_bits_of_a_state_are_those_of_the_states() -> None:
    assert states.MASKED == row_checks.MASKED
    assert states.pack(np.array([0], np.uint8), np.array([1], np.uint8))[0] == 1 << row_checks.STATE_BITS


def changed(dataset: Path, folder: Path, make: Callable[[list[list[int]]], list[list[int]]], kind: pa.DataType) -> Part:
    rows = pq.ParquetFile(next(dataset.glob("split=test/*.parquet"))).read()
    values = pa.array(make(rows["states"].to_pylist()), pa.list_(kind))
    path = folder / "part-00000.parquet"
    pq.write_table(rows.set_column(rows.column_names.index("states"), "states", values), path)
    return Part(path, fingerprint.of_file(path))


@pytest.mark.parametrize(
    ("make", "kind", "problem"),
    [
        (lambda rows: [rows[0][:-1], *rows[1:]], pa.uint8(), "not a state for every token"),
        (lambda rows: [[9, *rows[0][1:]], *rows[1:]], pa.uint8(), "a byte of states that is none"),
        (lambda rows: [[9 << 4, *rows[0][1:]], *rows[1:]], pa.uint8(), "a byte of states that is none"),
        (lambda rows: [[None, *rows[0][1:]], *rows[1:]], pa.uint8(), "a base without a state"),
        (lambda rows: rows, pa.int64(), "column states is list"),
    ],
)
def test_states_that_are_none_are_refused(
    make: Callable[[Any], Any], kind: pa.DataType, problem: str, dataset: Path, tmp_path: Path
) -> None:
    part = changed(dataset, tmp_path, make, kind)
    with pytest.raises(DatasetError, match=problem) as caught:
        list(checked_row_groups(part, None, columns.row_schema(has_states=True)))
    assert str(part.path) in str(caught.value)


def test_a_dataset_of_intervals_has_no_states_and_its_entry_no_file_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.pipelines.dataset import small_dataset

    monkeypatch.setenv("RAYGENE_CACHE", str(tmp_path / "cache"))
    opened = TokenDataset.open(small_dataset.write_dataset(tmp_path / "data"), "train")
    assert opened.states is None
    (entry,) = (tmp_path / "cache" / "datasets").glob("*/train-*")
    names = {"tokens.arrow", "offsets.arrow", "labels.arrow", "table.arrow"}
    assert {path.name for path in entry.iterdir()} == names | {"record.json"}
    assert set(json.loads((entry / "record.json").read_text())) == names | {"checked"}
