"""Changes that would make a model fit: configuration keys with the mildest value that does, least harmful first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pipelines.errors import UsageError
from training import model_registry, networks
from training.config import ModelConfig, TrainingConfig
from training.tasks import RECOGNISE, STRUCTURE, Name, Task

Configuration = tuple[ModelConfig, TrainingConfig, int]
"""Model, optimisation and tokens of the longest sequence."""
Peak = Callable[[ModelConfig, TrainingConfig, int], int]
Bases = Callable[[int], int]
Candidate = tuple[dict[str, object], Configuration]

STRIDES = (2, 3, 4, 6, 8, 12, 16, 24, 32)
LENGTH_KEYS: dict[Name, str] = {RECOGNISE: "crop.length", STRUCTURE: "window.length"}
"""The key that decides how long a sequence is; sequences with classes are read whole."""
WINDOWS = (1024, 512, 256, 128, 64, 32, 16)


@dataclass(frozen=True)
class Fix:
    """Changes that together make the longest sequence fit.

    Attributes:
        settings: configuration key to value.
        peak: estimated bytes that a step then takes.
    """

    settings: dict[str, object]
    peak: int

    def __str__(self) -> str:
        return " and ".join(f"{key} to {value}" for key, value in self.settings.items())


def propose(
    model: ModelConfig,
    training: TrainingConfig,
    longest: int,
    usable: int,
    peak: Peak,
    bases: Bases,
    task: Name = RECOGNISE,
) -> list[Fix]:
    """The fixes of one key each that fit; if there is none, one fix of as many keys as it takes.

    Args:
        model: the architecture that does not fit.
        training: the optimisation.
        longest: tokens of the longest sequence.
        usable: bytes that a step may take.
        peak: estimates what a step takes with one sequence of a number of tokens.
        bases: length in bases of a sequence of a number of tokens.
        task: of the dataset, which decides what the length of a sequence is set by.
    """
    single = []
    for ladder in _ladders(model, training, longest, bases, task):
        for settings, changed in ladder:
            if (size := peak(*changed)) <= usable:
                single.append(Fix(settings, size))
                break
    return single or _combined(model, training, longest, usable, peak, bases, task)


def _combined(
    model: ModelConfig,
    training: TrainingConfig,
    longest: int,
    usable: int,
    peak: Peak,
    bases: Bases,
    task: Name,
) -> list[Fix]:
    """Each key in turn at its smallest value, until one makes it fit; empty if none does."""
    settings: dict[str, object] = {}
    for number in range(len(list(_ladders(model, training, longest, bases, task)))):
        # The ladders are computed again: each starts from the values at which the ladders before it ended.
        ladder = list(_ladders(model, training, longest, bases, task))[number]
        for changed_settings, changed in ladder:
            size = peak(*changed)
            if size <= usable:
                return [Fix(settings | changed_settings, size)]
        if ladder:
            last_settings, (model, training, longest) = ladder[-1]
            settings |= last_settings
    return []


def _ladders(
    model: ModelConfig, training: TrainingConfig, longest: int, bases: Bases, task: Name
) -> Iterator[list[Candidate]]:
    """For each key the values below the present one, mildest first."""
    kind = model_registry.get(model.kind)

    def model_key(key: str, values: list[int]) -> list[Candidate]:
        return [
            ({f"model.{key}": value}, (model.model_copy(update={key: value}), training, longest)) for value in values
        ]

    def training_key(key: str, values: list[str]) -> list[Candidate]:
        return [
            ({f"training.{key}": value}, (model, training.model_copy(update={key: value}), longest)) for value in values
        ]

    yield training_key("precision", ["bf16"] if training.precision == "fp32" else [])
    yield model_key("ensemble", list(range(model.ensemble - 1, 0, -1)))
    if task == STRUCTURE:
        yield _strides_of_codons(model, training, longest)
        yield [change for change in model_key("base_channels", _halves(model.base_channels)) if _is_valid(change)]
    else:
        yield model_key("stem_stride", [n for n in STRIDES if n > model.stem_stride and model.stem])
    widest = model.window or longest
    yield model_key("window", [n for n in WINDOWS if n < widest and "window" in kind.options])
    yield [
        ({LENGTH_KEYS[task]: bases(tokens)}, (model, training, tokens))
        for tokens in _falling(longest)
        if task in LENGTH_KEYS and bases(tokens) < bases(longest)
    ]
    yield training_key("optimizer", [] if training.optimizer == "sgd" else ["sgd"])
    yield model_key("layers", list(range(model.layers - 1, 0, -1)))
    step = kind.hidden_step(model)
    widths = model_key("hidden", [n // step * step for n in _falling(model.hidden) if n // step * step >= max(4, step)])
    yield [change for change in widths if task != STRUCTURE or _is_valid(change)]
    yield model_key("embedding", [n // 4 * 4 for n in _falling(model.embedding) if n >= 4])


def _strides_of_codons(model: ModelConfig, training: TrainingConfig, longest: int) -> list[Candidate]:
    """Larger strides of a stem that reads every base and whole codons, with a kernel that can be centred on them."""
    candidates: list[Candidate] = []
    for stride in (stride for stride in STRIDES if stride > model.stem_stride):
        width = max(model.stem_width, stride)
        width += (width - stride) % 2
        settings: dict[str, object] = {"model.stem_stride": stride}
        if width != model.stem_width:
            settings["model.stem_width"] = width
        changed = model.model_copy(update={"stem_stride": stride, "stem_width": width})
        candidates.append((settings, (changed, training, longest)))
    return [candidate for candidate in candidates if _is_valid(candidate)]


def _halves(value: int) -> list[int]:
    """Half of a value, a quarter, and so on, down to 4."""
    return [value >> times for times in range(1, value.bit_length()) if value >> times >= 4]


def _is_valid(candidate: Candidate) -> bool:
    """Whether the model of a candidate is one of structure."""
    try:
        networks.check(Task(STRUCTURE), candidate[1][0])
    except UsageError:
        return False
    return True


def _falling(value: int) -> list[int]:
    """Values below one, each about a tenth lower than the one before."""
    values = []
    while value > 1:
        value = min(value - 1, int(value * 0.9))
        values.append(value)
    return values
