"""Ray's trainer, which starts no process that a run of this project does not use.

Of the processes that Ray Train starts besides controller and workers, one hands out rows of Ray Data, one asks for more
machines, and one frees what a lost controller had reserved. Each takes a worker's start, seconds of a core.
"""

from __future__ import annotations

from typing import Any

from pipelines.ray_map import nodes

_FOR_ROWS = "DatasetsCallback"
_FOR_OTHER_DRIVERS = "PlacementGroupCleanerCallback"
"""What a local Ray does without: it ends with the driver, and nothing else uses it."""


def trainer_class() -> Any:
    """A `TorchTrainer` for runs whose workers read their rows themselves."""
    from ray.train.torch import TorchTrainer

    # Ray's types are those of its first version.
    of_ray: Any = TorchTrainer

    class Trainer(of_ray):  # type: ignore[misc]
        def _initialize_and_run_controller(self, **settings: Any) -> Any:
            # A version of Ray that hands over others starts them as it does.
            is_local = nodes.is_own()
            left_out = {_FOR_ROWS, _FOR_OTHER_DRIVERS} if is_local else {_FOR_ROWS}
            callbacks = [one for one in settings.get("callbacks", []) if type(one).__name__ not in left_out]
            settings |= {"callbacks": callbacks}
            if is_local:
                settings["scaling_policy"] = _asking_nobody(settings["scaling_policy"])
            return super()._initialize_and_run_controller(**settings)

    return Trainer


def _asking_nobody(policy: Any) -> Any:
    """A policy with a fixed number of workers that asks no autoscaler for their machines; another one as it is."""
    from ray.train.v2._internal.execution.scaling_policy import FixedScalingPolicy

    class Fixed(FixedScalingPolicy):  # type: ignore[misc]
        def after_controller_start(self, train_run_context: Any) -> None:
            pass

        def _maybe_send_resource_request(self) -> None:
            pass

    return Fixed(policy.scaling_config) if type(policy) is FixedScalingPolicy else policy
