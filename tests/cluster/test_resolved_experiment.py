"""--print-config: every key with its value, and where that comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.cli import main
from cluster.experiment import load

EXPERIMENT = """
sources: [{genome: yeast, fasta: genome.fa, annotation: genes.gff3}]
tokenizer: {k: 3}
split: {test: [I, 'on']}
"""


def printed(capsys: pytest.CaptureFixture[str], path: Path, *flags: str) -> str:
    path.write_text(EXPERIMENT)
    assert main(["train", str(path), "--print-config", *flags]) == 0
    return capsys.readouterr().out


def test_every_value_has_its_origin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, tmp_path / "a.yaml", "--tokenizer.stride", "1").splitlines()
    assert "task: recognise  # default" in lines
    assert "  k: 3  # a.yaml" in lines
    assert "  stride: 1  # flag" in lines
    assert "  tail: anchor  # default" in lines
    assert "  - genome: yeast  # a.yaml" in lines
    assert f"    fasta: {tmp_path}/genome.fa  # a.yaml" in lines


def test_what_is_printed_is_the_same_experiment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, tmp_path / "a.yaml", "--model.hidden", "48")
    (tmp_path / "b.yaml").write_text(text)
    expected = load(tmp_path / "a.yaml", {("model", "hidden"): 48})
    assert load(tmp_path / "b.yaml", {}).resolved() == expected.resolved()


def test_a_wrong_value_is_still_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.yaml").write_text("tokenizer: {k: 99}")
    assert main(["build", str(tmp_path / "a.yaml"), "--print-config"]) == 2
    assert "tokenizer.k: 99" in capsys.readouterr().err
