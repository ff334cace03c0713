"""Whether a verb does its work in its own process, because starting Ray and its workers would take longer."""

from __future__ import annotations

import os

from cluster.connection import address_of, usable_cpus
from cluster.experiment import ClusterConfig
from pipelines.errors import UsageError
from pipelines.ray_map import nodes
from training.config import TrainingConfig
from training.hardware.gpus import hardware

SMALL_GENOME = 16_000_000
"""Bases of a genome that one core annotates in a minute, most of which Ray takes to start and to stop: 12.6 Mb took
50 s so, and 78 s with Ray and two workers."""
SMALL_SCAN = 2_000_000
"""The same for a scan by windows, which takes four times as long a base."""
SMALL_BUILD_S = 8.0
"""CPU seconds of a build that Ray takes to start, to hand out tasks and to stop."""


def suffices_to_build(config: ClusterConfig, cpu_seconds: float) -> bool:
    """Whether this process builds a dataset as soon as a local Ray.

    Args:
        config: the section `cluster`.
        cpu_seconds: that the build is estimated to take.
    """
    if config.engine != "auto":
        return config.engine == "local"
    return _can_do_without(config) and (cpu_seconds <= SMALL_BUILD_S or (config.cpus or usable_cpus()) == 1)


def suffices_to_train(config: ClusterConfig, training: TrainingConfig) -> bool:
    """Whether one worker on a CPU trains, for which Ray would do nothing but start.

    Args:
        config: the section `cluster`.
        training: the section `training`.

    Raises:
        UsageError: this machine is to train without Ray, and with several workers or a GPU.
    """
    has_gpu = _uses_gpu(training.device)
    if config.engine == "local":
        if training.workers > 1 or has_gpu:
            key = f"training.workers: {training.workers}" if training.workers > 1 else "training.device: cuda"
            raise UsageError(
                f"{key}: not with cluster.engine: local, which trains with one worker on a CPU",
                "leave one out, or set training.device to cpu",
            )
        return True
    return config.engine == "auto" and training.workers == 1 and not has_gpu and _can_do_without(config)


def _can_do_without(config: ClusterConfig) -> bool:
    """Whether there is neither a cluster nor a Ray that this process is connected to."""
    return address_of(config, os.environ.get("RAY_ADDRESS", "")) == "local" and not nodes.is_connected()


def _uses_gpu(device: str) -> bool:
    """Whether work on a device, cpu, cuda or auto, is done on a GPU of this machine."""
    return device == "cuda" or (device == "auto" and bool(hardware()))


def suffices_to_score(
    config: ClusterConfig, workers: int | None, device: str, bases: int = 0, small: int = SMALL_GENOME
) -> bool:
    """Whether one thread of this process is as good as a local Ray: for one worker on a CPU, or for a small genome.

    A cluster, a Ray that this process is connected to and a GPU are used, unless `cluster.engine` says otherwise.

    Args:
        config: the section `cluster`.
        workers: as requested; None if the machine decides.
        device: cpu, cuda or auto.
        bases: of the genome.
        small: bases up to which a genome is small.

    Raises:
        UsageError: this process is to work alone, and with several workers or a GPU.
    """
    if config.engine == "local":
        if device == "cuda" or (workers or 1) > 1:
            flag = "--device cuda" if device == "cuda" else f"--workers {workers}"
            raise UsageError(f"{flag}: not with cluster.engine: local, one thread of this process", "leave one out")
        return True
    if config.engine == "ray" or not _can_do_without(config) or _uses_gpu(device):
        return False
    if workers is None:
        return bases <= small or (config.cpus or usable_cpus()) == 1
    return workers == 1
