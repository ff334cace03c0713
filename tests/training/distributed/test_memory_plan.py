from __future__ import annotations

from bisect import bisect_left
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.dataset.token_dataset import TokenDataset
from pipelines.ray_map.nodes import living
from training.config import UNPLANNED_BUDGET, ModelConfig, TrainingConfig
from training.distributed import memory_plan
from training.distributed.memory_plan import cap_budget, plan_process, plan_run
from training.distributed.nodes.placement import place
from training.memory.plan import DeviceMemory, DoesNotFitError, MemoryPlan, MemoryPlanner

MODEL = ModelConfig(embedding=8, hidden=8, stem=8)
LENGTHS = np.full(5_000, 400, dtype=np.int64)
LARGE_STEPS = TrainingConfig(global_batch_size=1024, probe=False)


def plan_with(kind: Any) -> Any:
    def plan(training: TrainingConfig) -> MemoryPlan:
        return MemoryPlanner(MODEL, training, LENGTHS, 67, DeviceMemory(kind, 10**12, is_local=False, workers=1)).plan()

    return plan


def test_a_budget_on_a_cpu_is_capped_where_more_is_no_faster() -> None:
    assert plan_with("cpu")(LARGE_STEPS).token_budget == 1024 * 400
    assert cap_budget(plan_with("cpu"), LARGE_STEPS).token_budget == UNPLANNED_BUDGET


def test_a_budget_on_a_gpu_and_a_requested_one_are_not_capped() -> None:
    assert cap_budget(plan_with("cuda"), LARGE_STEPS).token_budget == 1024 * 400
    requested = LARGE_STEPS.model_copy(update={"token_budget": 100_000})
    assert cap_budget(plan_with("cpu"), requested).token_budget == 100_000


def test_a_worker_in_this_process_is_planned_for(train_split: TokenDataset, validation_split: TokenDataset) -> None:
    plan = plan_process(MODEL, TrainingConfig(probe=False), (train_split, validation_split), "cpu")
    assert plan.device.is_local
    assert plan.longest == max(train_split.lengths.max(), validation_split.lengths.max())


@pytest.mark.ray
def test_a_resumed_run_keeps_its_budget_unless_that_no_longer_fits(
    ray_session: Any,
    train_split: TokenDataset,
    validation_split: TokenDataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:

    budget_file, warnings = tmp_path / "run" / "token-budget", list[str]()
    share = place(living(), 1, "cpu")

    def planned() -> int:
        splits = (train_split, validation_split)
        training = TrainingConfig(probe=False)
        return plan_run(MODEL, training, splits, share, 1, budget_file, warnings.append).token_budget

    first = planned()
    assert budget_file.read_text() == f"cpu {first}\n"
    budget_file.write_text(f"cpu {first - 100}\n")
    assert planned() == first - 100
    budget_file.write_text(f"cuda {first - 200}\n")
    assert planned() == first
    assert not warnings

    def fits(size: int) -> bool:
        monkeypatch.setattr(memory_plan.capacity, "available_memory", lambda kind, workers: size)
        budget_file.unlink(missing_ok=True)
        with suppress(DoesNotFitError):
            planned()
            return True
        return False

    # The least memory in which one longest sequence fits.
    sizes = range(100_000_000, 900_000_000, 1_000_000)
    assert fits(sizes[bisect_left(sizes, True, key=fits)])
    least = planned()
    assert least < first
    budget_file.write_text(f"cpu {first}\n")
    assert planned() == least
    assert "do not fit any more" in warnings[0]
    assert budget_file.read_text() == f"cpu {least}\n"
