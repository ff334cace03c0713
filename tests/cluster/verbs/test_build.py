from __future__ import annotations

import json

import pytest

from cluster.terminal import Terminal
from cluster.verbs.build import show
from pipelines.build.manifest import QUANTILES


def test_lengths_of_a_manifest_read_back_from_its_file_stand_in_their_order(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    lengths = {f"{percent}%": 1000 + percent for percent in QUANTILES}
    genes = {
        "annotated": 1,
        "kept": 1,
        "shortened": 0,
        "negatives": 1,
        "length_before": lengths,
        "length_after": lengths,
    }
    manifest = {"counts": [], "files": [], "genes": {"toy": genes}, "dropped": {}, "leakage": {"evaluated": 0}}
    show(json.loads(json.dumps(manifest, sort_keys=True)), Terminal())
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "as annotated" in line)
    assert line.split()[-len(QUANTILES) :] == [f"{1000 + percent:,}" for percent in QUANTILES]
