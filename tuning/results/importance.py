"""How much of the variation in the metric each searched key explains: functional ANOVA (Hutter et al. 2014), by Optuna.

The importances are shares of variance under a random forest fitted to the configurations tried, each with its mean
over seeds. They add up to one, so a single key has none. A key that some configurations lack, or that has one value
in all of them, cannot be compared and has none either. Takes about a second.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from tuning import ranking, summary
from tuning.config import Domain
from tuning.search.proposals import optuna_choice, optuna_distribution
from tuning.trial import Trial

# Fewer configurations, in all or for each key, say nothing of one key apart from the others.
MIN_CONFIGURATIONS, MIN_FOR_EACH_KEY, MIN_KEYS = 10, 5, 2
HEADER = ("key", "share of the variation")
METHOD = "functional ANOVA over a random forest, as Optuna computes it"


def importance(
    trials: Sequence[Trial], search_space: dict[str, Domain], metric: str, seeds: int = 1
) -> dict[str, float]:
    """Keys and the shares of the variation in the metric that they explain, largest first.

    Empty with fewer than ten configurations, or than five for each key, with fewer than two keys that can be compared,
    or if all metrics are equal.

    Args:
        trials: of the study.
        search_space: key to domain.
        metric: of the task, such as auroc or exon_f1.
        seeds: trials of each configuration.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    scores = ranking.scored(trials, metric, seeds)
    results = [(group[0].parameters, value) for group, value in scores]
    varied = summary.varied_keys([group[0] for group, _ in scores])
    shared = [key for key in search_space if key in varied and all(key in parameters for parameters, _ in results)]
    enough = max(MIN_CONFIGURATIONS, MIN_FOR_EACH_KEY * len(shared))
    if len(results) < enough or len(shared) < MIN_KEYS or len({value for _, value in results}) < 2:
        return {}
    distributions = {key: optuna_distribution(key, search_space[key]) for key in shared}
    study = optuna.create_study(direction="maximize")
    for parameters, value in results:
        choices = {key: optuna_choice(parameters[key]) for key in shared}
        study.add_trial(optuna.trial.create_trial(params=choices, distributions=distributions, value=value))
    with warnings.catch_warnings():
        # It warns that the evaluator is experimental; the version of Optuna is pinned.
        warnings.simplefilter("ignore")
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        return dict(optuna.importance.get_param_importances(study, evaluator=evaluator, params=shared))


def caveat(trials: Sequence[Trial], metric: str, seeds: int = 1) -> str:
    """What importances cannot say, in two sentences; the arguments are those of `importance`."""
    configurations = len(ranking.scored(trials, metric, seeds))
    return (
        f"Importances are estimates from {configurations} configurations, and hold for the values that were searched: "
        "a key with a narrow range explains little, whatever it does beyond. Where two keys work together, a share "
        "says nothing of either alone."
    )


def rows(shares: dict[str, float]) -> list[tuple[object, ...]]:
    """Importances as rows under `HEADER`."""
    return [(key, f"{share:.1%}") for key, share in shares.items()]
