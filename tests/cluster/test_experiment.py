from __future__ import annotations

import traceback
from pathlib import Path

import pytest
import yaml

from cluster.experiment import load
from pipelines.errors import InputError, UsageError

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
    with pytest.raises(InputError, match="No such file"):
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
