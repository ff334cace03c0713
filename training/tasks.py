"""The tasks of training by name, and what of figures, words and keys follows from a task.

A dataset's manifest and a bundle's configuration name their task; where they do not, it is recognition.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.config.tasks import CLASSIFY, RECOGNISE, STRUCTURE
from pipelines.config.tasks import Task as Name
from pipelines.errors import BundleError, UsageError
from training.config import ModelConfig, TrainingConfig

__all__ = [
    "CLASSIFY",
    "CRITERIA",
    "RECOGNISE",
    "STRUCTURE",
    "Criterion",
    "Name",
    "Task",
    "criterion_of",
    "require_bundle",
]


@dataclass(frozen=True)
class Criterion:
    """The figure of validation by which epochs and trials are ranked; higher is better.

    Attributes:
        figure: its name in records.
        title: as people write it, after `validation`.
    """

    figure: str
    title: str


CRITERIA: dict[Name, Criterion] = {
    RECOGNISE: Criterion("validation_auroc", "AUROC"),
    STRUCTURE: Criterion("validation_exon_f1", "exon F1"),
    # The mean over classes, each against all others; of two classes it is the AUROC of either.
    CLASSIFY: Criterion("validation_auroc", "AUROC"),
}
VERBS: dict[Name, str] = {
    RECOGNISE: "scan, predict or evaluate",
    STRUCTURE: "annotate",
    CLASSIFY: "predict or evaluate",
}
"""The verbs that use a bundle of a task."""
_TITLES: dict[Name, str] = {
    RECOGNISE: "recognises genes among intervals",
    STRUCTURE: "gives the structure of genes",
    CLASSIFY: "gives the classes of sequences",
}

DEFAULTS: dict[str, Any] = {
    "reverse_complement": True,
    "shift": True,
    "site_weight": 10.0,
    "validation_bases": 2_000_000,
}
"""The values that keys of `training` have for structure where they are left out; all but the first are its alone."""
STEM_STRIDE = 9
"""`model.stem_stride` of structure where it is left out: three codons."""
_OF_STRUCTURE = ("base_channels", "base_layers", "base_width", "output_layers")
"""The keys of `model` that structure alone has."""
_OF_RECOGNITION: dict[str, str] = {
    "pooling": "task structure gives every base an output of its own, so that nothing is pooled",
    "strands": "task structure reads both strands at once",
    "ensemble": "task structure decodes the scores of one network",
}
"""The keys of `model` that recognition alone has, with the reason."""


@dataclass(frozen=True)
class Task:
    """What a model is trained for.

    Attributes:
        name: of the task.
        utr: whether untranslated bases of exons have a state of their own (structure).
        classes: their names in the order of the labels (classification); empty where only an experiment is known that
            leaves them to its data.
    """

    name: Name = RECOGNISE
    utr: bool = False
    classes: tuple[str, ...] = ()

    @classmethod
    def of_dataset(cls, config: Mapping[str, Any]) -> Task:
        """The task of a dataset.

        Args:
            config: `config` of its manifest.
        """
        if config.get("task") == CLASSIFY:
            return cls(CLASSIFY, classes=tuple(config.get("classes") or ()))
        if config.get("task", RECOGNISE) != STRUCTURE:
            return cls()
        labels = config.get("labels")
        return cls(STRUCTURE, isinstance(labels, Mapping) and labels.get("utr") == "keep")

    @classmethod
    def of_bundle(cls, config: Mapping[str, Any]) -> Task:
        """The task of a model.

        Args:
            config: of its bundle.
        """
        return cls.of_dataset(config)

    @property
    def is_structure(self) -> bool:
        """Whether the model labels every base."""
        return self.name == STRUCTURE

    @property
    def has_classes(self) -> bool:
        """Whether the model gives a sequence one of several classes."""
        return self.name == CLASSIFY

    @property
    def criterion(self) -> Criterion:
        """By what the best epoch is chosen."""
        return CRITERIA[self.name]

    def training(self, config: TrainingConfig) -> TrainingConfig:
        """The optimisation with every key that this task reads; the argument has none that it does not read.

        Raises:
            UsageError: a key that has no meaning for this task.
        """
        if self.is_structure:
            if config.class_weights != "none":
                raise UsageError(
                    f"training.class_weights {config.class_weights}: the classes are those of recognition",
                    "leave it out; training.site_weight is what weighs the loss of structure",
                    key="training.class_weights",
                )
            if config.label_smoothing:
                raise UsageError(
                    f"training.label_smoothing {config.label_smoothing:g}: task structure does not read it",
                    "leave it out",
                    key="training.label_smoothing",
                )
            absent = {key: value for key, value in DEFAULTS.items() if getattr(config, key) is None}
            return config.model_copy(update=absent) if absent else config
        if config.reverse_complement is False:
            config = config.model_copy(update={"reverse_complement": None})
        for key in DEFAULTS.keys() - {"reverse_complement"}:
            if getattr(config, key) is not None:
                raise UsageError(
                    f"training.{key}: the dataset is one of {self._title}, and this key is for task: structure alone",
                    "leave it out",
                    key=f"training.{key}",
                )
        return config

    @property
    def _title(self) -> str:
        return "classes" if self.has_classes else "recognition"

    def model(self, config: ModelConfig) -> ModelConfig:
        """The architecture, with the stride of this task's stem and its number of logits where they are left out."""
        if self.classes and config.outputs is None:
            return config.model_copy(update={"outputs": len(self.classes)})
        if not self.is_structure or "stem_stride" in config.model_fields_set:
            return config
        return config.model_copy(update={"stem_stride": STEM_STRIDE})

    def require_model(self, config: ModelConfig) -> None:
        """Refuse keys of the model that have no meaning for this task.

        Raises:
            UsageError: such a key has another value than its default.
        """
        needed = len(self.classes) if self.classes else None if self.has_classes else 1
        if needed and config.outputs not in (None, needed):
            raise UsageError(
                f"model.outputs {config.outputs}: the dataset needs {needed}", "leave it out", key="model.outputs"
            )
        only = dict.fromkeys(_OF_STRUCTURE, f"the dataset is one of {self._title}, and this key is for task: structure")
        for key, reason in (_OF_RECOGNITION if self.is_structure else only).items():
            value = getattr(config, key)
            if value != ModelConfig.model_fields[key].default:
                raise UsageError(f"model.{key} {value}: {reason}", "leave it out", key=f"model.{key}")


def criterion_of(record: Mapping[str, Any]) -> Criterion:
    """The criterion of the task that an epoch's record is of."""
    structure = CRITERIA[STRUCTURE]
    return structure if structure.figure in record else CRITERIA[RECOGNISE]


def require_bundle(config: Mapping[str, Any], task: Name, what: str) -> None:
    """Refuse the model of another task.

    Args:
        config: of its bundle.
        task: that is needed.
        what: names the bundle in the error.

    Raises:
        BundleError: naming the verbs for this model.
    """
    actual = Task.of_bundle(config).name
    if actual != task:
        raise BundleError(
            f"{what}: this model {_TITLES[actual]}, which is another task",
            f"use it with raygene {VERBS[actual]}",
            code="task",
        )
