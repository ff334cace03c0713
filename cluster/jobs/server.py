"""The job server of a cluster: its address, the connection to it, and its errors as lines on which a user can act.

Ray itself reads the token, from `RAY_AUTH_TOKEN`, the file of `RAY_AUTH_TOKEN_PATH` or `~/.ray/auth_token`. It is never
shown.
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
from cluster.local_ray import token
from cluster.port import ANSWER_S, check_reachable
from pipelines.address import masked
from pipelines.errors import ResourceError, UsageError

DEFAULT_ADDRESS = "http://127.0.0.1:8265"
API_SERVER = "RAY_API_SERVER_ADDRESS"
_NO_AGENT_PORT = ":-1/api/job_agent"
"""In the traceback that a job server sends, with status 500, when the agent of its machine has no port."""
_TOKENS = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")


class UnansweredError(ResourceError):
    """A job server that cannot be reached or fails, for now or for good: another request may succeed.

    Args:
        address: of the job server.
        detail: what is wrong with it.
        fix: what to do about it.
    """

    code = "unanswered"

    def __init__(self, address: str, detail: str, fix: str) -> None:
        super().__init__(f"{address}: {detail}", fix)
        self.detail = detail


def address_of(option: str | None, environment: Mapping[str, str], note: Callable[[str], None]) -> str:
    """The job server's address: that of `--address`, else of the environment, else of a head node on this machine.

    Args:
        option: value of `--address`.
        environment: of the process.
        note: called with a sentence if `RAY_ADDRESS` is ignored because it is not the address of a job server.

    Raises:
        UsageError: an address of another kind.
    """
    for source, address in (("--address", option), (API_SERVER, environment.get(API_SERVER))):
        if address:
            return _normalized(source, address)
    address = environment.get("RAY_ADDRESS") or ""
    if address.startswith(("http://", "https://")):
        return _normalized("RAY_ADDRESS", address)
    if address:
        note(
            f"RAY_ADDRESS={address} is Ray's own address, not its job server's, and is ignored; using {DEFAULT_ADDRESS}"
        )
    return DEFAULT_ADDRESS


def _normalized(source: str, text: str) -> str:
    """The URL of an address.

    Args:
        source: flag or variable that gives it.
        text: its value.
    """
    address = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(address)
        is_valid = bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_valid = False
    if not is_valid or parts.scheme not in ("http", "https") or text == "auto":
        raise UsageError(
            f"{source} {text}: not a job server's address",
            "give the dashboard's, as in --address http://HOST:8265",
        )
    return address.rstrip("/")


def use_token(environment: MutableMapping[str, str], home: Path) -> None:
    """Have Ray send its token if there is one and `RAY_AUTH_MODE` is not set: by default Ray sends none.

    Raises:
        ResourceError: the token cannot be read.
    """
    path = home / ".ray" / "auth_token"
    token.require_usable(environment, path)
    has_token = any(environment.get(name) for name in _TOKENS) or token.has_token(path)
    if has_token and "RAY_AUTH_MODE" not in environment:
        environment["RAY_AUTH_MODE"] = "token"


def connect(address: str, answer_s: float = ANSWER_S) -> Any:
    """Ray's client of the job server, which has answered and accepted the token.

    Args:
        address: of the job server.
        answer_s: seconds in which it has to answer.

    Raises:
        ResourceError: no server answers, or the token is missing or wrong.
    """
    for name in ("RAY_ADDRESS", API_SERVER):
        # Ray's client prefers these to the address that it is called with.
        os.environ.pop(name, None)
    use_token(os.environ, Path.home())
    _require_answer(address)
    from cluster.jobs.client import Client

    for name in ("ray", "ray.dashboard.modules.job.sdk", "ray.dashboard.modules.dashboard_sdk"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with answering(address):
        return Client(address, answer_s)


def _require_answer(address: str) -> None:
    """Check first that the port is open: Ray's client waits for ever."""
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
            "give the dashboard's address with --address; from another network, "
            "'ssh -L 8265:127.0.0.1:8265 HEAD' makes it http://127.0.0.1:8265",
        ) from error


@contextmanager
def answering(address: str, job: str = "") -> Iterator[None]:
    """Turn what Ray's client raises into errors of one line.

    Args:
        address: of the job server.
        job: id of the job that the request is about, if it is about one.

    Raises:
        UnansweredError: the server cannot be reached, or fails.
        ResourceError: it refuses the token.
        UsageError: it knows no such job.
    """
    import requests
    from ray.exceptions import AuthenticationError

    try:
        yield
    except AuthenticationError as error:
        raise ResourceError(*_refusal(address, str(error), os.environ)) from error
    except requests.exceptions.JSONDecodeError as error:
        raise UnansweredError(address, "no job server; something else answers there", "correct --address") from error
    except (TimeoutError, requests.Timeout) as error:
        raise UnansweredError(
            address, "accepts connections but does not answer", "see the head node's log, or correct --address"
        ) from error
    except (OSError, requests.RequestException) as error:
        raise UnansweredError(
            address, "the job server cannot be reached", "check the network, and run again"
        ) from error
    except (RuntimeError, ValueError) as error:
        # Ray puts the HTTP status into the text of a plain RuntimeError, and nowhere else.
        text = " ".join(masked(str(error)).split())
        if job and "status code 404" in text:
            raise UsageError(f"{job}: no such job at {address}", f"see '{hints.list_jobs(address)}'") from error
        if _NO_AGENT_PORT in text:
            raise UnansweredError(
                address,
                "the cluster's head cannot start jobs: its agent has no port, which another Ray of that machine holds",
                "start the head again with --dashboard-agent-listen-port=PORT, or end the other Ray first",
            ) from error
        raise UnansweredError(address, _shortened(text), "see the head node's log, or its dashboard") from error


def _shortened(text: str) -> str:
    """The beginning of a server's error, or the end of a traceback, where the error is."""
    return f"…{text[-200:]}" if "Traceback" in text and len(text) > 200 else text[:200]


def _refusal(address: str, text: str, environment: Mapping[str, str]) -> tuple[str, str]:
    """Problem and fix of a token that is missing or wrong; which of the two, only the text of Ray's error says."""
    sources = "RAY_AUTH_TOKEN, into a file that RAY_AUTH_TOKEN_PATH names, or into ~/.ray/auth_token"
    if "required" in text.split(":")[0] or "couldn't find" in text:
        if environment.get("RAY_AUTH_MODE", "token") != "token":
            mode = environment["RAY_AUTH_MODE"]
            return f"{address}: requires a token, but RAY_AUTH_MODE={mode} sends none", "set RAY_AUTH_MODE=token"
        return f"{address}: requires a token, but this machine has none", f"put the cluster's token into {sources}"
    source = next((name for name in _TOKENS if environment.get(name)), "~/.ray/auth_token")
    return (
        f"{address}: refuses the token of {source}",
        "use the cluster's token ('ray get-auth-token' on its head node)",
    )


def node_resources(address: str) -> list[dict[str, float]] | None:
    """Resources of every living node, such as `{"CPU": 8.0, "GPU": 1.0}`; None if the server does not report them."""
    from ray.util.state import list_nodes

    try:
        nodes = list_nodes(address=address, raise_on_missing_output=False)
    except Exception:
        # An old dashboard, or a proxy that lets only jobs through, makes it raise errors of no common class.
        return None
    return [dict(node.resources_total) for node in nodes if node.state == "ALIVE"]


def missing_resources(requested: Mapping[str, float], nodes: Sequence[Mapping[str, float]]) -> str | None:
    """A sentence if no single node has all that a job's own process requests; None if one has.

    Args:
        requested: amount by Ray's name of the resource.
        nodes: the same of every node.
    """
    needs = {name: amount for name, amount in requested.items() if amount}
    if not needs or any(all(node.get(name, 0) >= amount for name, amount in needs.items()) for node in nodes):
        return None
    listed = " and ".join(f"{amount:g} {name}{'s' if amount != 1 else ''}" for name, amount in needs.items())
    largest = ", ".join(f"{max((node.get(name, 0) for node in nodes), default=0):g} {name}s" for name in needs)
    return f"no node has {listed}: of {len(nodes)} {'node' if len(nodes) == 1 else 'nodes'} the largest has {largest}"


def require_resources(address: str, requested: Mapping[str, float]) -> None:
    """Require a node with all that a job's own process requests, if the server reports its nodes.

    Raises:
        ResourceError: no node has it, so that the job would wait for ever.
    """
    if not any(requested.values()):
        return
    nodes = node_resources(address)
    lacking = missing_resources(requested, nodes) if nodes is not None else None
    if lacking:
        flags = " ".join(f"--{name.lower()}s {amount:g}" for name, amount in requested.items() if amount)
        raise ResourceError(f"{flags}: {lacking}", "request less, or give --wait where nodes are added on demand")
