"""A small finished dataset as `raygene build` writes it, and ways to change its manifest."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from pipelines import schema
from pipelines.build import encode_tokens
from pipelines.config import DatasetConfig, validate
from pipelines.dataset.manifest import FORMAT, LEFT_OUT, sealed_text
from pipelines.documents import sealed_json
from pipelines.tokens.tokenizer import Tokenizer

ROWS = {"train": 12, "validation": 6, "test": 6}
TOKENIZER = Tokenizer(3, 1, "anchor")
Key = str | int


def rows_of(split: str, count: int, first: int = 0) -> pa.Table:
    """Rows of the dataset's schema, genes and negatives in turn, with the columns of genes left out too."""
    generator = np.random.default_rng(first)
    lengths = generator.integers(20, 60, count)
    ids = [TOKENIZER.encode("".join(generator.choice(list("ACGT"), size=length))) for length in lengths]
    numbers = np.arange(first, first + count)
    labels = (numbers + 1) % 2
    return pa.table(
        {
            "interval_id": numbers,
            "genome": ["toy"] * count,
            "chromosome": [f"chr_{split}"] * count,
            "start": numbers * 100,
            "end": numbers * 100 + lengths,
            "strand": ["+"] * count,
            "label": pa.array(labels, pa.int8()),
            "source": ["gene" if label else "shuffle" for label in labels],
            "gene_id": [f"gene{number // 2}" for number in numbers],
            "biotype": pa.array(["protein_coding" if label else None for label in labels], pa.string()),
            "tokens": pa.array([tokens.tolist() for tokens in ids], pa.list_(pa.uint16())),
            "token_count": pa.array([len(tokens) for tokens in ids], pa.int32()),
            "gc": np.full(count, 0.5, np.float32),
            "unknown_share": np.zeros(count, np.float32),
            "soft_masked_share": np.zeros(count, np.float32),
            "split": pa.array([split] * count, pa.string()),
            "reason": ["no_match"] * count,
            "overlaps_train": [False] * count,
        }
    )


def write_dataset(folder: Path) -> Path:
    """Write the dataset; returns the folder."""
    folder.mkdir(parents=True)
    files, counts, first = [], [], 0
    for split, count in ROWS.items():
        rows = rows_of(split, count, first)
        first += count
        files.append(encode_tokens.write_part(rows, folder, f"split={split}/part-00000.parquet", TOKENIZER))
        for (label, source), number in Counter(
            zip(rows["label"].to_pylist(), rows["source"].to_pylist(), strict=True)
        ).items():
            counts.append(
                {"genome": "toy", "chromosome": f"chr_{split}", "split": split, "label": label, "source": source}
                | {"rows": number}
            )
    left_out = encode_tokens.write_part(
        rows_of("test", 2, first), folder, f"{LEFT_OUT}/part-00000.parquet", TOKENIZER, schema.left_out
    )
    TOKENIZER.save(folder)
    sources = [{"genome": "toy", "fasta": "toy.fa", "annotation": "toy.gff3"}]
    config = validate(DatasetConfig, {"sources": sources, "tokenizer": {"k": 3, "stride": 1}}, "test")
    quantiles = {f"{percent}%": 20 + percent for percent in (0, 5, 25, 50, 75, 95, 100)}
    manifest = {
        "format": FORMAT,
        "format_version": schema.FORMAT_VERSION,
        "fingerprint": "0123456789abcdef" * 4,
        "config": config.model_dump(mode="json"),
        "counts": counts,
        "dropped": {"toy": {"no_match": 2}},
        "files": files,
        "genes": {
            "toy": {
                "annotated": 14,
                "usable": 14,
                "kept": 12,
                "negatives": 12,
                "shortened": 1,
                "length_before": quantiles,
                "length_after": quantiles,
            }
        },
        "inputs": [{"genome": "toy", "fasta_sha256": "a" * 64, "annotation_sha256": "b" * 64}],
        "leakage": {
            "split": "test",
            "intervals": 6,
            "evaluated": 6,
            "near_duplicates": 1,
            "share": 1 / 6,
            "k": 21,
            "threshold": 0.5,
        },
        "left_out": {"genes": 2, "reasons": {"no_match": 2}, "files": [left_out]},
        "longest": {"bases": 59, "genome": "toy", "chromosome": "chr_train", "start": 0, "end": 59}
        | {"strand": "+", "interval_id": 0},
        "split_in_blocks": ["toy"],
        "tokenizer": {
            "fingerprint": TOKENIZER.fingerprint,
            **TOKENIZER.parameters,
            "size": TOKENIZER.vocabulary_size,
        },
        "versions": {"bedtools": "2.30.0", "dataset_format": "1.4", "numpy": "2.0", "pyarrow": "20"},
    }
    (folder / "manifest.json").write_text(sealed_text(manifest))
    return folder


def read(folder: Path) -> dict[str, Any]:
    """The manifest as plain JSON."""
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


def write(folder: Path, manifest: Any, *, seal: bool = True) -> None:
    """Write a manifest with a digest that fits, or with none, as earlier versions did."""
    if isinstance(manifest, dict):
        manifest = {key: value for key, value in manifest.items() if key != sealed_json.DIGEST}
        manifest = sealed_json.sealed(manifest) if seal else manifest
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def change(folder: Path, *keys: Key, to: Any, seal: bool = True) -> None:
    """Set one value of the manifest; a function is applied to the value that is there."""
    manifest = read(folder)
    part: Any = manifest
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = to(part[keys[-1]]) if isinstance(to, Callable) else to  # type: ignore[arg-type]
    write(folder, manifest, seal=seal)


def locations(value: Any, before: tuple[Key, ...] = ()) -> Iterator[tuple[Key, ...]]:
    """The keys that lead to every value of a document, parts included."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in items:
        yield (*before, key)
        yield from locations(part, (*before, key))


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([-1, 2**31, 2**63, 10**30, -(10**30), 0.5, -0.0, 1e308, float("nan"), float("inf")]),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["", "../../etc", "/etc/passwd", "split=train/../../x", "split=train\\x", "a\0b", "\u202e", "f" * 64, "train"]
    ),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=3),
)


@st.composite
def mutations(draw: st.DrawFn, manifest: dict[str, Any], changes: int = 2) -> Any:
    """A copy of a manifest with up to `changes` values replaced, removed, doubled or swapped."""
    document = copy.deepcopy(manifest)
    for _ in range(draw(st.integers(1, changes))):
        *keys, last = draw(st.sampled_from(list(locations(document))))
        part: Any = document
        for key in keys:
            part = part[key]
        kind = draw(st.sampled_from(["replace", "remove", "wrap", "swap"]))
        if kind == "remove":
            del part[last]
        elif kind == "wrap":
            part[last] = draw(st.sampled_from([[part[last]], {"x": part[last]}, [part[last], part[last]]]))
        elif kind == "swap":
            other = draw(st.sampled_from(list(part) if isinstance(part, dict) else list(range(len(part)))))
            part[last], part[other] = part[other], part[last]
        else:
            part[last] = draw(VALUES)
        if not document:
            break
    return document
