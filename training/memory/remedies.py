"""What would make a model fit: each a configuration key with the mildest value that does, least harmful first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from training.config import ModelConfig, TrainingConfig

Configuration = tuple[ModelConfig, TrainingConfig, int]
Peak = Callable[[ModelConfig, TrainingConfig, int], int]


@dataclass(frozen=True)
class Fix:
    """Changes that together make the longest sequence fit.

    Attributes:
        settings: configuration key to value.
        peak: bytes that a step then takes, by the formula.
    """

    settings: dict[str, object]
    peak: int

    def __str__(self) -> str:
        return " and ".join(f"{key} to {value}" for key, value in self.settings.items())


def remedies(
    model: ModelConfig, training: TrainingConfig, longest: int, usable: int, peak: Peak, bases: Callable[[int], int]
) -> list[Fix]:
    """The remedies of one key that fit; if there is none, all together as far as it takes.

    Args:
        model: the architecture that does not fit.
        training: the optimisation.
        longest: tokens of the longest sequence.
        usable: bytes that a step may take.
        peak: what a step with one sequence of so many tokens takes.
        bases: length of a sequence of so many tokens.
    """
    found = []
    for candidates in _ladders(model, training, longest, bases):
        fitting = ((settings, peak(*changed)) for settings, changed in candidates)
        first = next(((settings, size) for settings, size in fitting if size <= usable), None)
        if first is not None:
            found.append(Fix(*first))
    return found or _together(model, training, longest, usable, peak, bases)


def _together(
    model: ModelConfig, training: TrainingConfig, longest: int, usable: int, peak: Peak, bases: Callable[[int], int]
) -> list[Fix]:
    settings: dict[str, object] = {}
    for number in range(len(list(_ladders(model, training, longest, bases)))):
        # Each ladder anew, from what the ones before have come down to.
        ladder = list(_ladders(model, training, longest, bases))[number]
        for changed_settings, changed in ladder:
            size = peak(*changed)
            last = changed
            if size <= usable:
                return [Fix(settings | changed_settings, size)]
        if ladder:
            settings |= ladder[-1][0]
            model, training, longest = last
    return []


def _ladders(
    model: ModelConfig, training: TrainingConfig, longest: int, bases: Callable[[int], int]
) -> Iterator[list[tuple[dict[str, object], Configuration]]]:
    """For each key the values below the present one, mildest first."""

    def architecture(key: str, values: list[int]) -> list[tuple[dict[str, object], Configuration]]:
        return [
            ({f"model.{key}": value}, (model.model_copy(update={key: value}), training, longest)) for value in values
        ]

    half = [] if training.precision != "fp32" else ["bf16"]
    yield [
        ({"training.precision": one}, (model, training.model_copy(update={"precision": one}), longest)) for one in half
    ]
    yield architecture(
        "stem_stride", [n for n in (2, 3, 4, 6, 8, 12, 16, 24, 32) if n > model.stem_stride and model.stem]
    )
    transformer = model.kind == "transformer"
    widest = model.window or longest
    yield architecture("window", [n for n in (1024, 512, 256, 128, 64, 32, 16) if n < widest and transformer])
    yield [
        ({"crop.length": bases(tokens)}, (model, training, tokens))
        for tokens in _falling(longest)
        if bases(tokens) < bases(longest)
    ]
    sgd = [] if training.optimizer == "sgd" else ["sgd"]
    yield [
        ({"training.optimizer": one}, (model, training.model_copy(update={"optimizer": one}), longest)) for one in sgd
    ]
    yield architecture("layers", list(range(model.layers - 1, 0, -1)))
    step = 2 * model.heads if transformer else 4
    yield architecture("hidden", [n // step * step for n in _falling(model.hidden) if n // step * step >= max(4, step)])
    yield architecture("embedding", [n // 4 * 4 for n in _falling(model.embedding) if n >= 4])


def _falling(value: int) -> list[int]:
    """Values below one, each about a tenth lower than the one before."""
    found = []
    while value > 1:
        value = min(value - 1, int(value * 0.9))
        found.append(value)
    return found
