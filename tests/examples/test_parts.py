"""Windows of exons, introns and intergenic sequence are what examples/parts says they are."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pytest

from examples.parts import make

LENGTH = 40


def test_every_window_lies_in_its_part_and_reads_as_the_gene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bases = "".join(np.random.default_rng(0).choice(list("ACGT"), size=1200))
    (tmp_path / "g.fa").write_text(f">I\n{bases}\n")
    rows = ["##gff-version 3"]
    for number, (start, strand) in enumerate([(100, "+"), (600, "-")]):
        spans = [(start, start + 120), (start + 180, start + 300)]
        parent = f"ID=t{number};Parent=g{number}"
        rows.append(f"I\tx\tgene\t{start + 1}\t{start + 300}\t.\t{strand}\t.\tID=g{number}")
        rows.append(f"I\tx\tmRNA\t{start + 1}\t{start + 300}\t.\t{strand}\t.\t{parent}")
        for kind in ("exon", "CDS"):
            rows += [f"I\tx\t{kind}\t{a + 1}\t{b}\t.\t{strand}\t0\tParent=t{number}" for a, b in spans]
    (tmp_path / "g.gff3").write_text("\n".join(rows) + "\n")
    paths = [str(tmp_path / name) for name in ("g.fa", "g.gff3", "out")]
    splits = ["--train", "I", "--validation", "I", "--test", "I"]
    monkeypatch.setattr(sys, "argv", ["make.py", *paths, *splits, "--length", str(LENGTH)])
    make.main()
    records = list(csv.DictReader((tmp_path / "out" / "train.csv").open()))
    assert [record["label"] for record in records] == ["exon"] * 2 + ["intron"] * 2 + ["intergenic"] * 2
    complement = str.maketrans("ACGT", "TGCA")
    places = {"exon": [(100, 220), (280, 400), (600, 720), (780, 900)], "intron": [(220, 280), (720, 780)]}
    places["intergenic"] = [(0, 100), (400, 600), (900, 1200)]
    for record in records:
        span, strand = record["name"][2:-3], record["name"][-2]
        start, end = map(int, span.split("-"))
        text = bases[start:end]
        assert record["sequence"] == (text.translate(complement)[::-1] if strand == "-" else text)
        assert any(first <= start and end <= last for first, last in places[record["label"]])
        if record["label"] != "intergenic":
            assert strand == ("+" if start < 500 else "-")
