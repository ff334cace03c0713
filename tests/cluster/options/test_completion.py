"""Completion of command lines by a shell."""

from __future__ import annotations

import builtins
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cluster.cli import main, parser_of_all
from cluster.options.completion import script
from pipelines.errors import DependencyError


def completed(place: Path, *words: str) -> list[str]:
    """What bash proposes for the last word of a command line."""
    program = (
        f"source {place}; COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; COMP_LINE='{' '.join(words)}'\n"
        f"_shtab_raygene raygene {words[-1]} {words[-2]}; printf '%s\\n' \"${{COMPREPLY[@]}}\"\n"
    )
    return subprocess.run(["bash"], input=program, capture_output=True, text=True).stdout.split()


@pytest.fixture(scope="module")
def bash(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("shtab", reason="needs raygene[completion]")
    path = tmp_path_factory.mktemp("completion") / "raygene.bash"
    path.write_text(script(parser_of_all(), "bash"))
    return path


def test_bash_completes_verbs_and_flags_and_keys(bash: Path) -> None:
    assert "annotate" in completed(bash, "raygene", "ann")
    assert "--output" in completed(bash, "raygene", "build", "--out")
    assert "--tokenizer.min_count" in completed(bash, "raygene", "build", "--tokenizer.min")


def test_without_what_writes_it_the_fix_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    importing = builtins.__import__

    def refuse(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "shtab":
            raise ImportError(name)
        return importing(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(DependencyError, match="raygene\\[completion\\]"):
        script(parser_of_all([]), "zsh")


def test_an_unknown_shell_is_a_wrong_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--print-completion", "fish"]) == 2
    assert "invalid choice: 'fish'" in capsys.readouterr().err
