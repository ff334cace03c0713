from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cluster.jobs import package
from pipelines.errors import ResourceError

ROOT = Path(__file__).parents[3]


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_four_packages_are_sent_without_data_and_history(tmp_path: Path) -> None:
    staged = package.stage(ROOT, tmp_path, {"submitted/experiment.yaml": "sources: []"})
    sent = files(tmp_path)
    assert staged.files == len(sent)
    assert {
        "cluster/__main__.py",
        "pipelines/build/pipeline.py",
        "training/distributed/train.py",
        "tuning/__init__.py",
    } <= sent
    assert {"pyproject.toml", ".gitignore", "examples/yeast/experiment.yaml", "submitted/experiment.yaml"} <= sent
    tops = {name.split("/")[0] for name in sent}
    assert tops == {*package.PACKAGES, "examples", "submitted", "pyproject.toml", ".gitignore"}
    assert not [name for name in sent if name.endswith((".gz", ".pyc")) or "__pycache__" in name]
    assert staged.size < 3 << 20


def test_the_demo_is_sent_with_its_genome(tmp_path: Path) -> None:
    package.stage(ROOT, tmp_path, {}, example="yeast")
    assert {"examples/yeast/genome.fa.gz", "examples/yeast/annotation.gff3.gz"} <= files(tmp_path)


def code(root: Path) -> Path:
    """The smallest package that a job can run."""
    (root / "cluster").mkdir(parents=True)
    (root / "cluster" / "cli.py").write_text("x = 1")
    return root


def test_a_file_too_large_to_be_code_is_listed_and_not_sent(tmp_path: Path) -> None:
    root, folder = code(tmp_path / "root"), tmp_path / "out"
    (root / "training" / ".git").mkdir(parents=True)
    (root / "training" / "weights.bin").write_bytes(bytes(package.MAX_FILE_BYTES + 1))
    (root / "training" / "run.py").write_text("x = 1")
    (root / "training" / ".git" / "config").write_text("")
    staged = package.stage(root, folder, {})
    assert files(folder) == {"cluster/cli.py", "training/run.py"}
    assert staged.too_large == {"training/weights.bin": package.MAX_FILE_BYTES + 1}


def test_more_bytes_than_a_job_takes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "MAX_BYTES", 1000)
    with pytest.raises(ResourceError, match="MiB of code, but a job takes"):
        package.stage(ROOT, tmp_path, {})


def test_every_tracked_file_of_the_packages_is_sent(tmp_path: Path) -> None:
    """Modules and package data, such as templates: a pattern in .gitignore once hid a package of ours."""
    tracked = tracked_files(ROOT)
    assert {"pipelines/build/pipeline.py", "cluster/recipes/slurm.sh"} <= tracked
    package.stage(ROOT, tmp_path, {})
    assert tracked - files(tmp_path) == set()


def tracked_files(root: Path) -> set[str]:
    """Paths of the four packages' files that git tracks, symbolic links and deleted files excepted."""
    listed = subprocess.run(["git", "ls-files", "-z", *package.PACKAGES], cwd=root, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return {name for name in listed.stdout.split("\0") if name and (root / name).is_file()}


def test_package_data_is_sent_like_code(tmp_path: Path) -> None:
    root = checkout(tmp_path / "root")
    (root / "training" / "templates").mkdir()
    (root / "training" / "templates" / "page.html").write_text("<html></html>")
    package.stage(root, tmp_path / "out", {})
    assert "training/templates/page.html" in files(tmp_path / "out")


def checkout(root: Path) -> Path:
    """A git repository with two modules."""
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
    staged = package.stage(root, tmp_path / "out", {})
    assert files(tmp_path / "out") == {".gitignore", ".rayignore", "cluster/cli.py", "training/run.py"}
    assert staged.files == 4


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


@pytest.mark.parametrize(("ignored", "expected"), [("cluster/\n", "is ignored"), ("", "is missing")])
def test_a_package_without_code_to_run_is_refused(tmp_path: Path, ignored: str, expected: str) -> None:
    root = checkout(tmp_path / "root")
    (root / ".gitignore").write_text(ignored)
    if not ignored:
        (root / "cluster" / "cli.py").unlink()
    with pytest.raises(ResourceError, match=f"cluster/cli.py {expected}"):
        package.stage(root, tmp_path / "out", {})
