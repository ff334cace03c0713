"""Configurations of a search space, sampled or enumerated in an order that decides conditions first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pipelines import fingerprint
from pipelines.errors import UsageError
from tuning import keys
from tuning.config import Domain

Space = Mapping[str, Domain]
Parameters = dict[str, Any]
Draw = Callable[[str, Domain], Any]


def ordered_keys(space: Space) -> list[str]:
    """The keys of a space, each after those that its conditions name; otherwise in their own order.

    Raises:
        UsageError: conditions depend on each other in a cycle.
    """
    order: list[str] = []
    remaining = list(space)
    while remaining:
        ready = [key for key in remaining if not any(other in remaining for other in space[key].when)]
        if not ready:
            raise UsageError(f"tuning.space: the conditions of {remaining[0]} form a cycle", "remove one `when`")
        order.append(ready[0])
        remaining.remove(ready[0])
    return order


def _is_active(domain: Domain, space: Space, chosen: Parameters, base: Mapping[str, Any]) -> bool:
    """Whether the conditions of a domain hold; a searched key that is not active has no value."""
    for other, condition in domain.when.items():
        value = chosen.get(other) if other in space else keys.value_of(base, other)
        allowed = condition if isinstance(condition, list) else [condition]
        if value not in [keys.validate_value(other, option) for option in allowed]:
            return False
    return True


def sample(space: Space, base: Mapping[str, Any], draw: Draw) -> Parameters:
    """One configuration.

    Args:
        space: key to domain.
        base: sections of the experiment, which conditions may name too.
        draw: chooses a value of a domain; called for active keys only.
    """
    chosen: Parameters = {}
    for key in ordered_keys(space):
        if _is_active(space[key], space, chosen, base):
            value = draw(key, space[key])
            # A range of a whole-number key has whole bounds, so rounding stays within it.
            needs_rounding = isinstance(value, float) and keys.numeric_type(key) is int
            chosen[key] = keys.validate_value(key, round(value) if needs_rounding else value)
    return chosen


def all_configurations(space: Space, base: Mapping[str, Any]) -> Iterator[Parameters]:
    """Every configuration once; the last key changes fastest.

    Args:
        space: key to domain.
        base: sections of the experiment, which conditions may name too.

    Raises:
        UsageError: a domain is a range of real numbers.
    """
    order = ordered_keys(space)
    if ranges := [key for key in order if space[key].all_values is None]:
        raise UsageError(f"tuning.space: {ranges[0]} is a range, which cannot be enumerated", "give a list")

    def extend(chosen: Parameters, remaining: list[str]) -> Iterator[Parameters]:
        if not remaining:
            yield chosen
            return
        key, rest = remaining[0], remaining[1:]
        if not _is_active(space[key], space, chosen, base):
            yield from extend(chosen, rest)
            return
        for value in space[key].all_values or []:
            yield from extend({**chosen, key: keys.validate_value(key, value)}, rest)

    yield from extend({}, order)


def dataset_keys(space: Space) -> list[str]:
    """The keys of a space of which each value needs its own dataset."""
    return [key for key in space if keys.decides_dataset(key)]


def dataset_parameters(space: Space, base: Mapping[str, Any]) -> Iterator[Parameters]:
    """Each combination of values that a configuration may have for the keys that decide its dataset, once.

    The keys that these depend on by their conditions are enumerated too; the rest of the space is not.

    Args:
        space: key to domain.
        base: sections of the experiment, which conditions may name too.

    Raises:
        UsageError: one of the keys depends on a range of real numbers.
    """
    dataset_only = dataset_keys(space)
    needed = set(dataset_only)
    for key in reversed(ordered_keys(space)):
        if key in needed:
            needed |= space[key].when.keys() & space.keys()
    if ranges := [key for key in space if key in needed and space[key].all_values is None]:
        raise UsageError(
            f"tuning.space: {dataset_only[0]} depends on {ranges[0]}, which is a range", "give a list of its values"
        )
    seen: set[str] = set()
    for chosen in all_configurations({key: domain for key, domain in space.items() if key in needed}, base):
        part = {key: value for key, value in chosen.items() if keys.decides_dataset(key)}
        if (name := fingerprint.of_value(part)) not in seen:
            seen.add(name)
            yield part
