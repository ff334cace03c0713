from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.tokens.tokenizer import Tokenizer
from training.config import ModelConfig, TrainingConfig
from training.engine.process.heap import TOP_PAD
from training.memory.plan import GAPS, DeviceMemory, MemoryPlanner
from tuning.trials.memory_check import TUNE_PROCESS, Machine, check_memory, excess_share, resource_share

GIB = 2**30
GPU = Machine("cuda", 24 * GIB, cpus=16, gpus=2, is_local=False)
CPU = Machine("cpu", 8 * GIB, cpus=4, gpus=0, is_local=False)
LENGTHS = np.array([100, 2000, 512])
TOKENIZER = Tokenizer(3, 1, "anchor")


@pytest.mark.parametrize(
    ("gigabytes", "expected"), [(0.1, (1, 0.01)), (6, (1, 0.25)), (6.01, (1, 0.26)), (24, (1, 1.0)), (30, (1, 1.0))]
)
def test_a_trial_reserves_hundredths_of_a_gpu_by_its_share_of_the_memory(
    gigabytes: float, expected: tuple[float, float]
) -> None:
    assert resource_share(int(gigabytes * GIB), 24 * GIB, GPU) == expected


@pytest.mark.parametrize(("gigabytes", "expected"), [(0.5, (1, 0)), (2, (1, 0)), (2.1, (2, 0)), (7.9, (4, 0))])
def test_on_cpus_a_trial_reserves_cpus_by_its_share_of_the_memory(
    gigabytes: float, expected: tuple[float, float]
) -> None:
    assert resource_share(int(gigabytes * GIB), 8 * GIB, CPU) == expected


@given(st.integers(1, 10**12), st.integers(10**9, 10**12), st.integers(1, 128))
def test_all_trials_that_ray_places_at_once_fit(predicted: int, usable: int, cpus: int) -> None:
    predicted = min(predicted, usable)
    _, gpus = resource_share(predicted, usable, GPU)
    assert int(round(100 / round(gpus * 100), 9)) * predicted <= usable
    taken, _ = resource_share(predicted, usable, Machine("cpu", usable, cpus, 0, is_local=False))
    assert int(cpus // taken) * predicted <= usable * (1 + 1e-9)


def test_a_small_trial_shares_a_gpu_and_a_large_one_does_not() -> None:
    training = TrainingConfig(global_batch_size=64)
    small = check_memory(ModelConfig(hidden=32), training, LENGTHS, TOKENIZER, GPU)
    large = check_memory(ModelConfig(hidden=1024, layers=8), training, LENGTHS, TOKENIZER, GPU)
    assert small.fits
    assert large.fits
    assert small.gpus < 0.5 < large.gpus <= 1
    assert small.gpus * GPU.memory > small.predicted


def test_a_trial_that_does_not_fit_has_a_reason_with_bytes_and_fix() -> None:
    machine = Machine("cuda", GIB, cpus=16, gpus=1, is_local=False)
    feasibility = check_memory(ModelConfig(hidden=4096, layers=4), TrainingConfig(), LENGTHS, TOKENIZER, machine)
    assert not feasibility.fits
    assert feasibility.predicted > GIB
    assert excess_share(feasibility.predicted, feasibility.available) > 0
    assert "one sequence of 2,000 tokens needs" in feasibility.reason
    assert "set " in feasibility.reason


def test_a_trial_plans_two_steps_of_freed_memory_however_much_there_is() -> None:
    machine, training = Machine("cpu", 1 << 40, cpus=4, gpus=0, is_local=False), TrainingConfig(global_batch_size=16)
    trial = check_memory(ModelConfig(), training, LENGTHS, TOKENIZER, machine)
    device = DeviceMemory("cpu", machine.memory, is_local=False, workers=1)
    plan = MemoryPlanner(ModelConfig(), training, LENGTHS, TOKENIZER.vocabulary_size, device).plan()
    assert plan.retained == round(GAPS * plan.step) + TOP_PAD
    assert trial.predicted == plan.worker + TUNE_PROCESS


def test_workers_on_cpus_share_the_memory() -> None:
    alone, both = (
        check_memory(ModelConfig(), TrainingConfig(workers=workers), LENGTHS, TOKENIZER, CPU).available
        for workers in (1, 2)
    )
    assert both == alone // 2
