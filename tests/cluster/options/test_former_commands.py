"""Command lines of earlier versions: one line that gives today's command."""

from __future__ import annotations

import pytest

from cluster.cli import main


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["predict", "b", "--fasta", "g.fa", "--scan", "--output", "o.gff3"],
            "raygene predict --scan: is a verb of its own: "
            "write 'raygene scan BUNDLE --fasta FASTA --output FILE.gff3'",
        ),
        (
            ["evaluate", "--calls", "c.gff3", "--fasta", "g.fa", "--annotation", "a.gff3"],
            "raygene evaluate --calls: is a verb of its own: "
            "write 'raygene compare CALLS --annotation FILE --fasta FASTA'",
        ),
        (["evaluate", "--calls=c.gff3"], "write 'raygene compare CALLS"),
        (["scan", "b", "--fasta", "g.fa", "--output", "o.gff3", "--judged", "I"], "write --eval-chromosomes"),
        (["compare", "c", "--fasta", "g.fa", "--annotation", "a.gff3", "--judged", "I"], "write --eval-chromosomes"),
        (["submit", "--", "build", "x.yaml"], "write 'raygene submit run [OPTIONS] -- build …'"),
        (["submit", "--detach", "--", "train", "x.yaml"], "write 'raygene submit run [OPTIONS] -- train …'"),
        (["submit", "--address", "http://h:1", "list"], "write 'raygene submit list … [OPTIONS]'"),
        (["submit", "--address", "http://h:1", "logs", "j"], "write 'raygene submit logs … [OPTIONS]'"),
        (["submit", "build", "x.yaml"], "write 'raygene submit run [OPTIONS] -- build …'"),
        (["submit", "run", "build", "x.yaml"], "write 'raygene submit run [OPTIONS] -- build …'"),
        (["submit", "run", "--", "predict", "/b", "--scan"], "write 'raygene scan BUNDLE"),
    ],
)
def test_an_earlier_command_line_is_a_usage_error_with_the_command_of_today(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    lines = capsys.readouterr().err.split("raygene: error: ")
    assert len(lines) == 2
    assert expected in " ".join(lines[1].split())
