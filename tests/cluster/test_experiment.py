from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from cluster.experiment import Experiment, load, portable
from pipelines.config import SourceConfig, validate
from pipelines.documents import yaml_writer
from pipelines.errors import InputError, UsageError
from tuning.config import Domain

TEXT = """
sources:
  - {genome: a, fasta: data/a.fa, annotation: /abs/a.gff3}
tokenizer: {k: 4, stride: 2}
crop:
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "experiment.yaml"
    path.write_text(TEXT)
    return path


def test_paths_in_the_yaml_are_relative_to_it(path: Path) -> None:
    source = load(path, {}).sources[0]
    assert source.fasta == str(path.parent / "data" / "a.fa")
    assert source.annotation == "/abs/a.gff3"


def test_a_relative_experiment_gives_absolute_paths(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    assert load(Path(path.name), {}) == load(path, {})


def test_the_name_of_an_included_model_stays_unless_a_path_beside_the_experiment_has_it(tmp_path: Path) -> None:
    path = tmp_path / "experiment.yaml"
    path.write_text("training: {start_from: yeast}")
    assert load(path, {}).training.start_from == "yeast"
    assert portable(path)[1] == {}
    assert load(path, {("training", "start_from"): "plant"}).training.start_from == "plant"
    (tmp_path / "yeast").mkdir()
    assert load(path, {}).training.start_from == str(tmp_path / "yeast")


def test_a_tilde_is_the_home_directory_and_a_uri_stays(tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    path.write_text("sources: [{genome: a, fasta: ~/a.fa, annotation: 's3://bucket/a.gff3'}]")
    source = load(path, {}).sources[0]
    assert (source.fasta, source.annotation) == (str(Path.home() / "a.fa"), "s3://bucket/a.gff3")


def test_a_home_directory_of_no_user_is_a_usage_error(path: Path) -> None:
    with pytest.raises(UsageError, match="write the full path"):
        load(path, {("sources", 0, "fasta"): "~no-such-user/a.fa"})


def test_flags_win_and_their_paths_are_relative_to_the_current_directory(
    path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path_factory.mktemp("current")
    monkeypatch.chdir(directory)
    experiment = load(path, {("tokenizer", "k"): 5, ("sources", 0, "fasta"): "b.fa", ("model", "hidden"): 8})
    assert (experiment.tokenizer.k, experiment.tokenizer.stride, experiment.model.hidden) == (5, 2, 8)
    assert experiment.sources[0].fasta == str(directory / "b.fa")


def test_a_tokenizer_given_as_a_flag_is_relative_to_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "data" / "e.yaml"
    path.parent.mkdir()
    path.write_text("sources: []")
    monkeypatch.chdir(tmp_path)
    assert load(path, {("tokenizer", "from"): "bundle"}).tokenizer.reuse == str(tmp_path / "bundle")


def test_an_embedding_file_in_the_yaml_is_relative_to_it(tmp_path: Path) -> None:
    (tmp_path / "e.yaml").write_text("model: {embedding_file: vectors.safetensors}\n")
    assert load(tmp_path / "e.yaml", {}).model.embedding_file == str(tmp_path / "vectors.safetensors")


def test_a_section_left_empty_has_its_defaults(path: Path) -> None:
    assert load(path, {}).crop.length is None


def test_the_resolved_configuration_loads_to_the_same_experiment_from_anywhere(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    experiment = load(Path(path.name), {("training", "epochs"): 3, ("sources", 0, "annotation"): "b.gff3"})
    elsewhere = tmp_path / "run" / "experiment.yaml"
    elsewhere.parent.mkdir()
    elsewhere.write_text(yaml.safe_dump(experiment.resolved()))
    assert load(elsewhere, {}) == experiment


@pytest.mark.parametrize("flags", [{}, {("window", "length"): 5004, ("labels", "utr"): "keep"}])
def test_a_resolved_experiment_of_another_task_loads_again_and_builds_the_same(
    flags: dict[tuple[str | int, ...], Any], tmp_path: Path
) -> None:
    path, again = tmp_path / "e.yaml", tmp_path / "again.yaml"
    path.write_text(
        "task: structure\nsources: [{genome: a, fasta: a.fa, annotation: a.gff3}]\ntokenizer: {k: 3, stride: 1}"
    )
    experiment = load(path, flags)
    again.write_text(yaml.safe_dump(experiment.resolved()))
    # What a task fills in where the experiment leaves it out is written down.
    assert load(again, {}).resolved() == experiment.resolved()
    assert load(again, {}).dataset("x") == experiment.dataset("x")
    assert not {"negatives", "crop"} & set(experiment.resolved())


def test_an_experiment_without_a_task_resolves_to_the_sections_that_it_always_had(path: Path) -> None:
    assert not {"task", "labels", "window"} & set(load(path, {}).resolved())
    assert "genetic_code" not in load(path, {}).resolved()["sources"][0]


def test_a_resolved_tokenizer_that_is_reused_loads_again(tmp_path: Path) -> None:
    path, again = tmp_path / "e.yaml", tmp_path / "again.yaml"
    path.write_text("tokenizer: {from: bundle}")
    again.write_text(yaml.safe_dump(load(path, {}).resolved()))
    assert load(again, {}) == load(path, {})


def test_a_flag_for_a_tokenizer_that_is_reused_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    path.write_text("tokenizer: {from: bundle}")
    with pytest.raises(UsageError, match=r"tokenizer: from and k are both given"):
        load(path, {("tokenizer", "k"): 3})


def test_a_flag_can_name_a_whole_new_source(path: Path) -> None:
    overrides = {
        ("sources", 1, key): value for key, value in [("genome", "b"), ("fasta", "b.fa"), ("annotation", "b.gff3")]
    }
    assert [source.genome for source in load(path, overrides).sources] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("a: [1", InputError, "line 1: not YAML"),
        ("training: {seed: 1}\ncrop:\ntraining: {epochs: 3}", InputError, "line 3: not YAML .training occurs twice"),
        ("sources:\n- genome: a\n  genome: b", InputError, "line 3: not YAML .genome occurs twice"),
        ("- 1", InputError, "has no sections"),
        ("trainings: {}", UsageError, "trainings: unknown key: did you mean training?"),
        ("training: {epoch: 3}", UsageError, "training.epoch: unknown key: did you mean epochs?"),
        ("training: {learning_rate: -1}", UsageError, "training.learning_rate: -1"),
        ("sources: 3", UsageError, "sources"),
        ("sources: [x]", UsageError, "sources.0"),
        ("tokenizer: 3", UsageError, "tokenizer"),
    ],
)
def test_a_wrong_file_is_one_line_that_names_it(
    tmp_path: Path, text: str, error: type[Exception], message: str
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(error, match=message) as caught:
        load(path, {})
    assert "bad.yaml" in str(caught.value)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load(tmp_path / "none.yaml", {})


def test_a_dataset_needs_sources(tmp_path: Path) -> None:
    path = tmp_path / "empty.yaml"
    path.write_text("training: {epochs: 1}")
    with pytest.raises(UsageError, match="sources: missing"):
        load(path, {}).dataset(str(path))


@pytest.mark.parametrize(
    "address",
    [
        "http://me:secret@host:5000",
        "https://:secret@host",
        "http://me:sec/ret@host",
        "postgresql://me:secret@host/runs",
    ],
)
def test_a_password_in_mlflows_address_is_refused_without_showing_it(tmp_path: Path, address: str) -> None:
    (tmp_path / "e.yaml").write_text("sources: []\n")
    with pytest.raises(UsageError, match="MLFLOW_TRACKING_PASSWORD") as caught:
        load(tmp_path / "e.yaml", {("training", "mlflow"): address})
    assert "ret@" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "address", ["http://host:5000", "http://me@host:5000", "http://host:5000/a@b", "sqlite:///a:b"]
)
def test_an_address_of_mlflow_without_a_password_is_taken(tmp_path: Path, address: str) -> None:
    (tmp_path / "e.yaml").write_text("sources: []\n")
    assert load(tmp_path / "e.yaml", {("training", "mlflow"): address}).training.mlflow == address


NAMES = ["1_2", "010", "1:30", "0x10", "on", "NO", "1e3", "2024-01-01", "0b1", "1_000.5", "=", "<<", "12", "3.10"]
NAME_KEYS: dict[str, Callable[[Any], str]] = {
    "sources: [{genome: g, fasta: f, annotation: a, chromosomes: [NAME]}]": lambda e: e.sources[0].chromosomes[0],
    "sources: [{genome: g, fasta: f, annotation: a, chromosomes: NAME}]": lambda e: e.sources[0].chromosomes[0],
    "sources: [{genome: g, fasta: f, annotation: a, biotypes: [x, NAME]}]": lambda e: e.sources[0].biotypes[1],
    "sources: [{genome: g, fasta: f, annotation: a, feature_types: [NAME]}]": lambda e: e.sources[0].feature_types[0],
    "sources: [{genome: g, fasta: NAME, annotation: a}]": lambda e: Path(e.sources[0].fasta).name,
    "sources: [{genome: xNAME, fasta: f, annotation: a}]": lambda e: e.sources[0].genome[1:],
    "negatives: {exclude_types: [NAME]}": lambda e: e.negatives.exclude_types[0],
    "split: {test: [NAME]}": lambda e: e.split.test[0],
    "split: {validation: [II, NAME]}": lambda e: e.split.validation[1],
    "split: {test: ['g:NAME']}": lambda e: e.split.test[0][2:],
    "tokenizer: {from: NAME}": lambda e: Path(e.tokenizer.reuse).name,
    "training: {mlflow_experiment: NAME}": lambda e: e.training.mlflow_experiment,
    "training: {mlflow: NAME}": lambda e: e.training.mlflow,
    "cluster: {address: NAME}": lambda e: e.cluster.address,
    "tuning: {space: {split.test: [[NAME]]}}": lambda e: str(e.tuning.space["split.test"].grid[0][0]),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", NAME_KEYS)
def test_a_name_is_taken_as_written_and_written_as_it_is_read(tmp_path: Path, text: str, name: str) -> None:
    if "xNAME" in text and not re.fullmatch(r"[\w.-]+", name):
        pytest.skip("no name of a genome")
    path, again = tmp_path / "e.yaml", tmp_path / "again.yaml"
    path.write_text(text.replace("NAME", name) + "\n")
    experiment = load(path, {})
    assert NAME_KEYS[text](experiment) == name
    for copied in (yaml_writer.dump(experiment.resolved()), portable(path)[0]):
        again.write_text(copied)
        assert NAME_KEYS[text](load(again, {})) == name


@pytest.mark.parametrize("name", ["true", "False", "~", "null"])
@pytest.mark.parametrize(
    "text",
    [
        "sources: [{genome: g, fasta: f, annotation: a, chromosomes: [I, NAME]}]",
        "sources: [{genome: NAME, fasta: f, annotation: a}]",
        "split: {test: [I, NAME, II]}",
        "negatives: {exclude_types: [NAME , a]}",
        "split:\n  test:\n  - I\n  - NAME",
    ],
)
def test_a_name_that_every_reader_takes_for_another_value_has_to_be_quoted(
    tmp_path: Path, text: str, name: str
) -> None:
    path = tmp_path / "e.yaml"
    path.write_text(text.replace("NAME", name) + "\n")
    with pytest.raises(UsageError, match="quote"):
        load(path, {})
    path.write_text(text.replace("NAME", f"'{name}'") + "\n")
    if "genome: NAME" not in text or name.isalpha():
        load(path, {})


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("0.1", 0.1),
        (".5", 0.5),
        ("0.10", 0.1),
        ("1e-1", 0.1),
        ("0", 0.0),
        ("'0.1'", ["0.1"]),
        ("['0.1', II]", ["0.1", "II"]),
        ("7", ["7"]),
        ("1e3", ["1e3"]),
        ("00", ["00"]),
        ("[3.10, II]", ["3.10", "II"]),
        ("1:30", ["1:30"]),
    ],
)
def test_an_unquoted_number_below_1_is_a_share_and_all_else_a_name(
    tmp_path: Path, written: str, expected: object
) -> None:
    path = tmp_path / "e.yaml"
    path.write_text(f"split: {{test: {written}}}\n")
    assert load(path, {}).split.test == expected


@pytest.mark.parametrize("written", ["[0.1]", "[.5]", "[0.1, II]", "2.5"])
def test_a_number_that_could_be_a_share_or_a_name_is_refused(tmp_path: Path, written: str) -> None:
    path = tmp_path / "e.yaml"
    path.write_text(f"split: {{test: {written}}}\n")
    with pytest.raises(UsageError, match=r"split\.test: .*quote"):
        load(path, {})


@pytest.mark.parametrize(
    ("key", "written", "expected"),
    [
        ("training.epochs", "010", 10),
        ("training.epochs", "1_000", 1000),
        ("training.epochs", "1e3", 1000),
        ("training.epochs", "1:30", None),
        ("training.epochs", "0x10", None),
        ("training.epochs", "0b1", None),
        ("training.epochs", "true", None),
        ("training.learning_rate", "1e-3", 0.001),
        ("training.learning_rate", "1:30", None),
        ("training.learning_rate", "true", None),
        ("training.learning_rate", ".nan", None),
        ("training.probe", "off", False),
        ("training.probe", "yes", True),
        ("training.probe", "010", None),
    ],
)
def test_a_number_is_decimal_or_refused(tmp_path: Path, key: str, written: str, expected: object) -> None:
    path = tmp_path / "e.yaml"
    section, name = key.split(".")
    path.write_text(f"{section}: {{{name}: {written}}}\n")
    if expected is None:
        with pytest.raises(UsageError, match=key):
            load(path, {})
    else:
        assert getattr(getattr(load(path, {}), section), name) == expected


def test_values_of_a_space_have_the_type_of_their_key(tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    path.write_text(
        "tuning: {space: {model.bidirectional: [on, false], model.hidden: [010, 16], training.learning_rate: [1e-3],\n"
        "  split.test: [[010, 1_2], 0.1], training.gamma: {choice: [0.9], when: {model.bidirectional: yes}}}}\n"
    )
    space = load(path, {}).tuning.space or {}
    assert space["model.bidirectional"].grid == [True, False]
    assert space["model.hidden"].grid == [10, 16]
    assert space["training.learning_rate"].grid == [0.001]
    assert space["split.test"].grid == [["010", "1_2"], 0.1]
    assert space["training.gamma"].when == {"model.bidirectional": True}


SOURCE = {"genome": "a", "fasta": "a.fa", "annotation": "a.gff3"}
WRONG = ("x", "a:b", "", None, [], {}, [None], [[1]], {"a": None}, -1, 0, 2.5, 1e300, 10**400, True, "inf", [1, 2, 3])


def sections_with_keys() -> list[tuple[type[BaseModel], Callable[[dict[str, Any]], dict[str, Any]]]]:
    """Every section of an experiment, and how keys of it become an experiment."""
    sections: list[tuple[type[BaseModel], Callable[[dict[str, Any]], dict[str, Any]]]] = [
        (Experiment, lambda keys: keys),
        (SourceConfig, lambda keys: {"sources": [SOURCE | keys]}),
        (Domain, lambda keys: {"tuning": {"space": {"model.hidden": keys}}}),
    ]
    for name, field in Experiment.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            sections.append((section, lambda keys, name=name: {name: keys}))  # type: ignore[misc]
    return sections


def test_no_key_takes_a_wrong_value_with_the_words_of_pydantic() -> None:
    refused = set()
    for section, experiment in sections_with_keys():
        for name, field in section.model_fields.items():
            for value in WRONG:
                try:
                    validate(Experiment, experiment({field.alias or name: value}), "e.yaml")
                except UsageError as error:
                    refused.add(name)
                    text = str(error).partition(": known keys")[0]
                    assert not re.search(r"\b(input|should|valid|dictionary|pattern|item)\b|: :", text), text
    assert {"k", "genome", "tail", "learning_rate", "space", "whole", "cpus", "classes"} <= refused
