"""Models of other datasets than the one they are evaluated on, and the regressions of their training data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from training.bundle.bundle import Bundle

Baseline = TypeVar("Baseline")


class Named(Protocol):
    """What has a name."""

    @property
    def name(self) -> str: ...


Model = TypeVar("Model", bound=Named)


class Evaluated(Protocol[Model]):
    """Models on a dataset, of two labels or of several classes."""

    @property
    def models(self) -> Sequence[Model]: ...

    def is_of_another_dataset(self, model: Model) -> bool: ...

    def own_regression(self, model: Model) -> object | None: ...


class OwnBaseline(NamedTuple, Generic[Baseline]):
    """A regression that models' bundles hold.

    Attributes:
        models: names of the models that were trained on its data.
        data: this data, in words.
        baseline: the regression.
    """

    models: tuple[str, ...]
    data: str
    baseline: Baseline


def own_baselines(
    bundles: Mapping[str, Bundle], fingerprint: str, read: Callable[[dict[str, Any], str], Baseline | None]
) -> list[OwnBaseline[Baseline]]:
    """The regressions of other datasets that models were trained on, once for each dataset.

    Args:
        bundles: name to model.
        fingerprint: of the dataset that they are evaluated on.
        read: the regression in a bundle's configuration, whose errors name the bundle; None where there is none.

    Raises:
        BundleError: as `read`.
    """
    names_by_dataset: dict[str, list[str]] = {}
    baselines: dict[str, Baseline] = {}
    for name, bundle in bundles.items():
        if (dataset := trained_on(bundle.config)) == fingerprint:
            continue
        baseline = read(bundle.config, f"model {name}" if len(bundles) > 1 else "the bundle")
        if baseline is not None:
            names_by_dataset.setdefault(dataset, []).append(name)
            baselines[dataset] = baseline
    return [
        OwnBaseline(tuple(names), _training_data(names, len(bundles)), baselines[dataset])
        for dataset, names in names_by_dataset.items()
    ]


def trained_on(config: Mapping[str, Any]) -> str:
    """The fingerprint of the dataset that a bundle was trained on."""
    return str(config["dataset"]["fingerprint"])


def explain_no_regression(evaluation: Evaluated[Model]) -> str | None:
    """Why models that were trained on other data have no regression of that data beside them; None if they have."""
    without = [
        model.name
        for model in evaluation.models
        if evaluation.is_of_another_dataset(model) and evaluation.own_regression(model) is None
    ]
    if not without:
        return None
    bundles = "the bundle holds" if len(evaluation.models) == 1 else f"the bundles of {', '.join(without)} hold"
    return (
        f"Regression on the training data: {bundles} none (an older raygene wrote them). Remove RUN/bundle and run the "
        "same raygene train again: it writes the bundle anew without training."
    )


def _training_data(names: Sequence[str], models: int) -> str:
    return f"the training data of {', '.join(names)}" if models > 1 else "the model's training data"
