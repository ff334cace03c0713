"""The manifest of a dataset: its inputs, fingerprint, counts and the number of dropped records by reason."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines import fingerprint, schema
from pipelines.config import CropConfig, DatasetConfig, Section, SourceConfig
from pipelines.config.section import PATH
from pipelines.config.tasks import STRUCTURE
from pipelines.genome.source import Source
from pipelines.splits import families
from pipelines.splits.chromosome_runs import Runs
from pipelines.splits.named_rows import number_pairs
from pipelines.tokens.tokenizer import Tokenizer

PATH_KEYS = {name for name, field in SourceConfig.model_fields.items() if field.json_schema_extra == PATH}
_NAMES = ["genome", "chromosome", "label", "source"]
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
    if config.task == STRUCTURE:
        return document
    sections: list[tuple[dict[str, Any], type[Section]]] = [(document.get("crop", {}), CropConfig)]
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
    sources: list[Source], table: Iterable[pa.Table], dropped: Iterable[pa.Table], *, has_several: bool = False
) -> dict[str, Any]:
    """Return the manifest's entries on what the dataset holds and what was dropped.

    Args:
        sources: the genomes, with what reading them dropped.
        table: the dataset's interval table in pieces of whole chromosomes, each of one genome, with `gene` and
            `requested_length` of `place_negatives.PLACED`.
        dropped: the rows of that schema with a reason, in pieces.
        has_several: whether genes have several windows, which are counted then.
    """
    keys: list[pa.Table] = []
    longest = _Longest()
    kept: dict[str, _Kept] = {}
    for piece in table:
        if len(piece):
            codes = pc.index_in(piece["split"], pa.array(schema.SPLITS)).cast(pa.int8())
            keys.append(piece.select(_NAMES).append_column("split", codes))
            longest.add(piece)
            kept.setdefault(piece["genome"][0].as_py(), _Kept()).add(piece)
    reasons = _count_reasons(dropped)
    return {
        "counts": _count_rows(pa.concat_tables(keys)),
        "genes": {
            source.genome.name: _describe_genes(source, kept.get(source.genome.name, _Kept()), has_several=has_several)
            for source in sources
        },
        "dropped": {source.genome.name: _count_dropped(source, reasons[source.genome.name]) for source in sources},
        "unused_rows": {source.genome.name: dict(sorted(source.unused.items())) for source in sources},
        "reading_rules": {source.genome.name: source.rules for source in sources if source.rules},
        "longest": longest.row,
    }


def _count_rows(table: pa.Table) -> list[dict[str, Any]]:
    """Count rows by their keys: the columns `_NAMES`, which may be mapped from files, and the number of the split."""
    # Here, because it imports pandas, which the workers of a build do not need.
    from pyarrow import acero

    keys = ["genome", "chromosome", "split", "label", "source"]
    # Names of splits are made for some thousand rows at a time. The order of groups is Arrow's, for names as keys.
    splits = pc.choose(pc.field("split"), *(pc.scalar(name) for name in schema.SPLITS))
    plan = acero.Declaration.from_sequence(
        [
            acero.Declaration("table_source", acero.TableSourceNodeOptions(table)),
            acero.Declaration(
                "project", acero.ProjectNodeOptions([splits if key == "split" else pc.field(key) for key in keys], keys)
            ),
            acero.Declaration("aggregate", acero.AggregateNodeOptions([([], "hash_count_all", None, "rows")], keys)),
        ]
    )
    return [{**{key: row[key] for key in keys}, "rows": row["rows"]} for row in plan.to_table(False).to_pylist()]


class _Kept:
    """What a genome has kept, added up over pieces of its rows."""

    def __init__(self) -> None:
        self.genes = self.negatives = self.shortened = 0
        # Four bytes a window, from which quantiles are taken.
        self._lengths: list[NDArray[np.int32]] = [np.empty(0, np.int32)]

    def add(self, piece: pa.Table) -> None:
        """Add rows of whole chromosomes."""
        windows = piece.select(["genome", "chromosome", "gene", "start", "end", "requested_length", "label"])
        windows = windows.filter(pc.equal(windows["label"], 1))
        lengths = windows["end"].to_numpy() - windows["start"].to_numpy()
        runs = Runs.of([windows])
        genes = number_pairs(runs.of_rows(runs.numbers), windows["gene"].to_numpy())
        self.genes += int(genes.max(initial=-1)) + 1
        self.negatives += len(piece) - len(windows)
        self.shortened += int((lengths < windows["requested_length"].to_numpy()).sum())
        self._lengths.append(lengths.astype(np.int32))

    @property
    def lengths(self) -> NDArray[np.int32]:
        """Bases of each window."""
        return np.concatenate(self._lengths)


def _describe_genes(source: Source, kept: _Kept, *, has_several: bool) -> dict[str, Any]:
    """Count genes annotated, kept and shortened; give lengths in bases before and after, at `QUANTILES` per cent.

    Where genes have several windows, those are counted too, and it is they that are shortened and have lengths.
    """
    bounds = np.concatenate([*source.bounds().values()])
    lengths_before, lengths_after = bounds[:, 1] - bounds[:, 0], kept.lengths
    return {
        "annotated": source.features,
        "usable": len(lengths_before),
        "kept": kept.genes,
        **({"windows": len(lengths_after)} if has_several else {}),
        "negatives": kept.negatives,
        "shortened": kept.shortened,
        "length_before": _length_quantiles(lengths_before),
        "length_after": _length_quantiles(lengths_after),
    }


def _length_quantiles(lengths: np.ndarray[Any, Any]) -> dict[str, int]:
    if len(lengths) == 0:
        return {}
    return {f"{percent}%": round(float(np.percentile(lengths, percent))) for percent in QUANTILES}


def _count_reasons(dropped: Iterable[pa.Table]) -> defaultdict[str, Counter[str]]:
    """The number of dropped records by genome and reason."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for piece in dropped:
        grouped = piece.group_by(["genome", "reason"], use_threads=False).aggregate([([], "count_all")])
        for row in grouped.to_pylist():
            counts[row["genome"]][row["reason"]] += row["count_all"]
    return counts


def _count_dropped(source: Source, reasons: Mapping[str, int]) -> dict[str, int]:
    counts = Counter(source.dropped)
    counts.update(reasons)
    return {reason: count for reason, count in sorted(counts.items()) if count}


class _Longest:
    """The first of the longest rows.

    Attributes:
        row: the manifest's entry on it; empty without rows.
    """

    def __init__(self) -> None:
        self.row: dict[str, Any] = {}

    def add(self, piece: pa.Table) -> None:
        """Look at rows, at least one, that follow the earlier ones."""
        lengths = piece["end"].to_numpy() - piece["start"].to_numpy()
        if (bases := int(lengths.max())) > self.row.get("bases", -1):
            names = ["genome", "chromosome", "start", "end", "strand", "interval_id"]
            self.row = {"bases": bases, **piece.select(names).slice(int(lengths.argmax()), 1).to_pylist()[0]}
