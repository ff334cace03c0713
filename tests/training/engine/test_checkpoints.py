from __future__ import annotations

import pickle
import resource
from pathlib import Path
from typing import Any

import pytest
import torch

from pipelines.errors import ResourceError, TrainingError
from training.config import TrainingConfig
from training.engine.checkpoints import CheckpointPolicy, Checkpoints


def document(epoch: int, step: int = 0) -> dict[str, Any]:
    return {
        "epoch": epoch,
        "step": step,
        "model": {"w": torch.full((3,), float(epoch))},
        "optimizer": {"state": {0: {"step": torch.tensor(1.0)}}, "groups": [1, 2]},
        "best": {"w": torch.ones(3)},
    }


def saved(folder: Path, *positions: tuple[int, int]) -> Checkpoints:
    checkpoints = Checkpoints(folder)
    for position in positions:
        checkpoints.save(document(*position))
    checkpoints.wait()
    return checkpoints


def test_the_latest_checkpoint_is_the_furthest_in_training_and_is_read_as_it_was_written(tmp_path: Path) -> None:
    latest = saved(tmp_path, (0, 9), (0, 10), (1, 0)).latest()
    assert latest is not None
    content = latest.load()
    assert (content["epoch"], content["step"], content["optimizer"]["groups"]) == (1, 0, [1, 2])
    assert torch.equal(content["model"]["w"], torch.ones(3))


def test_the_last_two_checkpoints_are_retained(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, (0, 5), (1, 0), (1, 5), (2, 0)).all()
    assert [(checkpoint.epoch, checkpoint.step) for checkpoint in checkpoints] == [(1, 5), (2, 0)]


def test_a_directory_without_checkpoints_has_no_latest_one(tmp_path: Path) -> None:
    assert Checkpoints(tmp_path / "absent").latest() is None


def test_what_changes_after_saving_is_not_in_the_checkpoint(tmp_path: Path) -> None:
    checkpoints, state = Checkpoints(tmp_path), document(1)
    checkpoints.save(state)
    state["model"]["w"].fill_(7)
    state["optimizer"]["state"][0]["step"].fill_(7)
    checkpoints.wait()
    (checkpoint,) = checkpoints.all()
    content = checkpoint.load()
    assert content["model"]["w"].tolist() == [1, 1, 1]
    assert content["optimizer"]["state"][0]["step"] == 1


@pytest.mark.parametrize("spoil", [lambda content: content[:-10], lambda content: b"", lambda content: content[::-1]])
def test_a_damaged_checkpoint_is_an_error_that_says_how_to_resume(tmp_path: Path, spoil: Any) -> None:
    (checkpoint,) = saved(tmp_path, (1, 0)).all()
    checkpoint.path.write_bytes(spoil(checkpoint.path.read_bytes()))
    with pytest.raises(TrainingError, match=r"epoch-00001.*damaged checkpoint.*delete this file"):
        checkpoint.load()


def test_a_file_that_would_execute_code_is_refused(tmp_path: Path) -> None:
    from pipelines import fingerprint

    class Evil:
        def __reduce__(self) -> Any:
            return (Path(tmp_path / "executed").touch, ())

    path = tmp_path / "evil"
    path.write_bytes(pickle.dumps(Evil()))
    path.rename(tmp_path / f"epoch-00001-step-00000000-{fingerprint.of_file(path)[:16]}.pt")
    (checkpoint,) = Checkpoints(tmp_path).all()
    with pytest.raises(TrainingError, match="damaged checkpoint"):
        checkpoint.load()
    assert not (tmp_path / "executed").exists()


def test_half_a_file_under_a_name_that_fits_it_is_refused(tmp_path: Path) -> None:
    from pipelines import fingerprint

    torch.save(document(1), tmp_path / "half")
    (tmp_path / "half").write_bytes((tmp_path / "half").read_bytes()[:600])
    digest = fingerprint.of_file(tmp_path / "half")[:16]
    (tmp_path / "half").rename(tmp_path / f"epoch-00001-step-00000000-{digest}.pt")
    (checkpoint,) = Checkpoints(tmp_path).all()
    with pytest.raises(TrainingError, match="damaged checkpoint") as caught:
        checkpoint.load()
    assert "\n" not in str(caught.value)


def test_files_of_another_kind_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "epoch-notes.pt").write_text("notes")
    saved(tmp_path, (1, 0), (2, 0), (3, 0))
    assert (tmp_path / "epoch-notes.pt").read_text() == "notes"


def test_a_directory_that_cannot_be_written_is_an_error_at_the_next_save_and_the_last_good_one_stays(
    tmp_path: Path,
) -> None:
    checkpoints = saved(tmp_path / "good", (1, 0))
    blocked = Checkpoints(tmp_path / "file")
    (tmp_path / "file").write_text("")
    blocked.save(document(2))
    with pytest.raises(ResourceError, match="cannot be written"):
        blocked.save(document(3))
    assert len(checkpoints.all()) == 1


def test_a_checkpoint_without_room_says_what_the_operating_system_refused(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    checkpoints = Checkpoints(tmp_path / "run")
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, limits[1]))
    try:
        checkpoints.save({**document(1), "model": {"w": torch.ones(10_000)}})
        with pytest.raises(ResourceError) as caught:
            checkpoints.wait()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(caught.value) == (
        f"{tmp_path}/run: a checkpoint cannot be written (File too large): raise the limit of file sizes (ulimit -f), "
        "or choose another file system; the last good checkpoint stays"
    )


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_a_checkpoint_is_due_after_every_so_many_steps_of_an_epoch() -> None:
    policy = CheckpointPolicy(steps=3, seconds=0)
    assert [step for step in range(1, 10) if policy.is_due(step)] == [3, 6, 9]


def test_a_checkpoint_is_due_so_many_seconds_after_the_last_one() -> None:
    clock = Clock()
    policy = CheckpointPolicy(steps=0, seconds=60, clock=clock)
    clock.seconds += 59
    assert not policy.is_due(1)
    clock.seconds += 1
    assert policy.is_due(2)
    policy.saved()
    assert not policy.is_due(3)
    clock.seconds += 60
    assert policy.is_due(4)


def test_whichever_of_steps_and_seconds_comes_first_makes_a_checkpoint_due() -> None:
    clock = Clock()
    policy = CheckpointPolicy(steps=4, seconds=60, clock=clock)
    assert policy.is_due(4)
    assert not policy.is_due(5)
    clock.seconds += 60
    assert policy.is_due(5)


def test_no_checkpoint_is_due_within_an_epoch_where_both_are_zero() -> None:
    clock = Clock()
    policy = CheckpointPolicy(steps=0, seconds=0, clock=clock)
    clock.seconds += 1e9
    assert not any(policy.is_due(step) for step in range(1, 100))


def test_the_policy_of_a_configuration_has_its_steps_and_seconds() -> None:
    by_steps = CheckpointPolicy.from_config(TrainingConfig(checkpoint_steps=5, checkpoint_seconds=0))
    assert [step for step in range(1, 11) if by_steps.is_due(step)] == [5, 10]
    by_seconds = CheckpointPolicy.from_config(TrainingConfig(checkpoint_steps=0, checkpoint_seconds=1e-9))
    assert by_seconds.is_due(1)
