"""Sources of configurations: all of a grid, random draws, or Optuna's tree-structured Parzen estimator.

All are seeded and know after a kill what was tried before: a grid and random draws start again from the beginning,
and the queue skips what is recorded; Optuna is given the recorded results.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pipelines import fingerprint
from tuning import keys
from tuning.config import Domain, TuningConfig
from tuning.search import space
from tuning.search.space import Parameters, Space

if TYPE_CHECKING:
    import optuna

# Configurations that Optuna draws at random before its estimator chooses.
STARTUP_CONFIGURATIONS = 8
# The objective of a configuration that does not fit: below every metric. Its constraint is what counts against it.
WORST_VALUE = -1.0


class Proposals(Protocol):
    """A source of configurations."""

    def next(self) -> Parameters | None:
        """The next configuration, which may have been tried before; None where there are no more."""

    def register(self, parameters: Parameters) -> None:
        """Note that a configuration is being tried which this source has not just proposed, such as a recorded one."""

    def observe(self, parameters: Parameters, value: float | None, excess: float) -> None:
        """Take the result of a configuration into account.

        Args:
            parameters: of the configuration.
            value: its metric, to be maximized; None: it has none.
            excess: the share of the available memory by which it is too large; at most 0 where it fits.
        """


class Enumeration:
    """Proposes the configurations of an iterable, whatever their results."""

    def __init__(self, configurations: Iterable[Parameters]) -> None:
        self._configurations = iter(configurations)

    def next(self) -> Parameters | None:
        return next(self._configurations, None)

    def register(self, parameters: Parameters) -> None: ...

    def observe(self, parameters: Parameters, value: float | None, excess: float) -> None: ...


def random_configurations(search_space: Space, base: Mapping[str, Any], seed: int) -> Iterator[Parameters]:
    """Random configurations without end; the n-th follows from the seed and n alone."""
    number = 0
    while True:
        generator = np.random.default_rng(fingerprint.seed(seed, "tuning", number))
        yield space.sample(search_space, base, partial(_random_value, generator))
        number += 1


def _random_value(generator: np.random.Generator, key: str, domain: Domain) -> Any:
    if domain.values is not None:
        return domain.values[int(generator.integers(len(domain.values)))]
    if domain.whole:
        return int(generator.integers(domain.whole[0], domain.whole[1] + 1))
    if domain.uniform:
        return float(generator.uniform(*domain.uniform))
    low, high = (math.log(bound) for bound in domain.log_uniform or (1.0, 1.0))
    return float(math.exp(generator.uniform(low, high)))


def optuna_distribution(key: str, domain: Domain) -> optuna.distributions.BaseDistribution:
    """A domain as a distribution of Optuna."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if domain.values is not None:
        return CategoricalDistribution([optuna_choice(keys.validate_value(key, value)) for value in domain.values])
    if domain.whole:
        return IntDistribution(*domain.whole)
    low, high = domain.uniform or domain.log_uniform or (0.0, 1.0)
    return FloatDistribution(low, high, log=domain.log_uniform is not None)


def optuna_choice(value: Any) -> Any:
    """A value as a categorical choice of Optuna, which has to be a scalar: a list becomes JSON."""
    return value if value is None or isinstance(value, bool | int | float | str) else fingerprint.canonical_json(value)


class OptunaProposals:
    """The tree-structured Parzen estimator (Bergstra et al. 2011), with memory as a constraint.

    Args:
        search_space: key to domain.
        base: sections of the experiment.
        seed: of the search.
        recorded: number of configurations recorded already, so that a resumed study draws other random numbers.
    """

    def __init__(self, search_space: Space, base: Mapping[str, Any], seed: int, recorded: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._optuna, self._space, self._base = optuna, search_space, base
        self._distributions = {key: optuna_distribution(key, domain) for key, domain in search_space.items()}
        self._choices = {
            key: {optuna_choice(keys.validate_value(key, value)): value for value in domain.values}
            for key, domain in search_space.items()
            if domain.values is not None
        }
        with warnings.catch_warnings():
            # It warns that `multivariate` and `group` are experimental; the version of Optuna is pinned.
            warnings.simplefilter("ignore")
            sampler = optuna.samplers.TPESampler(
                seed=fingerprint.seed(seed, "tuning", recorded) % 2**32,
                n_startup_trials=STARTUP_CONFIGURATIONS,
                multivariate=True,
                group=True,
                # Configurations that are being tried repel new ones.
                constant_liar=True,
            )
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._running: dict[str, optuna.trial.Trial] = {}
        self._known: set[str] = set()

    def next(self) -> Parameters | None:
        return self._ask()

    def register(self, parameters: Parameters) -> None:
        self._study.enqueue_trial({key: optuna_choice(value) for key, value in parameters.items()})
        self._ask()

    def _ask(self) -> Parameters:
        trial = self._study.ask()

        def draw(key: str, domain: Domain) -> Any:
            value = trial._suggest(key, self._distributions[key])
            return self._choices[key][value] if key in self._choices else value

        parameters = space.sample(self._space, self._base, draw)
        name = fingerprint.of_value(parameters)
        if name in self._known:
            # A repeated proposal must not stay open, or it would repel its own neighbourhood for good.
            self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
        else:
            self._known.add(name)
            self._running[name] = trial
        return parameters

    def observe(self, parameters: Parameters, value: float | None, excess: float) -> None:
        name = fingerprint.of_value(parameters)
        if name not in self._running:
            self.register(parameters)
        trial = self._running.pop(name, None)
        if trial is None:
            return
        trial.set_constraint("memory", excess)
        if value is None and excess <= 0:
            self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
        else:
            self._study.tell(trial, WORST_VALUE if value is None else value)


def make_proposals(config: TuningConfig, base: Mapping[str, Any], recorded: int) -> Proposals:
    """The source of configurations that a study requests.

    Args:
        config: of the study.
        base: sections of the experiment.
        recorded: number of configurations recorded already.
    """
    if config.search == "grid":
        return Enumeration(space.all_configurations(config.search_space, base))
    if config.search == "random":
        return Enumeration(random_configurations(config.search_space, base, config.seed))
    return OptunaProposals(config.search_space, base, config.seed, recorded)
