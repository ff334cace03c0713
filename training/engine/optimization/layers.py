"""The layers of a network from the names of its weights, which a network registers in the order in which it computes.

A layer is a part of the network, such as `stem`, or one member of a list of parts, such as `body.layers.0`. The last
one is the head, `head` in every network of this project. A layer of an ensemble is that of all its members.
"""

from __future__ import annotations

from torch import nn

from training.models.ensemble import within_member

HEAD = "head"


def is_of_head(name: str) -> bool:
    """Whether a weight or a part, by its name, is of the head."""
    return within_member(name).split(".", 1)[0] == HEAD


def layer_of(name: str) -> str:
    """The layer of a weight, by the weight's name."""
    parts = within_member(name).split(".")[:-1]
    number = next((place for place, part in enumerate(parts) if part.isdigit()), 0)
    return ".".join(parts[: number + 1])


def from_the_head(model: nn.Module) -> list[list[nn.Parameter]]:
    """The weights of every layer, those of the head first."""
    layers: dict[str, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        layers.setdefault(layer_of(name), []).append(parameter)
    # Whatever a model of one's own registers after its head.
    head = layers.pop(HEAD, [])
    return [weights for weights in (head, *reversed(layers.values())) if weights]
