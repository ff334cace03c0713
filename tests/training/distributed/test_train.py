from __future__ import annotations

import json
import shutil
from copy import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import training
from pipelines.audit import shortcuts
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import BundleError, DatasetError, ResourceError
from pipelines.metrics import AT_THRESHOLD, binary_metrics
from pipelines.progress import Silent
from pipelines.ray_map.nodes import Node
from pipelines.tokens.tokenizer import Tokenizer
from tests.training.conftest import write_dataset
from training import models
from training.bundle import kmer_baseline
from training.config import ModelConfig, TrainingConfig
from training.distributed import train as train_module
from training.distributed.launching.launch import error_of_ray
from training.distributed.memory_plan import plan_process
from training.distributed.messages import WorkerSpec
from training.distributed.nodes.placement import place
from training.distributed.run_key import run_key
from training.distributed.train import Share, train
from training.engine import loop
from training.engine.collective import Alone
from training.engine.scoring import probabilities
from training.memory.plan import step_allowance
from training.models import embedding_file
from training.splits import open_splits

pytestmark = pytest.mark.ray
MODEL = ModelConfig(embedding=8, hidden=8, stem=8, dropout=0.0)
CONFIG = TrainingConfig(epochs=3, global_batch_size=16)
RESOLVED = {"training": {"epochs": 3}}
OTHER_RUN = '{"epoch": 99, "loss": 0.5}\n'


def journal(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]


def losses(output: Path) -> np.ndarray:
    return np.array([[record["loss"], record["validation_loss"]] for record in journal(output)])


@pytest.fixture(scope="module")
def trained(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run in a child process, in a directory where a killed driver had left its scratch files."""
    output = tmp_path_factory.mktemp("runs") / "run"
    (output / ".ray-0123456789ab").mkdir(parents=True)
    train(MODEL, CONFIG, dataset, output, Silent(), RESOLVED, cpus=2)
    return output


def test_a_run_leaves_its_configuration_its_epochs_and_a_bundle(trained: Path) -> None:
    assert yaml.safe_load((trained / "experiment.yaml").read_text()) == RESOLVED
    assert [record["epoch"] for record in journal(trained)] == [1, 2, 3]
    assert training.load(trained / "bundle").config["genomes"] == ["toy"]


def test_what_a_killed_driver_left_behind_is_cleared_away(trained: Path) -> None:
    assert not list(trained.glob(".ray-*"))


def test_a_run_leaves_the_vectors_of_its_best_epoch_as_an_embedding_file(trained: Path) -> None:
    bundle = training.load(trained / "bundle")
    (path,) = (trained / "embeddings").iterdir()
    metadata, metrics = embedding_file.read_metadata(path), bundle.config["metrics"]
    assert (metadata["epoch"], metadata["accuracy"]) == (str(metrics["epoch"]), f"{metrics['threshold_accuracy']:.4f}")
    vectors = embedding_file.load(path, bundle.tokenizer, 8)
    assert torch.equal(vectors[1:], bundle.model.state_dict()["embedding.weight"][1:])


def test_the_bundle_holds_the_epoch_of_highest_validation_auroc(trained: Path, dataset: Path) -> None:
    bundle, validation = training.load(trained / "bundle"), TokenDataset.open(dataset, "validation")
    scores = [record["validation_auroc"] for record in journal(trained)]
    assert bundle.config["metrics"]["epoch"] == int(np.argmax(scores)) + 1
    scores_of_best = probabilities(bundle.model, validation.tokens, validation.lengths, 65_536)
    loss = -np.log(np.where(validation.labels == 1, scores_of_best, 1 - scores_of_best)).mean()
    assert loss == pytest.approx(bundle.config["metrics"]["validation_loss"], rel=1e-4)
    at_threshold = binary_metrics(validation.labels, scores_of_best, bundle.config["threshold"])
    for name in AT_THRESHOLD:
        assert bundle.config["metrics"][f"threshold_{name}"] == pytest.approx(at_threshold[name])


def test_a_child_process_without_ray_trains_the_weights_of_the_bare_loop(
    trained: Path, train_split: TokenDataset, validation_split: TokenDataset
) -> None:
    state = loop.start(models.fresh(MODEL, train_split.tokenizer, CONFIG.seed), CONFIG)
    loop.fit(state, train_split, validation_split, CONFIG, Alone(), torch.device("cpu"))
    expected = [[record["loss"], record["validation_loss"]] for record in state.records]
    np.testing.assert_allclose(losses(trained), expected, rtol=1e-4)
    weights = training.load(trained / "bundle").model.state_dict()
    for name, tensor in state.best.items():
        torch.testing.assert_close(weights[name], tensor, rtol=1e-3, atol=1e-4)


# Without `full`, test_faults.py compares two workers of Ray with the bare loop.
@pytest.mark.full
def test_a_worker_of_ray_trains_the_same_weights_as_a_child_process(
    ray_session: Any, trained: Path, dataset: Path, tmp_path: Path
) -> None:
    train(MODEL, CONFIG, dataset, tmp_path, Silent(), RESOLVED)
    for name in ("model.safetensors", "tokenizer.json"):
        assert (tmp_path / "bundle" / name).read_bytes() == (trained / "bundle" / name).read_bytes()
    assert losses(tmp_path).tolist() == losses(trained).tolist()


@pytest.mark.full
def test_two_workers_draw_the_same_curve_as_one(ray_session: Any, trained: Path, dataset: Path, tmp_path: Path) -> None:
    two = TrainingConfig(epochs=3, global_batch_size=16, workers=2, token_budget=700)
    records: list[dict[str, Any]] = []
    bundle = train(MODEL, two, dataset, tmp_path, Silent(), {}, records.append)
    assert records == journal(tmp_path)
    np.testing.assert_allclose(losses(tmp_path), losses(trained), rtol=1e-5)
    for name, tensor in training.load(trained / "bundle").model.state_dict().items():
        torch.testing.assert_close(bundle.model.state_dict()[name], tensor, rtol=1e-3, atol=1e-5)
    assert len(list((tmp_path / "embeddings").iterdir())) == 1


@pytest.mark.parametrize("retain_memory", [None, True, False])
def test_a_worker_may_grow_by_what_is_planned(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, retain_memory: bool | None
) -> None:
    class BegunError(Exception):
        """Workers would start now."""

    def begin(function: Any, spec: WorkerSpec, *_: Any) -> None:
        specs.append(spec)
        raise BegunError

    specs: list[WorkerSpec] = []
    monkeypatch.setattr(train_module.child, "run_in_child", begin)
    share = None if retain_memory is None else Share(place([Node(1, 0)], 1, "cpu"), retain_memory)
    training = CONFIG.model_copy(update={"token_budget": 700})
    with pytest.raises(BegunError):
        train(MODEL, training, dataset, tmp_path, Silent(), {}, share=share, cpus=1)
    splits = open_splits(dataset)
    planned = plan_process(MODEL, training, splits, "cpu").allowance
    lengths, size = splits[0].lengths, splits[0].tokenizer.vocabulary_size
    of_trial = step_allowance(MODEL, training, lengths, size, "recognise")
    assert 0 < of_trial < planned
    assert specs[0].allowance == {None: planned, True: of_trial, False: 0}[retain_memory]


def test_a_finished_run_starts_no_worker_and_writes_nothing(
    trained: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress = Silent()
    before = {path: path.stat().st_mtime_ns for path in trained.rglob("*") if path.name != "experiment.yaml"}
    monkeypatch.setattr(train_module, "launch", lambda *_: pytest.fail("a worker was started"))
    records: list[dict[str, Any]] = []
    train(MODEL, CONFIG, dataset, trained, progress, RESOLVED, records.append)
    assert records == journal(trained)
    assert any("nothing to do" in note for note in progress.notes)
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_a_finished_run_gets_its_own_epochs_back_after_another_began_in_its_directory(
    trained: Path, dataset: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(trained, tmp_path / "run")
    (copy / "metrics.jsonl").write_text(OTHER_RUN)
    train(MODEL, CONFIG, dataset, copy, Silent(), {})
    assert (copy / "metrics.jsonl").read_text() == (trained / "metrics.jsonl").read_text()


def test_a_dataset_built_with_other_values_is_a_warning_and_its_values_count(
    trained: Path, dataset: Path, tmp_path: Path
) -> None:
    copy, progress = shutil.copytree(trained, tmp_path / "run"), Silent()
    train(MODEL, CONFIG, dataset, copy, progress, RESOLVED | {"crop": {"length": 512, "position": "centre"}})
    (warning,) = progress.warnings
    assert "crop.length none, not 512; crop.position random, not centre" in warning
    assert "\n" not in warning
    assert yaml.safe_load((copy / "experiment.yaml").read_text()) == RESOLVED | {"crop": {"position": "random"}}


def test_a_run_that_lost_its_bundle_makes_it_again_without_training(
    trained: Path, dataset: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(trained, tmp_path / "run")
    shutil.rmtree(copy / "bundle")
    (copy / "metrics.jsonl").write_text(OTHER_RUN)
    again = train(MODEL, CONFIG, dataset, copy, Silent(), {})
    assert again.config == training.load(trained / "bundle").config
    assert (copy / "metrics.jsonl").read_text() == (trained / "metrics.jsonl").read_text()


def test_the_same_run_gives_the_same_bundle_however_long_it_took(trained: Path, dataset: Path, tmp_path: Path) -> None:
    train_split, validation = (TokenDataset.open(dataset, name) for name in ("train", "validation"))
    key = training.load(trained / "bundle").config["run"]
    run = train_module.Run(
        MODEL, CONFIG, dataset, shutil.copytree(trained, tmp_path / "run"), train_split, validation, key
    )
    document = run.final_checkpoint()
    assert document is not None
    for record in [*document["records"], document["best_record"]]:
        record.update(seconds=1e6, tokens_per_second=1, peak_memory_bytes=7)
    run.write_bundle(document, Silent())
    for path in (trained / "bundle").iterdir():
        assert (run.output / "bundle" / path.name).read_bytes() == path.read_bytes()


def test_a_train_split_of_one_label_has_no_regression(dataset: Path, tmp_path: Path) -> None:
    train_split, validation = (TokenDataset.open(dataset, name) for name in ("train", "validation"))
    one_label = copy(train_split)
    vars(one_label)["labels"] = np.ones_like(train_split.labels)
    run = train_module.Run(MODEL, CONFIG, dataset, tmp_path, one_label, validation, "key")
    rules = run._rules(Silent())
    assert kmer_baseline.KEY not in rules
    assert "kmers" not in rules["shortcuts"]


def test_the_bundle_has_the_rules_on_validation_and_what_it_was_made_of(trained: Path, dataset: Path) -> None:
    config = training.load(trained / "bundle").config
    rules = shortcuts.audit(TokenDataset.open(dataset, "train"), TokenDataset.open(dataset, "validation"))
    kmers = config["shortcuts"].pop("kmers")
    assert config["shortcuts"] == {rule.name: rule.metrics["auroc"] for rule in rules}
    regression = kmer_baseline.of_bundle(config, "bundle")
    assert regression is not None
    assert regression.rule("kmers", TokenDataset.open(dataset, "validation")).metrics["auroc"] == kmers
    model = training.load(trained / "bundle").model
    assert config["parameters"] == sum(parameter.numel() for parameter in model.parameters())
    assert "mlflow" not in config["training"]


def test_a_finished_run_with_a_bundle_of_an_earlier_format_is_not_trained_again(
    trained: Path, dataset: Path, tmp_path: Path
) -> None:
    copy, progress = shutil.copytree(trained, tmp_path / "run"), Silent()
    path = copy / "bundle" / "config.json"
    old = json.loads(path.read_text()) | {"format_version": 1, "records": journal(trained)}
    path.write_text(json.dumps({name: value for name, value in old.items() if name not in ("files", "digest")}))
    before = path.read_bytes()
    shutil.rmtree(next(copy.glob("checkpoints-*")))
    (copy / "metrics.jsonl").write_text(OTHER_RUN)
    train(MODEL, CONFIG, dataset, copy, progress, RESOLVED)
    assert path.read_bytes() == before
    assert (copy / "metrics.jsonl").read_text() == (trained / "metrics.jsonl").read_text()


def test_a_finished_run_keeps_its_journal_where_checkpoints_are_gone(
    trained: Path, dataset: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(trained, tmp_path / "run")
    shutil.rmtree(next(copy.glob("checkpoints-*")))
    train(MODEL, CONFIG, dataset, copy, Silent(), RESOLVED)
    assert (copy / "metrics.jsonl").read_text() == (trained / "metrics.jsonl").read_text()


@pytest.mark.full
def test_a_dataset_that_only_workers_cannot_read_is_an_error_of_one_line(ray_session: Any, tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "dataset", rows=16)

    class Vanishing(Silent):
        def note(self, text: str) -> None:
            for path in folder.glob("split=train/*.parquet"):
                path.unlink()

    with pytest.raises(DatasetError, match=r"part-00000\.parquet") as caught:
        train(MODEL, CONFIG, folder, tmp_path / "run", Vanishing(), {})
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize(("failure", "reason"), [(ValueError(), "ValueError"), (ValueError("a\nb\n"), "b")])
def test_a_failure_with_or_without_a_message_is_one_line(failure: Exception, reason: str) -> None:
    assert str(error_of_ray(failure)).startswith(f"training stopped ({reason}): run the same command")


def test_a_driver_that_cannot_fit_what_comes_after_training_is_refused_before_anything_starts(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_module, "available_memory", lambda kind: 200_000_000)
    with pytest.raises(ResourceError, match="fitting the 5-mer regression to train, after training, needs "):
        train(MODEL, CONFIG, dataset, tmp_path / "run", Silent(), RESOLVED, cpus=2)


def test_more_workers_than_cpus_are_refused_before_anything_starts(
    ray_session: Any, dataset: Path, tmp_path: Path
) -> None:
    with pytest.raises(ResourceError, match="the cluster has 2 CPUs"):
        train(MODEL, TrainingConfig(workers=64), dataset, tmp_path, Silent(), {})


def test_gpus_that_are_not_there_are_refused(ray_session: Any, dataset: Path, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(ResourceError, match="0 GPUs"):
        train(MODEL, TrainingConfig(device="cuda"), dataset, tmp_path, Silent(), {})


def test_a_split_of_one_class_is_refused(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "dataset", rows=16, classes=1)
    with pytest.raises(DatasetError, match="one class only"):
        train(MODEL, CONFIG, folder, tmp_path / "run", Silent(), {})


def test_workers_budget_and_device_do_not_make_another_run() -> None:
    same = TrainingConfig(workers=8, token_budget=1, device="cuda")
    assert run_key(MODEL, TrainingConfig(), "d") == run_key(MODEL, same, "d")
    others = [run_key(ModelConfig(), TrainingConfig(), "d"), run_key(MODEL, TrainingConfig(seed=1), "d")]
    assert len({run_key(MODEL, TrainingConfig(), "d"), run_key(MODEL, TrainingConfig(), "e"), *others}) == 4


def test_the_content_of_an_embedding_file_makes_another_run_and_its_path_does_not(tmp_path: Path) -> None:
    tokenizer, created = Tokenizer(3, 1, "anchor"), datetime(2026, 1, 1, tzinfo=UTC)
    vectors = torch.zeros(tokenizer.vocabulary_size, 8)
    path = embedding_file.save(vectors, tokenizer, 0.5, created, tmp_path)
    paths = [
        path,
        shutil.copy(path, tmp_path / "copy"),
        embedding_file.save(vectors + 1, tokenizer, 0.6, created, tmp_path),
    ]
    keys = [run_key(MODEL.model_copy(update={"embedding_file": str(path)}), CONFIG, "d") for path in paths]
    assert keys[0] == keys[1]
    assert len({*keys, run_key(MODEL, CONFIG, "d")}) == 3


@pytest.mark.full
def test_a_run_starts_from_its_embedding_file_and_keeps_it_where_it_is_frozen(
    ray_session: Any, dataset: Path, tmp_path: Path
) -> None:
    tokenizer = TokenDataset.open(dataset, "train").tokenizer
    vectors = torch.randn(tokenizer.vocabulary_size, 8, generator=torch.Generator().manual_seed(1))
    path = embedding_file.save(vectors, tokenizer, 0.5, datetime(2026, 1, 1, tzinfo=UTC), tmp_path)
    config = TrainingConfig(epochs=1, global_batch_size=16, freeze_embedding=-1, tensorboard=False)
    bundle = train(
        MODEL.model_copy(update={"embedding_file": str(path)}), config, dataset, tmp_path / "run", Silent(), {}
    )
    trained_vectors = bundle.model.get_parameter("embedding.weight").detach()
    assert torch.equal(trained_vectors[1:], vectors[1:])


def test_an_embedding_of_another_tokenizer_is_refused_before_anything_starts(dataset: Path, tmp_path: Path) -> None:
    tokenizer = Tokenizer(3, 3, "anchor")
    vectors = torch.zeros(tokenizer.vocabulary_size, 8)
    path = embedding_file.save(vectors, tokenizer, 0.5, datetime(2026, 1, 1, tzinfo=UTC), tmp_path)
    model = MODEL.model_copy(update={"embedding_file": str(path)})
    with pytest.raises(BundleError, match="stride"):
        train(model, CONFIG, dataset, tmp_path / "run", Silent(), {})


@pytest.mark.full
def test_a_dataset_that_is_replaced_when_workers_start_is_refused(ray_session: Any, tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "dataset", rows=16)

    class Replacing(Silent):
        def note(self, text: str) -> None:
            if (folder / "old").exists() or "training on" not in text:
                return
            shutil.rmtree(folder)
            write_dataset(folder, rows=24)
            (folder / "old").touch()

    with pytest.raises(DatasetError, match="was replaced since"):
        train(MODEL, CONFIG, folder, tmp_path / "run", Replacing(), {})
