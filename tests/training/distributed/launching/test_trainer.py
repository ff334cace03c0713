from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ray.train import ScalingConfig
from ray.train.torch import TorchTrainer
from ray.train.v2._internal.execution import scaling_policy
from ray.train.v2._internal.execution.scaling_policy import ElasticScalingPolicy

from pipelines.ray_map import nodes
from training.distributed.launching.trainer import _asking_nobody, trainer_class

pytestmark = pytest.mark.ray
ROWS, OTHER_DRIVERS = "DatasetsCallback", "PlacementGroupCleanerCallback"


def handed_over(trainer: Any, workers: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[set[str], Any]:
    """Names of the callbacks, and the scaling policy, that a trainer hands over to Ray's controller."""
    settings: dict[str, Any] = {}

    def keep(self: object, **given: Any) -> SimpleNamespace:
        settings.update(given)
        return SimpleNamespace(error=None)

    monkeypatch.setattr(TorchTrainer, "_initialize_and_run_controller", keep)
    trainer(print, scaling_config=ScalingConfig(num_workers=workers)).fit()
    return {type(callback).__name__ for callback in settings["callbacks"]}, settings["scaling_policy"]


def test_a_local_ray_starts_nothing_for_rows_of_ray_data_or_for_other_machines_and_drivers(
    ray_session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_ray, _ = handed_over(TorchTrainer, 2, monkeypatch)
    assert {ROWS, OTHER_DRIVERS} < of_ray
    ours, policy = handed_over(trainer_class(), 2, monkeypatch)
    assert ours == of_ray - {ROWS, OTHER_DRIVERS}
    assert policy.make_decision_for_non_running_worker_group().num_workers == 2
    policy.after_controller_start(None)
    assert policy._coordinator_client is None


def test_a_cluster_keeps_what_frees_the_resources_of_a_lost_run_and_asks_for_machines(
    ray_session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "is_own", lambda: False)
    of_ray, policy_of_ray = handed_over(TorchTrainer, 2, monkeypatch)
    ours, policy = handed_over(trainer_class(), 2, monkeypatch)
    assert ours == of_ray - {ROWS}
    assert type(policy) is type(policy_of_ray)


def test_a_number_of_workers_that_may_change_is_left_to_ray(ray_session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, policy = handed_over(trainer_class(), (1, 2), monkeypatch)
    assert type(policy) is ElasticScalingPolicy


def test_another_version_of_ray_starts_what_it_does(ray_session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Positional:
        """Hands everything over by position."""

        def _initialize_and_run_controller(self, *positional: Any, **settings: Any) -> Any:
            return positional, settings

    monkeypatch.setattr("ray.train.torch.TorchTrainer", Positional)
    assert trainer_class()()._initialize_and_run_controller("function", ["all"]) == (("function", ["all"]), {})
    monkeypatch.delattr(scaling_policy, "FixedScalingPolicy")
    policy = object()
    assert _asking_nobody(policy) is policy


def test_whether_ray_is_this_process_own(ray_session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert nodes.is_own()
    monkeypatch.delattr("ray._private.worker._global_node")
    assert not nodes.is_own()
