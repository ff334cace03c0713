"""Models without training, evaluated on a small dataset that also keeps genes it leaves out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save_file

from pipelines import fingerprint, schema
from pipelines.build import encode_tokens, left_out
from pipelines.tokens.tokenizer import Tokenizer
from tests.training.conftest import write_dataset
from training import models
from training.bundle.bundle import Bundle
from training.config import ModelConfig
from training.evaluation.recognition import Evaluation, evaluate

TOKENIZER = Tokenizer(3, 1, "anchor")
BIOTYPES = ("protein_coding", "lncRNA", None)


def bundle_for(tokenizer: Tokenizer, seed: int = 0) -> Bundle:
    torch.manual_seed(seed)
    config = ModelConfig(embedding=8, hidden=8, stem=8)
    model = models.make(config, tokenizer.vocabulary_size).eval()
    described = {
        "threshold": 0.5,
        "genomes": ["<toy>"],
        "model": config.model_dump(),
        "metrics": {"epoch": 1},
        "dataset": {"fingerprint": "elsewhere"},
    }
    return Bundle(model, tokenizer, described)


def save_bundle(bundle: Bundle, folder: Path) -> Path:
    """Write a bundle as `raygene train` lays it out."""
    config = {"format": "raygene-bundle", "format_version": 1, **bundle.config}
    config |= {"tokenizer": {"fingerprint": bundle.tokenizer.fingerprint}}
    bundle.tokenizer.save(folder)
    save_file(bundle.model.state_dict(), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def spread(path: Path) -> None:
    """Give rows positions: two genomes, chromosomes that both have, and biotypes of genes."""
    columns = pq.ParquetFile(path).read()
    rows = len(columns)
    generator = np.random.default_rng(1)
    start = generator.integers(0, 10_000, rows)
    positions = {
        "genome": ["toy" if row % 8 < 5 else "<other>" for row in range(rows)],
        "chromosome": [f"chr{row // 2 % 3}" for row in range(rows)],
        "start": start,
        "end": start + columns["end"].to_numpy(),
        "gene_id": [f"gene {row}" for row in range(rows)],
        "biotype": [
            BIOTYPES[row // 2 % 3] if label else None for row, label in enumerate(columns["label"].to_pylist())
        ],
    }
    for name, values in positions.items():
        number = columns.column_names.index(name)
        columns = columns.set_column(number, name, pa.array(values, columns.schema.field(name).type))
    pq.write_table(columns, path)


def write_left_out(directory: Path, count: int = 60) -> None:
    """Keep genes that the dataset leaves out: like train's, for two reasons, every fifth over a row of train."""
    (file,) = (directory / "split=train").iterdir()
    rows = pq.ParquetFile(file).read()
    rows = rows.filter(pc.equal(rows["label"], 1)).slice(0, count)
    extra = {
        "split": pa.array([("test", "train", None)[row % 3] for row in range(count)], pa.string()),
        "reason": pa.array([("no_room_for_negative", "shorter_than_crop")[row % 2] for row in range(count)]),
        "overlaps_train": pa.array([row % 5 == 0 for row in range(count)]),
    }
    for name, values in extra.items():
        rows = rows.append_column(name, values)
    written = encode_tokens.write_part(
        rows, directory, f"{left_out.FOLDER}/part-00000.parquet", TOKENIZER, schema.left_out
    )
    path = directory / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["left_out"] = left_out.manifest_entry([rows], [written])
    path.write_text(json.dumps(manifest))


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write_dataset(tmp_path_factory.mktemp("evaluate") / "data", rows=480)
    for split in ("train", "test"):
        spread(path / f"split={split}" / "part-00000.parquet")
    manifest = json.loads((path / "manifest.json").read_text())
    manifest |= {"counts": [], "fingerprint": fingerprint.of_value("spread over places")}
    (path / "manifest.json").write_text(json.dumps(manifest))
    write_left_out(path)
    return path


@pytest.fixture(scope="session")
def evaluated(directory: Path) -> Evaluation:
    return evaluate({"model": bundle_for(TOKENIZER)}, directory, "test", 4096, samples=200)


@pytest.fixture(scope="session")
def side_by_side(directory: Path) -> Evaluation:
    bundles = {"first": bundle_for(TOKENIZER), "second": bundle_for(TOKENIZER, seed=1)}
    return evaluate(bundles, directory, "test", 4096, samples=200)
