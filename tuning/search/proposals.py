"""Where configurations come from: all of a grid, draws at random, or Optuna's tree-structured Parzen estimator.

All are seeded, and know after a kill what had been tried: a grid and random draws begin anew and pass over what is
recorded, Optuna is told of it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pipelines import fingerprint
from tuning import keys
from tuning.config import Domain, TuningConfig
from tuning.search import space
from tuning.search.space import Parameters, Space

if TYPE_CHECKING:
    import optuna

STARTUP = 8


class Proposals(Protocol):
    """A source of configurations."""

    def next(self) -> Parameters | None:
        """The next one; None where there are no more. It may be one that was tried before."""

    def again(self, parameters: Parameters) -> None:
        """A configuration has been proposed before and is being tried."""

    def told(self, parameters: Parameters, value: float | None, excess: float) -> None:
        """What became of one that was proposed.

        Args:
            parameters: of the configuration.
            value: the higher the better; None: it has none.
            excess: by which share of the room it took too much memory; at most 0 where it fits.
        """


class Listed:
    """Every configuration of a grid, or as many random ones as are asked for; neither learns from what it is told."""

    def __init__(self, source: Any) -> None:
        self._source = iter(source)

    def next(self) -> Parameters | None:
        return next(self._source, None)

    def again(self, parameters: Parameters) -> None: ...

    def told(self, parameters: Parameters, value: float | None, excess: float) -> None: ...


def at_random(searched: Space, base: Mapping[str, Any], seed: int) -> Any:
    """Configurations without end; the n-th follows from seed and n alone."""
    number = 0
    while True:
        generator = np.random.default_rng(fingerprint.seed(seed, "tuning", number))
        yield space.drawn(searched, base, _drawing(generator))
        number += 1


def _drawing(generator: np.random.Generator) -> space.Draw:
    return lambda key, domain: _random(domain, generator)


def _random(domain: Domain, generator: np.random.Generator) -> Any:
    if domain.values is not None:
        return domain.values[int(generator.integers(len(domain.values)))]
    if domain.whole:
        return int(generator.integers(domain.whole[0], domain.whole[1] + 1))
    if domain.uniform:
        return float(generator.uniform(*domain.uniform))
    low, high = (math.log(bound) for bound in domain.log_uniform or (1.0, 1.0))
    return float(math.exp(generator.uniform(low, high)))


def distribution(key: str, domain: Domain) -> optuna.distributions.BaseDistribution:
    """A domain as Optuna names it."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if domain.values is not None:
        return CategoricalDistribution([plain(keys.checked(key, value)) for value in domain.values])
    if domain.whole:
        return IntDistribution(*domain.whole)
    low, high = domain.uniform or domain.log_uniform or (0.0, 1.0)
    return FloatDistribution(low, high, log=domain.log_uniform is not None)


def plain(value: Any) -> Any:
    """A choice as Optuna can hold it."""
    return value if value is None or isinstance(value, bool | int | float | str) else fingerprint.canonical_json(value)


class Optuna:
    """The tree-structured Parzen estimator (Bergstra et al. 2011), with what does not fit as a constraint.

    Args:
        searched: key to domain.
        base: the experiment's sections.
        seed: of the sampler.
        begun: configurations recorded already, so that a campaign that goes on does not draw the same again.
    """

    def __init__(self, searched: Space, base: Mapping[str, Any], seed: int, begun: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._optuna, self._space, self._base = optuna, searched, base
        self._distributions = {key: distribution(key, domain) for key, domain in searched.items()}
        self._choices = {
            key: {plain(keys.checked(key, one)): one for one in domain.values}
            for key, domain in searched.items()
            if domain.values is not None
        }
        with warnings.catch_warnings():
            # That `multivariate` and `group` may change with a version: the version is pinned.
            warnings.simplefilter("ignore")
            sampler = optuna.samplers.TPESampler(
                seed=fingerprint.seed(seed, "tuning", begun) % 2**32,
                n_startup_trials=STARTUP,
                multivariate=True,
                group=True,
                constant_liar=True,
            )
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._open: dict[str, Any] = {}
        self._known: set[str] = set()

    def next(self) -> Parameters | None:
        return self._ask()

    def again(self, parameters: Parameters) -> None:
        self._study.enqueue_trial({key: plain(value) for key, value in parameters.items()})
        self._ask()

    def _ask(self) -> Parameters:
        trial = self._study.ask()

        def draw(key: str, domain: Domain) -> Any:
            found = trial._suggest(key, self._distributions[key])
            return self._choices[key][found] if key in self._choices else found

        parameters = space.drawn(self._space, self._base, draw)
        name = fingerprint.of_value(parameters)
        if name in self._known:
            self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
        else:
            self._known.add(name)
            self._open[name] = trial
        return parameters

    def told(self, parameters: Parameters, value: float | None, excess: float) -> None:
        state = self._optuna.trial.TrialState
        name = fingerprint.of_value(parameters)
        if name not in self._open:
            self.again(parameters)
        trial = self._open.pop(name, None)
        if trial is None:
            return
        trial.set_constraint("memory", excess)
        if value is None and excess <= 0:
            self._study.tell(trial, state=state.FAIL)
        else:
            # Below every figure there is; that it does not fit is what counts against it.
            self._study.tell(trial, -1.0 if value is None else value)


def proposals(config: TuningConfig, base: Mapping[str, Any], begun: int) -> Proposals:
    """The source that a campaign asks for."""
    if config.search == "grid":
        return Listed(space.all_of(config.searched, base))
    if config.search == "random":
        return Listed(at_random(config.searched, base, config.seed))
    return Optuna(config.searched, base, config.seed, begun)
