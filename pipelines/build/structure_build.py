"""The task `structure`: annotated genomes to windows whose every base has a token and a state on both strands.

The driver reads genomes and divides their bases; it holds counts, and the genes of one chromosome at a time.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property, partial
from importlib import metadata
from typing import Any

from pipelines import schema
from pipelines.build import manifest, run_tasks, windows
from pipelines.build.preflight import Estimate
from pipelines.build.write_windows import WriteWindows
from pipelines.config import DatasetConfig, SourceConfig
from pipelines.config.structure import tokenizer_problem
from pipelines.dataset import split_regions
from pipelines.errors import UsageError
from pipelines.gene_models import annotated_genome, genetic_code
from pipelines.gene_models.annotated_genome import AnnotatedGenome
from pipelines.genome.region import Region
from pipelines.inputs.each_source import read_each
from pipelines.progress import Progress
from pipelines.splits import plan, requirements, stretches
from pipelines.splits.blocks import Blocks
from pipelines.splits.plan import PlannedSplit
from pipelines.splits.stretches import Stretch
from pipelines.stores.staging import Staging
from pipelines.structure import rules, states
from pipelines.structure.label import SELECTION
from pipelines.structure.rules import LabelRules
from pipelines.tokens import unknown_share
from pipelines.tokens.tokenizer import Tokenizer

REVISION = 1
"""Incremented whenever the same inputs and parameters give other windows, so that no old dataset passes for a new one;
labels have a revision of their own."""


@dataclass(frozen=True)
class PreparedStructure:
    """A build whose inputs have been read: everything that decides the dataset's bytes.

    Attributes:
        config: the sections that decide content.
        genomes: read and checked, in the configuration's order.
        stretches: every base of these, divided among the splits.
        blocks: (genome, chromosome) to its blocks, for chromosomes that are cut.
        tokenizer: of an odd k and stride 1.
        versions: the software whose version can change the bytes.
    """

    config: DatasetConfig
    genomes: list[AnnotatedGenome]
    stretches: list[Stretch]
    blocks: dict[tuple[str, str], Blocks]
    tokenizer: Tokenizer
    versions: dict[str, str]

    @property
    def fingerprint(self) -> str:
        """SHA-256 over inputs, parameters and versions; not over paths, workers or the output directory."""
        return manifest.dataset_fingerprint(self.config, self._contents, self.tokenizer, self.versions)

    @property
    def _contents(self) -> dict[str, dict[str, str]]:
        return {genome.name: genome.contents for genome in self.genomes}

    @cached_property
    def estimates(self) -> list[Estimate]:
        """What each genome will contribute, exactly but for genes that cannot be labelled."""
        length = self.config.window.length
        of_genome: defaultdict[str, list[Stretch]] = defaultdict(list)
        for stretch in self.stretches:
            of_genome[stretch.genome].append(stretch)
        return [
            Estimate(
                name=genome.name,
                sequences=len(genome.lengths),
                all_sequences=len(genome.genome.lengths),
                genes=sum(map(len, genome.bounds.values())),
                windows=0,
                dropped=dict(genome.dropped),
                rows=sum(windows.count(one, length) for one in of_genome[genome.name]),
                tokens=sum(genome.lengths.values()),
                longest=min(length, max(one.bases for one in of_genome[genome.name])),
                states=sum(genome.lengths.values()),
            )
            for genome in self.genomes
        ]

    def splits(self) -> list[PlannedSplit]:
        """What each split will hold; genes that cannot be labelled are among these."""
        genes = {genome.name: genome.bounds for genome in self.genomes}
        return plan.of_stretches(self.stretches, genes, {genome.name: genome.lengths for genome in self.genomes})

    def write(self, staging: Staging, progress: Progress) -> tuple[dict[str, Any], Tokenizer]:
        """Write the dataset's rows; return the manifest without what it says of files that are written later."""
        length = self.config.window.length
        rows = sum(windows.count(stretch, length) for stretch in self.stretches)
        mapper = WriteWindows(
            {genome.name: genome.genome for genome in self.genomes},
            {source.genome: _rules(source, self.config) for source in self.config.sources},
            self.tokenizer,
            length,
            staging,
        )
        files: list[dict[str, Any]] = []
        contents = _Contents(self.stretches, length)
        with progress.stage("labelling and encoding windows", rows, unit="windows") as stage:
            tasks = windows.tasks(self.genomes, self.stretches, length)
            for record in run_tasks.write(tasks, mapper, rows, staging, stage):
                files += record["files"]
                contents.add(record)
        contents.check(self.config, progress)
        document = {"files": run_tasks.by_path(files), **contents.describe()}
        document |= {
            "dropped": {genome.name: _without_zeros(genome.dropped) for genome in self.genomes},
            "unused_rows": {genome.name: _without_zeros(genome.unused) for genome in self.genomes},
            "longest": _longest(self.stretches, length),
            "split_in_blocks": list(dict.fromkeys(genome for (genome, _), cut in self.blocks.items() if _is_cut(cut))),
        }
        if regions := self._split_regions():
            document[split_regions.KEY] = split_regions.describe(regions)
        document |= manifest.describe_inputs(
            self.config, self._contents, self.tokenizer, self.versions, self.fingerprint
        )
        return document, self.tokenizer

    def _split_regions(self) -> dict[str, list[Region]]:
        """The stretches of each split, of the chromosomes that are cut."""
        regions: dict[str, list[Region]] = {split: [] for split in schema.SPLITS}
        for one in self.stretches:
            if (one.genome, one.chromosome) in self.blocks:
                regions[one.split].append(Region(one.genome, one.chromosome, one.start, one.end))
        return {split: listed for split, listed in regions.items() if listed}


def prepare(config: DatasetConfig, progress: Progress, processes: int = 1) -> PreparedStructure:
    """Read and check every input.

    Args:
        config: the sections that decide content.
        progress: reports what is read.
        processes: how many of this machine may read genomes.

    Raises:
        RaygeneError: a file, the tokenizer to reuse, a genetic code or a chromosome named in the split is missing or
            wrong.
    """
    for number, source in enumerate(config.sources):
        _require_genetic_code(source, number)
    tokenizer = Tokenizer.from_config(config.tokenizer)
    _require_centred(tokenizer, config)
    genomes = []
    read = partial(annotated_genome.read, selection=SELECTION)
    with (
        progress.stage("reading genomes", len(config.sources), unit="genomes") as stage,
        closing(read_each(read, config.sources, progress, processes)) as each,
    ):
        for source in config.sources:
            stage.describe(source.genome)
            genomes.append(next(each))
            stage.advance()
    lengths = {genome.name: genome.lengths for genome in genomes}
    cut, blocks = stretches.cut(lengths, {genome.name: genome.bounds for genome in genomes}, config.split)
    versions = {name: metadata.version(name) for name in ("numpy", "pyarrow")}
    versions |= {
        "dataset_format": f"{schema.FORMAT_VERSION}.{schema.CONTENT_REVISION}",
        "windows": f"{REVISION}.{rules.REVISION}",
    }
    prepared = PreparedStructure(config, genomes, cut, blocks, tokenizer, versions)
    requirements.require_genes(prepared.splits(), config)
    return prepared


def _require_genetic_code(source: SourceConfig, number: int) -> None:
    try:
        genetic_code.genetic_code(source.genetic_code)
    except UsageError as error:
        key = f"sources.{number}.genetic_code"
        raise UsageError(f"{key}: {error.problem}", error.fix, key=key) from error


def _require_centred(tokenizer: Tokenizer, config: DatasetConfig) -> None:
    """Refuse a tokenizer taken from elsewhere that does not give every base its token; others are checked as keys."""
    problem = tokenizer_problem(tokenizer)
    if tokenizer.observed_words is not None:
        problem = "vocabulary", "observed: the reverse complement of a k-mer may not be among those observed"
    if problem:
        raise UsageError(
            f"tokenizer.from: {config.tokenizer.reuse}: {problem[0]} {problem[1]}",
            "leave from out",
            key="tokenizer.from",
        )


def _rules(source: SourceConfig, config: DatasetConfig) -> LabelRules:
    return LabelRules(**config.labels.model_dump(), genetic_code=source.genetic_code)


def _is_cut(blocks: Blocks) -> bool:
    return len(blocks.ends) > 1


def _without_zeros(counts: Counter[str]) -> dict[str, int]:
    return {reason: count for reason, count in sorted(counts.items()) if count}


def _longest(cut: Sequence[Stretch], length: int) -> dict[str, Any]:
    """Return the manifest's entry on the first of the longest windows."""
    stretch = next((one for one in cut if one.bases >= length), None) or max(cut, key=lambda one: one.bases)
    first = sum(windows.count(one, length) for one in cut[: cut.index(stretch)])
    bases = min(length, stretch.bases)
    return {
        "bases": bases,
        "genome": stretch.genome,
        "chromosome": stretch.chromosome,
        "start": stretch.start,
        "end": stretch.start + bases,
        "strand": "+",
        "interval_id": first,
    }


class _Contents:
    """What the windows of a dataset hold, added up over the records of tasks."""

    def __init__(self, cut: Sequence[Stretch], length: int) -> None:
        self._counts: Counter[tuple[str, str, str, int]] = Counter()
        self._summaries: dict[tuple[str, str], dict[str, Counter[str]]] = {}
        self._sizes: dict[tuple[str, str], Counter[str]] = {}
        self._tokens: dict[str, Counter[str]] = {}
        self._order = {(one.genome, one.chromosome): number for number, one in enumerate(cut)}
        self._genomes = list(dict.fromkeys(one.genome for one in cut))
        for one in cut:
            sizes = self._sizes.setdefault((one.genome, one.split), Counter())
            sizes.update({"stretches": 1, "bases": one.bases, "windows": windows.count(one, length)})

    def add(self, record: dict[str, Any]) -> None:
        """Add the record of a task."""
        genome = record["genome"]
        for chromosome, split, label, rows in record["counts"]:
            self._counts[genome, chromosome, split, label] += rows
        for split, summary in record["structure"].items():
            total = self._summaries.setdefault((genome, split), {})
            for name, counts in summary.items():
                total.setdefault(name, Counter()).update(counts)
        tokens = self._tokens.setdefault(genome, Counter())
        for file in record["files"]:
            tokens.update({"tokens": file["tokens"], "unknown": file["unknown_tokens"]})

    def check(self, config: DatasetConfig, progress: Progress) -> None:
        """Refuse a genome that is hardly nucleotides, and a split without a labelled gene."""
        section = config.tokenizer
        for genome, tokens in self._tokens.items():
            share = tokens["unknown"] / max(tokens["tokens"], 1)
            limits = (section.warn_unknown, section.max_unknown)
            unknown_share.check(genome, share, *limits, "tokenizer.max_unknown", progress)
        labelled = Counter[str]()
        for (_, split), summary in self._summaries.items():
            labelled[split] += summary.get("genes", Counter())["labelled"]
        for split in dict.fromkeys(split for _, split in self._sizes):
            if not labelled[split]:
                raise UsageError(
                    f"split: {split} has no gene whose coding sequence could be labelled",
                    "hold out other chromosomes, other shares or other regions",
                    key="split",
                )

    def describe(self) -> dict[str, Any]:
        """Return the manifest's entries `counts` and `structure`."""
        ordered = sorted(
            self._counts.items(),
            key=lambda item: (self._order[item[0][:2]], schema.SPLITS.index(item[0][2]), item[0][3]),
        )
        names = ("genome", "chromosome", "split", "label")
        counts = [dict(zip(names, key, strict=True)) | {"source": schema.WINDOW, "rows": rows} for key, rows in ordered]
        structure = []
        for genome, split in itertools.product(self._genomes, schema.SPLITS):
            if (genome, split) not in self._sizes:
                continue
            summary = self._summaries.get((genome, split), {})
            of_states = summary.get("states", Counter())
            structure.append(
                {
                    "genome": genome,
                    "split": split,
                    **self._sizes[genome, split],
                    "genes": _without_zeros(summary.get("genes", Counter())),
                    "masked": _without_zeros(summary.get("masked", Counter())),
                    "states": {name: of_states[name] for name in states.NAMES},
                }
            )
        return {"counts": counts, "structure": structure}
