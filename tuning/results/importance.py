"""How much of the variation in the figure each searched key explains: functional ANOVA (Hutter et al. 2014), by Optuna.

Shares of variance under a random forest fitted to the configurations tried, each with its mean over seeds; they add up to
one, so that of a single key there is nothing to tell. A key that not every configuration has, or that has one value in all of
them, cannot be compared, and has none. Costs a second.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from tuning import summary
from tuning.config import Domain
from tuning.search.proposals import distribution, plain
from tuning.trial import Trial

LEAST = 4
HEADER = ("key", "share of the variation")
METHOD = "functional ANOVA over a random forest, as Optuna computes it"


def importance(trials: Sequence[Trial], searched: dict[str, Domain], metric: str, seeds: int = 1) -> dict[str, float]:
    """Key to share of the variation of the figure, largest first; empty of too few configurations or fewer than two keys.

    Args:
        trials: of the campaign.
        searched: key to domain.
        metric: auroc or mcc.
        seeds: trials of each configuration.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    found = [(rows[0].parameters, value) for rows, value in summary.scored(trials, metric, seeds)]
    varied = summary.varied([rows[0] for rows, _ in summary.scored(trials, metric, seeds)])
    shared = [key for key in searched if key in varied and all(key in parameters for parameters, _ in found)]
    if len(found) < LEAST or len(shared) < 2 or len({value for _, value in found}) < 2:
        return {}
    distributions = {key: distribution(key, searched[key]) for key in shared}
    study = optuna.create_study(direction="maximize")
    for parameters, value in found:
        study.add_trial(
            optuna.trial.create_trial(
                params={key: plain(parameters[key]) for key in shared}, distributions=distributions, value=value
            )
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        return dict(optuna.importance.get_param_importances(study, evaluator=evaluator, params=shared))


def rows(found: dict[str, float]) -> list[tuple[object, ...]]:
    """The table under `HEADER`."""
    return [(key, f"{share:.1%}") for key, share in found.items()]
