"""What every verb gets: its parsed arguments, the configuration keys given as flags, and the terminal."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cluster.connection import connect
from cluster.experiment import ClusterConfig, Experiment, load
from cluster.options.flags import Overrides
from cluster.paths.input_files import take_experiment
from cluster.screen.terminal import Terminal
from pipelines.config import validate
from pipelines.errors import UsageError
from pipelines.inputs.spool import Spool


@dataclass(frozen=True)
class Context:
    """One run of the command line.

    Attributes:
        arguments: the verb's own arguments.
        overrides: configuration keys given as flags, with their values.
        terminal: shows progress, notes and results.
        spool: reads pipes that the experiment names.
        command: the command line as pages say it; empty for a step of another command.
    """

    arguments: argparse.Namespace
    overrides: Overrides
    terminal: Terminal
    spool: Spool | None = None
    command: str = ""

    def experiment(self) -> Experiment:
        """The experiment file, with the flags' values in place of its own; it is read once.

        Raises:
            RaygeneError: the file cannot be read, or a value is wrong.
        """
        return self._experiment

    @cached_property
    def _experiment(self) -> Experiment:
        experiment = load(Path(self.arguments.experiment), self.overrides)
        return take_experiment(experiment, getattr(self.arguments, "verb", ""), self.spool)

    def cluster(self) -> ClusterConfig:
        """The section `cluster` from flags alone, for a verb without an experiment.

        Raises:
            UsageError: a wrong value, or a flag of another section.
        """
        if unknown := [keys for keys in self.overrides if keys[0] != "cluster"]:
            name = ".".join(map(str, unknown[0]))
            raise UsageError(f"raygene {self.arguments.verb}: unknown argument --{name}", "leave it out")
        return validate(ClusterConfig, {str(keys[-1]): value for keys, value in self.overrides.items()}, "command line")

    def connector(
        self, config: ClusterConfig, worker_environment: Mapping[str, str] | None = None
    ) -> Callable[[], AbstractContextManager[None]]:
        """A function that opens Ray.

        Args:
            config: where Ray is.
            worker_environment: variables of its worker processes.
        """
        return lambda: self._connected(config, worker_environment)

    @contextmanager
    def _connected(self, config: ClusterConfig, worker_environment: Mapping[str, str] | None) -> Iterator[None]:
        from cluster.paths import stored_outputs

        if config.engine == "local":
            raise UsageError(
                f"cluster.engine: local, but raygene {self.arguments.verb} needs Ray for this", "leave it out"
            )
        verbose = self.arguments.verbose
        ray = connect(config, self.terminal, verbose=verbose, worker_environment=worker_environment)
        with ray, stored_outputs.served(self.arguments):
            yield
