"""Configurations out of a space: dimensions in an order in which conditions are decided, drawn one by one or all at once."""

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


def ordered(space: Space) -> list[str]:
    """The keys, each after those that its conditions name; otherwise as they stand.

    Raises:
        UsageError: conditions name each other in a circle.
    """
    found: list[str] = []
    left = list(space)
    while left:
        ready = [key for key in left if not any(other in left for other in space[key].when)]
        if not ready:
            raise UsageError(f"tuning.space: {left[0]} waits for itself by its conditions", "take one `when` away")
        found.append(ready[0])
        left.remove(ready[0])
    return found


def _holds(domain: Domain, space: Space, chosen: Parameters, base: Mapping[str, Any]) -> bool:
    """Whether a domain's conditions do; a searched key that is not active has no value."""
    for other, wanted in domain.when.items():
        value = chosen.get(other) if other in space else keys.value_of(base, other)
        if value not in [keys.checked(other, one) for one in (wanted if isinstance(wanted, list) else [wanted])]:
            return False
    return True


def drawn(space: Space, base: Mapping[str, Any], draw: Draw) -> Parameters:
    """One configuration.

    Args:
        space: key to domain.
        base: the experiment's sections, on which conditions may rest too.
        draw: chooses a value of a domain; asked for active keys only.
    """
    chosen: Parameters = {}
    for key in ordered(space):
        if _holds(space[key], space, chosen, base):
            found = draw(key, space[key])
            # From a range of a whole-number key: its ends are whole, so that rounding does not leave it.
            whole = isinstance(found, float) and keys.number(key) is int
            chosen[key] = keys.checked(key, round(found) if whole else found)
    return chosen


def all_of(space: Space, base: Mapping[str, Any]) -> Iterator[Parameters]:
    """Every configuration once, the last key changing fastest.

    Raises:
        UsageError: a domain cannot be counted.
    """
    order = ordered(space)
    if ranges := [key for key in order if space[key].every is None]:
        raise UsageError(f"tuning.space: {ranges[0]} is a range, of which there is no end", "give a list")

    def grown(chosen: Parameters, left: list[str]) -> Iterator[Parameters]:
        if not left:
            yield chosen
            return
        key, rest = left[0], left[1:]
        if not _holds(space[key], space, chosen, base):
            yield from grown(chosen, rest)
            return
        for value in space[key].every or []:
            yield from grown({**chosen, key: keys.checked(key, value)}, rest)

    yield from grown({}, order)


def of_datasets(space: Space) -> list[str]:
    """The keys of a space that decide datasets."""
    return [key for key in space if keys.of_dataset(key)]


def datasets(space: Space, base: Mapping[str, Any]) -> Iterator[Parameters]:
    """Every set of values that a configuration may have of the keys that decide datasets, each once.

    What these keys wait for is gone through as well, whatever it decides; the rest of the space is not.

    Raises:
        UsageError: one of them waits for a key that is a range.
    """
    asked = of_datasets(space)
    needed = set(asked)
    for key in reversed(ordered(space)):
        if key in needed:
            needed |= space[key].when.keys() & space.keys()
    if ranges := [key for key in space if key in needed and space[key].every is None]:
        raise UsageError(
            f"tuning.space: {asked[0]} waits for {ranges[0]}, which is a range", "give a list of its values"
        )
    found: set[str] = set()
    for chosen in all_of({key: domain for key, domain in space.items() if key in needed}, base):
        part = {key: value for key, value in chosen.items() if keys.of_dataset(key)}
        if (name := fingerprint.of_value(part)) not in found:
            found.add(name)
            yield part
