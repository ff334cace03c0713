"""The connection to Ray: a local Ray on this machine, a running cluster, or the cluster of this job.

Starting a local Ray takes 3 to 5 s. The variables that silence it must be set before Ray is imported.
"""

from __future__ import annotations

import json
import logging
import os
import re
import resource
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any

from cluster.doctor.version_mismatch import version_difference
from cluster.experiment import ClusterConfig
from cluster.imports import raygene_imports
from cluster.local_ray import network, ports, processes, token
from cluster.local_ray.folder import FOR_RAY, run_folder
from cluster.port import check_reachable
from cluster.process import signals
from cluster.process.ray_watch import watched_ray
from cluster.process.watchdog import ends_orphans
from pipelines import os_errors, storage
from pipelines.environment import with_defaults
from pipelines.errors import ResourceError, one_line
from pipelines.progress import Progress
from pipelines.ray_map import nodes
from training.hardware.gpus import hardware, require_variables_ray_accepts

_QUIET = {
    "RAY_DEDUP_LOGS": "1",
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
    # Read at the import of Ray Data, which Ray Train imports.
    "RAY_DATA_LOG_LEVEL": "CRITICAL",
    "KINETO_LOG_LEVEL": "6",
    "TORCH_CPP_LOG_LEVEL": "ERROR",
}
_ALWAYS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # A worker that reserves no GPU keeps CUDA_VISIBLE_DEVICES as it is; newer Ray does so by itself.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Ray would retry a task that runs out of memory for ever.
    "RAY_task_oom_retries": "1",
    # Ray Tune would write logs of its own in addition to raygene's.
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    # Waiting threads that spin slow a shared machine: an evaluation next to another process took 41 s, not 2.
    "OMP_WAIT_POLICY": "PASSIVE",
}

# Ray's core writes it of actors that may start again, and no switch of Ray leaves it out.
_HARMLESS = re.compile(r"core_worker\.cc.*max_restarts > 0")

# With fewer, Ray's own processes run out of them.
_OPEN_FILES = 1024

# In this variable a job's driver finds the options that it was submitted with.
_JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"


def usable_cpus() -> int:
    """CPUs this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def environment(*, verbose: bool) -> dict[str, str]:
    """Variables that Ray and OpenMP read at import: bounded retries, no spinning and, unless `verbose`, no messages.

    With NO_COLOR (https://no-color.org) Ray's messages have no colours either.
    """
    without_colours = {"RAY_COLOR_PREFIX": "0"} if os.environ.get("NO_COLOR") else {}
    return _ALWAYS | without_colours | ({} if verbose else _QUIET)


def prepare_environment(*, verbose: bool) -> None:
    """Set the variables of `environment` that are not set yet, and make the cache's path absolute."""
    storage.cache_directory()
    for name, value in environment(verbose=verbose).items():
        os.environ.setdefault(name, value)


def address_of(config: ClusterConfig, ray_address: str) -> str:
    """The address of Ray: that of the environment, else the configured one.

    Args:
        config: the section `cluster`.
        ray_address: value of `RAY_ADDRESS`, or empty. An http address is a dashboard's, meant for `ray job`, and is
            ignored.
    """
    if ray_address and not ray_address.startswith(("http://", "https://")):
        return ray_address
    return config.address


def job_variables(environment: Mapping[str, str]) -> Mapping[str, str]:
    """The variables with which the Ray job that this process is was submitted; none outside a job."""
    try:
        job = json.loads(environment.get(_JOB, "{}"))
        return dict((job.get("runtime_env") or {}).get("env_vars") or {})
    except (ValueError, AttributeError, TypeError):
        return {}


def silence_ray() -> None:
    """Silence Ray's own loggers and warnings in this process, after `prepare_environment`."""
    import ray

    warnings.filterwarnings("ignore", module=r"ray(\..*)?")
    for name in ("ray", "ray.data", "ray.train", "ray.tune"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.CRITICAL)
        logger.propagate = False
    # It tells on standard output, which is for results, of every worker that is lost.
    ray._private.worker.print_to_stdstream = lambda data, **options: None


def _named(address: str) -> str:
    """The address with the key or variable that gives it."""
    return f"{'RAY_ADDRESS' if os.environ.get('RAY_ADDRESS') == address else 'cluster.address'} {address}"


def require_reachable(address: str) -> None:
    """Check first that host:port is open: Ray itself tries a dead address for more than five minutes.

    Raises:
        ResourceError: no server listens there.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        return
    try:
        check_reachable(host.strip("[]"), int(port))
    except OSError as error:
        raise ResourceError(
            f"{_named(address)}: no Ray there ({error.strerror or error})",
            "start one with 'ray start --head' or use local",
        ) from error


def reason(error: Exception) -> str:
    """The first line of an error's message, or its type if it has none."""
    return one_line((str(error).strip() or type(error).__name__).splitlines()[0], 200)


def _start_error(address: str, error: Exception) -> ResourceError:
    """The error for what Ray raised instead of starting, or of connecting."""
    from ray.exceptions import AuthenticationError

    name = _named(address)
    if difference := version_difference(str(error)):
        return ResourceError(
            f"{name}: {difference}", "install the cluster's versions on this machine, or use 'raygene submit run'"
        )
    if isinstance(error, AuthenticationError) or "uthentication" in str(error):
        return ResourceError(
            f"{name}: its token is missing here, or wrong ({reason(error)})",
            "set RAY_AUTH_TOKEN_PATH to a file with the token that 'ray get-auth-token' prints on the head node",
        )
    if isinstance(error, OSError) and not isinstance(error, ConnectionError | TimeoutError):
        return os_errors.explained(error, f"{name}: Ray did not start")
    if address == "local":
        ours = environment(verbose=False) | network.loopback_variables() | processes.variables()
        # Ray sets RAY_CLIENT_MODE itself where it is imported.
        ignored = {"RAY_AUTH_MODE", "RAY_CLIENT_MODE", *raygene_imports.variables({})}
        own = sorted(
            name
            for name, value in os.environ.items()
            if name.startswith("RAY_") and name not in ignored and value != ours.get(name)
        )
        fix = f"correct or unset {', '.join(own)}" if own else "run again when the machine is less busy"
        fix = _low_limit() or fix
        return ResourceError(f"{name}: Ray did not start ({reason(error)})", f"{fix}, or see more with --verbose")
    return ResourceError(f"{name}: no Ray there ({reason(error)})", "start one or use local")


def _low_limit() -> str:
    """What to do about a limit of this process with which Ray does not start; empty if there is none."""
    if resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY:
        return "raise the limit of file sizes (ulimit -f), which the memory that processes share counts against"
    if 0 <= resource.getrlimit(resource.RLIMIT_NOFILE)[0] < _OPEN_FILES:
        return f"raise the limit of open files (ulimit -n) to {_OPEN_FILES} or more"
    return ""


def _runtime_env(address: str, worker_environment: Mapping[str, str]) -> dict[str, Any]:
    """The runtime environment of this driver's workers in a running cluster."""
    # Ray refuses a variable that this job was submitted with.
    set_by_job = job_variables(os.environ)
    variables = {name: value for name, value in worker_environment.items() if name not in set_by_job}
    runtime_env: dict[str, Any] = {"env_vars": variables} if variables else {}
    # A job's workers look into the job's own files first, and a function does not pass Ray's client.
    if _JOB not in os.environ and "://" not in address:
        import ray.cloudpickle

        ray.cloudpickle.register_pickle_by_value(raygene_imports)
        runtime_env["worker_process_setup_hook"] = raygene_imports.setup_hook()
    return runtime_env


@contextmanager
def connect(
    config: ClusterConfig,
    progress: Progress,
    *,
    verbose: bool,
    worker_environment: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """Connect to Ray while the context lasts; a connection that is open already is used, and left open.

    Args:
        config: where Ray is.
        progress: shows the start.
        verbose: show Ray's own output.
        worker_environment: variables of all worker processes. Those that this process (with a local Ray) or this job
            has set already stay as they are.

    Raises:
        ResourceError: no cluster answers at the address.
    """
    prepare_environment(verbose=verbose)
    if nodes.is_connected():
        yield
        return
    address = address_of(config, os.environ.get("RAY_ADDRESS", ""))
    options: dict[str, Any] = {
        "log_to_driver": verbose,
        "logging_level": logging.INFO if verbose else logging.CRITICAL,
    }
    title = "starting Ray" if address == "local" else f"connecting to Ray at {address}"
    with ExitStack() as local_ray:
        if address == "local":
            # Before Ray is imported. A cluster that this process connects to later has other variables.
            local_ray.enter_context(with_defaults(network.loopback_variables() | processes.variables()))
        import ray

        if not verbose:
            silence_ray()
        if address == "local":
            require_variables_ray_accepts(hardware(), os.environ)
            for name, value in (worker_environment or {}).items():
                os.environ.setdefault(name, value)
            token.prepare(os.environ, progress.warn)
            folder = local_ray.enter_context(run_folder(os.environ, keep=verbose))
            os.environ[storage.RUN_FOLDER] = str(folder)
            local_ray.callback(os.environ.pop, storage.RUN_FOLDER, None)
            local_ray.enter_context(ends_orphans(storage.RUN_FOLDER, str(folder)))
            os.environ.update(raygene_imports.variables(os.environ))
            options |= {
                "num_cpus": config.cpus or usable_cpus(),
                "include_dashboard": False,
                "_temp_dir": str(folder / FOR_RAY),
            }
        else:
            require_reachable(address)
            token.require_usable(os.environ, token.default_path())
            options |= {"runtime_env": _runtime_env(address, worker_environment or {})}
        # Ray sets handlers of its own, which exit without a message or write a stack.
        with (
            progress.stage(title),
            signals.standard_error_kept(),
            signals.kept_handlers(signals.START_DEADLINE_S),
            ports.free_ports(),
            processes.needed_only(shows_output=verbose) if address == "local" else nullcontext(),
        ):
            try:
                ray.init(address=address, **options)
            except Exception as error:
                # Ray raises errors of no common class.
                raise _start_error(address, error) from error
        with signals.standard_error_filtered(_HARMLESS), watched_ray(is_local=address == "local"):
            yield
