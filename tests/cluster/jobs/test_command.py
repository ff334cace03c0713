from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from cluster.cli import parser_of_all
from cluster.experiment import load
from cluster.jobs.command import EXPERIMENT, PATHS, SENT_EXPERIMENT, Command, prepare
from pipelines.errors import InputError, UsageError

NO_PATHS = {
    "ACTION",
    "BYTES",
    "CODON",
    "KEY=VALUES",
    "CLASS",
    "{recognise,structure,classify}",
    "N",
    "NAME",
    "NAME=VALUE",
    "REGION",
    "SECONDS",
    "SIZE",
    "TYPE",
    "URL",
    "X",
    "YAML",
    None,
}


def prepared(*arguments: object) -> Command:
    return prepare([*map(str, arguments)], parser_of_all())


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    path = tmp_path / "experiment.yaml"
    source = {"genome": "A", "fasta": "a.fa", "annotation": "/data/a.gff3", "exclude": "s3://bucket/x.bed"}
    path.write_text(yaml.safe_dump({"sources": [source], "tokenizer": {"k": 4}}))
    return path


def test_every_argument_of_every_verb_is_known_to_be_a_path_or_not() -> None:
    verbs = next(action.choices for action in parser_of_all()._actions if action.dest == "verb")
    assert verbs is not None
    for verb, parser in verbs.items():
        for action in parser._actions:
            if "." not in action.dest and verb != "submit":
                assert action.metavar in PATHS | NO_PATHS | {EXPERIMENT}, f"{verb}: {action.dest}"


def test_the_experiment_is_sent_with_absolute_paths_and_they_are_listed(experiment: Path, tmp_path: Path) -> None:
    command = prepared("build", experiment, "--output", "/data/set", "--tokenizer.stride", "2")
    assert command.arguments == ["build", SENT_EXPERIMENT, "--output", "/data/set", "--tokenizer.stride", "2"]
    assert command.made_absolute == {"sources.0.fasta": str(tmp_path / "a.fa")}
    source = yaml.safe_load(command.files[SENT_EXPERIMENT])["sources"][0]
    assert source["fasta"] == str(tmp_path / "a.fa")
    assert source["annotation"] == "/data/a.gff3"
    assert source["exclude"] == "s3://bucket/x.bed"


def test_paths_that_are_searched_are_made_absolute_too(tmp_path: Path) -> None:
    path = tmp_path / "experiment.yaml"
    when = {"tokenizer.from": "emb1"}
    space = {"tokenizer.from": ["emb1", "/data/emb2"], "model.hidden": {"choice": [8, 16], "when": when}}
    path.write_text(yaml.safe_dump({"tuning": {"space": space}}))
    command = prepared("tune", path, "--output", "/data/study")
    absolute = str(tmp_path / "emb1")
    space = yaml.safe_load(command.files[SENT_EXPERIMENT])["tuning"]["space"]
    assert space["tokenizer.from"] == [absolute, "/data/emb2"]
    assert space["model.hidden"] == {"choice": [8, 16], "when": {"tokenizer.from": absolute}}
    assert command.made_absolute == {
        "tuning.space.tokenizer.from.0": absolute,
        "tuning.space.model.hidden.when.tokenizer.from": absolute,
    }


def test_a_sent_experiment_means_the_same_in_any_directory(experiment: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere" / "experiment.yaml"
    moved.parent.mkdir()
    moved.write_text(prepared("build", experiment, "--output", "/d").files[SENT_EXPERIMENT])
    assert load(moved, {}) == load(experiment, {})


def test_an_experiment_named_like_another_argument_is_recognised(experiment: Path) -> None:
    command = prepared("memory", "--dataset", experiment, experiment)
    assert command.arguments == ["memory", "--dataset", str(experiment), SENT_EXPERIMENT]


def test_a_relative_path_that_a_flag_replaces_is_not_listed(experiment: Path) -> None:
    command = prepared("build", experiment, "--output", "/d", "--sources.0.fasta", "/data/b.fa")
    assert command.made_absolute == {}


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["build", "EXPERIMENT", "--output", "set"], "--output set"),
        (["build", "EXPERIMENT", "--output=~/set"], "--output ~/set"),
        (["build", "EXPERIMENT", "--output", "/d", "--sources.0.fasta", "b.fa"], "--sources.0.fasta b.fa"),
        (["train", "EXPERIMENT", "--dataset", "/d", "--output", "./run"], "--output ./run"),
        (
            ["train", "EXPERIMENT", "--dataset", "/d", "--output", "/r", "--model.embedding-file", "e.safetensors"],
            "--model.embedding_file e.safetensors",
        ),
        (
            ["train", "EXPERIMENT", "--dataset", "/d", "--output", "/r", "--from", "run/bundle"],
            "--from run/bundle",
        ),
        (["evaluate", "/a", "run/bundle", "--dataset", "/d"], "BUNDLE run/bundle"),
        (["predict", "/b", "--sequences", "x.fa", "--output", "/o.tsv"], "--sequences x.fa"),
        (["embed", "EXPERIMENT", "--fasta", "/a.fa", "b.fa", "--output", "/e"], "--fasta b.fa"),
        (["inspect", "/d", "--report", "page.html"], "--report page.html"),
        (["demo"], "--output demo"),
        (
            ["tune", "EXPERIMENT", "--output", "/c", "--tuning.space", "model.hidden=[8]", "tokenizer.from=[/a, emb1]"],
            "--tuning.space tokenizer.from emb1",
        ),
        (
            [
                "tune",
                "EXPERIMENT",
                "--output",
                "/c",
                "--tuning.space",
                "model.embedding_file={choice: [e.safetensors]}",
            ],
            "--tuning.space model.embedding_file e.safetensors",
        ),
    ],
)
def test_a_relative_path_is_refused_by_the_name_of_its_flag(experiment: Path, arguments: list[str], named: str) -> None:
    with pytest.raises(UsageError) as refused:
        prepared(*[str(experiment) if argument == "EXPERIMENT" else argument for argument in arguments])
    assert str(refused.value).startswith(f"{named}: relative, and a job runs in a temporary directory")
    assert "absolute path" in refused.value.fix


@pytest.mark.parametrize(
    ("verb", "flags"),
    [
        ("train", ("--dataset", "/d", "--output", "/r", "--from", "s3://b/bundle")),
        ("tune", ("--output", "/r", "--tuning.space", "training.start_from=[s3://b/bundle, /a]")),
        ("train", ("--dataset", "/d", "--output", "/r", "--model.embedding_file", "s3://b/e")),
    ],
)
def test_a_file_or_model_may_be_at_an_address_in_a_flag_and_in_a_search(
    experiment: Path, verb: str, flags: tuple[str, ...]
) -> None:
    assert prepared(verb, experiment, *flags).arguments == [verb, SENT_EXPERIMENT, *flags]


def test_an_experiment_at_an_address_is_refused() -> None:
    with pytest.raises(UsageError, match=r"EXPERIMENT\.yaml s3://b/e\.yaml: an address, but it is sent with the job"):
        prepared("build", "s3://b/e.yaml", "--output", "/d")


def test_an_address_is_accepted_for_outputs_and_a_bundle_and_refused_for_an_example(experiment: Path) -> None:
    prepared("build", experiment, "--output", "s3://b/set")
    prepared("train", experiment, "--dataset", "s3://b/set", "--output", "s3://b/run")
    with pytest.raises(UsageError, match="--example s3://b/e: an address, where only a path is taken"):
        prepared("demo", "--output", "/d", "--example", "s3://b/e")
    assert (
        prepared("predict", "s3://b/bundle", "--sequences", "/x.fa", "--output", "/o.tsv").arguments[1]
        == "s3://b/bundle"
    )


def test_the_name_of_an_included_model_is_sent_as_it_is_unless_a_path_here_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ("annotate", "yeast", "--fasta", "/g.fa", "--output", "/o.gff3")
    assert prepared(*command).arguments == [*command]
    (tmp_path / "yeast").mkdir()
    with pytest.raises(UsageError, match="BUNDLE yeast: relative, and a job runs in a temporary directory"):
        prepared(*command)
    with pytest.raises(UsageError, match="--report: missing"):
        prepared("evaluate", "plant", "--dataset", "/d")


def test_doctor_is_submitted_with_or_without_an_experiment(experiment: Path) -> None:
    assert prepared("doctor", "--storage", "s3://b/runs").arguments == ["doctor", "--storage", "s3://b/runs"]
    assert prepared("doctor", "--experiment", experiment).arguments == ["doctor", "--experiment", SENT_EXPERIMENT]
    assert prepared("doctor", f"--experiment={experiment}").arguments == ["doctor", f"--experiment={SENT_EXPERIMENT}"]


def test_an_evaluation_of_an_address_needs_a_path_for_its_page() -> None:
    with pytest.raises(UsageError, match="--report: missing"):
        prepared("evaluate", "s3://b/bundle", "--dataset", "/d")
    assert prepared("evaluate", "s3://b/bundle", "--dataset", "/d", "--report", "/p.html").verb == "evaluate"


def test_a_wrong_key_and_a_missing_experiment_are_refused_before_anything_is_sent(
    experiment: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"tokenizer\.k"):
        prepared("build", experiment, "--output", "/d", "--tokenizer.k", "99")
    with pytest.raises(InputError, match=r"none\.yaml"):
        prepared("build", tmp_path / "none.yaml", "--output", "/d")
