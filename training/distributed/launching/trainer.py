"""Ray's trainer, which starts no process that a run of this project does not use.

Of the processes that Ray Train starts besides controller and workers, one hands out rows of Ray Data, one asks for more
machines, one watches for machines about to be taken away, and one frees what a lost controller had reserved. Each takes
a worker's start, seconds of a core.
"""

from __future__ import annotations

from typing import Any

from pipelines.environment import with_defaults
from pipelines.ray_map import nodes

_FOR_ROWS = "DatasetsCallback"
_FOR_OTHER_DRIVERS = "PlacementGroupCleanerCallback"
"""What a local Ray does without: it ends with the driver, and nothing else uses it."""
_WITHOUT_WATCHERS = {"RAY_TRAIN_METRICS_ENABLED": "0", "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0"}
"""Variables that Ray Train reads in the driver: it keeps no figures, and watches for no machine about to leave."""


def trainer_class() -> Any:
    """A `TorchTrainer` for runs whose workers read their rows themselves."""
    from ray.train.torch import TorchTrainer

    # Ray's types are those of its first version.
    of_ray: Any = TorchTrainer

    class Trainer(of_ray):  # type: ignore[misc]
        def fit(self) -> Any:
            with with_defaults(_WITHOUT_WATCHERS if nodes.is_own() else {}):
                return super().fit()

        # Where another version of Ray calls another method, or passes its arguments by position, all processes start.
        def _initialize_and_run_controller(self, *positional: Any, **settings: Any) -> Any:
            is_local = nodes.is_own()
            if "callbacks" in settings:
                left_out = {_FOR_ROWS, _FOR_OTHER_DRIVERS} if is_local else {_FOR_ROWS}
                settings["callbacks"] = [one for one in settings["callbacks"] if type(one).__name__ not in left_out]
            if "scaling_policy" in settings and is_local:
                settings["scaling_policy"] = _without_resource_requests(settings["scaling_policy"])
            return super()._initialize_and_run_controller(*positional, **settings)

    return Trainer


def _without_resource_requests(policy: Any) -> Any:
    """A policy with a fixed number of workers that asks no autoscaler for their machines; another one as it is."""
    try:
        from ray.train.v2._internal.execution.scaling_policy import FixedScalingPolicy
    except ImportError:
        return policy

    class Fixed(FixedScalingPolicy):  # type: ignore[misc]
        def after_controller_start(self, train_run_context: Any) -> None:
            pass

        def _maybe_send_resource_request(self) -> None:
            pass

    return Fixed(policy.scaling_config) if type(policy) is FixedScalingPolicy else policy
