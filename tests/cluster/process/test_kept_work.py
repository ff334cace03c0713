"""Which files on disk are work from which an interrupted verb goes on."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import pytest

from cluster.process.kept_work import is_kept

PARTS = {
    "build": ("data", ".data.building-01ab/records/0.npz"),
    "scan": ("calls.gff3", ".calls.gff3.building-01ab/scores-0.npy"),
    "annotate": ("genes.gff3", "genes.scores/01ab/0.npy"),
    "train": ("run", "run/checkpoints-01ab/epoch-00001-step-00000000-0123456789abcdef.pt"),
    "tune": ("study", "study/trials/0-a/epochs.jsonl"),
    "demo": ("demo", "demo/dataset/manifest.json"),
}


def kept(verb: str, output: Path, since: float = 0.0) -> bool:
    return is_kept(verb, argparse.Namespace(output=str(output)), since)


@pytest.mark.parametrize("verb", PARTS)
def test_finished_parts_are_kept_work(verb: str, tmp_path: Path) -> None:
    output, part = (tmp_path / name for name in PARTS[verb])
    assert not kept(verb, output)
    part.parent.mkdir(parents=True)
    assert not kept(verb, output)
    part.touch()
    assert kept(verb, output)


def test_an_unfinished_part_is_not_kept_work(tmp_path: Path) -> None:
    part = tmp_path / ".data.building-01ab" / ".0.npz.1234.partial"
    part.parent.mkdir()
    part.touch()
    assert not kept("build", tmp_path / "data")


def test_only_a_result_of_this_command_is_its_work(tmp_path: Path) -> None:
    output = tmp_path / "calls.gff3"
    output.touch()
    os.utime(output, (1000, 1000))
    assert not kept("scan", output, time.time())
    output.touch()
    assert kept("scan", output, time.time() - 10)


def test_a_name_with_letters_of_patterns_is_a_name(tmp_path: Path) -> None:
    part = tmp_path / ".da[t]a*.building-01ab" / "part"
    part.parent.mkdir()
    part.touch()
    assert kept("build", tmp_path / "da[t]a*")
    assert not kept("build", tmp_path / "data*")


def test_a_verb_that_does_not_resume_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "scores.tsv").touch()
    assert not kept("predict", tmp_path / "scores.tsv")
