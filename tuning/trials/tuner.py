"""Ray Tune's part of a campaign: places trials on the cluster, and starts them again when a machine is lost."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path
from typing import Any

from training.config import TrainingConfig
from training.distributed import interruptible
from training.distributed.interruptible import Interrupt
from training.distributed.launch import stopped
from tuning.config import TuningConfig


def fit(
    front: Any,
    scheduler: Any,
    stop: Any,
    config: TuningConfig,
    training: TrainingConfig,
    output: Path,
    ask_to_stop: Interrupt,
    watch: Any,
) -> None:
    """Run trials until there are no more.

    Args:
        front: Tune's searcher.
        scheduler: Tune's scheduler.
        stop: asked after every epoch whether its trial is to end.
        config: the campaign.
        training: how often a trial is started again after its process has died.
        output: a folder that every node writes; Ray's own files appear in it while it runs.
        ask_to_stop: called at an interrupt, after which `stop` is to end all trials.
        watch: Tune's callback.

    Raises:
        TrainingError: Ray Tune failed.
        KeyboardInterrupt: interrupted, and the trials have been told to end.
    """
    # Of Ray's two displays the older one is silent when told to be.
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
    from ray import tune

    for leftover in output.glob(".ray-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    name = f".ray-{uuid.uuid4().hex[:12]}"
    tuner = tune.Tuner(
        tune.with_resources(_process, _resources),
        tune_config=tune.TuneConfig(
            search_alg=front,
            scheduler=scheduler,
            num_samples=-1,
            max_concurrent_trials=1 if config.workers > 1 else config.concurrent,
            # A process with a run of Ray Train in it ends only with that.
            reuse_actors=config.workers == 1,
            trial_dirname_creator=_named,
            trial_name_creator=_named,
        ),
        run_config=tune.RunConfig(
            name=name,
            storage_path=str(output),
            failure_config=tune.FailureConfig(max_failures=training.retries),
            stop=stop,
            callbacks=[watch],
            verbose=0,
        ),
    )
    try:
        failure = interruptible.do(tuner.fit, ask_to_stop)
    finally:
        shutil.rmtree(output / name, ignore_errors=True)
    if failure is not None:
        raise stopped(failure, "tuning") from failure


def _process(config: dict[str, Any]) -> None:
    """What runs on a worker."""
    from ray import tune

    from tuning.trials import multi_worker, worker

    given = config["given"]
    worker.guarded(multi_worker.run if given["training"]["workers"] > 1 else worker.run, given, tune.report)


def _resources(config: dict[str, Any]) -> Any:
    from ray.tune import PlacementGroupFactory

    given = config["given"]
    if given["training"]["workers"] > 1:
        # The workers ask for their own; what watches them takes nothing that they could want.
        return PlacementGroupFactory([{"memory": 1}])
    bundle = {"CPU": given["cpus"]} | ({"GPU": given["gpus"]} if given["gpus"] else {})
    return PlacementGroupFactory([bundle])


def _named(trial: Any) -> str:
    return str(trial.trial_id)
