"""The part of a study that Ray Tune does: it places trials on the cluster, and restarts them when a machine is lost."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.config import TrainingConfig
from training.distributed.launching import interruptible
from training.distributed.launching.interruptible import Interrupt
from training.distributed.launching.launch import error_of_ray
from tuning.config import TuningConfig
from tuning.trials.trial_spec import TrialSpec

if TYPE_CHECKING:
    from ray.tune import Callback, Stopper
    from ray.tune.schedulers import TrialScheduler
    from ray.tune.search import Searcher

# The one parameter of a trial of Ray Tune, which holds its TrialSpec.
SPEC = "spec"


def fit(
    searcher: Searcher,
    scheduler: TrialScheduler,
    stopper: Stopper,
    callback: Callback,
    config: TuningConfig,
    training: TrainingConfig,
    output: Path,
    request_stop: Interrupt,
) -> None:
    """Run trials until the searcher suggests no more.

    Args:
        searcher: suggests trials, each as a mapping with `SPEC`.
        scheduler: decides after each epoch whether a trial continues.
        stopper: decides after each epoch whether a trial, and all the time whether the study, is to stop.
        callback: called when Ray Tune starts or restarts a trial.
        config: of the study.
        training: how often a trial is restarted after its process has died.
        output: a directory that every node writes; Ray's own files are in it while it runs.
        request_stop: called at an interrupt; afterwards `stopper` must stop all trials.

    Raises:
        TrainingError: Ray Tune failed.
        KeyboardInterrupt: interrupted, and the trials have been asked to stop.
    """
    # Ray has two displays, of which only the older one obeys `verbose=0`.
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
    from ray import tune

    for leftover in output.glob(".ray-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    name = f".ray-{uuid.uuid4().hex[:12]}"
    tuner = tune.Tuner(
        tune.with_resources(_trainable, _resources),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=scheduler,
            # The searcher decides when there are no more.
            num_samples=-1,
            # Trials of several workers reserve nothing with Ray Tune, and the searcher decides when they begin.
            max_concurrent_trials=None if config.workers > 1 else config.concurrent,
            # A process that holds a run of Ray Train has to end with it.
            reuse_actors=config.workers == 1,
            trial_dirname_creator=_trial_name,
            trial_name_creator=_trial_name,
        ),
        run_config=tune.RunConfig(
            name=name,
            storage_path=str(output),
            failure_config=tune.FailureConfig(max_failures=training.retries),
            stop=stopper,
            callbacks=[callback],
            verbose=0,
        ),
    )
    try:
        failure = interruptible.run(tuner.fit, request_stop)
    finally:
        shutil.rmtree(output / name, ignore_errors=True)
    if failure is not None:
        raise error_of_ray(failure, "tuning") from failure


def _trainable(parameters: dict[str, Any]) -> None:
    """What Ray Tune runs in the process of a trial."""
    from ray import tune

    from tuning.trials import multi_worker, reports, worker

    spec: TrialSpec = parameters[SPEC]
    train = multi_worker.run if spec.training.workers > 1 else worker.run
    worker.run_and_report_errors(train, spec, lambda report: tune.report(reports.to_result(report)))


def _resources(parameters: dict[str, Any]) -> Any:
    from ray.tune import PlacementGroupFactory

    spec: TrialSpec = parameters[SPEC]
    if spec.training.workers > 1:
        # Ray Train reserves for its workers; the process that starts them must not take what they need.
        return PlacementGroupFactory([{"memory": 1}])
    return PlacementGroupFactory([{"CPU": spec.cpus} | ({"GPU": spec.gpus} if spec.gpus else {})])


def _trial_name(trial: Any) -> str:
    return str(trial.trial_id)
