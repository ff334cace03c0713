"""The section of an experiment that decides a campaign: what is searched, how, and when it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import yaml
from pydantic import BeforeValidator, Field, field_validator, model_validator

from pipelines.config import Section
from pipelines.errors import UsageError
from tuning import keys

Search = Literal["optuna", "random", "grid"]
KINDS = ("grid", "choice", "int", "uniform", "log_uniform")


class Domain(Section):
    """The values a key may take, one of the kinds, and under which other values it is searched at all."""

    grid: list[Any] | None = Field(default=None, description="values, each of which is tried", min_length=1)
    choice: list[Any] | None = Field(default=None, description="values, of which one is drawn", min_length=1)
    whole: tuple[int, int] | None = Field(default=None, alias="int", description="whole numbers from one to another")
    uniform: tuple[float, float] | None = Field(default=None, description="numbers between two")
    log_uniform: tuple[float, float] | None = Field(
        default=None,
        description="numbers between two, each order of magnitude as likely; rounded for a key of whole numbers",
    )
    when: dict[str, Any] = Field(
        default={}, description="keys and the value (or values) they must have for this one to be searched"
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Domain:
        given = [name for name in KINDS if self._of(name) is not None]
        if len(given) != 1:
            raise ValueError(f"give one of {', '.join(KINDS)}, not {' and '.join(given) or 'none'}")
        bounds = None if self.values is not None else self._of(given[0])
        if bounds and bounds[0] > bounds[1]:
            raise ValueError(f"{given[0]} {bounds[0]:g} to {bounds[1]:g} holds nothing; give the lower bound first")
        if self.log_uniform and self.log_uniform[0] <= 0:
            raise ValueError(f"log_uniform begins above 0, not at {self.log_uniform[0]:g}")
        return self

    def _of(self, kind: str) -> Any:
        return self.whole if kind == "int" else getattr(self, kind)

    @property
    def values(self) -> list[Any] | None:
        """Of a list; None of a range."""
        return self.grid if self.grid is not None else self.choice

    @property
    def every(self) -> Sequence[Any] | None:
        """All values, where they can be counted."""
        return range(self.whole[0], self.whole[1] + 1) if self.whole else self.values

    @property
    def ends(self) -> tuple[Any, ...]:
        """What has to be a value of the key for all to be."""
        return tuple(self.values or self.whole or self.uniform or self.log_uniform or ())

    def of_whole_numbers(self) -> Domain:
        """The same range of whole numbers; with `log_uniform` a draw is rounded where it is made."""
        if self.uniform is None:
            return self
        return Domain(int=(round(self.uniform[0]), round(self.uniform[1])), when=self.when)


def _as_space(value: Any) -> Any:
    """A mapping of keys to domains; as flags `KEY=YAML` each, and a bare list is a grid."""
    if isinstance(value, list | tuple):
        pairs = [str(one).partition("=") for one in value]
        if wrong := [key for key, equals, _ in pairs if not equals]:
            raise ValueError(f"{wrong[0]}: write KEY=VALUES, such as 'model.hidden=[16, 32]'")
        try:
            value = {key: yaml.safe_load(text) for key, _, text in pairs}
        except yaml.YAMLError as error:
            raise ValueError(f"not YAML ({getattr(error, 'problem', error)})") from None
    if not isinstance(value, Mapping):
        return value
    return {str(key): {"grid": one} if isinstance(one, list) else one for key, one in value.items()}


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
DEFAULT_TRIALS = 16


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
        description="key of the configuration to its values: a list (all of them), or choice, int, uniform or log_uniform, each "
        "with `when` if it depends on another key; as flags KEY=YAML (default: model.embedding, model.hidden, model.layers, "
        "training.learning_rate and model.dropout; for grid the first two)",
        min_length=1,
    )
    search: Search = Field(
        default="optuna", description="optuna = tree-structured Parzen estimator, random, or grid = all combinations"
    )
    configurations: int | None = Field(
        default=None,
        description="configurations to try, those that do not fit counted (default: 16; for grid: all)",
        ge=1,
    )
    seeds: int = Field(
        default=1, description="times each configuration is trained, with training.seed and the seeds after it", ge=1
    )
    metric: Literal["auroc", "mcc"] = Field(
        default="auroc", description="validation figure of the kept epoch (that of highest AUROC) to be made high"
    )
    scheduler: Literal["asha", "none"] = Field(
        default="asha", description="asha = end a trial early that falls behind the others (successive halving)"
    )
    grace_period: int = Field(default=1, description="epochs that every trial gets (asha)", ge=1)
    reduction_factor: int = Field(
        default=3, description="of so many trials the best goes on at each halving (asha)", ge=2
    )
    time_budget_s: float | None = Field(
        default=None, description="time after which none starts and those that run end with their epoch", gt=0
    )
    patience: int = Field(
        default=0, description="configurations in a row without a better one before the campaign ends (0: never)", ge=0
    )
    workers: int = Field(default=1, description="workers of each trial; more than one train with Ray Train", ge=1)
    concurrent: int | None = Field(
        default=None, description="most trials at once (default: as many as CPUs, GPUs and memory allow)", ge=1
    )
    device_memory: str | None = Field(
        default=None, description="memory to plan for, such as 24GiB (default: that of the machines of the cluster)"
    )
    device_kind: Literal["cpu", "cuda"] | None = Field(
        default=None, description="whose memory that is (default: what the trials run on)"
    )
    gap_rows: int = Field(
        default=2048, description="rows of train, drawn once, on which the gap to validation is measured", ge=2
    )
    seed: int = Field(default=0, description="seed of the search", ge=0)

    @field_validator("device_memory")
    @classmethod
    def _a_size(cls, value: str | None) -> str | None:
        if value is not None:
            from training.memory import capacity  # torch comes with it, and --help need not wait for that

            try:
                capacity.parse(value)
            except UsageError as error:
                raise ValueError(f"{error.problem}; {error.fix}") from None
        return value

    @model_validator(mode="after")
    def _keys_and_values(self) -> TuningConfig:
        for key, domain in (self.space or {}).items():
            if domain.values is None and keys.number(key) is None:
                raise ValueError(f"{key} takes no numbers, so that a range means nothing; give a list")
            for value in domain.ends:
                keys.checked(key, value)
            if self.space and keys.number(key) is int:
                self.space[key] = domain = domain.of_whole_numbers()
            for other, value in domain.when.items():
                for one in value if isinstance(value, list) else [value]:
                    keys.checked(other, one)
            if keys.of_dataset(key) and domain.every is None:
                raise ValueError(f"{key} makes a dataset of its own for every value; give a list or int")
            if self.search == "grid" and domain.every is None:
                raise ValueError(
                    f"{key} is a range, which a grid cannot go through; give a list, or set search to random"
                )
        return self

    @property
    def searched(self) -> dict[str, Domain]:
        """The space, or what stands for it."""
        if self.space is not None:
            return self.space
        return DEFAULT_GRID if self.search == "grid" else DEFAULT_SPACE

    @property
    def max_configurations(self) -> int | None:
        """Configurations to try; None: all there are."""
        return self.configurations or (None if self.search == "grid" else DEFAULT_TRIALS)
