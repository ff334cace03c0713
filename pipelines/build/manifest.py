"""The manifest of a dataset: its inputs, fingerprint, counts and the number of dropped records by reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines import fingerprint, schema, structure_config
from pipelines.config import PATH, CropConfig, DatasetConfig, Section, SourceConfig
from pipelines.genome.source import Source
from pipelines.splits import families
from pipelines.splits.named_rows import NamedRows, number_pairs
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
    if config.task == structure_config.STRUCTURE:
        return document
    sections: list[tuple[dict[str, Any], type[Section]]] = [(document["crop"], CropConfig)]
    sections += [(source, SourceConfig) for source in document["sources"]]
    for values, kind in sections:
        for key, default in kind.later_defaults().items():
            if values.get(key) == default:
                values.pop(key, None)
    return document


def dataset_fingerprint(
    config: DatasetConfig,
    contents: dict[str, dict[str, str]],
    tokenizer: Tokenizer,
    software: dict[str, str],
    reading_rules: dict[str, list[str]] | None = None,
) -> str:
    """Return a SHA-256 over everything that decides a dataset's bytes.

    Args:
        config: the sections that decide content.
        contents: SHA-256 of each input, by genome or collection and configuration key.
        tokenizer: of the dataset's tokens.
        software: as `versions` returns it.
        reading_rules: by genome, the rules by which a file gives other genes than it gave before these rules. Only
            such genomes are here, so that the datasets of all others keep their fingerprint.
    """
    document: dict[str, Any] = {
        "config": _config_without_paths(config, tokenizer),
        "inputs": list(contents.values()),
        "tokenizer": tokenizer.fingerprint,
        "versions": software,
    }
    if config.split.by == "family":
        document["families"] = families.REVISION
    return fingerprint.of_value(document | ({"reading_rules": reading_rules} if reading_rules else {}))


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


def describe_contents(
    sources: list[Source], placed: pa.Table, table: pa.Table, dropped: pa.Table, *, has_several: bool = False
) -> dict[str, Any]:
    """Return the manifest's entries on what the dataset holds and what was dropped.

    Args:
        sources: the genomes, with what reading them dropped.
        placed: all rows of `place_negatives.PLACED`.
        table: the dataset's interval table.
        dropped: the rows of `placed` with a reason.
        has_several: whether genes have several windows, which are counted then.
    """
    names = [source.genome.name for source in sources]
    genes = _Genes.of(placed)
    negatives = NamedRows(table.filter(pc.equal(table["label"], 0))["genome"])
    reasons = _count_reasons(dropped)
    return {
        "counts": _count_rows(table),
        "genes": {
            name: _describe_genes(source, genes.kept_of(name), len(negatives.of(name)), has_several=has_several)
            for name, source in zip(names, sources, strict=True)
        },
        "dropped": {
            name: _count_dropped(source, reasons.get(name, {})) for name, source in zip(names, sources, strict=True)
        },
        "unused_rows": {name: dict(sorted(source.unused.items())) for name, source in zip(names, sources, strict=True)},
        "reading_rules": {name: source.rules for name, source in zip(names, sources, strict=True) if source.rules},
        "longest": _describe_longest(table),
    }


def _count_rows(table: pa.Table) -> list[dict[str, Any]]:
    keys = ["genome", "chromosome", "split", "label", "source"]
    grouped = table.select(keys).group_by(keys, use_threads=False).aggregate([([], "count_all")])
    return [{**{key: row[key] for key in keys}, "rows": row["count_all"]} for row in grouped.to_pylist()]


@dataclass(frozen=True)
class _Genes:
    """The windows of all genes of all genomes as columns, each of shape (windows,)."""

    genomes: NamedRows
    genes: NDArray[np.int64]
    lengths: NDArray[np.int64]
    requested_lengths: NDArray[np.int64]
    is_kept: NDArray[np.bool_]

    @classmethod
    def of(cls, placed: pa.Table) -> _Genes:
        genes = placed.filter(pc.equal(placed["label"], 1))
        return cls(
            NamedRows(genes["genome"]),
            number_pairs(NamedRows(genes["chromosome"]).numbers, genes["gene"].to_numpy().astype(np.int64)),
            genes["end"].to_numpy() - genes["start"].to_numpy(),
            genes["requested_length"].to_numpy(),
            pc.equal(genes["reason"], "").to_numpy(),
        )

    def kept_of(self, name: str) -> _Genes:
        """The windows of a genome's genes that are kept."""
        rows = self.genomes.of(name)
        kept = rows[self.is_kept[rows]]
        return replace(
            self, genes=self.genes[kept], lengths=self.lengths[kept], requested_lengths=self.requested_lengths[kept]
        )


def _describe_genes(source: Source, kept: _Genes, negatives: int, *, has_several: bool) -> dict[str, Any]:
    """Count genes annotated, kept and shortened; give lengths in bases before and after, at `QUANTILES` per cent.

    Where genes have several windows, those are counted too, and it is they that are shortened and have lengths.
    """
    bounds = np.concatenate([genes.bounds for genes in source.genes.values()])
    lengths_before = bounds[:, 1] - bounds[:, 0]
    lengths_after, requested_lengths = kept.lengths, kept.requested_lengths
    return {
        "annotated": source.features,
        "usable": len(lengths_before),
        "kept": len(np.unique(kept.genes)),
        **({"windows": len(lengths_after)} if has_several else {}),
        "negatives": negatives,
        "shortened": int((lengths_after < requested_lengths).sum()),
        "length_before": _length_quantiles(lengths_before),
        "length_after": _length_quantiles(lengths_after),
    }


def _length_quantiles(lengths: np.ndarray[Any, Any]) -> dict[str, int]:
    if len(lengths) == 0:
        return {}
    return {f"{percent}%": round(float(np.percentile(lengths, percent))) for percent in QUANTILES}


def _count_reasons(dropped: pa.Table) -> dict[str, dict[str, int]]:
    """The number of dropped records by genome and reason."""
    counts: dict[str, dict[str, int]] = {}
    grouped = dropped.group_by(["genome", "reason"], use_threads=False).aggregate([([], "count_all")])
    for row in grouped.to_pylist():
        counts.setdefault(row["genome"], {})[row["reason"]] = row["count_all"]
    return counts


def _count_dropped(source: Source, reasons: Mapping[str, int]) -> dict[str, int]:
    counts = Counter(source.dropped)
    counts.update(reasons)
    return {reason: count for reason, count in sorted(counts.items()) if count}


def _describe_longest(table: pa.Table) -> dict[str, Any]:
    lengths = table["end"].to_numpy() - table["start"].to_numpy()
    row = table.slice(int(lengths.argmax()), 1).to_pylist()[0]
    interval = {key: row[key] for key in ("genome", "chromosome", "start", "end", "strand", "interval_id")}
    return {"bases": int(lengths.max()), **interval}
