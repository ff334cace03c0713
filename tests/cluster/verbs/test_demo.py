from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from cluster.cli import main
from tests.conftest import GenomeFiles

EXPERIMENT = """
sources: [{genome: toy, fasta: genome.fa, annotation: genes.gff3, feature_types: [gene]}]
crop: {length: 101}
tokenizer: {k: 3, stride: 1}
split: {validation: [chr3], test: [chr4]}
model: {embedding: 4, hidden: 4}
training: {epochs: 1, global_batch_size: 32}
"""


@pytest.mark.ray
def test_the_demo_goes_through_every_verb_and_again(
    genome: GenomeFiles, tmp_path: Path, ray_session: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    example, output = tmp_path / "example", tmp_path / "out"
    example.mkdir()
    for file in (genome.fasta, genome.annotation):
        shutil.copy(file, example)
    (example / "experiment.yaml").write_text(EXPERIMENT)
    arguments = ["demo", "--example", str(example), "--output", str(output)]
    assert main(arguments) == 0, capsys.readouterr().err
    text = capsys.readouterr().out
    assert all(f"raygene {verb}" in text for verb in ("build", "inspect", "train", "predict", "evaluate"))
    assert json.loads((output / "figures.json").read_text())["auroc"] > 0
    for name in ("dataset.html", "report-test.html", "genes.tsv", "genes.bed", "run/bundle/model.safetensors"):
        assert (output / name).stat().st_size > 0
    assert main(arguments) == 0
    assert "up to date" in "".join(capsys.readouterr())
