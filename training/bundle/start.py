"""Starts a model from the weights of a bundle (`training.start_from`), after checking that they fit.

A run is known by the digest of the bundle, not by its path. Every process that copies weights compares the digest, so
that a bundle which was replaced meanwhile is noticed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from pipelines import remote
from pipelines.documents import yaml_writer
from pipelines.errors import BundleError, UsageError
from pipelines.tokens.tokenizer import Tokenizer
from training import networks
from training.bundle import bundle, included_models, weights
from training.bundle.bundle import Bundle
from training.bundle.digests import CONFIG
from training.config import ModelConfig, TrainingConfig
from training.engine.optimization.layers import from_the_head, is_of_head
from training.tasks import Task

KEY = "training.start_from"
FREE = frozenset({"embedding_file", "dropout"})
"""Keys of `model` that have no weights of their own."""


def require_keys(model: ModelConfig, training: TrainingConfig) -> None:
    """Refuse keys that contradict each other or have no meaning without a bundle to start from.

    Raises:
        UsageError: naming the key.
    """
    if training.start_from is not None:
        if model.embedding_file is not None:
            raise UsageError(
                f"model.embedding_file {model.embedding_file}: the token vectors are those of {KEY} "
                f"{remote.redacted(training.start_from)}",
                "leave one of the two out",
                key="model.embedding_file",
            )
        return
    for key in ("head", "freeze_body", "layer_decay"):
        value = getattr(training, key)
        if value != TrainingConfig.model_fields[key].default:
            raise UsageError(
                f"training.{key} {value}: no bundle is named, so that all weights are drawn",
                "name one with --from, or leave the key out",
                key=f"training.{key}",
            )


def digest(training: TrainingConfig) -> str | None:
    """The digest of the bundle that training starts from; None if it starts from none.

    Raises:
        BundleError: missing, not reachable or damaged.
    """
    if training.start_from is None:
        return None
    directory = remote.local_path(training.start_from)
    if directory is not None and (stored := _stored_digest(directory / CONFIG)):
        return stored
    return _loaded(training.start_from).fingerprint


def source(model: ModelConfig, training: TrainingConfig, task: Task, tokenizer: Tokenizer) -> Bundle | None:
    """The bundle that training starts from, which fits the dataset and the experiment; None if it starts from none.

    Args:
        model: the architecture, with the values of its task.
        training: the optimisation.
        task: of the dataset.
        tokenizer: of the dataset.

    Raises:
        BundleError: missing, not reachable or damaged, or of another task, tokenizer or architecture.
        UsageError: as `require_keys`.
    """
    require_keys(model, training)
    if training.start_from is None:
        return None
    start = _loaded(training.start_from)
    what = f"{KEY} {remote.redacted(training.start_from)}"
    _require_task(start, task, training, what)
    _require_tokenizer(start, tokenizer, what)
    _require_architecture(start, model, training, what)
    if training.head == "keep" and start.task.classes != task.classes:
        raise BundleError(
            f"{what}: its classes are {', '.join(start.task.classes)[:200]}, and the dataset's are "
            f"{', '.join(task.classes)[:200]}",
            "set training.head to new",
            key="training.head",
        )
    if training.head == "keep" and start.task.utr != task.utr:
        known, missing = ("dataset", "bundle") if task.utr else ("bundle", "dataset")
        raise BundleError(
            f"{what}: the {known} tells untranslated bases apart and the {missing} does not, so that the head has "
            "another meaning",
            "set training.head to new",
            key="training.head",
        )
    return start


def network(
    task: Task, model: ModelConfig, training: TrainingConfig, tokenizer: Tokenizer, expected: str | None = None
) -> nn.Module:
    """A network to train: drawn by `training.seed`, with the weights of `training.start_from` where it names a bundle.

    Args:
        task: of the dataset.
        model: the architecture.
        training: the optimisation.
        tokenizer: of the dataset.
        expected: the digest that the bundle must have; None: any.

    Raises:
        BundleError: as `source`, or another bundle than expected.
        UsageError: as `source`.
    """
    drawn = networks.fresh(task, model, tokenizer, training.seed)
    start = source(model, training, task, tokenizer)
    if start is None:
        return drawn
    if expected not in (None, start.fingerprint):
        raise BundleError(
            f"{KEY} {remote.redacted(str(training.start_from))}: was replaced while training: its digest is "
            f"{start.fingerprint[:12]}, not {str(expected)[:12]}",
            "restore the bundle that the run began with",
            code="replaced",
        )
    taken = {
        name: tensor
        for name, tensor in start.model.state_dict().items()
        if training.head == "keep" or not is_of_head(name)
    }
    drawn.load_state_dict(drawn.state_dict() | taken)
    return drawn


def described(start: Bundle, training: TrainingConfig) -> str:
    """What training starts from and what of it is trained at which rate, in a line: the bundle has to fit."""
    genomes = ", ".join(map(str, start.config["genomes"]))
    head = "head kept" if training.head == "keep" else "head made anew"
    return (
        f"starting from {remote.redacted(str(training.start_from))}, bundle {start.fingerprint[:12]}, trained on "
        f"{genomes}: {head}, {_trained(start.model, training)}, {_rates(start.model, training)}"
    )


def _trained(model: nn.Module, training: TrainingConfig) -> str:
    """What is frozen, and for how long."""
    frozen, epochs = training.freeze_body, training.epochs
    if not training.trains_body:
        sizes = dict.fromkeys((True, False), 0)
        for name, weights in model.named_parameters():
            sizes[is_of_head(name)] += weights.numel()
        return f"body frozen, which leaves {sizes[True]:,} of {sum(sizes.values()):,} weights to train"
    body = f"body frozen for {frozen} of {epochs} epochs" if frozen else "body trained from the first epoch on"
    if training.freeze_embedding == 0 or 0 <= training.freeze_embedding <= frozen:
        return body
    kept = f" for {training.freeze_embedding} of {epochs} epochs" if training.trains_embedding else ""
    return f"{body}, token vectors frozen{kept}"


def _rates(model: nn.Module, training: TrainingConfig) -> str:
    rate, decay = training.learning_rate, training.layer_decay
    if decay == 1 or not training.trains_body:
        return f"learning rate {rate:g}"
    layers = len(from_the_head(model))
    return f"learning rate {rate:g} at the head and {rate * decay ** (layers - 1):.3g} at the first of {layers} layers"


def ancestors(start: Bundle) -> list[dict[str, Any]]:
    """The bundle that a model started from, then the one which that started from, and so on.

    Each has its digest as `bundle`, the fingerprint of its dataset as `dataset`, its genomes and the names of the
    sequences that it was trained on, if they are few.
    """
    train = _sequences(start.config["dataset"], ("train",))
    own = {
        "bundle": start.fingerprint,
        "dataset": start.config["dataset"]["fingerprint"],
        "genomes": start.config["genomes"],
    }
    return [own | ({"train": train} if train else {}), *known_ancestors(start.config)]


def known_ancestors(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The ancestors that a bundle's configuration names, the nearest first; none for a model trained from the start."""
    listed = config.get("ancestors")
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def seen_before(start: Bundle, dataset: Mapping[str, Any]) -> list[str]:
    """Sequences of a dataset's validation and test that the bundle, or an ancestor, was trained on, by their names.

    Args:
        start: the bundle.
        dataset: a bundle's description of the dataset, as `description.data` makes it of a manifest.
    """
    evaluated = _sequences(dataset, ("validation", "test"))
    # One dataset does not contradict itself: its splits are apart, even within a chromosome.
    others = [one for one in ancestors(start) if one.get("dataset") != dataset["fingerprint"]]
    trained_on = {name for one in others for name in one.get("train", [])}
    return [name for name in evaluated if name in trained_on]


def warning_of_seen(start: Bundle, dataset: Mapping[str, Any]) -> str | None:
    """What to say where figures of a dataset are too good, because of `seen_before`; None where they are not."""
    seen = seen_before(start, dataset)
    if not seen:
        return None
    more = f" and {len(seen) - 3} more" if len(seen) > 3 else ""
    return (
        f"the bundle was trained on sequences of validation or test, {', '.join(seen[:3])}{more}: figures there "
        "are too good wherever the same stretches were in its train split"
    )


def _sequences(dataset: Mapping[str, Any], splits: Iterable[str]) -> list[str]:
    described = dataset.get("splits") or {}
    return list(dict.fromkeys(name for split in splits for name in described.get(split, {}).get("names", [])))


def _loaded(location: str) -> Bundle:
    # Paths of an experiment are absolute: where a name is left, no path of the experiment's folder has it.
    is_included = included_models.is_name(location)
    try:
        return bundle.load(included_models.directory(location) if is_included else location)
    except BundleError as error:
        fix = error.fix
        path = remote.local_path(location)
        if error.code == "missing" and path is not None and not path.exists():
            # A name was made a path by whoever read the experiment.
            fix += f", or one of raygene models: {', '.join(included_models.catalogue())}"
        raise BundleError(f"{KEY} {error.problem}", fix, code=error.code, key=KEY) from error


def _stored_digest(path: Path) -> str | None:
    """The digest that a bundle's configuration gives; None where the whole bundle has to be read to tell."""
    try:
        stored = json.loads(path.read_bytes())["digest"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return stored if isinstance(stored, str) else None


def _require_task(start: Bundle, task: Task, training: TrainingConfig, what: str) -> None:
    if start.task.name != task.name and (training.head == "keep" or start.task.is_structure or task.is_structure):
        raise BundleError(
            f"{what}: a model of task {start.task.name}, and the dataset is one of task {task.name}",
            "start from a bundle of the dataset's task"
            + ("" if start.task.is_structure or task.is_structure else ", or set training.head to new"),
            code="task",
            key=KEY,
        )


def _require_tokenizer(start: Bundle, tokenizer: Tokenizer, what: str) -> None:
    own = start.tokenizer
    if own.fingerprint != tokenizer.fingerprint:
        differing = ", ".join(own.differences(tokenizer))
        raise BundleError(
            f"{what}: its tokenizer {own.fingerprint[:12]} is not the dataset's {tokenizer.fingerprint[:12]} (bundle "
            f"against dataset: {differing})",
            "build the dataset with tokenizer.from naming the bundle",
            code="tokenizer",
            key="tokenizer.from",
        )


def _require_architecture(start: Bundle, model: ModelConfig, training: TrainingConfig, what: str) -> None:
    free = {*FREE, *({"outputs"} if training.head == "new" else ())}
    stored = weights.architecture(start.config["model"], what).model_dump(mode="json", exclude=free)
    own = model.model_dump(mode="json", exclude=free)
    different = {key: value for key, value in stored.items() if own[key] != value}
    if different:
        shown = ", ".join(f"model.{key} {value} against {own[key]}" for key, value in different.items())
        values = yaml_writer.dump({"model": different}, flow=True).strip()
        raise BundleError(
            f"{what}: another architecture (bundle against experiment: {shown})",
            f"write its values into the experiment: {values}",
            code="architecture",
            key=f"model.{next(iter(different))}",
        )
