"""A connection to Ray: one of our own on this machine, a running cluster, or the cluster of the job we are in.

Starting a local Ray takes 3 to 5 s; the environment that quietens it has to be set before Ray is imported.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from cluster.doctor.version_mismatch import version_difference
from cluster.experiment import ClusterConfig
from cluster.port import check_reachable
from pipelines import storage
from pipelines.errors import ResourceError
from pipelines.progress import Progress
from training.hardware.gpus import hardware, require_variables_ray_accepts

_QUIET = {
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_DEDUP_LOGS": "1",
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
    "KINETO_LOG_LEVEL": "6",
    "TORCH_CPP_LOG_LEVEL": "ERROR",
}
_ALWAYS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_task_oom_retries": "1",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    # Waiting threads that spin slow a shared machine down: 41 s instead of 2 for one evaluation beside another process.
    "OMP_WAIT_POLICY": "PASSIVE",
}

# Where Ray tells a job's driver what it was submitted with.
_JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"


def usable_cpus() -> int:
    """CPUs this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def environment(*, verbose: bool) -> dict[str, str]:
    """What Ray and OpenMP are to read at import: bounded retries, no spinning and, unless verbose, no noise."""
    return _ALWAYS if verbose else _ALWAYS | _QUIET


def prepare_environment(*, verbose: bool) -> None:
    """Set `environment`, but for what is set already, and make the cache's path absolute for all processes to come."""
    storage.cache_directory()
    for name, value in environment(verbose=verbose).items():
        os.environ.setdefault(name, value)


def address_of(config: ClusterConfig, given: str) -> str:
    """Where Ray is: the `RAY_ADDRESS` given by the environment, else the configured one.

    An http address there is a dashboard's, meant for `ray job`, and no place to connect to.
    """
    if given and not given.startswith(("http://", "https://")):
        return given
    return config.address


def of_job(environment: Mapping[str, str]) -> Mapping[str, str]:
    """The variables that the Ray job we are in was submitted with; none outside a job."""
    try:
        found = json.loads(environment.get(_JOB, "{}"))
        return dict((found.get("runtime_env") or {}).get("env_vars") or {})
    except (ValueError, AttributeError, TypeError):
        return {}


def quieten() -> None:
    """Silence Ray's own loggers and warnings in this process."""
    import ray.data  # noqa: F401  (it sets its own log level when imported)

    warnings.filterwarnings("ignore", module=r"ray(\..*)?")
    for name in ("ray", "ray.data", "ray.train", "ray.tune"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.CRITICAL)
        logger.propagate = False


def require_answer(address: str) -> None:
    """Knock at host:port first: Ray itself goes on trying a dead address for over five minutes.

    Raises:
        ResourceError: nothing answers there.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        return
    try:
        check_reachable(host.strip("[]"), int(port))
    except OSError as error:
        raise ResourceError(
            f"cluster.address {address}: no Ray there ({error.strerror or error})",
            "start one with 'ray start --head' or use local",
        ) from error


def reason(error: Exception) -> str:
    """The first line of an error's message, or its kind if it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


@contextmanager
def connect(
    config: ClusterConfig, progress: Progress, *, verbose: bool, workers: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Hold a connection to Ray; one that is open already is used and left open.

    Args:
        config: where Ray is.
        progress: told of the start.
        verbose: whether Ray's own output is shown.
        workers: environment of all worker processes, but for what this process (local) or the job we are in has set.

    Raises:
        ResourceError: no cluster answers at the address.
    """
    prepare_environment(verbose=verbose)
    import ray

    if ray.is_initialized():
        yield
        return
    if not verbose:
        quieten()
    address = address_of(config, os.environ.get("RAY_ADDRESS", ""))
    options: dict[str, Any] = {
        "log_to_driver": verbose,
        "logging_level": logging.INFO if verbose else logging.CRITICAL,
    }
    if address == "local":
        require_variables_ray_accepts(hardware(), os.environ)
        options |= {"num_cpus": config.cpus or usable_cpus(), "include_dashboard": False}
        for name, value in (workers or {}).items():
            os.environ.setdefault(name, value)
    else:
        require_answer(address)
        # Ray refuses a variable that the job we are in has set already.
        asked = {name: value for name, value in (workers or {}).items() if name not in of_job(os.environ)}
        options |= {"runtime_env": {"env_vars": asked}} if asked else {}
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    title = "starting Ray" if address == "local" else f"connecting to Ray at {address}"
    with progress.stage(title):
        try:
            ray.init(address=address, **options)
        except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
            if difference := version_difference(str(error)):
                raise ResourceError(
                    f"cluster.address {address}: {difference}",
                    "install the cluster's versions here, or use 'raygene submit run'",
                ) from error
            raise ResourceError(
                f"cluster.address {address}: no Ray there ({reason(error)})", "start one or use local"
            ) from error
        except Exception as error:
            # What Ray raises where its own processes do not come up in time has no class of its own.
            raise ResourceError(
                f"cluster.address {address}: Ray did not start ({reason(error)})",
                "run again when the machine is less busy, or with --verbose",
            ) from error
    if threading.current_thread() is threading.main_thread():
        # Ray puts handlers of its own in their place, which exit without a word.
        for number, handler in handlers.items():
            signal.signal(number, handler)
    try:
        yield
    finally:
        ray.shutdown()
