"""What a command and a worker import before their work begins: a slow start is felt every time."""

from __future__ import annotations

import subprocess
import sys

SLOW = {"numpy", "pyarrow", "torch", "ray", "pandas", "sklearn", "scipy", "numba", "fsspec", "pybedtools"}
"""Packages that take a tenth of a second and more each."""


def imported_by(code: str) -> set[str]:
    """The modules that a fresh process has imported once it has run some code."""
    shown = "\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code + shown], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_the_list_of_verbs_needs_neither_models_of_keys_nor_a_terminal() -> None:
    code = "from cluster.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass"
    assert not imported_by(code) & (SLOW | {"pydantic", "rich", "yaml"})


def test_the_arguments_of_all_verbs_need_no_slow_package() -> None:
    assert not imported_by("from cluster import cli, connection, context\ncli.parser_of_all()") & SLOW


def test_a_block_whose_maps_need_no_ray_does_not_import_it() -> None:
    assert "ray" not in imported_by("from pipelines.ray_map import shared_actors\nwith shared_actors(): pass")


def test_a_worker_without_ray_begins_before_pytorch_is_there() -> None:
    heavy = {"torch", "ray", "sklearn", "scipy", "pandas"}
    assert not imported_by("import training.distributed.launching.child") & heavy


def test_ray_data_is_silenced_before_it_is_imported() -> None:
    code = (
        "from cluster import connection\nconnection.prepare_environment(verbose=False)\nconnection.silence_ray()\n"
        "import logging, sys\n"
        "assert 'ray.data' not in sys.modules\nimport ray.data\n"
        "logging.getLogger('ray.data.dataset').error('shown')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""


TRAINING = """
import training.inference.predict, training.scan.run
from training import models
from training.config import ModelConfig, TrainingConfig
from training.engine import loop
from training.memory import probe
from training.memory.formula import Work
for kind, optimizer in [("lstm", "adamw"), ("transformer", "adam"), ("cnn", "sgd")]:
    model = ModelConfig(kind=kind, embedding=8, hidden=8, stem=8, heads=2)
    training = TrainingConfig(optimizer=optimizer)
    assert probe.measure(model, training, 67, Work(2, 30, steps=2)).fits
    state = loop.start(models.make(model, 67), training)
    state.restore(state.document())
"""


def test_scoring_and_training_need_neither_scikit_learn_nor_pandas_nor_the_compiler_of_pytorch() -> None:
    assert not imported_by(TRAINING) & {"sklearn", "scipy", "pandas", "matplotlib", "torch._dynamo"}
