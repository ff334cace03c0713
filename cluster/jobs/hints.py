"""Sentences and commands that are shown to a user for a job, with the address if the user had to give one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipelines.display import format_size


def follow(job: str, address: str | None) -> str:
    """The command that follows a job.

    Args:
        job: its id.
        address: as given with `--address`; None if the command needs none.
    """
    return f"raygene submit logs {job} --follow{_option(address)}"


def logs(job: str, address: str | None) -> str:
    """The command that shows a job's log so far; arguments as for `follow`."""
    return f"raygene submit logs {job}{_option(address)}"


def stop(job: str, address: str | None) -> str:
    """The command that stops a job; arguments as for `follow`."""
    return f"raygene submit stop {job}{_option(address)}"


def status(job: str, address: str | None) -> str:
    """The command that shows a job's status; arguments as for `follow`."""
    return f"raygene submit status {job}{_option(address)}"


def list_jobs(address: str | None) -> str:
    """The command that lists all jobs; `address` as for `follow`."""
    return f"raygene submit list{_option(address)}"


def all_commands(job: str, address: str | None) -> str:
    """A sentence with the commands to follow, check and stop a job; arguments as for `follow`."""
    return f"Follow it: {follow(job, address)}; check it: {status(job, address)}; stop it: {stop(job, address)}"


def left_behind(too_large: Mapping[str, int], private: Sequence[str], unusual: Sequence[str]) -> list[str]:
    """A sentence for each reason for which files were not sent with a job.

    Args:
        too_large: name of a file to its bytes.
        private: files that look like a secret.
        unusual: what is neither a file nor a directory.
    """
    lines = [f"{name}: {format_size(size)} is not code, and is not sent" for name, size in too_large.items()]
    if private:
        lines.append(f"not sent, for they look like secrets: {', '.join(private)} (--send NAME sends one all the same)")
    if unusual:
        lines.append(f"not sent, for they are no regular files: {', '.join(unusual)}")
    return lines


def _option(address: str | None) -> str:
    return f" --address {address}" if address else ""
