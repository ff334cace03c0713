"""What a dataset says of itself: identity, fingerprint, counts and the account of every dropped record."""

from __future__ import annotations

from collections import Counter
from importlib import metadata
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines import fingerprint, schema
from pipelines.config import PATH, DatasetConfig, SourceConfig
from pipelines.genome.source import Source
from pipelines.tokens.tokenizer import Tokenizer

PATH_KEYS = {name for name, field in SourceConfig.model_fields.items() if field.json_schema_extra == PATH}
QUANTILES = (0, 5, 25, 50, 75, 95, 100)


def versions(bedtools: str) -> dict[str, str]:
    """Versions of the software whose change can change a dataset's bytes."""
    packages = {name: metadata.version(name) for name in ("numpy", "pyarrow")}
    own = f"{schema.FORMAT_VERSION}.{schema.CONTENT_REVISION}"
    return {"bedtools": bedtools, "dataset_format": own, **packages}


def _config(config: DatasetConfig, tokenizer: Tokenizer) -> dict[str, Any]:
    """The parameters without paths: files are known by their content."""
    document = config.model_dump(mode="json")
    document["sources"] = [
        {key: value for key, value in source.items() if key not in PATH_KEYS} for source in document["sources"]
    ]
    given = config.tokenizer
    own = {"vocabulary": given.vocabulary, "min_count": given.min_count} if given.reuse is None else {}
    document["tokenizer"] = tokenizer.parameters | own
    return document


def dataset_fingerprint(
    config: DatasetConfig, contents: dict[str, dict[str, str]], tokenizer: Tokenizer, software: dict[str, str]
) -> str:
    """SHA-256 over all that decides a dataset's bytes."""
    return fingerprint.of_value(
        {
            "config": _config(config, tokenizer),
            "inputs": list(contents.values()),
            "tokenizer": tokenizer.fingerprint,
            "versions": software,
        }
    )


def identity(
    config: DatasetConfig,
    contents: dict[str, dict[str, str]],
    tokenizer: Tokenizer,
    software: dict[str, str],
    key: str,
) -> dict[str, Any]:
    """The manifest's entries on what went in."""
    return {
        "format": "raygene-dataset",
        "format_version": schema.FORMAT_VERSION,
        "fingerprint": key,
        "config": _config(config, tokenizer),
        "inputs": [
            {"genome": name, **{f"{role}_sha256": content for role, content in files.items()}}
            for name, files in contents.items()
        ],
        "tokenizer": {"fingerprint": tokenizer.fingerprint, **tokenizer.parameters, "size": tokenizer.vocabulary_size},
        "versions": software,
    }


def accounts(sources: list[Source], placed: pa.Table, table: pa.Table, left_out: pa.Table) -> dict[str, Any]:
    """The manifest's entries on what came out: counts, drops by reason, lengths before and after, the longest."""
    return {
        "counts": _counts(table),
        "genes": {source.genome.name: _genes(source, placed, table, left_out) for source in sources},
        "dropped": {source.genome.name: _dropped(source, placed, left_out) for source in sources},
        "longest": _longest(table),
    }


def _counts(table: pa.Table) -> list[dict[str, Any]]:
    keys = ["genome", "chromosome", "split", "label", "source"]
    grouped = table.select(keys).group_by(keys, use_threads=False).aggregate([([], "count_all")])
    return [{**{key: row[key] for key in keys}, "rows": row["count_all"]} for row in grouped.to_pylist()]


def _of(table: pa.Table, genome: str, label: int) -> pa.Table:
    chosen = (table["genome"].to_numpy(zero_copy_only=False) == genome) & (table["label"].to_numpy() == label)
    return table.filter(pa.array(chosen))


def _genes(source: Source, placed: pa.Table, table: pa.Table, left_out: pa.Table) -> dict[str, Any]:
    """Genes in the file, kept and shortened; lengths in bases before and after, at `QUANTILES` per cent."""
    name = source.genome.name
    before = np.array([gene.end - gene.start for genes in source.genes.values() for gene in genes])
    kept = _of(placed, name, 1)
    kept = kept.filter(pc.equal(kept["reason"], ""))
    after = kept["end"].to_numpy() - kept["start"].to_numpy()
    return {
        "annotated": source.features,
        "usable": len(before),
        "kept": len(kept),
        "negatives": len(_of(table, name, 0)),
        "shortened": int((after < kept["wanted"].to_numpy()).sum()),
        "length_before": _quantiles(before),
        "length_after": _quantiles(after),
    }


def _quantiles(lengths: np.ndarray[Any, Any]) -> dict[str, int]:
    if len(lengths) == 0:
        return {}
    return {f"{percent}%": round(float(np.percentile(lengths, percent))) for percent in QUANTILES}


def _dropped(source: Source, placed: pa.Table, left_out: pa.Table) -> dict[str, int]:
    reasons = Counter(source.dropped)
    here = pc.equal(left_out["genome"], source.genome.name)
    reasons.update(left_out.filter(here)["reason"].to_pylist())
    return {reason: count for reason, count in sorted(reasons.items()) if count}


def _longest(table: pa.Table) -> dict[str, Any]:
    lengths = table["end"].to_numpy() - table["start"].to_numpy()
    row = table.slice(int(lengths.argmax()), 1).to_pylist()[0]
    place = {key: row[key] for key in ("genome", "chromosome", "start", "end", "strand", "interval_id")}
    return {"bases": int(lengths.max()), **place}
