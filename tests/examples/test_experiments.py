"""Every experiment under examples/ loads, and those that share a dataset describe the same one."""

from __future__ import annotations

from pathlib import Path

import pytest

import examples.maize.look_alike
from cluster.experiment import load

EXAMPLES = Path(examples.maize.look_alike.__file__).parents[1]
EXPERIMENTS = sorted(EXAMPLES.glob("*/*.yaml"))


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_an_example_is_a_valid_experiment_next_to_a_readme(path: Path) -> None:
    config = load(path, {}).dataset(str(path))
    assert config.sources
    assert (path.parent / "README.md").exists()


@pytest.mark.parametrize("path", EXAMPLES.glob("*/transformer.yaml"), ids=lambda path: path.parent.name)
def test_two_models_of_an_example_are_trained_on_the_same_dataset(path: Path) -> None:
    lstm, transformer = (load(path.with_name(name), {}) for name in ("experiment.yaml", path.name))
    assert lstm.dataset("lstm") == transformer.dataset("transformer")
    assert lstm.model != transformer.model
