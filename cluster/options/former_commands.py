"""Command lines of earlier versions: each is a usage error that gives today's command."""

from __future__ import annotations

from collections.abc import Sequence

from cluster.verbs import VERBS
from pipelines.errors import UsageError

SUBMIT_ACTIONS = ("run", "list", "status", "logs", "stop")
"""Actions of `raygene submit`."""
_MOVED_FLAGS = {
    ("predict", "--scan"): "raygene scan BUNDLE --fasta FASTA --output FILE.gff3",
    ("evaluate", "--calls"): "raygene compare CALLS --annotation FILE --fasta FASTA",
}
"""Verb and flag of an earlier version, and the command that does it today."""


def require_current(arguments: Sequence[str], job: Sequence[str] = ()) -> None:
    """Refuse a command line of an earlier version.

    Args:
        arguments: the verb and what follows it, up to `--`.
        job: what follows `--` of `submit`.

    Raises:
        UsageError: its fix is the command that does the same today.
    """
    if not arguments:
        return
    verb, *rest = arguments
    flags = {argument.partition("=")[0] for argument in rest}
    for (former_verb, flag), command in _MOVED_FLAGS.items():
        if verb == former_verb and flag in flags:
            raise UsageError(f"raygene {verb} {flag}: is a verb of its own", f"write '{command}'")
    if verb == "submit" and not flags & {"-h", "--help"}:
        _require_submit_action(rest, job)


def _require_submit_action(rest: Sequence[str], job: Sequence[str]) -> None:
    """Refuse `submit` without an action, with options before it, or with a verb that does not follow `--`."""
    first = rest[0] if rest else ""
    actions = [argument for argument in rest if argument in SUBMIT_ACTIONS]
    submitted = [argument for argument in rest if argument in VERBS]
    if first not in SUBMIT_ACTIONS and actions:
        raise UsageError(
            f"raygene submit: {first} is before the action", f"write 'raygene submit {actions[0]} … [OPTIONS]'"
        )
    if first not in SUBMIT_ACTIONS and job:
        raise UsageError("raygene submit: no action", f"write 'raygene submit run [OPTIONS] -- {job[0]} …'")
    if first in (*VERBS, "run") and submitted and not job:
        raise UsageError(
            f"raygene submit: {submitted[0]} does not follow --",
            f"write 'raygene submit run [OPTIONS] -- {submitted[0]} …'",
        )
    if first in SUBMIT_ACTIONS and first != "run" and job:
        raise UsageError(
            f"raygene submit {first}: takes no verb after --", "leave it out, or write 'raygene submit run'"
        )
