"""Who can reach a Ray: a local one listens on the loopback address, as far as Ray and PyTorch let it."""

from __future__ import annotations

from pathlib import Path

_LOOPBACK_INTERFACE = Path("/sys/class/net/lo")


def loopback_variables() -> dict[str, str]:
    """The variables with which Ray and gloo listen on 127.0.0.1 alone, and start without a network.

    Ray reads its own when it is imported. It is named for the systems on which this is what Ray does by itself.
    """
    gloo = {"GLOO_SOCKET_IFNAME": _LOOPBACK_INTERFACE.name} if _LOOPBACK_INTERFACE.exists() else {}
    return {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", **gloo}
