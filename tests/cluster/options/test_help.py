"""What --help shows: the usage in one line, common keys, and all of them with --help-all."""

from __future__ import annotations

import pytest

from cluster.cli import main, parser_of_all
from cluster.experiment import Experiment
from cluster.options.parser import COMMON_KEYS
from cluster.verbs import VERBS


def help_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "submit"])
def test_the_usage_of_a_verb_is_one_line(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    usage, blank, *_ = help_of(capsys, verb, "--help").splitlines()
    assert usage.startswith(f"usage: raygene {verb} ")
    assert usage.endswith("[options]")
    assert blank == ""


def test_the_usage_names_what_is_required(capsys: pytest.CaptureFixture[str]) -> None:
    usage = help_of(capsys, "train", "--help").splitlines()[0]
    assert usage == "usage: raygene train EXPERIMENT.yaml --dataset DATASET --output RUN [options]"


def test_help_shows_common_keys_and_where_the_others_are(capsys: pytest.CaptureFixture[str]) -> None:
    text = help_of(capsys, "build", "--help")
    assert "--tokenizer.k N" in text
    assert "--tokenizer.min_count" not in text
    assert "raygene build --help-all" in text
    assert text.index("--output DATASET") < text.index("--log-level") < text.index("--tokenizer.k N")
    assert "--tokenizer.min_count N" in help_of(capsys, "build", "--help-all")


def test_common_keys_are_keys() -> None:
    for name in COMMON_KEYS:
        section, _, key = name.partition(".")
        model = Experiment.model_fields[section].annotation
        assert not key or key in model.model_fields  # type: ignore[union-attr]


def test_help_names_rare_options_and_explains_them_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    text = help_of(capsys, "scan", "--help")
    assert "raygene scan --help-all explains --window, " in " ".join(text.split())
    assert "--window N" not in text
    assert "--window N" in help_of(capsys, "scan", "--help-all")


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_can_show_all(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--help-all" in help_of(capsys, verb, "--help-all")


def test_rare_options_are_options() -> None:
    parsers = next(action.choices for action in parser_of_all()._actions if isinstance(action.choices, dict))
    for verb, parser in parsers.items():
        assert parser.rare <= {action.dest for action in parser._actions}, verb
