"""A run's parameters, figures and bundle in MLflow, by the address of a tracking server. Training never fails for it.

The driver sends an epoch's figures when it ends. A run is found again by its key and where it lies: going on after a kill, or running a
finished command again, sends what is missing and nothing twice.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipelines.errors import DependencyError

KEY, OUTPUT = "raygene.run", "raygene.output"
LONGEST = 500
MOST_ALIKE = 1000
PARAMETERS_AT_ONCE = 100
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


class Tracker:
    """One run on a tracking server; after the first call that fails it warns, and does nothing any more.

    Args:
        uri: of the server, or of a folder or database that MLflow takes; None: nothing is tracked.
        warn: told when the server is lost.

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
        """Find the run of this key and place, or make one.

        Args:
            experiment: MLflow's group of runs.
            name: of a new run.
            key: of what decides the run's result.
            output: where the run lies.
            parameters: the whole configuration, nested.
        """

        def find() -> None:
            found = self._client.get_experiment_by_name(experiment)
            group = found.experiment_id if found else self._client.create_experiment(experiment)
            # The place is compared here: MLflow's filters know no way to write a quote in a path.
            alike = self._client.search_runs([group], f"tags.`{KEY}` = '{key}'", max_results=MOST_ALIKE)
            run = next((one for one in alike if one.data.tags.get(OUTPUT) == output), None)
            if run is not None:
                self._run = run.info.run_id
                self._finished = run.info.status == "FINISHED"
                self._sent = {one.step for one in self._client.get_metric_history(self._run, "loss")}
                if not self._finished:
                    self._client.update_run(self._run, status="RUNNING")
                return
            made = self._client.create_run(group, run_name=name, tags={KEY: key, OUTPUT: output})
            self._run = made.info.run_id
            self._send_parameters(flat(parameters))

        self._attempt(find)

    def epochs(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Send the figures of epochs that have not been sent."""
        if self._client is None:
            return
        from_here = [record for record in records if record["epoch"] not in self._sent]

        def send() -> None:
            from mlflow.entities import Metric

            now = int(time.time() * 1000)
            for record in from_here:
                figures = {name: value for name, value in record.items() if isinstance(value, int | float)}
                epoch = int(figures.pop("epoch"))
                self._client.log_batch(self._run, [Metric(name, value, now, epoch) for name, value in figures.items()])
                self._sent.add(epoch)

        if from_here:
            self._attempt(send)

    def end(self, status: str, bundle: Path | None = None) -> None:
        """Close the run.

        Args:
            status: `FINISHED`, `FAILED` or `KILLED`.
            bundle: its model, which is sent with it.
        """

        def close() -> None:
            if bundle is not None:
                self._client.log_artifacts(self._run, str(bundle), "bundle")
            self._client.set_terminated(self._run, status)

        if not self._finished:
            self._attempt(close)

    def _send_parameters(self, parameters: Mapping[str, str]) -> None:
        from mlflow.entities import Param

        told = [Param(name, value) for name, value in parameters.items()]
        for first in range(0, len(told), PARAMETERS_AT_ONCE):
            self._client.log_batch(self._run, params=told[first : first + PARAMETERS_AT_ONCE])

    def _attempt(self, work: Callable[[], None]) -> None:
        if self._client is None:
            return
        try:
            work()
        except Exception as error:
            self._lose(error)

    def _lose(self, error: Exception) -> None:
        self._client = None
        reason = (" ".join(str(error).split()) or type(error).__name__)[:200]
        self._warn(
            without_passwords(f"training.mlflow {self._uri}: not reached ({reason})")
            + ": training goes on without it, and the same command sends what is missing later"
        )


@contextmanager
def tracked(tracker: Tracker) -> Iterator[Tracker]:
    """Close a tracker's run as failed or killed if the block ends so; what ends well closes it itself."""
    try:
        yield tracker
    except KeyboardInterrupt:
        tracker.end("KILLED")
        raise
    except Exception:
        tracker.end("FAILED")
        raise


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """A nested configuration as `section.key` to text, lists by number; long texts are cut, for MLflow refuses them."""
    found: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, list):
            value = {str(number): one for number, one in enumerate(value)}
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        elif f"{prefix}{name}" != "training.mlflow":
            found[f"{prefix}{name}"] = str(value)[:LONGEST]
    return found


def without_passwords(text: str) -> str:
    """A text whose addresses have lost what stands before an @ in them."""
    return re.sub(r"//[^/@\s]*@", "//", text)


def _client(uri: str) -> Any:
    if importlib.util.find_spec("mlflow") is None:
        raise DependencyError("training.mlflow: no MLflow here", "pip install 'raygene[mlflow]'")
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    for name in ("mlflow", "urllib3", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=uri)
