from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from training.config import ModelConfig, TrainingConfig
from training.memory.plan import DoesNotFitError, MemoryPlan, Room, plan

LENGTHS = np.array([100, 400, 900, 5_000], dtype=np.int64)
LARGE = {"hidden": 256, "layers": 4}


def planned(
    size: float, model: dict[str, Any] | None = None, training: dict[str, Any] | None = None, kind: Any = "cuda"
) -> MemoryPlan:
    room = Room(kind, int(size), here=False)
    return plan(
        ModelConfig(**(LARGE if model is None else model)),
        TrainingConfig(**(training or {})),
        LENGTHS,
        4099,
        room,
        lambda tokens: 3 * tokens + 3,
    )


def refused(size: float, **given: Any) -> DoesNotFitError:
    with pytest.raises(DoesNotFitError) as caught:
        planned(size, **given)
    return caught.value


def test_with_plenty_a_whole_step_is_one_batch() -> None:
    found = planned(1e12)
    assert found.token_budget == 64 * 5_000
    assert found.sequences == 64


def test_workers_share_the_rows_of_a_step() -> None:
    assert planned(1e12, training={"workers": 4}).token_budget == 16 * 5_000


@pytest.mark.parametrize("kind", ["lstm", "gru", "transformer"])
def test_the_budget_fits_and_a_larger_one_does_not(kind: str) -> None:
    model = {**LARGE, "kind": kind}
    found = planned(1e9, model)
    assert 5_000 <= found.token_budget < 64 * 5_000
    assert found.peak <= found.usable == round(0.9 * 1e9)
    budget = 2 * found.token_budget
    assert "token_budget" in refused(1e9, model=model, training={"token_budget": budget}).problem


def test_the_budget_grows_with_the_memory() -> None:
    budgets = [planned(size).token_budget for size in (0.4e9, 0.8e9, 1.6e9, 3.2e9)]
    assert budgets == sorted(set(budgets))


def test_a_budget_that_fits_is_kept() -> None:
    assert planned(1e12, training={"token_budget": 7_000}).token_budget == 7_000


def test_what_cannot_fit_is_refused_with_bytes_and_remedies() -> None:
    error = refused(30e6)
    assert "5,000 tokens takes" in error.problem
    assert "MiB" in error.problem
    assert error.fix.startswith("set ")
    assert error.remedies


@pytest.mark.parametrize("size", [25e6, 60e6, 120e6])
@pytest.mark.parametrize("kind", ["lstm", "transformer"])
def test_every_remedy_makes_it_fit(kind: str, size: float) -> None:
    model = {**LARGE, "kind": kind, "hidden": 320, "layers": 6, "stem_stride": 1}
    for remedy in refused(size, model=model).remedies:
        changed, optimisation, lengths = dict(model), {}, LENGTHS
        for key, value in remedy.settings.items():
            section, name = key.split(".")
            if section == "crop":
                lengths = np.minimum(LENGTHS, (value - 3) // 3)
            else:
                {"model": changed, "training": optimisation}[section][name] = value
        room = Room("cuda", int(size), here=False)
        found = plan(ModelConfig(**changed), TrainingConfig(**optimisation), lengths, 4099, room)
        assert found.peak <= found.usable


def test_the_least_harmful_comes_first() -> None:
    error = refused(150e6, model={**LARGE, "hidden": 128, "stem_stride": 1})
    names = [next(iter(remedy.settings)) for remedy in error.remedies]
    assert names.index("training.precision") < names.index("crop.length") < names.index("model.layers")


def test_a_processor_keeps_freed_memory_only_where_there_is_room() -> None:
    assert planned(200e9, kind="cpu").retain_memory
    tight = planned(1.5e9, kind="cpu")
    assert not tight.retain_memory


def test_a_probe_that_saw_more_than_foretold_corrects_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    from training.memory import probe as probes

    found = plan(
        ModelConfig(embedding=8, hidden=8, stem=8),
        TrainingConfig(global_batch_size=4),
        np.array([40, 60], dtype=np.int64),
        67,
        Room("cpu", 8 * 10**9, here=True),
    )
    assert found.probe is not None
    assert found.probe.fits
    assert found.correction == max(1.0, found.probe.peak / found.alone.peak)
    seen = probes.Probe(False, 0, 0, "the system killed it for want of memory")
    monkeypatch.setattr(probes, "probe", lambda *_: seen)
    with pytest.raises(DoesNotFitError, match="killed"):
        plan(ModelConfig(), TrainingConfig(), LENGTHS, 67, Room("cpu", 8 * 10**9, here=True))


def test_a_budget_beyond_what_a_step_can_need_is_no_leave_for_validation_to_take_more() -> None:
    lengths = np.full(1000, 500, dtype=np.int64)
    training = TrainingConfig(global_batch_size=8, token_budget=50_000_000)
    assert plan(ModelConfig(), training, lengths, 67, Room("cpu", 10**9, here=False)).token_budget == 8 * 500


def test_batches_made_ahead_count_as_long_as_their_rows_are() -> None:
    lengths = np.append(np.full(20_000, 500), 14_731).astype(np.int64)
    found = plan(ModelConfig(), TrainingConfig(global_batch_size=4096), lengths, 67, Room("cpu", 3 * 2**30, here=False))
    assert found.token_budget >= 14_731


def test_fewer_workers_and_smaller_steps_are_remedies_where_they_make_room() -> None:
    lengths = np.full(1000, 500, dtype=np.int64)
    room = Room("cpu", 512 * 2**20, here=False)
    with pytest.raises(DoesNotFitError, match=r"training\.workers to 1") as caught:
        plan(ModelConfig(), TrainingConfig(global_batch_size=64, workers=2), lengths, 67, room)
    larger = Room("cpu", 2 * room.size, here=False)
    assert plan(ModelConfig(), TrainingConfig(global_batch_size=64), lengths, 67, larger).token_budget
    assert caught.value.remedies[0].settings == {"training.workers": 1}
    wide = np.full(100_000, 4000, dtype=np.int64)
    with pytest.raises(DoesNotFitError, match=r"training\.batch to") as caught:
        plan(ModelConfig(), TrainingConfig(global_batch_size=65_536), wide, 67, Room("cpu", 2 * 10**9, here=False))
    batch = next(
        one.settings["training.global_batch_size"]
        for one in caught.value.remedies
        if "training.global_batch_size" in one.settings
    )
    assert plan(
        ModelConfig(), TrainingConfig(global_batch_size=batch), wide, 67, Room("cpu", 2 * 10**9, here=False)
    ).token_budget
