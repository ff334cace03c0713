from __future__ import annotations

from pathlib import Path

from training.config import ModelConfig, TrainingConfig
from tuning.trials import tuner
from tuning.trials.trial_spec import TrialSpec


def spec(workers: int, cpus: float, gpus: float) -> TrialSpec:
    path = Path("/nowhere")
    return TrialSpec(ModelConfig(), TrainingConfig(workers=workers), path, "", path, 8, True, cpus, gpus)


def test_ray_reserves_what_the_memory_check_decided() -> None:
    assert tuner._resources({tuner.SPEC: spec(1, 2, 0)}).bundles == [{"CPU": 2.0}]
    assert tuner._resources({tuner.SPEC: spec(1, 1, 0.25)}).bundles == [{"CPU": 1.0, "GPU": 0.25}]


def test_a_trial_of_several_workers_leaves_cpus_and_gpus_to_ray_train() -> None:
    (bundle,) = tuner._resources({tuner.SPEC: spec(2, 1, 1)}).bundles
    assert not bundle.keys() & {"CPU", "GPU"}
