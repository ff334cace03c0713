"""Dry runs of training, which start no Ray and write nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.dataset.token_dataset import TokenDataset
from tests.cluster.command_line import one_line, run_here
from tests.training.conftest import write_dataset
from tests.training.small_bundle import small_bundle
from training.bundle import bundle

FAST = ("--training.probe", "false", "--training.device", "cpu")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("train") / "data")


@pytest.fixture(scope="module")
def saved(dataset: Path) -> Path:
    path = dataset.parent / "bundle"
    small_bundle(TokenDataset.open(dataset, "train")).save(path)
    return path


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    path = tmp_path / "experiment.yaml"
    path.write_text("model: {embedding: 8, hidden: 8, stem: 8}\ntraining: {global_batch_size: 16, epochs: 3}\n")
    return path


def test_a_dry_run_shows_rows_steps_start_and_memory_and_writes_nothing(
    dataset: Path, saved: Path, experiment: Path
) -> None:
    output = experiment.parent / "run"
    keys = ("--training.freeze_body", 1, "--training.head", "new", *FAST)
    arguments = ("--dataset", dataset, "--from", saved, "--output", output, "--dry-run", *keys)
    done = run_here("train", experiment, *arguments)
    assert done.returncode == 0, done.stderr
    assert "30 steps: 3 epochs of 10, each of at most 16 rows" in done.stdout
    digest = bundle.load(saved).fingerprint[:12]
    assert f"starting from {saved}, bundle {digest}, trained on toy: head made anew" in done.stdout
    assert "body frozen for 1 of 3 epochs" in done.stdout
    assert f"{output}: no run yet" in done.stdout
    assert "token budget: " in done.stdout
    assert not output.exists()


def test_a_dry_run_needs_no_output_and_a_run_does(dataset: Path, experiment: Path) -> None:
    done = run_here("train", experiment, "--dataset", dataset, "--dry-run", *FAST)
    assert done.returncode == 0, done.stderr
    assert "starting from" not in done.stdout
    refused = run_here("train", experiment, "--dataset", dataset)
    assert refused.returncode == 2
    assert "--output" in one_line(refused, 2)


def test_a_dry_run_refuses_what_training_would(dataset: Path, saved: Path, experiment: Path, tmp_path: Path) -> None:
    own = tmp_path / "run" / "bundle"
    small_bundle(TokenDataset.open(dataset, "train")).save(own)
    common = ("train", experiment, "--dataset", dataset, "--dry-run", *FAST)
    refused: dict[str, tuple[int, tuple[object, ...]]] = {
        f"would overwrite {own}, which is --from's": (2, ("--from", own, "--output", tmp_path / "run")),
        "or one of raygene models": (1, ("--from", tmp_path / "nowhere")),
        "another architecture": (1, ("--from", saved, "--model.hidden", "16")),
        "a model of task structure": (1, ("--from", "yeast")),
        "no bundle is named": (2, ("--training.head", "new")),
    }
    for problem, (status, arguments) in refused.items():
        assert problem in one_line(run_here(*common, *arguments), status)


def test_a_dry_run_refuses_an_output_with_the_line_of_the_run_itself(
    dataset: Path, saved: Path, experiment: Path, tmp_path: Path
) -> None:
    own = tmp_path / "run" / "bundle"
    small_bundle(TokenDataset.open(dataset, "train")).save(own)
    outputs = (
        ("--output", dataset),
        ("--output", saved),
        ("--from", own, "--output", tmp_path / "run"),
    )
    for arguments in outputs:
        common = ("train", experiment, "--dataset", dataset, *arguments, *FAST)
        assert one_line(run_here(*common, "--dry-run"), 2) == one_line(run_here(*common), 2)


@pytest.mark.parametrize("place", ["", "run", "runs/run"])
def test_a_dry_run_refuses_an_output_at_or_below_a_file_as_the_run_itself(
    dataset: Path, experiment: Path, tmp_path: Path, place: str
) -> None:
    (tmp_path / "file").write_text("")
    common = ("train", experiment, "--dataset", dataset, "--output", tmp_path / "file" / place, *FAST)
    line = one_line(run_here(*common, "--dry-run"), 1)
    assert "cannot be written" in line
    assert line == one_line(run_here(*common), 1)


def test_memory_names_the_bundle_and_counts_no_state_of_what_is_frozen(
    dataset: Path, saved: Path, experiment: Path, tmp_path: Path
) -> None:
    figures = {}
    for frozen in (0, -1):
        target = tmp_path / f"{frozen}.json"
        keys = ("--training.freeze_body", frozen, *FAST, "--json", target)
        done = run_here("memory", experiment, "--dataset", dataset, "--from", saved, *keys)
        assert done.returncode == 0, done.stderr
        assert ("body frozen, which leaves" in done.stdout) is (frozen == -1)
        figures[frozen] = json.loads(target.read_text())
    assert figures[0]["start_from"] == bundle.load(saved).fingerprint
    assert figures[-1]["largest_optimizer"] < 0.1 * figures[0]["largest_optimizer"]
    assert figures[-1]["longest_parameters"] == figures[0]["longest_parameters"]
