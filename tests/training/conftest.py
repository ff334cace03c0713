"""A small real token dataset on disk, in which genes are richer in GC than negatives."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from pipelines import fingerprint, schema
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.tokens.tokenizer import Tokenizer
from tests.class_sequences import build_classes, write_sequences


def write_dataset(
    folder: Path,
    *,
    seed: int = 0,
    rows: int = 160,
    longest: int = 240,
    tokenizer: Tokenizer | None = None,
    classes: int = 2,
) -> Path:
    """A dataset of `rows` train rows and a quarter as many in each other split."""
    tokenizer = tokenizer or Tokenizer(3, 1, "anchor")
    generator = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    files, longest_row = [], 0
    for split, count in (("train", rows), ("validation", rows // 4), ("test", rows // 4)):
        columns: dict[str, list[object]] = {name: [] for name in schema.rows(pa.uint16()).names}
        for number in range(count):
            label, length = number % classes, int(generator.integers(20, longest))
            gc = 0.62 if label else 0.38
            bases = "".join(generator.choice(list("ACGT"), size=length, p=[(1 - gc) / 2, gc / 2, gc / 2, (1 - gc) / 2]))
            ids = tokenizer.encode(bases)
            row = {
                "interval_id": number,
                "genome": "toy",
                "chromosome": "chr1",
                "start": 0,
                "end": length,
                "strand": "+",
            }
            row |= {"label": label, "source": "gene" if label else "shuffle", "gene_id": "", "biotype": ""}
            row |= {
                "tokens": ids.tolist(),
                "token_count": len(ids),
                "gc": gc,
                "unknown_share": 0,
                "soft_masked_share": 0,
            }
            for name, value in row.items():
                columns[name].append(value)
            longest_row = max(longest_row, length)
        path = folder / f"split={split}" / "part-00000.parquet"
        path.parent.mkdir()
        pq.write_table(pa.table(columns, schema=schema.rows(pa.uint16())), path)
        files.append({"path": str(path.relative_to(folder)), "rows": count})
    tokenizer.save(folder)
    manifest = {
        "format": "raygene-dataset",
        "format_version": schema.FORMAT_VERSION,
        "fingerprint": fingerprint.of_value([seed, rows, longest, tokenizer.fingerprint]),
        "tokenizer": {"fingerprint": tokenizer.fingerprint, **tokenizer.parameters, "size": tokenizer.vocabulary_size},
        "config": {"crop": {"length": None, "position": "random"}, "sources": [{"genome": "toy"}]},
        "longest": {"bases": longest_row},
        "files": files,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("tokens") / "dataset")


@pytest.fixture(scope="session")
def class_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sequences of the classes 10, exon and intron."""
    folder = tmp_path_factory.mktemp("classes")
    write_sequences(folder)
    build_classes(folder, folder / "dataset")
    return folder / "dataset"


@pytest.fixture(scope="session")
def train_split(dataset: Path) -> TokenDataset:
    return TokenDataset.open(dataset, "train")


@pytest.fixture(scope="session")
def validation_split(dataset: Path) -> TokenDataset:
    return TokenDataset.open(dataset, "validation")
