"""The manifest of a dataset: its inputs, fingerprint, counts and the number of dropped records by reason."""

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
    """Return the versions of the software that can change a dataset's bytes."""
    packages = {name: metadata.version(name) for name in ("numpy", "pyarrow")}
    own = f"{schema.FORMAT_VERSION}.{schema.CONTENT_REVISION}"
    return {"bedtools": bedtools, "dataset_format": own, **packages}


def _config_without_paths(config: DatasetConfig, tokenizer: Tokenizer) -> dict[str, Any]:
    """Return the parameters without paths: files are identified by their content."""
    document = config.model_dump(mode="json")
    document["sources"] = [
        {key: value for key, value in source.items() if key not in PATH_KEYS} for source in document["sources"]
    ]
    section = config.tokenizer
    counting = {"vocabulary": section.vocabulary, "min_count": section.min_count} if section.reuse is None else {}
    document["tokenizer"] = tokenizer.parameters | counting
    return document


def dataset_fingerprint(
    config: DatasetConfig, contents: dict[str, dict[str, str]], tokenizer: Tokenizer, software: dict[str, str]
) -> str:
    """Return a SHA-256 over everything that decides a dataset's bytes."""
    return fingerprint.of_value(
        {
            "config": _config_without_paths(config, tokenizer),
            "inputs": list(contents.values()),
            "tokenizer": tokenizer.fingerprint,
            "versions": software,
        }
    )


def describe_inputs(
    config: DatasetConfig,
    contents: dict[str, dict[str, str]],
    tokenizer: Tokenizer,
    software: dict[str, str],
    digest: str,
) -> dict[str, Any]:
    """Return the manifest's entries on what the dataset was built from.

    Args:
        config: the sections that decide content.
        contents: SHA-256 of each input, by genome or collection and configuration key.
        tokenizer: of the dataset's tokens.
        software: as `versions` returns it.
        digest: as `dataset_fingerprint` returns it.
    """
    return {
        "format": "raygene-dataset",
        "format_version": schema.FORMAT_VERSION,
        "fingerprint": digest,
        "config": _config_without_paths(config, tokenizer),
        "inputs": [
            {"genome": name, **{f"{role}_sha256": content for role, content in files.items()}}
            for name, files in contents.items()
        ],
        "tokenizer": {"fingerprint": tokenizer.fingerprint, **tokenizer.parameters, "size": tokenizer.vocabulary_size},
        "versions": software,
    }


def describe_contents(sources: list[Source], placed: pa.Table, table: pa.Table, dropped: pa.Table) -> dict[str, Any]:
    """Return the manifest's entries on what the dataset holds and what was dropped.

    Args:
        sources: the genomes, with what reading them dropped.
        placed: all rows of `place_negatives.PLACED`.
        table: the dataset's interval table.
        dropped: the rows of `placed` with a reason.
    """
    return {
        "counts": _count_rows(table),
        "genes": {source.genome.name: _describe_genes(source, placed, table) for source in sources},
        "dropped": {source.genome.name: _count_dropped(source, dropped) for source in sources},
        "longest": _describe_longest(table),
    }


def _count_rows(table: pa.Table) -> list[dict[str, Any]]:
    keys = ["genome", "chromosome", "split", "label", "source"]
    grouped = table.select(keys).group_by(keys, use_threads=False).aggregate([([], "count_all")])
    return [{**{key: row[key] for key in keys}, "rows": row["count_all"]} for row in grouped.to_pylist()]


def _select(table: pa.Table, genome: str, label: int) -> pa.Table:
    is_selected = (table["genome"].to_numpy(zero_copy_only=False) == genome) & (table["label"].to_numpy() == label)
    return table.filter(pa.array(is_selected))


def _describe_genes(source: Source, placed: pa.Table, table: pa.Table) -> dict[str, Any]:
    """Count genes annotated, kept and shortened; give lengths in bases before and after, at `QUANTILES` per cent."""
    name = source.genome.name
    lengths_before = np.array([gene.end - gene.start for genes in source.genes.values() for gene in genes])
    genes = _select(placed, name, 1)
    kept_genes = genes.filter(pc.equal(genes["reason"], ""))
    lengths_after = kept_genes["end"].to_numpy() - kept_genes["start"].to_numpy()
    return {
        "annotated": source.features,
        "usable": len(lengths_before),
        "kept": len(kept_genes),
        "negatives": len(_select(table, name, 0)),
        "shortened": int((lengths_after < kept_genes["requested_length"].to_numpy()).sum()),
        "length_before": _length_quantiles(lengths_before),
        "length_after": _length_quantiles(lengths_after),
    }


def _length_quantiles(lengths: np.ndarray[Any, Any]) -> dict[str, int]:
    if len(lengths) == 0:
        return {}
    return {f"{percent}%": round(float(np.percentile(lengths, percent))) for percent in QUANTILES}


def _count_dropped(source: Source, dropped: pa.Table) -> dict[str, int]:
    reasons = Counter(source.dropped)
    of_genome = pc.equal(dropped["genome"], source.genome.name)
    reasons.update(dropped.filter(of_genome)["reason"].to_pylist())
    return {reason: count for reason, count in sorted(reasons.items()) if count}


def _describe_longest(table: pa.Table) -> dict[str, Any]:
    lengths = table["end"].to_numpy() - table["start"].to_numpy()
    row = table.slice(int(lengths.argmax()), 1).to_pylist()[0]
    interval = {key: row[key] for key in ("genome", "chromosome", "start", "end", "strand", "interval_id")}
    return {"bases": int(lengths.max()), **interval}
