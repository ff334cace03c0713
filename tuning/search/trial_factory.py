"""Makes rows of trials from configurations, with what each gets of the machines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pipelines import fingerprint
from pipelines.address import masked
from pipelines.dataset.location import Location
from training.config import ModelConfig, TrainingConfig
from training.distributed.run_key import run_key
from tuning import keys
from tuning.config import TuningConfig
from tuning.search.space import Parameters
from tuning.trial import Row, Trial
from tuning.trials.memory_check import Feasibility


@dataclass(frozen=True)
class DatasetRef:
    """A dataset that trials read.

    Attributes:
        location: its directory or address.
        fingerprint: from its manifest.
    """

    location: Location
    fingerprint: str


FindDataset = Callable[[Parameters], DatasetRef]
CheckMemory = Callable[[ModelConfig, TrainingConfig, DatasetRef], Feasibility]


class TrialFactory:
    """Makes the trials of a study.

    Args:
        config: of the study.
        base: sections of the experiment.
        find_dataset: the dataset of a configuration; raises UsageError where it has none.
        check_memory: whether a trial fits the machines.
    """

    def __init__(
        self, config: TuningConfig, base: Mapping[str, Any], find_dataset: FindDataset, check_memory: CheckMemory
    ) -> None:
        self._config, self._base = config, base
        self._find_dataset, self._check_memory = find_dataset, check_memory
        first = int((base.get("training") or {}).get("seed", 0))
        self.seeds = range(first, first + config.seeds)

    def configs(self, parameters: Parameters, seed: int) -> tuple[ModelConfig, TrainingConfig]:
        """The `model` and `training` sections of a trial.

        Raises:
            UsageError: the values are incompatible with each other.
        """
        return keys.trial_configs(self._base, parameters, seed, self._config.workers)

    def feasibility(self, parameters: Parameters) -> Feasibility:
        """Whether a configuration fits the machines.

        Raises:
            UsageError: its values are incompatible with each other.
        """
        return self._check_memory(*self.configs(parameters, self.seeds[0]), self._find_dataset(parameters))

    def trial(self, parameters: Parameters, configuration: int, seed: int, feasibility: Feasibility) -> Trial:
        """A trial that is to be run; its number, 0 here, follows when it begins.

        Raises:
            UsageError: the values are incompatible with each other.
        """
        dataset = self._find_dataset(parameters)
        return Trial(
            number=0,
            configuration=configuration,
            key=run_key(*self.configs(parameters, seed), dataset.fingerprint),
            seed=seed,
            parameters=parameters,
            dataset=masked(str(dataset.location)),
            fingerprint=dataset.fingerprint,
            **_columns(feasibility),
        )

    def refused(self, parameters: Parameters, configuration: int, number: int, checked: Feasibility | None) -> Trial:
        """The one row of a configuration that is not to be run.

        Args:
            parameters: of the configuration.
            configuration: its number.
            number: of the row.
            checked: its memory; None if that is not the reason.
        """
        return Trial(
            number=number,
            configuration=configuration,
            key=fingerprint.of_value(["refused", parameters]),
            seed=self.seeds[0],
            parameters=parameters,
            memory_predicted=checked.predicted if checked else None,
            memory_room=checked.available if checked else None,
            weights=checked.weights if checked else None,
        )

    def resumed(self, trial: Trial) -> tuple[Trial, Feasibility]:
        """An interrupted trial with what it gets of today's machines, and whether it still fits them."""
        model, training = self.configs(trial.parameters, trial.seed)
        dataset = self._find_dataset(trial.parameters)
        # The order in which sums are rounded depends on the token budget, so the trial keeps its own if it can.
        same_budget = training.model_copy(update={"token_budget": training.token_budget or trial.token_budget})
        feasibility = self._check_memory(model, same_budget, dataset)
        if not feasibility.fits:
            feasibility = self._check_memory(model, training, dataset)
        return replace(trial, dataset=masked(str(dataset.location)), **_columns(feasibility)), feasibility


def _columns(feasibility: Feasibility) -> Row:
    """The columns of a row that the memory check decides."""
    return {
        "token_budget": feasibility.token_budget,
        "retain_memory": feasibility.retain_memory,
        "cpus": feasibility.cpus,
        "gpus": feasibility.gpus,
        "weights": feasibility.weights,
        "memory_predicted": feasibility.predicted,
        "memory_room": feasibility.available,
    }
