"""All sections of an experiment that determine a dataset's content, and what its task reads of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator
from pydantic_core import PydanticCustomError

from pipelines.config import structure, tasks
from pipelines.config.crop import CropConfig
from pipelines.config.names import Names
from pipelines.config.negatives import NegativesConfig
from pipelines.config.section import Section
from pipelines.config.sources import SourceConfig
from pipelines.config.split import SplitConfig
from pipelines.config.structure import LabelsConfig, WindowConfig
from pipelines.config.tasks import Task
from pipelines.config.tokenizer import TokenizerConfig
from pipelines.config.validation import WITH_KEY


class DatasetSections(Section):
    """The sections that a dataset and an experiment have in common; only those that the task reads are dumped."""

    task: Task = Field(
        default=tasks.RECOGNISE,
        description="what a model tells: recognise = whether an interval is a gene, structure = the state of every "
        "base, classify = the class of a labelled sequence",
    )
    classes: Names | None = Field(
        default=None,
        description="classes of labelled sequences, in order (task classify; default: all labels, sorted)",
        min_length=2,
    )
    sources: list[SourceConfig] = Field(default=[])
    negatives: NegativesConfig = NegativesConfig()
    crop: CropConfig = CropConfig()
    tokenizer: TokenizerConfig = TokenizerConfig()
    split: SplitConfig = SplitConfig()
    labels: LabelsConfig = LabelsConfig()
    window: WindowConfig = WindowConfig()

    @model_serializer(mode="wrap")
    def _of_the_task(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return tasks.without_meaningless(dump(self))


class DatasetConfig(DatasetSections):
    """Everything that determines the bytes of a token dataset, apart from its input files.

    Sections and keys that its task does not read may not be given, and are not dumped.
    """

    sources: list[SourceConfig] = Field(min_length=1)

    @property
    def requested_splits(self) -> list[str]:
        """The splits that must not be empty: train, what a source has files of, and what `split` holds out."""
        has_shares = any(source.is_divided for source in self.sources)
        held_out = [
            name
            for name in ("validation", "test")
            if (has_shares and getattr(self.split, name)) or any(getattr(source, name) for source in self.sources)
        ]
        return ["train", *held_out]

    @model_validator(mode="after")
    def _genomes_unique(self) -> DatasetConfig:
        names = Counter(source.genome for source in self.sources)
        if repeated := sorted(name for name, count in names.items() if count > 1):
            raise ValueError(f"sources: genome name {repeated[0]} is used twice; give each genome its own name")
        return self

    @model_validator(mode="after")
    def _task_reads_what_is_given(self) -> DatasetConfig:
        if problem := next(self._problems(), None):
            key, text = problem
            raise PydanticCustomError(WITH_KEY, "{problem}", {"problem": text, "key": key})
        return self

    def _problems(self) -> Iterator[tuple[str, str]]:
        """Keys that the task does not read, each with the reason."""
        if self.task == tasks.STRUCTURE:
            yield from self._structure_problems()
        else:
            yield from self._other_problems()
        if self.task == tasks.CLASSIFY:
            yield from self._class_problems()
        elif self.classes is not None:
            yield tasks.CLASSES, "only task classify reads it; set task: classify, or leave it out"

    def _unread_sections(self, reasons: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Sections that are given although the task does not read them."""
        for name, reason in reasons.items():
            if given := sorted(getattr(self, name).model_fields_set):
                yield f"{name}.{given[0]}", f"task {self.task} does not read it: {reason}; leave section {name} out"

    def _class_problems(self) -> Iterator[tuple[str, str]]:
        """What the task classify cannot use."""
        for number, source in enumerate(self.sources):
            if not source.labelled:
                yield f"sources.{number}", "an annotation gives no classes; task classify needs labelled sequences"
        yield from self._unread_sections(tasks.NOT_OF_CLASSES)

    def _other_problems(self) -> Iterator[tuple[str, str]]:
        """Keys that only the task structure reads."""
        fix = "only task structure reads it; set task: structure, or leave it out"
        for name in tasks.STRUCTURE_SECTIONS:
            if given := sorted(getattr(self, name).model_fields_set):
                yield f"{name}.{given[0]}", fix
        for number, source in enumerate(self.sources):
            for key in tasks.STRUCTURE_SOURCE_KEYS:
                if key in source.model_fields_set:
                    yield f"sources.{number}.{key}", fix

    def _structure_problems(self) -> Iterator[tuple[str, str]]:
        """What the task structure cannot use, each with the reason."""
        yield from self._unread_sections(tasks.NOT_OF_STRUCTURE)
        for number, source in enumerate(self.sources):
            if source.labelled:
                yield (
                    f"sources.{number}",
                    "labelled sequences say nothing of single bases; task structure needs genomes",
                )
            for key, reason in tasks.SOURCE_KEYS_NOT_OF_STRUCTURE.items():
                if key in source.model_fields_set:
                    yield f"sources.{number}.{key}", f"task structure does not read it: {reason}; leave it out"
        if self.tokenizer.reuse is None and (problem := structure.tokenizer_problem(self.tokenizer)):
            yield f"tokenizer.{problem[0]}", problem[1]
        if self.tokenizer.vocabulary != "complete":
            yield (
                "tokenizer.vocabulary",
                (
                    "observed: task structure reads windows on both strands, and the reverse complement of a k-mer may "
                    "not be among those observed; leave it out"
                ),
            )
        if because := tasks.SPLITS_NOT_OF_STRUCTURE.get(self.split.by):
            yield "split.by", f"{self.split.by}: {because}; choose chromosome, block, region or genome"
