"""Commands with which a user goes on with a job, with the address that the user had to give."""

from __future__ import annotations


def follow(job: str, address: str | None) -> str:
    """The command that follows a job.

    Args:
        job: its id.
        address: as given by `--address`; None if the command needs none.
    """
    return f"raygene submit logs {job} --follow{_to(address)}"


def stop(job: str, address: str | None) -> str:
    """The command that ends a job. Arguments are those of `follow`."""
    return f"raygene submit stop {job}{_to(address)}"


def status(job: str, address: str | None) -> str:
    """The command that tells how a job does. Arguments are those of `follow`."""
    return f"raygene submit status {job}{_to(address)}"


def jobs(address: str | None) -> str:
    """The command that lists all jobs. The argument is that of `follow`."""
    return f"raygene submit list{_to(address)}"


def every(job: str, address: str | None) -> str:
    """What can be done with a job, as a sentence. Arguments are those of `follow`."""
    return f"Follow it: {follow(job, address)}; how it does: {status(job, address)}; end it: {stop(job, address)}"


def _to(address: str | None) -> str:
    return f" --address {address}" if address else ""
