"""A local Ray as a verb starts it, in a folder whose modules have the names of raygene's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import json, os, stat
from pathlib import Path
from cluster.connection import connect
from cluster.experiment import ClusterConfig
from cluster.local_ray import network, processes
from cluster.process import children
from pipelines.progress import Silent

SET_FOR_RAY = {*network.loopback_variables(), *processes.variables()}

def modules():
    import my_models, pipelines.errors, random, training.config
    return [pipelines.__file__, training.__file__, random.__file__, my_models.__file__]

def ports_of_this_ray():
    ports = network._ports_of_all_addresses(Path("/"))
    for process in (os.getpid(), *children.descendants()):
        for descriptor in Path(f"/proc/{process}/fd").glob("*"):
            if (link := network._link(descriptor)) in ports:
                yield [process, ports[link]]

before = set(os.environ)
with connect(ClusterConfig(cpus=1), Silent(), verbose=False):
    import ray
    session = Path(ray._private.worker._global_node.get_session_dir_path())
    found = {"task": ray.get(ray.remote(modules).remote())}
    actor = ray.remote(type("A", (), {"run": lambda self: modules()})).remote()
    found["actor"] = ray.get(actor.run.remote())
    found["mode"] = stat.S_IMODE(session.parents[1].stat().st_mode)
    found["open"] = sorted(ports_of_this_ray())
    found["agent"] = ray._private.worker._global_node.dashboard_agent_listen_port
found["variables"] = sorted((set(os.environ) - before) & SET_FOR_RAY)
found["left"] = session.parents[1].exists()
print(json.dumps(found))
"""


@pytest.mark.ray
@pytest.mark.full
@pytest.mark.parametrize("text", ["", "raise RuntimeError('of the user')"])
def test_a_local_ray_is_private_and_its_workers_import_what_is_installed(tmp_path: Path, text: str) -> None:
    for package in ("pipelines", "tests", "tuning"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text(text)
    (tmp_path / "training.py").write_text(text)
    (tmp_path / "random.py").write_text(text)
    (tmp_path / "my_models.py").write_text("")
    (tmp_path / "home").mkdir()
    (tmp_path / "program").mkdir()
    program = tmp_path / "program" / "run.py"
    program.write_text(PROGRAM)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")} | {
        "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path / "home"),
    }
    done = subprocess.run(
        [sys.executable, program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    found = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else pytest.fail(done.stderr[-2000:])
    for process in ("task", "actor"):
        pipelines, training, random, my_models = found[process]
        assert pipelines == str(ROOT / "pipelines" / "__init__.py")
        assert training == str(ROOT / "training" / "__init__.py")
        assert not random.startswith(str(tmp_path))
        assert my_models == str(tmp_path / "my_models.py")
    # Ray's usual one belongs to a head that is started on this machine.
    assert found["agent"] not in (0, 52365)
    assert (found["mode"], found["open"], found["left"], found["variables"]) == (0o700, [], False, [])
    assert (tmp_path / "home" / ".ray" / "auth_token").stat().st_mode & 0o777 == 0o600
