"""Commands that are shown to a user for a job, with the address if the user had to give one."""

from __future__ import annotations


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


def _option(address: str | None) -> str:
    return f" --address {address}" if address else ""
