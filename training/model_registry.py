"""The kinds of model by name. To add one, write a body in `training/models/` and register it at the end of this file.

A kind is what `model.kind` names: the body that reads along the sequence, and the options of `ModelConfig` that it
reads. Importing this module imports neither PyTorch nor a body, so that `raygene --help` and a check of an experiment
stay fast.

A model that is not part of this project calls `register` in a module of its own. For the command line, the environment
variable `RAYGENE_MODELS` names that module (several are separated by commas), which is imported when a kind is not
built in: `RAYGENE_MODELS=my_models raygene train … --model.kind mine`. A Python program imports its module itself.
A pickled `ModelConfig` carries the name of the module that registers its kind, so that Ray's workers import it.
"""

from __future__ import annotations

import difflib
import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from pipelines.errors import UsageError

if TYPE_CHECKING:
    from training.config import ModelConfig

MODULES_VARIABLE = "RAYGENE_MODELS"
UNKNOWN_KIND = "unknown_model_kind"
"""The type of the validation error for a kind that is not registered."""


@dataclass(frozen=True)
class ModelKind:
    """One kind of model.

    Attributes:
        name: what `model.kind` calls it.
        body: a subclass of `training.models.body.Body`, or its address `module:class`, which is imported at first use.
        options: keys of `ModelConfig` that this kind reads and others may not.
        check: raises ValueError for options that do not fit together; called whenever a configuration is validated.
        hidden_step: `hidden` has to be a multiple of this; what is proposed where a model needs too much memory is.
    """

    name: str
    body: str | type
    options: frozenset[str] = frozenset()
    check: Callable[[ModelConfig], None] = lambda config: None
    hidden_step: Callable[[ModelConfig], int] = lambda config: 4

    def load_body(self) -> Any:
        """The class of the body."""
        if isinstance(self.body, str):
            module, _, attribute = self.body.partition(":")
            return getattr(importlib.import_module(module), attribute)
        return self.body


_kinds: dict[str, ModelKind] = {}
_registered_by: dict[str, str] = {}
"""The module of `RAYGENE_MODELS` that registers a kind; its body may be another module's."""


def register(kind: ModelKind) -> None:
    """Make a kind of model known in this process, and in every process that gets a `ModelConfig` of it.

    Raises:
        UsageError: a body that other processes cannot import, or a name that another body has already.
    """
    known = _kinds.get(kind.name)
    if known is not None and _address(known.body) != _address(kind.body):
        raise UsageError(f"model.kind {kind.name}: registered already, for {_address(known.body)}", "use another name")
    if isinstance(kind.body, type) and kind.body.__module__ == "__main__":
        raise UsageError(
            f"model.kind {kind.name}: other processes cannot import {kind.body.__name__} from the main program",
            "move it into a module of its own",
        )
    _kinds[kind.name] = kind


def get(name: str) -> ModelKind:
    """A kind by its name.

    Raises:
        UsageError: it is not registered, or a module of `RAYGENE_MODELS` cannot be imported.
    """
    if name not in _kinds:
        _import_own_modules()
    if name not in _kinds:
        raise UsageError(f"model.kind {name!r}: unknown kind of model", _hint(name))
    return _kinds[name]


def names() -> list[str]:
    """The names of all kinds, the built-in ones first.

    Raises:
        UsageError: a module of `RAYGENE_MODELS` cannot be imported.
    """
    _import_own_modules()
    return list(_kinds)


def module_of(name: str) -> str | None:
    """The module that registers a kind, as far as is known that of its body; None for a kind that is built in.

    Raises:
        UsageError: the kind is not registered.
    """
    if name in _BUILT_IN:
        return None
    return _registered_by.get(name) or _address(get(name).body).partition(":")[0]


def ensure(name: str, module: str | None) -> None:
    """Import the module that registers a kind, as `module_of` names it, if this process does not know the kind yet.

    Raises:
        UsageError: it cannot be imported, or does not register the kind, nor does a module of `RAYGENE_MODELS`.
    """
    if name not in _kinds and module is not None:
        _import(module)
    get(name)


def environment() -> dict[str, str]:
    """The variables with which another process knows the same kinds."""
    registered = [module for name in _kinds if (module := module_of(name)) is not None]
    modules = dict.fromkeys([*_modules_of_environment(), *registered])
    return {MODULES_VARIABLE: ",".join(modules)} if modules else {}


class RegisteredKind:
    """Marks a configuration key as the name of a kind: pydantic checks it, and the command line lists the names."""

    def choices(self) -> list[str]:
        """What the text may be."""
        return names()

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._validated, handler(source))

    def _validated(self, name: str) -> str:
        try:
            known = name in _kinds or name in names()
        except UsageError as error:
            raise _not_a_kind(str(error)) from error
        if not known:
            raise _not_a_kind(f"unknown kind of model; {_hint(name)}")
        return name


def _not_a_kind(text: str) -> PydanticCustomError:
    # As a value, not as the template: pydantic would fill in braces.
    return PydanticCustomError(UNKNOWN_KIND, "{text}", {"text": text})


def _hint(name: str) -> str:
    near = difflib.get_close_matches(name, _kinds, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(_kinds)}"


def _address(body: str | type) -> str:
    return body if isinstance(body, str) else f"{body.__module__}:{body.__qualname__}"


def _modules_of_environment() -> list[str]:
    return [name.strip() for name in os.environ.get(MODULES_VARIABLE, "").split(",") if name.strip()]


def _import_own_modules() -> None:
    for module in _modules_of_environment():
        _import(module)


def _import(module: str) -> None:
    known = set(_kinds)
    try:
        importlib.import_module(module)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise UsageError(
            f"{MODULES_VARIABLE}: {module}, which registers a kind of model, cannot be imported ({reason})",
            "put it on PYTHONPATH, on every machine that runs workers",
        ) from error
    _registered_by.update(dict.fromkeys(_kinds.keys() - known, module))


def _heads_divide_hidden(config: ModelConfig) -> None:
    # Rotary positions turn pairs of numbers, so that a head's size is even.
    if config.hidden % (2 * config.heads):
        raise ValueError(
            f"hidden {config.hidden} is not a multiple of {2 * config.heads}, twice the heads; change one of them"
        )


def _kernel_has_a_middle(config: ModelConfig) -> None:
    if config.kernel_width % 2 == 0:
        raise ValueError(
            f"kernel_width {config.kernel_width} is even, so that no position is in its middle; give an odd one"
        )


register(ModelKind("lstm", "training.models.recurrent:Recurrent", options=frozenset({"bidirectional"})))
register(ModelKind("gru", "training.models.recurrent:Recurrent", options=frozenset({"bidirectional"})))
register(
    ModelKind(
        "transformer",
        "training.models.transformer:Transformer",
        options=frozenset({"heads", "window"}),
        check=_heads_divide_hidden,
        hidden_step=lambda config: 2 * config.heads,
    )
)
register(ModelKind("cnn", "training.models.cnn:Cnn", options=frozenset({"kernel_width"}), check=_kernel_has_a_middle))
_BUILT_IN = frozenset(_kinds)
