"""Who can reach a Ray: a local one listens on the loopback address, as far as Ray and PyTorch let it."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_LISTENING = "0A"
"""The state of a listening socket in the kernel's table."""
_LOOPBACK_INTERFACE = Path("/sys/class/net/lo")


def loopback_variables() -> dict[str, str]:
    """The variables with which Ray and gloo listen on 127.0.0.1 alone, and start without a network.

    Ray reads its own when it is imported. It is named for the systems on which this is what Ray does by itself.
    """
    gloo = {"GLOO_SOCKET_IFNAME": _LOOPBACK_INTERFACE.name} if _LOOPBACK_INTERFACE.exists() else {}
    return {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", **gloo}


@dataclass(frozen=True)
class OpenPort:
    """A port of a Ray process of this user that listens on all addresses of the machine.

    Attributes:
        process: its name, such as `raylet`.
        port: its number.
        wants_token: whether the process was started with token authentication.
    """

    process: str
    port: int
    wants_token: bool


def open_ports(system: Path = Path("/")) -> tuple[OpenPort, ...]:
    """The ports that Ray's processes of this user leave open to other machines; none where the kernel does not say.

    Args:
        system: root of the file system that the kernel's files are read from.
    """
    ports = _ports_of_all_addresses(system)
    found = []
    for process in sorted((system / "proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        with suppress(OSError):
            name = _ray_process(process)
            if not name or process.stat().st_uid != os.getuid():
                continue
            wants_token = b"RAY_AUTH_MODE=token" in (process / "environ").read_bytes().split(b"\0")
            links = [_link(descriptor) for descriptor in (process / "fd").iterdir()]
            found += [OpenPort(name, ports[link], wants_token) for link in links if link in ports]
    return tuple(sorted(found, key=lambda port: (port.process, port.port)))


def _ports_of_all_addresses(system: Path) -> dict[str, int]:
    """Port by socket, as descriptors name it, of what listens on 0.0.0.0 or on ::."""
    ports = {}
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (system / "proc/net" / table).read_text().splitlines()[1:]:
                local, state, inode = (line.split()[column] for column in (1, 3, 9))
                address, _, port = local.rpartition(":")
                if state == _LISTENING and not address.strip("0"):
                    ports[f"socket:[{inode}]"] = int(port, 16)
    return ports


def _ray_process(process: Path) -> str:
    """The name of a process of Ray; empty for any other."""
    command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    if command.startswith("ray::"):
        return command.split()[0].removeprefix("ray::").split("(")[0]
    program = command.split(" ")[0].rpartition("/")[2]
    if program in ("raylet", "gcs_server"):
        return program
    return "python" if "/ray/_private/" in command or "/ray/dashboard/" in command else ""


def _link(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except OSError:
        return ""
