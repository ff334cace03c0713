from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.tokens.tokenizer import Tokenizer
from training.config import ModelConfig, TrainingConfig
from tuning.trials.memory_check import Machine, judge, share

GIB = 2**30
GPU = Machine("cuda", 24 * GIB, cpus=16, gpus=2, here=False)
CPU = Machine("cpu", 8 * GIB, cpus=4, gpus=0, here=False)
LENGTHS = np.array([100, 2000, 512])
TOKENIZER = Tokenizer(3, 1, "anchor")


@pytest.mark.parametrize(
    ("gigabytes", "wanted"), [(0.1, (1, 0.01)), (6, (1, 0.25)), (6.01, (1, 0.26)), (24, (1, 1.0)), (30, (1, 1.0))]
)
def test_a_trial_gets_the_hundredths_of_a_gpu_that_it_takes_of_its_memory(
    gigabytes: float, wanted: tuple[float, float]
) -> None:
    assert share(int(gigabytes * GIB), 24 * GIB, GPU) == wanted


@pytest.mark.parametrize(("gigabytes", "wanted"), [(0.5, (1, 0)), (2, (1, 0)), (2.1, (2, 0)), (7.9, (4, 0))])
def test_on_cpus_a_trial_gets_the_cpus_that_it_takes_of_the_memory(
    gigabytes: float, wanted: tuple[float, float]
) -> None:
    assert share(int(gigabytes * GIB), 8 * GIB, CPU) == wanted


@given(st.integers(1, 10**12), st.integers(10**9, 10**12), st.integers(1, 128))
def test_as_many_trials_as_ray_places_at_once_fit(predicted: int, usable: int, cpus: int) -> None:
    predicted = min(predicted, usable)
    _, gpus = share(predicted, usable, GPU)
    assert int(round(100 / round(gpus * 100), 9)) * predicted <= usable
    taken, _ = share(predicted, usable, Machine("cpu", usable, cpus, 0, here=False))
    assert int(cpus // taken) * predicted <= usable * (1 + 1e-9)


def test_a_small_trial_shares_a_gpu_and_a_large_one_has_it_alone() -> None:
    training = TrainingConfig(global_batch_size=64)
    small = judge(ModelConfig(hidden=32), training, LENGTHS, TOKENIZER, GPU)
    large = judge(ModelConfig(hidden=1024, layers=8), training, LENGTHS, TOKENIZER, GPU)
    assert small.fits
    assert large.fits
    assert small.gpus < 0.5 < large.gpus <= 1
    assert small.gpus * GPU.memory > small.predicted


def test_what_does_not_fit_is_told_with_the_bytes_and_the_remedy() -> None:
    machine = Machine("cuda", GIB, cpus=16, gpus=1, here=False)
    found = judge(ModelConfig(hidden=4096, layers=4), TrainingConfig(), LENGTHS, TOKENIZER, machine)
    assert not found.fits
    assert found.predicted > GIB
    assert found.excess > 0
    assert "one sequence of 2,000 tokens takes" in found.reason
    assert "set " in found.reason


def test_workers_on_a_cpu_share_its_memory() -> None:
    alone, both = (
        judge(ModelConfig(), TrainingConfig(workers=workers), LENGTHS, TOKENIZER, CPU).room for workers in (1, 2)
    )
    assert both == alone // 2
