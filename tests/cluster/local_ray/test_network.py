from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.local_ray.network import loopback_variables, open_ports

LISTEN = """
import socket, sys
listener = socket.create_server((sys.argv[1], 0), family=socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
print(listener.getsockname()[1], flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("address", "is_open"), [("0.0.0.0", True), ("127.0.0.1", False), ("::", True), ("::1", False)]
)
def test_ports_of_ray_on_all_addresses_are_found(tmp_path: Path, address: str, is_open: bool) -> None:
    if ":" in address and not socket.has_ipv6:
        pytest.skip("no IPv6")
    program = tmp_path / "raylet"
    shutil.copy(Path(sys.executable).resolve(), program)
    process = subprocess.Popen(
        [program, "-c", LISTEN, address],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONHOME": sys.base_prefix, "RAY_AUTH_MODE": "token"},
    )
    assert process.stdout
    try:
        text = process.stdout.readline()
        if not text:
            pytest.skip("the interpreter cannot be copied, or the address is not there")
        found = [port for port in open_ports() if port.port == int(text)]
        assert [(port.process, port.wants_token) for port in found] == ([("raylet", True)] if is_open else [])
    finally:
        process.communicate()


def test_a_port_of_another_program_is_not_rays() -> None:
    with socket.create_server(("0.0.0.0", 0)) as listener:
        assert listener.getsockname()[1] not in [port.port for port in open_ports()]


def test_where_the_kernel_says_nothing_no_port_is_open(tmp_path: Path) -> None:
    assert open_ports(tmp_path) == ()


def test_gloo_is_bound_to_an_interface_that_exists() -> None:
    variables = loopback_variables()
    assert variables["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] == "0"
    assert Path("/sys/class/net", variables.get("GLOO_SOCKET_IFNAME", "lo")).exists()
