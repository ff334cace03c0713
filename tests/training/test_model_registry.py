from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.experiment import load
from pipelines.config import validate
from pipelines.errors import UsageError
from training import model_registry, models
from training.config import ModelConfig
from training.model_registry import ModelKind, register
from training.models.body import Body

BUILT_IN = ["lstm", "gru", "transformer", "cnn"]


def test_an_unknown_kind_is_an_error_with_the_nearest_name(tmp_path: Path) -> None:
    experiment = tmp_path / "experiment.yaml"
    experiment.write_text("model: {kind: lstn}\n")
    with pytest.raises(UsageError, match=r"model\.kind: 'lstn': unknown kind of model; did you mean lstm") as caught:
        load(experiment, {})
    assert "\n" not in str(caught.value)
    experiment.write_text("model: {kind: lstm}\n")
    with pytest.raises(UsageError, match="did you mean transformer"):
        load(experiment, {("model", "kind"): "transfomer"})


def test_a_kind_unlike_any_other_is_an_error_that_lists_them() -> None:
    with pytest.raises(UsageError, match="known are lstm, gru, transformer"):
        validate(ModelConfig, {"kind": "zzzz"}, "test")


@pytest.mark.parametrize("kind", BUILT_IN)
def test_every_built_in_kind_has_a_body(kind: str) -> None:
    assert issubclass(models.body_of(ModelConfig(kind=kind)), Body)
    assert model_registry.module_of(kind) is None


def test_the_options_of_a_kind_are_keys_of_the_configuration() -> None:
    for kind in BUILT_IN:
        assert model_registry.get(kind).options <= set(ModelConfig.model_fields)


def test_a_configuration_is_the_same_after_pickling() -> None:
    config = ModelConfig(kind="transformer", hidden=64)
    assert pickle.loads(pickle.dumps(config)) == config


def test_a_body_of_the_main_program_is_refused() -> None:
    body = type("Own", (Body,), {"__module__": "__main__"})
    with pytest.raises(UsageError, match="other processes cannot import Own"):
        register(ModelKind("own", body))


def python(code: str, **variables: str) -> str:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))} | variables
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip()


def test_reading_a_configuration_imports_no_torch() -> None:
    code = (
        "import sys; from training.config import ModelConfig; "
        "ModelConfig(kind='transformer'); print('torch' in sys.modules)"
    )
    assert python(code) == "False"


def test_the_variable_names_a_module_that_registers_a_kind(tmp_path: Path) -> None:
    (tmp_path / "my_models.py").write_text(
        "from training.model_registry import ModelKind, register\nregister(ModelKind('own', 'own_body:Own'))\n"
    )
    code = (
        f"import sys; sys.path.append({str(tmp_path)!r}); from training.config import ModelConfig; "
        "print(ModelConfig(kind='own').kind)"
    )
    assert python(code, RAYGENE_MODELS="my_models") == "own"
    assert "unknown kind of model" in python(code)


OWN_BODY = "from training.models.recurrent import Recurrent\nclass Own(Recurrent): ...\n"


@pytest.mark.parametrize(
    "modules",
    [
        {
            "a_class": f"{OWN_BODY}register(ModelKind('a_class', Own))",
            "an_address": "register(ModelKind('an_address', 'own_body:Own'))",
        },
        pytest.param(
            {
                "own_address": f"{OWN_BODY}register(ModelKind('own_address', 'own_address:Own'))",
                "other_class": "from own_body import Own\nregister(ModelKind('other_class', Own))",
            },
            marks=pytest.mark.full,
        ),
    ],
    ids=["a class, or an address in another module", "an address, or a class of another module"],
)
def test_a_pickled_configuration_brings_its_kind_to_another_process(tmp_path: Path, modules: dict[str, str]) -> None:
    (tmp_path / "own_body.py").write_text(OWN_BODY)
    path = f"import pickle, sys; sys.path.append({str(tmp_path)!r}); "
    pickled = []
    for name, registers in modules.items():
        text = f"from training.model_registry import ModelKind, register\n{registers}\n"
        (tmp_path / f"{name}.py").write_text(text)
        code = f"{path}from training.config import ModelConfig; print(pickle.dumps(ModelConfig(kind={name!r})).hex())"
        pickled.append(python(code, RAYGENE_MODELS=name))
    # They are pickled once more, as a worker of Ray does, and need no variable there.
    code = (
        f"{path}configs = [pickle.loads(bytes.fromhex(one)) for one in {pickled!r}]; pickle.dumps(configs); "
        "from training import models; print(*[models.body_of(config).__name__ for config in configs])"
    )
    assert python(code) == "Own Own"


def test_a_pickled_configuration_of_an_unknown_kind_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "my_models.py").write_text("")
    code = f"import sys; sys.path.append({str(tmp_path)!r}); from training import model_registry; "
    assert "model.kind 'own': unknown kind of model" in python(f"{code}model_registry.ensure('own', 'my_models')")


def test_a_module_that_cannot_be_imported_is_an_error_that_names_the_variable() -> None:
    code = "from training.config import ModelConfig; ModelConfig(kind='own')"
    message = python(code, RAYGENE_MODELS="no_such_module")
    assert "RAYGENE_MODELS: no_such_module, which registers a kind of model, cannot be imported" in message
