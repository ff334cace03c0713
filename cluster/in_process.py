"""Whether a verb does its work in its own process, because starting Ray and its workers would take longer."""

from __future__ import annotations

import os
import sys

from cluster.connection import address_of, usable_cpus
from cluster.experiment import ClusterConfig
from training.hardware.gpus import hardware

SMALL_GENOME = 16_000_000
"""Bases of a genome that one core annotates in a minute, most of which Ray takes to start and to stop: 12.6 Mb took
50 s so, and 78 s with Ray and two workers."""


def suffices(config: ClusterConfig, workers: int | None, device: str, bases: int) -> bool:
    """Whether one thread of this process is as good as a local Ray: for one worker on a CPU, or for a small genome.

    A cluster, a Ray that this process is connected to and a GPU are always used.

    Args:
        config: the section `cluster`.
        workers: as requested; None if the machine decides.
        device: cpu, cuda or auto.
        bases: of the genome.
    """
    ray = sys.modules.get("ray")
    if address_of(config, os.environ.get("RAY_ADDRESS", "")) != "local" or (ray and ray.is_initialized()):
        return False
    if device == "cuda" or (device == "auto" and hardware()):
        return False
    if workers is None:
        return bases <= SMALL_GENOME or (config.cpus or usable_cpus()) == 1
    return workers == 1
