from __future__ import annotations

from pathlib import Path

import pytest

from cluster.context import Context
from cluster.screen.terminal import Terminal
from cluster.verbs import evaluate
from tests.cluster.paths.test_output_paths import parsers


@pytest.mark.parametrize(
    ("bundles", "page"),
    [
        (["run/bundle"], "run/report-test.html"),
        (["run/bundle", "next/bundle"], "run/report-test.run.next.html"),
        (["next/bundle", "run/bundle"], "next/report-test.next.run.html"),
        (["yeast", "run/bundle"], "report-test.yeast.run.html"),
    ],
)
def test_the_page_of_several_bundles_is_never_that_of_the_first_alone(
    bundles: list[str], page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = parsers()["evaluate"].parse_args([*bundles, "--dataset", "none"])
    written = evaluate.written(Context(arguments, {}, Terminal()))
    assert {output.flag: output.path for output in written}["--report"] == tmp_path / page


@pytest.mark.parametrize(
    ("page", "mistakes"),
    [("s3://lab/reports/page.html?region=x", "s3://lab/reports/mistakes-test.bed?region=x"), ("page.html", None)],
)
def test_the_mistakes_lie_beside_a_page_at_an_address(page: str, mistakes: str | None) -> None:
    arguments = parsers()["evaluate"].parse_args(["run/bundle", "--dataset", "none", "--report", page])
    evaluate.complete(arguments)
    assert arguments.mistakes == mistakes
