from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import pytest
from ray.train import ScalingConfig
from ray.train.torch import TorchTrainer
from ray.train.v2._internal.execution import scaling_policy

from pipelines.ray_map import nodes
from training.distributed.launching.trainer import _without_resource_requests, trainer_class

pytestmark = pytest.mark.ray
ROWS, OTHER_DRIVERS = "DatasetsCallback", "PlacementGroupCleanerCallback"
METRICS = {"ControllerMetricsCallback", "WorkerMetricsCallback"}
WATCHER = "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER"


@pytest.fixture(autouse=True)
def _watcher_is_for_ray_train_to_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(WATCHER, raising=False)
    monkeypatch.delenv("RAY_TRAIN_METRICS_ENABLED", raising=False)


def handed_over(trainer: Any, workers: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[set[str], Any, str | None]:
    """What a trainer hands over to Ray's controller: names of callbacks, the scaling policy, and `WATCHER`'s value."""
    settings: dict[str, Any] = {}

    def record(self: object, **arguments: Any) -> SimpleNamespace:
        settings.update(arguments, watcher=os.environ.get(WATCHER))
        return SimpleNamespace(error=None)

    monkeypatch.setattr(TorchTrainer, "_initialize_and_run_controller", record)
    trainer(print, scaling_config=ScalingConfig(num_workers=workers)).fit()
    callbacks = {type(callback).__name__ for callback in settings["callbacks"]}
    return callbacks, settings["scaling_policy"], settings["watcher"]


def test_a_local_ray_starts_nothing_for_rows_of_ray_data_or_for_other_machines_and_drivers(
    ray_session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_ray, _, _ = handed_over(TorchTrainer, 2, monkeypatch)
    assert {ROWS, OTHER_DRIVERS, *METRICS} < of_ray
    ours, policy, watcher = handed_over(trainer_class(), 2, monkeypatch)
    assert ours == of_ray - {ROWS, OTHER_DRIVERS, *METRICS}
    assert policy.make_decision_for_non_running_worker_group().num_workers == 2
    policy.after_controller_start(None)
    # Ray 2.54 has no such client.
    assert getattr(policy, "_coordinator_client", None) is None
    assert watcher == "0"


def test_a_cluster_keeps_metrics_watches_machines_asks_for_them_and_frees_what_a_lost_run_had(
    ray_session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "is_own", lambda: False)
    of_ray, policy_of_ray, _ = handed_over(TorchTrainer, 2, monkeypatch)
    ours, policy, watcher = handed_over(trainer_class(), 2, monkeypatch)
    assert ours == of_ray - {ROWS}
    assert type(policy) is type(policy_of_ray)
    assert watcher is None


def test_a_training_on_a_local_ray_changes_nothing_for_one_on_a_cluster_after_it(
    ray_session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dict(os.environ)
    handed_over(trainer_class(), 2, monkeypatch)
    assert dict(os.environ) == before


def test_a_number_of_workers_that_may_change_is_left_to_ray(ray_session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    of_ray = getattr(scaling_policy, "ElasticScalingPolicy", None)
    if of_ray is None:
        pytest.skip("this version of Ray Train has no number of workers that may change")
    _, policy, _ = handed_over(trainer_class(), (1, 2), monkeypatch)
    assert type(policy) is of_ray


def test_another_version_of_ray_starts_what_it_does(ray_session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Positional:
        """Hands everything over by position."""

        def _initialize_and_run_controller(self, *positional: Any, **settings: Any) -> Any:
            return positional, settings

    monkeypatch.setattr("ray.train.torch.TorchTrainer", Positional)
    assert trainer_class()()._initialize_and_run_controller("function", ["all"]) == (("function", ["all"]), {})
    monkeypatch.delattr(scaling_policy, "FixedScalingPolicy")
    policy = object()
    assert _without_resource_requests(policy) is policy


def test_whether_ray_is_this_process_own(ray_session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert nodes.is_own()
    monkeypatch.delattr("ray._private.worker._global_node")
    assert not nodes.is_own()
