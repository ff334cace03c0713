"""The `tuning` section of an experiment: what a study searches, how, and when it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import yaml
from pydantic import BeforeValidator, Field, field_validator, model_validator

from pipelines.config import Section
from pipelines.documents import yaml_reader
from pipelines.errors import UsageError
from training.tasks import CLASSIFY, RECOGNISE, STRUCTURE, Name, Task
from tuning import keys

Search = Literal["optuna", "random", "grid"]
MAX_DATASETS = 10_000
METRICS: dict[Name, tuple[str, ...]] = {
    RECOGNISE: ("auroc", "mcc"),
    CLASSIFY: ("auroc", "mcc"),
    STRUCTURE: ("exon_f1", "cds_f1"),
}
KINDS = ("grid", "choice", "int", "uniform", "log_uniform")


class Domain(Section):
    """The values that a key may take, as exactly one kind, and the condition under which it is searched."""

    grid: list[Any] | None = Field(default=None, description="values, all of which are tried", min_length=1)
    choice: list[Any] | None = Field(default=None, description="values, one of which is drawn", min_length=1)
    whole: tuple[int, int] | None = Field(
        default=None, alias="int", description="whole numbers from one to another, both included"
    )
    uniform: tuple[float, float] | None = Field(default=None, description="numbers between two")
    log_uniform: tuple[float, float] | None = Field(
        default=None,
        description="numbers between two, each order of magnitude equally likely; rounded for a key of whole numbers",
    )
    when: dict[str, Any] = Field(
        default={}, description="keys, and the value (or values) they must have for this key to be searched"
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Domain:
        kinds = [kind for kind in KINDS if self._values_of(kind) is not None]
        if len(kinds) != 1:
            raise ValueError(f"give one of {', '.join(KINDS)}, not {' and '.join(kinds) or 'none'}")
        bounds = None if self.values is not None else self._values_of(kinds[0])
        if bounds and bounds[0] > bounds[1]:
            raise ValueError(f"{kinds[0]} {bounds[0]:g} to {bounds[1]:g} is empty; give the lower bound first")
        if self.log_uniform and self.log_uniform[0] <= 0:
            raise ValueError(f"log_uniform must begin above 0, not at {self.log_uniform[0]:g}")
        return self

    def _values_of(self, kind: str) -> Any:
        return self.whole if kind == "int" else getattr(self, kind)

    @property
    def values(self) -> list[Any] | None:
        """The values of a list; None for a range."""
        return self.grid if self.grid is not None else self.choice

    @property
    def all_values(self) -> Sequence[Any] | None:
        """All values of a list or a range of whole numbers; None for a range of real numbers."""
        return range(self.whole[0], self.whole[1] + 1) if self.whole else self.values

    @property
    def values_to_check(self) -> tuple[Any, ...]:
        """The values of a list or the bounds of a range: where these are valid, all are."""
        return tuple(self.values or self.whole or self.uniform or self.log_uniform or ())

    def with_typed_values(self, key: str) -> Domain:
        """The domain with values of the key's type in place of text and unquoted fractions."""
        changed: dict[str, Any] = {
            kind: [keys.typed_value(key, value) for value in values]
            for kind in ("grid", "choice")
            if (values := getattr(self, kind)) is not None
        }
        changed["when"] = {
            other: [keys.typed_value(other, value) for value in condition]
            if isinstance(condition, list)
            else keys.typed_value(other, condition)
            for other, condition in self.when.items()
        }
        return self.model_copy(update=changed)

    def with_whole_numbers(self) -> Domain:
        """`uniform` as a range of whole numbers; other kinds unchanged (draws of `log_uniform` are rounded)."""
        if self.uniform is None:
            return self
        return Domain(int=(round(self.uniform[0]), round(self.uniform[1])), when=self.when)


def _as_space(value: Any) -> Any:
    """A mapping of keys to domains, from a mapping or from flags `KEY=YAML`; a bare list becomes a grid."""
    if isinstance(value, list | tuple):
        pairs = [str(flag).partition("=") for flag in value]
        if malformed := [key for key, equals, _ in pairs if not equals]:
            raise ValueError(f"{malformed[0][:60]}: write KEY=VALUES, such as 'model.hidden=[16, 32]'")
        given = [key for key, _, _ in pairs]
        if repeated := [key for key in given if given.count(key) > 1]:
            raise ValueError(f"{repeated[0][:60]} is given twice; list all its values in one")
        try:
            value = {key: yaml_reader.parse(text) for key, _, text in pairs}
        except yaml.YAMLError as error:
            raise ValueError(yaml_reader.problem_of(error)) from None
    if not isinstance(value, Mapping):
        return value
    return {str(key): {"grid": domain} if isinstance(domain, list) else domain for key, domain in value.items()}


Space = Annotated[dict[str, Domain], BeforeValidator(_as_space)]

_WIDTHS = [8, 16, 32, 64, 128]
DEFAULT_SPACE: dict[str, Domain] = {
    "model.embedding": Domain(choice=_WIDTHS),
    "model.hidden": Domain(choice=_WIDTHS),
    "model.layers": Domain(int=(1, 2)),
    "training.learning_rate": Domain(log_uniform=(5e-4, 1e-2)),
    "model.dropout": Domain(uniform=(0.0, 0.4)),
}
DEFAULT_GRID = {key: DEFAULT_SPACE[key] for key in ("model.embedding", "model.hidden")}
DEFAULT_CONFIGURATIONS = 16


class TuningConfig(Section):
    """A search over configurations of model, training and data."""

    RENAMED: ClassVar[Mapping[str, str]] = {
        "trials": "configurations",
        "grace": "grace_period",
        "reduction": "reduction_factor",
        "seconds": "time_budget_s",
        "plateau": "patience",
    }

    space: Space | None = Field(
        default=None,
        description="keys of the configuration and their values: a list (all of them), or choice, int, uniform or "
        "log_uniform, each with `when` if it depends on another key; as flags KEY=YAML (default: model.embedding, "
        "model.hidden, model.layers, training.learning_rate and model.dropout; for grid the first two)",
        min_length=1,
    )
    search: Search = Field(
        default="optuna", description="optuna = tree-structured Parzen estimator, random, or grid = all combinations"
    )
    configurations: int | None = Field(
        default=None,
        description="configurations to try, including those that do not fit (default: 16; for grid: all)",
        ge=1,
    )
    seeds: int = Field(
        default=1,
        description="times that each configuration is trained, with training.seed and the seeds after it",
        ge=1,
        le=10_000,
    )
    metric: Literal["auroc", "mcc", "exon_f1", "cds_f1"] = Field(
        default="auroc",
        description="validation metric to maximize, at the epoch that is kept (that of highest AUROC); task structure "
        "has exon_f1 (default, by which its epoch is kept) and cds_f1",
    )
    scheduler: Literal["asha", "none"] = Field(
        default="asha", description="asha = stop trials early that fall behind the others (successive halving)"
    )
    grace_period: int = Field(default=1, description="epochs that every trial is trained for (asha)", ge=1)
    reduction_factor: int = Field(default=3, description="one trial in this many continues at each rung (asha)", ge=2)
    time_budget_s: float | None = Field(
        default=None, description="seconds after which no trial starts, and running trials stop after their epoch", gt=0
    )
    trial_time_limit: float | None = Field(
        default=None,
        description="seconds after which a trial is ended, also within an epoch; what its epochs reached counts, and "
        "without one it has failed",
        gt=0,
    )
    patience: int = Field(
        default=0,
        description="configurations in a row without an improvement after which the study ends (0: never)",
        ge=0,
    )
    workers: int = Field(default=1, description="workers of each trial; more than one use Ray Train", ge=1, le=10_000)
    concurrent: int | None = Field(
        default=None,
        description="maximum number of trials at once (default: as many as CPUs, GPUs and memory allow)",
        ge=1,
    )
    device_memory: str | None = Field(
        default=None, description="memory to plan for, such as 24GiB (default: that of the machines of the cluster)"
    )
    device_kind: Literal["cpu", "cuda"] | None = Field(
        default=None, description="kind of device that device_memory describes (default: what the trials run on)"
    )
    gap_rows: int = Field(
        default=2048,
        description="rows of train, drawn once, on which the gap between train and validation is measured",
        ge=2,
    )
    seed: int = Field(default=0, description="seed of the search", ge=0)

    @field_validator("device_memory")
    @classmethod
    def _a_size(cls, value: str | None) -> str | None:
        if value is not None:
            from training.memory import capacity  # imports torch, which --help need not wait for

            try:
                capacity.parse_size(value)
            except UsageError as error:
                # The value is shown before the text of any error of a key.
                problem = error.problem.removeprefix(f"{value[:40]}: ")
                raise ValueError(f"{problem}; {error.fix}") from None
        return value

    @model_validator(mode="after")
    def _keys_and_values(self) -> TuningConfig:
        for key, domain in (self.space or {}).items():
            if domain.values is None and keys.numeric_type(key) is None:
                raise ValueError(f"{key} takes no numbers, so it cannot have a range; give a list")
            for value in domain.values_to_check:
                keys.validate_value(key, value)
            for other, condition in domain.when.items():
                for value in condition if isinstance(condition, list) else [condition]:
                    keys.validate_value(other, value)
            domain = domain.with_typed_values(key)
            if keys.numeric_type(key) is int:
                domain = domain.with_whole_numbers()
            if self.space:
                self.space[key] = domain
            if keys.decides_dataset(key) and domain.all_values is None:
                raise ValueError(f"each value of {key} needs its own dataset; give a list or int")
            if keys.decides_dataset(key) and len(domain.all_values or ()) > MAX_DATASETS:
                raise ValueError(f"each value of {key} needs its own dataset; give at most {MAX_DATASETS:,} values")
            if self.search == "grid" and domain.all_values is None:
                raise ValueError(
                    f"{key} is a range, which a grid cannot enumerate; give a list, or set search to random"
                )
        return self

    def for_task(self, task: Task) -> TuningConfig:
        """The search with a metric of the task.

        Raises:
            UsageError: the metric is one of another task.
        """
        if self.metric in METRICS[task.name]:
            return self
        if task.is_structure and self.metric == "auroc":
            # The default; recognition's metrics have no meaning here.
            return self.model_copy(update={"metric": "exon_f1"})
        raise UsageError(
            f"tuning.metric {self.metric}: not a metric of the dataset's task",
            f"choose one of {', '.join(METRICS[task.name])}",
            key="tuning.metric",
        )

    @property
    def search_space(self) -> dict[str, Domain]:
        """The space, or the default one."""
        if self.space is not None:
            return self.space
        return DEFAULT_GRID if self.search == "grid" else DEFAULT_SPACE

    @property
    def max_configurations(self) -> int | None:
        """Configurations to try; None: all of the space."""
        return self.configurations or (None if self.search == "grid" else DEFAULT_CONFIGURATIONS)
