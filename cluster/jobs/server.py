"""The job server of a cluster: where it is, whether it lets us in, and its errors as lines a user can act on.

Tokens are read by Ray itself, from `RAY_AUTH_TOKEN`, the file of `RAY_AUTH_TOKEN_PATH` or `~/.ray/auth_token`, and are shown nowhere.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cluster.jobs import hints
from cluster.port import ANSWER_S, check_reachable
from pipelines.errors import ResourceError, UsageError

DEFAULT = "http://127.0.0.1:8265"
API_SERVER = "RAY_API_SERVER_ADDRESS"
_TOKENS = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")


class UnansweredError(ResourceError):
    """A job server that cannot be reached or fails, for now or for good: asking again may help."""


def address_of(given: str | None, environment: Mapping[str, str], tell: Callable[[str], None]) -> str:
    """The job server's address: as given, else of the environment, else of a head on this machine.

    Args:
        given: by `--address`.
        environment: of the process.
        tell: is given a note where `RAY_ADDRESS` names no job server, as where it is that of Ray itself.

    Raises:
        UsageError: an address of another kind.
    """
    for whose, named in (("--address", given), (API_SERVER, environment.get(API_SERVER))):
        if named:
            return _checked(whose, named)
    named = environment.get("RAY_ADDRESS") or ""
    if named.startswith(("http://", "https://")):
        return _checked("RAY_ADDRESS", named)
    if named:
        tell(f"RAY_ADDRESS={named} is Ray's own address, not its job server's, and is passed over; asking {DEFAULT}")
    return DEFAULT


def _checked(whose: str, named: str) -> str:
    address = named if "://" in named else f"http://{named}"
    try:
        parts = urlsplit(address)
        good = bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good or parts.scheme not in ("http", "https") or named == "auto":
        raise UsageError(
            f"{whose} {named}: not a job server's address",
            "give that of the dashboard, as --address http://HOST:8265",
        )
    return address.rstrip("/")


def use_token(environment: MutableMapping[str, str], home: Path) -> None:
    """Let Ray send its token if there is one and nothing is said: by itself it does so only where `RAY_AUTH_MODE=token`."""
    known = any(environment.get(name) for name in _TOKENS) or (home / ".ray" / "auth_token").exists()
    if known and "RAY_AUTH_MODE" not in environment:
        environment["RAY_AUTH_MODE"] = "token"


def connect(address: str, answer_s: float = ANSWER_S) -> Any:
    """Ray's client for the job server, which has answered and let us in.

    Args:
        address: of the job server.
        answer_s: seconds in which it has to answer.

    Raises:
        ResourceError: nobody answers, or the token is missing or wrong.
    """
    for name in ("RAY_ADDRESS", API_SERVER):
        # Ray's client puts them before the address that it is given.
        os.environ.pop(name, None)
    use_token(os.environ, Path.home())
    _require_answer(address)
    from cluster.jobs.client import Client

    for name in ("ray", "ray.dashboard.modules.job.sdk", "ray.dashboard.modules.dashboard_sdk"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with answering(address):
        return Client(address, answer_s)


def _require_answer(address: str) -> None:
    """Knock first: Ray's client waits for ever."""
    from requests.utils import get_environ_proxies

    parts = urlsplit(address)
    if get_environ_proxies(address):
        return
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        check_reachable(str(parts.hostname), port)
    except OSError as error:
        raise ResourceError(
            f"{address}: no job server there ({error.strerror or error})",
            "give the dashboard's address with --address; from elsewhere 'ssh -L 8265:127.0.0.1:8265 HEAD' makes it http://127.0.0.1:8265",
        ) from error


@contextmanager
def answering(address: str, job: str = "") -> Iterator[None]:
    """Turn what Ray's client raises into one line.

    Args:
        address: of the job server.
        job: the one that is asked about.

    Raises:
        UnansweredError: the server is gone or fails.
        ResourceError: it refuses.
        UsageError: it knows no such job.
    """
    import requests
    from ray.exceptions import AuthenticationError

    try:
        yield
    except AuthenticationError as error:
        raise ResourceError(*_refusal(address, str(error), os.environ)) from error
    except requests.exceptions.JSONDecodeError as error:
        raise UnansweredError(f"{address}: no job server, something else answers there", "correct --address") from error
    except (TimeoutError, requests.Timeout) as error:
        raise UnansweredError(
            f"{address}: takes connections and does not answer", "see the head's own log, or correct --address"
        ) from error
    except (OSError, requests.RequestException) as error:
        raise UnansweredError(
            f"{address}: the job server cannot be reached", "check the network, and run again"
        ) from error
    except (RuntimeError, ValueError) as error:
        text = " ".join(str(error).split())
        if job and "status code 404" in text:
            raise UsageError(f"{job}: no such job at {address}", f"see '{hints.jobs(address)}'") from error
        raise UnansweredError(f"{address}: {_cause(text)}", "see the head's own log, or its dashboard") from error


def _cause(text: str) -> str:
    """What a server's failure says: of a traceback the end, where the error stands."""
    return f"…{text[-200:]}" if "Traceback" in text and len(text) > 200 else text[:200]


def _refusal(address: str, told: str, environment: Mapping[str, str]) -> tuple[str, str]:
    where = "RAY_AUTH_TOKEN, in a file that RAY_AUTH_TOKEN_PATH names, or in ~/.ray/auth_token"
    if "required" in told.split(":")[0] or "couldn't find" in told:
        if environment.get("RAY_AUTH_MODE", "token") != "token":
            mode = environment["RAY_AUTH_MODE"]
            return f"{address}: wants a token, and RAY_AUTH_MODE={mode} sends none", "set RAY_AUTH_MODE=token"
        return f"{address}: wants a token, and there is none here", f"put the cluster's token into {where}"
    source = next((name for name in _TOKENS if environment.get(name)), "~/.ray/auth_token")
    return (
        f"{address}: refuses the token of {source}",
        "take the one of the cluster ('ray get-auth-token' on its head)",
    )


def machines(address: str) -> list[dict[str, float]] | None:
    """Resources of every living node, such as `{"CPU": 8.0, "GPU": 1.0}`; None if the server does not tell."""
    from ray.util.state import list_nodes

    try:
        found = list_nodes(address=address, raise_on_missing_output=False)
    except Exception:
        # What it raises where a dashboard is old, or behind a proxy that lets only jobs through, has no class of its own.
        return None
    return [dict(node.resources_total) for node in found if node.state == "ALIVE"]


def missing(wanted: Mapping[str, float], nodes: Sequence[Mapping[str, float]]) -> str | None:
    """What no single node has of what a job's own process asks for; None if one has it all."""
    asked = {name: amount for name, amount in wanted.items() if amount}
    if not asked or any(all(node.get(name, 0) >= amount for name, amount in asked.items()) for node in nodes):
        return None
    want = " and ".join(f"{amount:g} {name}{'s' if amount != 1 else ''}" for name, amount in asked.items())
    most = ", ".join(f"{max((node.get(name, 0) for node in nodes), default=0):g} {name}s" for name in asked)
    return f"no node has {want}: of {len(nodes)} {'node' if len(nodes) == 1 else 'nodes'} the largest has {most}"


def require_resources(address: str, wanted: Mapping[str, float]) -> None:
    """See that some node has what a job's own process asks for, if the server tells of its nodes.

    Raises:
        ResourceError: none has, and the job would wait for ever.
    """
    if not any(wanted.values()):
        return
    nodes = machines(address)
    lacking = missing(wanted, nodes) if nodes is not None else None
    if lacking:
        asked = " ".join(f"--{name.lower()}s {amount:g}" for name, amount in wanted.items() if amount)
        raise ResourceError(f"{asked}: {lacking}", "ask for less, or give --wait where nodes come on demand")
