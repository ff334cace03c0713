from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cluster.jobs import package
from pipelines.errors import ResourceError

ROOT = Path(__file__).parents[3]


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_four_packages_go_along_and_neither_data_nor_history(tmp_path: Path) -> None:
    made = package.stage(ROOT, tmp_path, {"submitted/experiment.yaml": "sources: []"})
    found = files(tmp_path)
    assert made.files == len(found)
    assert {
        "cluster/__main__.py",
        "pipelines/build/pipeline.py",
        "training/distributed/train.py",
        "tuning/__init__.py",
    } <= found
    assert {"pyproject.toml", ".gitignore", "examples/yeast/experiment.yaml", "submitted/experiment.yaml"} <= found
    tops = {name.split("/")[0] for name in found}
    assert tops == {*package.PACKAGES, "examples", "submitted", "pyproject.toml", ".gitignore"}
    assert not [name for name in found if name.endswith((".gz", ".pyc")) or "__pycache__" in name]
    assert made.size < 3 << 20


def test_the_demo_brings_its_genome(tmp_path: Path) -> None:
    package.stage(ROOT, tmp_path, {}, example="yeast")
    assert {"examples/yeast/genome.fa.gz", "examples/yeast/annotation.gff3.gz"} <= files(tmp_path)


def code(root: Path) -> Path:
    """The least that a job can run."""
    (root / "cluster").mkdir(parents=True)
    (root / "cluster" / "cli.py").write_text("x = 1")
    return root


def test_a_file_too_large_to_be_code_stays_behind_and_is_told(tmp_path: Path) -> None:
    root, folder = code(tmp_path / "root"), tmp_path / "out"
    (root / "training" / ".git").mkdir(parents=True)
    (root / "training" / "weights.bin").write_bytes(bytes(package.LARGEST_FILE + 1))
    (root / "training" / "run.py").write_text("x = 1")
    (root / "training" / ".git" / "config").write_text("")
    made = package.stage(root, folder, {})
    assert files(folder) == {"cluster/cli.py", "training/run.py"}
    assert made.left == {"training/weights.bin": package.LARGEST_FILE + 1}


def test_more_than_a_job_takes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "MOST", 1000)
    with pytest.raises(ResourceError, match="MiB of code, and a job takes"):
        package.stage(ROOT, tmp_path, {})


def test_every_module_of_the_packages_goes_along(tmp_path: Path) -> None:
    package.stage(ROOT, tmp_path, {})
    for name in package.PACKAGES:
        modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / name).rglob("*.py")}
        assert modules
        assert modules <= files(tmp_path)


def test_the_template_of_the_pages_goes_along(tmp_path: Path) -> None:
    package.stage(ROOT, tmp_path, {})
    assert "pipelines/report.html" in files(tmp_path)


def checkout(root: Path) -> Path:
    """A repository with one module, as far as a package needs it."""
    (code(root) / "training").mkdir()
    (root / "training" / "run.py").write_text("x = 1")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    return root


def test_what_is_ignored_is_neither_sent_nor_counted(tmp_path: Path) -> None:
    root = checkout(tmp_path / "root")
    (root / ".gitignore").write_text("*.log\n/training/scratch/\n")
    (root / ".rayignore").write_text("notes.txt\n")
    (root / "training" / "scratch").mkdir()
    for name in ("a.log", "notes.txt", "scratch/b.py"):
        (root / "training" / name).write_text("1")
    made = package.stage(root, tmp_path / "out", {})
    assert files(tmp_path / "out") == {".gitignore", ".rayignore", "cluster/cli.py", "training/run.py"}
    assert made.files == 4


@pytest.mark.parametrize("target", ["elsewhere.py", "folder"])
def test_a_link_is_refused_by_its_name(tmp_path: Path, target: str) -> None:
    root = checkout(tmp_path / "root")
    (tmp_path / "elsewhere.py").write_text("secret = 1")
    (tmp_path / "folder").mkdir()
    (root / "training" / "linked").symlink_to(tmp_path / target)
    with pytest.raises(ResourceError, match="training/linked: a symbolic link"):
        package.stage(root, tmp_path / "out", {})
    (root / ".gitignore").write_text("linked\n")
    assert package.stage(root, tmp_path / "again", {}).files == 3


def test_an_installation_in_an_environment_that_a_project_ignores_is_sent_whole(tmp_path: Path) -> None:
    project = checkout(tmp_path / "project")
    (project / ".gitignore").write_text(".venv/\n")
    installed = code(project / ".venv" / "site-packages")
    assert package.stage(installed, tmp_path / "out", {}).files == 1
    assert files(tmp_path / "out") == {"cluster/cli.py"}


@pytest.mark.parametrize(("ignored", "told"), [("cluster/\n", "is ignored"), ("", "is missing")])
def test_a_package_without_code_to_run_is_refused(tmp_path: Path, ignored: str, told: str) -> None:
    root = checkout(tmp_path / "root")
    (root / ".gitignore").write_text(ignored)
    if not ignored:
        (root / "cluster" / "cli.py").unlink()
    with pytest.raises(ResourceError, match=f"cluster/cli.py {told}"):
        package.stage(root, tmp_path / "out", {})
