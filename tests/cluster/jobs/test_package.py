from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from cluster.jobs import package
from pipelines.errors import ResourceError, StorageError, UsageError

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
    assert not staged.too_large
    assert staged.size < 8 << 20


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
    with pytest.raises(ResourceError, match="MiB of code, but a job takes 1,000 bytes"):
        package.stage(ROOT, tmp_path, {})


def test_every_tracked_file_of_the_packages_is_sent(tmp_path: Path) -> None:
    """Modules and package data, such as templates: a pattern in .gitignore once hid a package of ours."""
    tracked = tracked_files(ROOT)
    assert {"pipelines/build/pipeline.py", "cluster/recipes/slurm.sh"} <= tracked
    package.stage(ROOT, tmp_path, {})
    assert tracked - files(tmp_path) == set()


def tracked_files(root: Path) -> set[str]:
    """Paths of raygene's packages' files that git tracks, symbolic links and deleted files excepted."""
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


SECRETS = (".env", "credentials.json", "deploy.pem", "id_rsa", "token.txt")


def with_secrets(root: Path) -> Path:
    """A checkout with a secret of several kinds in a package, one of them ignored by git, and code of similar names."""
    for name in SECRETS:
        (checkout_once(root) / "training" / name).write_text("secret")
    (root / "training" / "notes.txt").write_text("-----BEGIN RSA PRIVATE KEY-----\nabc\n")
    (root / "training" / "tokens").mkdir()
    (root / "training" / "tokens" / "tokenizer.py").write_text("x = 1")
    (root / "training" / "credentials.py").write_text("x = 1")
    (root / ".gitignore").write_text("*.pem\n")
    return root


def checkout_once(root: Path) -> Path:
    return root if root.exists() else checkout(root)


def test_what_looks_like_a_secret_is_left_behind_and_listed(tmp_path: Path) -> None:
    staged = package.stage(with_secrets(tmp_path / "root"), tmp_path / "out", {})
    code_files = {"cluster/cli.py", "training/credentials.py", "training/run.py", "training/tokens/tokenizer.py"}
    assert files(tmp_path / "out") == {".gitignore", *code_files}
    assert staged.private == sorted(f"training/{name}" for name in (*SECRETS, "notes.txt"))


def test_a_secret_that_is_named_is_sent(tmp_path: Path) -> None:
    root = with_secrets(tmp_path / "root")
    named = ["training/.env", "training/notes.txt", "training/token.txt"]
    staged = package.stage(root, tmp_path / "out", {}, send_anyway=named)
    assert set(named) <= files(tmp_path / "out")
    assert staged.private == ["training/credentials.json", "training/deploy.pem", "training/id_rsa"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("training/none.pem", "no file of"), ("training/deploy.pem", "gitignore or .rayignore names")],
)
def test_a_file_that_cannot_be_sent_is_refused_by_name(tmp_path: Path, name: str, expected: str) -> None:
    with pytest.raises(UsageError, match=f"--send {name}: .*{expected}"):
        package.stage(with_secrets(tmp_path / "root"), tmp_path / "out", {}, send_anyway=[name])


def test_a_link_to_a_key_is_left_behind_like_the_key(tmp_path: Path) -> None:
    root = checkout(tmp_path / "root")
    (root / "training" / "id_rsa").symlink_to("/root/.ssh/id_rsa")
    assert package.stage(root, tmp_path / "out", {}).private == ["training/id_rsa"]


def test_what_is_no_regular_file_is_left_behind_and_listed(tmp_path: Path) -> None:
    root = checkout(tmp_path / "root")
    os.mkfifo(root / "training" / "pipe")
    assert package.stage(root, tmp_path / "out", {}).unusual == ["training/pipe"]


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = checkout(tmp_path / "root")

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ResourceError, match=r"cli.py: cannot be read \(Permission denied\), so that it cannot be sent"):
        package.stage(root, tmp_path / "out", {})


def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = checkout(tmp_path / "root")

    def fail(path: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(StorageError, match="No space left on device"):
        package.stage(root, tmp_path / "out", {})
