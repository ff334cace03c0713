"""The actions of `raygene submit`: each shows its result and returns the exit status."""

from __future__ import annotations

import shlex
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cluster.jobs import hints, listing, outcome, package, server
from cluster.jobs.command import Command, made_absolute_lines
from cluster.jobs.environment import environment, validation_errors
from cluster.jobs.follow import Follower
from cluster.jobs.stop import stop_job
from cluster.process import kept_work
from cluster.screen.terminal import Terminal
from pipelines import __version__
from pipelines.display import format_size
from pipelines.errors import ResourceError

INTERRUPTED = 130
ROOT = Path(__file__).parents[2]
"""The folder that holds raygene's packages."""


@dataclass(frozen=True)
class Resources:
    """What a job's own process reserves.

    Attributes:
        cpus, gpus: how many.
        wait: queue the job even where no node has them, for nodes are added on demand.
    """

    cpus: float = 0.0
    gpus: float = 0.0
    wait: bool = False

    @property
    def by_name(self) -> dict[str, float]:
        """Amount by Ray's name of the resource."""
        return {"CPU": self.cpus, "GPU": self.gpus}


@dataclass(frozen=True)
class JobActions:
    """What can be done with the jobs of a cluster.

    Attributes:
        address: of the job server.
        given_address: as the user gave it with --address, for commands that are shown; None without.
        terminal: where results and notes go.
    """

    address: str
    given_address: str | None
    terminal: Terminal

    @cached_property
    def client(self) -> Any:
        """Ray's client of the job server.

        Raises:
            ResourceError: the server does not answer, or the token is missing or wrong.
        """
        return server.connect(self.address)

    def run(
        self,
        command: Command,
        resources: Resources,
        variables: Sequence[str],
        runtime_env: str | None,
        *,
        detach: bool,
        send_anyway: Sequence[str] = (),
    ) -> int:
        """Send a job and follow it to its end.

        Args:
            command: what it runs.
            resources: what its own process reserves.
            variables: `NAME=VALUE`, each.
            runtime_env: path of a YAML file with Ray's runtime environment.
            detach: return once it is sent.
            send_anyway: files of the packages that are sent although they look like a secret.
        """
        runtime = environment(variables, runtime_env)
        for line in made_absolute_lines(command.made_absolute):
            self.terminal.note(line)
        _ = self.client
        if not resources.wait:
            server.require_resources(self.address, resources.by_name)
        job = f"raygene-{command.verb}-{uuid.uuid4().hex[:8]}"
        kept_work.note_sent_job()
        try:
            self._send(job, command, resources, runtime, runtime_env, send_anyway)
        except KeyboardInterrupt:
            self.terminal.note(
                f"interrupted while the code was sent; job {job} may be running. "
                f"{hints.all_commands(job, self.given_address)}"
            )
            return INTERRUPTED
        if detach:
            self.terminal.say(hints.all_commands(job, self.given_address))
            return 0
        return self.follow(job, resources.by_name)

    def _send(
        self,
        job: str,
        command: Command,
        resources: Resources,
        runtime: Mapping[str, Any],
        runtime_env: str | None,
        send_anyway: Sequence[str],
    ) -> None:
        """Upload the code and start the job."""
        with tempfile.TemporaryDirectory(prefix="raygene-job-") as folder:
            example = "yeast" if command.verb == "demo" else None
            staged = package.stage(ROOT, Path(folder), command.files, example=example, send_anyway=send_anyway)
            for line in hints.left_behind(staged.too_large, staged.private, staged.unusual):
                self.terminal.warn(line)
            self.terminal.say(f"job {job}: sending {staged.files} files, {format_size(staged.size)}, to {self.address}")
            try:
                with (
                    self.terminal.stage("sending the code"),
                    server.answering(self.address),
                    validation_errors(runtime_env, runtime),
                ):
                    self.client.submit_job(
                        entrypoint=shlex.join(["python", "-m", "cluster", *command.arguments]),
                        submission_id=job,
                        runtime_env={**runtime, "working_dir": folder},
                        entrypoint_num_cpus=resources.cpus or None,
                        entrypoint_num_gpus=resources.gpus or None,
                        metadata={"raygene": __version__, "verb": command.verb},
                    )
            except server.UnansweredError as error:
                look = hints.follow(job, self.given_address)
                raise ResourceError(
                    f"{error.problem}; the job may have been created", f"before submitting it again, see '{look}'"
                ) from error

    def follow(self, job: str, resources: Mapping[str, float] | None = None) -> int:
        """Show a job's log as it grows until it ends; return its exit status.

        Args:
            job: its id.
            resources: what its own process reserves, by Ray's names, to say what it waits for.
        """
        try:
            details = self._follower(job, resources).follow()
        except KeyboardInterrupt:
            self.terminal.note(
                f"no longer following; the job keeps running. {hints.all_commands(job, self.given_address)}"
            )
            return INTERRUPTED
        self.terminal.note(outcome.sentence(job, details))
        return outcome.exit_status(details)

    def list(self) -> int:
        """Show all jobs, the newest first."""
        client = self.client
        with server.answering(self.address):
            jobs = client.list_jobs()
        self.terminal.table(f"Jobs of {self.address}, newest first", listing.HEADER, listing.rows(jobs))
        return 0

    def status(self, job: str) -> int:
        """Show how a job is doing, or how it ended."""
        details = self._details(job)
        self.terminal.table(f"Job {job}", listing.HEADER, [listing.row(details)])
        if details.status.is_terminal():
            self.terminal.say(outcome.sentence(job, details))
        return 0

    def logs(self, job: str) -> int:
        """Show a job's log so far."""
        details = self._details(job)
        if log := self._follower(job).log():
            self.terminal.write(log)
        else:
            self.terminal.note(f"no log yet: job {job} is {str(details.status).lower()}")
        return 0

    def stop(self, job: str) -> int:
        """Have a job save its work and end; return 1 if it has not ended in time."""
        details = self._details(job)
        if details.status.is_terminal():
            self.terminal.say(f"nothing to stop: {outcome.sentence(job, details)}")
            return 0
        try:
            details = stop_job(self.client, self.address, job, self._follower(job), self.terminal)
        except KeyboardInterrupt:
            self.terminal.note(
                f"no longer waiting; job {job} was asked to stop. {hints.all_commands(job, self.given_address)}"
            )
            return INTERRUPTED
        if details.status.is_terminal():
            self.terminal.say(outcome.sentence(job, details))
            return 0
        self.terminal.say(outcome.unfinished(job, details, self.given_address))
        return 1

    def _details(self, job: str) -> Any:
        client = self.client
        with server.answering(self.address, job):
            return client.get_job_info(job)

    def _follower(self, job: str, resources: Mapping[str, float] | None = None) -> Follower:
        return Follower(
            self.client,
            self.address,
            job,
            self.terminal,
            self.terminal.write,
            resources or {},
            self.given_address,
        )
