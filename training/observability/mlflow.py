"""Sends a run's parameters, figures and bundle to an MLflow tracking server. Training never fails because of it.

The driver sends the figures of an epoch when it ends. A run is found again by its key and its output directory. So
resuming after a kill, or running a finished command again, sends what is missing and nothing twice.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipelines.address import masked
from pipelines.errors import DependencyError, one_line

KEY, OUTPUT = "raygene.run", "raygene.output"
# The limits of MLflow: characters of a parameter, runs in an answer, parameters in a request.
MAX_PARAMETER_LENGTH = 500
MAX_RUNS = 1000
PARAMETERS_PER_REQUEST = 100
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


class Tracker:
    """One run on a tracking server; after the first call that fails it warns once and does nothing more.

    Args:
        uri: of the server, or of a directory or database that MLflow accepts; None: nothing is tracked.
        warn: called when the server cannot be reached any more.

    Raises:
        DependencyError: there is a URI and no MLflow.
    """

    def __init__(self, uri: str | None, warn: Callable[[str], None]) -> None:
        self._uri, self._warn = uri, warn
        self._client: Any = None
        self._run: str | None = None
        self._sent: set[int] = set()
        self._finished = False
        if uri:
            try:
                self._client = _client(uri)
            except DependencyError:
                raise
            except Exception as error:
                self._lose(error)

    def begin(self, experiment: str, name: str, key: str, output: str, parameters: Mapping[str, Any]) -> None:
        """Find the run of this key and directory, or create one.

        Args:
            experiment: MLflow's name for a group of runs.
            name: of the run, if it is created.
            key: of the run.
            output: the run's directory.
            parameters: the whole configuration, nested.
        """

        def find() -> None:
            existing = self._client.get_experiment_by_name(experiment)
            group = existing.experiment_id if existing else self._client.create_experiment(experiment)
            # The directory is compared here, because MLflow's filters cannot quote a path that contains a quote.
            candidates = self._client.search_runs([group], f"tags.`{KEY}` = '{key}'", max_results=MAX_RUNS)
            run = next((run for run in candidates if run.data.tags.get(OUTPUT) == output), None)
            if run is not None:
                self._run = run.info.run_id
                self._finished = run.info.status == "FINISHED"
                self._sent = {metric.step for metric in self._client.get_metric_history(self._run, "loss")}
                if not self._finished:
                    self._client.update_run(self._run, status="RUNNING")
                return
            created = self._client.create_run(group, run_name=name, tags={KEY: key, OUTPUT: output})
            self._run = created.info.run_id
            self._send_parameters(flatten(parameters))

        self._attempt(find)

    def epochs(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Send the figures of epochs that have not been sent."""
        if self._client is None:
            return
        unsent = [record for record in records if record["epoch"] not in self._sent]

        def send() -> None:
            from mlflow.entities import Metric

            now = int(time.time() * 1000)
            for record in unsent:
                figures = {name: value for name, value in record.items() if isinstance(value, int | float)}
                epoch = int(figures.pop("epoch"))
                self._client.log_batch(self._run, [Metric(name, value, now, epoch) for name, value in figures.items()])
                self._sent.add(epoch)

        if unsent:
            self._attempt(send)

    def end(self, status: str, bundle: Path | None = None) -> None:
        """End the run.

        Args:
            status: `FINISHED`, `FAILED` or `KILLED`.
            bundle: directory of the model, which is sent too; None: none is.
        """

        def close() -> None:
            if bundle is not None:
                self._client.log_artifacts(self._run, str(bundle), "bundle")
            self._client.set_terminated(self._run, status)

        if not self._finished:
            self._attempt(close)

    def _send_parameters(self, parameters: Mapping[str, str]) -> None:
        from mlflow.entities import Param

        values = [Param(name, value) for name, value in parameters.items()]
        for first in range(0, len(values), PARAMETERS_PER_REQUEST):
            self._client.log_batch(self._run, params=values[first : first + PARAMETERS_PER_REQUEST])

    def _attempt(self, work: Callable[[], None]) -> None:
        if self._client is None:
            return
        try:
            work()
        except Exception as error:
            self._lose(error)

    def _lose(self, error: Exception) -> None:
        self._client = None
        reason = one_line(error, 200) or type(error).__name__
        self._warn(
            f"training.mlflow {masked(str(self._uri))}: not reached ({reason}): training continues without it, and the "
            "same command sends what is missing later"
        )


@contextmanager
def tracked(tracker: Tracker) -> Iterator[Tracker]:
    """End a tracker's run as failed or killed if the block raises; after success the block ends it itself."""
    try:
        yield tracker
    except KeyboardInterrupt:
        tracker.end("KILLED")
        raise
    except Exception:
        tracker.end("FAILED")
        raise


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """A nested configuration as `section.key` to text, lists by index.

    Texts that are too long for MLflow are cut, and credentials masked.
    """
    flattened: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, list):
            value = {str(index): item for index, item in enumerate(value)}
        if isinstance(value, Mapping):
            flattened |= flatten(value, f"{prefix}{name}.")
        elif f"{prefix}{name}" != "training.mlflow":
            flattened[f"{prefix}{name}"] = masked(str(value))[:MAX_PARAMETER_LENGTH]
    return flattened


def _client(uri: str) -> Any:
    if importlib.util.find_spec("mlflow") is None:
        raise DependencyError(
            "training.mlflow: MLflow is not installed", "pip install 'raygene[mlflow]'", key="training.mlflow"
        )
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    for name in ("mlflow", "urllib3", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=uri)
