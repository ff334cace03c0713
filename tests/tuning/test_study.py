from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch
import yaml

from cluster.experiment import load
from pipelines import storage
from pipelines.dataset.token_dataset import read_manifest
from pipelines.errors import UsageError
from pipelines.progress import Silent
from pipelines.ray_map import in_this_process
from pipelines.tokens.tokenizer import Tokenizer
from tests.conftest import GenomeFiles
from tests.pipelines.build.gene_genomes import GeneGenome, make_gene_genome
from tests.training.conftest import write_dataset
from tests.tuning.conftest import BASE
from training.bundle import bundle
from training.bundle.bundle import Bundle
from training.distributed.run_key import run_key
from training.models import embedding_file
from tuning import keys, ranking
from tuning.config import TuningConfig
from tuning.search import dataset_registry
from tuning.study import Study, report_only, tune
from tuning.trial import Trial
from tuning.trials.store import TrialStore

pytestmark = pytest.mark.ray
ROOT = Path(__file__).parents[2]


def rows(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (output / "trials.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def small(ray_session: Any, dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Silent]:
    """A grid of four, of which one is far too large, with two seeds."""
    output, progress = tmp_path_factory.mktemp("tuned") / "study", Silent()
    space = {"model.embedding": [4, 8], "model.hidden": [8, 4096]}
    config = TuningConfig.model_validate(
        {"space": space, "search": "grid", "seeds": 2, "scheduler": "none", "device_memory": "1GiB", "metric": "mcc"}
    )
    tune(Study(config, BASE, dataset, output), ray_session, progress)
    return output, progress


def test_each_trial_has_a_row_with_metrics_gap_memory_and_time(small: tuple[Path, Silent]) -> None:
    trials = rows(small[0])
    assert [row["number"] for row in trials] == list(range(1, len(trials) + 1))
    assert [row["state"] for row in trials] == ["finished", "finished", "infeasible"] * 2
    for row in trials:
        if row["state"] == "finished":
            assert 0 <= row["validation_auroc"] <= 1
            assert row["train_mcc"] is not None
            assert row["epochs"] == 2
            assert row["seconds"] > 0
            assert row["memory_measured"] > 10**8
            assert row["memory_predicted"] <= row["memory_room"]
        else:
            assert row["memory_predicted"] > row["memory_room"] == 2**30
            assert "one sequence of" in row["reason"]
            assert row["epochs"] == 0


def test_a_line_is_shown_for_each_trial_as_it_ends(small: tuple[Path, Silent]) -> None:
    notes = "\n".join(small[1].notes)
    assert "trial 1: embedding 4, hidden 8, seed" in notes
    assert "infeasible (model.kind lstm: one sequence of" in notes
    assert "on train " in notes
    assert "predicted" in notes


def test_tables_page_and_rows_agree(small: tuple[Path, Silent]) -> None:
    output = small[0]
    table = pq.read_table(output / "trials.parquet").to_pylist()
    assert [row["key"] for row in table] == [row["key"] for row in rows(output)]
    assert [row["model.hidden"] for row in table] == [8, 8, 4096] * 2
    assert (output / "trials.csv").read_text().count("\n") == len(table) + 1
    page = (output / "report.html").read_text()
    assert "figure-gap" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    marked = re.findall(r"<tr class=best><td[^>]*>(\d+)</td>", page)
    chosen = ranking.best(TrialStore(output, read_only=True).trials, "mcc", 2)
    assert chosen is not None
    assert marked == [str(chosen.number)]
    assert [row["weights"] is not None for row in table] == [True] * 6


def test_the_best_configuration_is_an_experiment_and_a_bundle_that_train_finds_finished(
    small: tuple[Path, Silent], dataset: Path
) -> None:
    output = small[0]
    experiment = load(output / "best.yaml", {})
    best_bundle: Bundle = bundle.load(output / "best" / "bundle")
    assert best_bundle.config["run"] == run_key(experiment.model, experiment.training, rows(output)[0]["fingerprint"])
    finished = [row for row in rows(output) if row["state"] == "finished"]
    means: dict[int, list[float]] = {}
    for row in finished:
        means.setdefault(row["configuration"], []).append(row["validation_mcc"])
    best = max(means, key=lambda number: sum(means[number]))
    assert best_bundle.config["metrics"]["validation_mcc"] == max(means[best])


def test_a_second_run_finds_the_study_finished_and_another_study_is_refused(
    small: tuple[Path, Silent], dataset: Path, silent: Silent
) -> None:
    output = small[0]
    before = (output / "trials.jsonl").read_bytes()
    identity = json.loads((output / "study.json").read_text())["identity"]["tuning"]
    config = TuningConfig.model_validate(identity)

    def never_connect() -> Any:
        raise AssertionError("no Ray is needed")

    tune(Study(config, BASE, dataset, output), never_connect, silent)
    assert any("finished; nothing to do" in note for note in silent.notes)
    assert (output / "trials.jsonl").read_bytes() == before
    other = config.model_copy(update={"seed": 9})
    with pytest.raises(UsageError, match=r"holds another study.*seed: 0 in the study, 9 requested"):
        tune(Study(other, BASE, dataset, output), never_connect, silent)
    with pytest.raises(UsageError, match=r"holds another study.*seed: 0 in the study, 9 requested"):
        report_only(Study(other, BASE, dataset, output), silent)


def test_a_report_of_a_running_study_leaves_the_best_bundle_to_it(
    small: tuple[Path, Silent], dataset: Path, silent: Silent
) -> None:
    output = small[0]
    identity = json.loads((output / "study.json").read_text())["identity"]["tuning"]
    study = Study(TuningConfig.model_validate(identity), BASE, dataset, output)
    assert report_only(study, silent)[1].bundle is not None
    (output / "report.html").unlink()
    with storage.only_writer(output):
        assert report_only(study, silent)[1].bundle is None
    assert (output / "report.html").exists()
    assert any("the study is running" in note for note in silent.notes)
    with pytest.raises(UsageError, match="no study there"):
        report_only(Study(study.config, BASE, dataset, output / "nothing"), silent)


# Without `full`, trials of `small` are infeasible, and trials/test_worker.py has the reasons of failed ones.
@pytest.mark.full
def test_infeasible_trials_are_not_started_a_failed_one_has_its_reason_and_one_stays_within_the_memory(
    make_study: Callable[..., Study], dataset: Path, ray_session: Any, silent: Silent
) -> None:
    hidden = [16, 24, *range(2000, 4001, 200)][:12]
    study = make_study(space={"model.hidden": hidden, "model.layers": [2]}, search="grid", device_memory="1500MiB")
    model, training = keys.trial_configs(BASE, {"model.hidden": 24, "model.layers": 2}, 5, 1)
    key = run_key(model, training, read_manifest(dataset)["fingerprint"])
    damaged = study.output / "trials" / key[:16] / "checkpoints" / f"epoch-00001-step-00000000-{'0' * 16}.pt"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"no checkpoint")
    trials = tune(study, ray_session, silent)[0].trials
    assert [trial.state for trial in trials] == ["finished", "failed"] + ["infeasible"] * 10
    assert "damaged checkpoint" in trials[1].reason
    assert 10**8 < (trials[0].memory_measured or 0) < 1500 * 2**20
    for trial in trials[2:]:
        assert (trial.memory_predicted or 0) > 1500 * 2**20 * 0.5
        assert not list((study.output / "trials" / trial.key[:16]).glob("[!t]*"))


@pytest.mark.full
def test_an_embedding_file_of_another_size_makes_a_configuration_infeasible(
    make_study: Callable[..., Study], dataset: Path, ray_session: Any, silent: Silent, tmp_path: Path
) -> None:
    tokenizer = Tokenizer.load(dataset / "tokenizer.json")
    file = embedding_file.save(
        torch.rand(tokenizer.vocabulary_size, 8), tokenizer, 0.5, datetime(2026, 1, 1, tzinfo=UTC), tmp_path
    )
    base = {**BASE, "model": {**BASE["model"], "embedding_file": str(file)}}
    study = make_study(base, space={"model.embedding": [8, 16]}, search="grid", scheduler="none")
    trials = tune(study, ray_session, silent)[0].trials
    assert [trial.state for trial in trials] == ["finished", "infeasible"]
    assert "model.embedding" in trials[1].reason


@pytest.mark.full
def test_a_killed_driver_loses_nothing_and_no_trial_runs_twice(tmp_path: Path) -> None:
    data, output = write_dataset(tmp_path / "data", rows=400), tmp_path / "study"
    experiment = tmp_path / "e.yaml"
    values = {
        "model": BASE["model"],
        "training": {"epochs": 4, "global_batch_size": 8, "device": "cpu"},
        "tuning": {"space": {"model.hidden": [8, 12]}, "search": "grid", "scheduler": "none"},
        "cluster": {"cpus": 1},
    }
    experiment.write_text(yaml.safe_dump(values))
    command = [
        sys.executable,
        "-m",
        "cluster",
        "tune",
        str(experiment),
        "--dataset",
        str(data),
        "--output",
        str(output),
    ]
    driver = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def is_half_way() -> bool:
        if not (output / "trials.jsonl").exists():
            return False
        states = [row["state"] for row in rows(output)]
        begun = [row for row in rows(output) if row["state"] == "begun"]
        return "finished" in states and any(epochs_of(output, row["key"]) for row in begun)

    while not is_half_way():
        assert driver.poll() is None, "the driver ended before it could be killed"
        time.sleep(0.05)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    before = {row["key"]: row for row in rows(output)}
    began = {row["key"]: epochs_of(output, row["key"]) for row in before.values()}
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    after = rows(output)
    assert sorted(row["parameters"]["model.hidden"] for row in after) == [8, 12]
    assert {row["state"] for row in after} == {"finished"}
    for row in after:
        epochs = epochs_of(output, row["key"])
        assert [record["epoch"] for record in epochs] == [1, 2, 3, 4]
        if row["key"] in before and before[row["key"]]["state"] == "finished":
            assert row == before[row["key"]]
        expected = began.get(row["key"], [])[:-1] if row["key"] in before else []
        assert epochs[: len(expected)] == expected


@pytest.mark.full
def test_a_study_of_structure_searches_windows_and_weights_of_the_loss_by_exon_f1(
    ray_session: Any, silent: Silent, tmp_path: Path
) -> None:
    genome = make_gene_genome(tmp_path / "genome", bases=8_000)
    base = load_structure(genome, tmp_path)
    space = {
        "window.length": [500, 999],
        "model.stem_stride": [3, 9],
        "model.hidden": {"choice": [4, 8]},
        "training.site_weight": {"log_uniform": [3, 30]},
    }
    config = TuningConfig.model_validate({"space": space, "search": "random", "configurations": 4})
    study = Study(config, base, None, tmp_path / "study").for_task()
    store, _ = tune(study, ray_session, silent)
    assert len(list((tmp_path / "study" / "datasets").glob("*/manifest.json"))) == 2
    for trial in store.trials:
        assert trial.state in ("finished", "stopped early")
        assert trial.validation_exon_f1 is not None
        assert trial.validation_auroc is None
        assert read_manifest(Path(trial.dataset))["config"]["window"]["length"] == trial.parameters["window.length"]
    table = pq.read_table(tmp_path / "study" / "trials.parquet")
    assert {"validation_exon_f1", "gap_cds_f1", *space} <= set(table.column_names)
    page = (tmp_path / "study" / "report.html").read_text()
    assert "exon F1" in page
    assert "AUROC" not in page
    best = load(tmp_path / "study" / "best.yaml", {})
    chosen = ranking.best(store.trials, "exon_f1")
    assert chosen is not None
    assert (best.task, best.window.length) == ("structure", chosen.parameters["window.length"])
    assert bundle.load(tmp_path / "study" / "best" / "bundle").config["task"] == "structure"


def load_structure(genome: GeneGenome, folder: Path) -> dict[str, Any]:
    """The sections of a small experiment of structure, as `raygene tune` gives them to a study."""
    sections = {
        "task": "structure",
        "sources": [genome.source()],
        "tokenizer": {"k": 3, "stride": 1},
        "split": {"validation": ["chr2"], "test": ["chr3"]},
        "model": {"kind": "lstm", "embedding": 4, "base_channels": 4, "base_layers": 1, "stem": 8, "dropout": 0.0},
        "training": {"epochs": 2, "global_batch_size": 4, "device": "cpu"},
    }
    path = folder / "structure.yaml"
    path.write_text(yaml.safe_dump(sections))
    return {name: value for name, value in load(path, {}).resolved().items() if name != "tuning"}


@pytest.mark.full
def test_out_of_time_running_trials_stop_after_their_epoch_and_more_time_continues_with_the_rest(
    make_study: Callable[..., Study], ray_session: Any, silent: Silent
) -> None:
    space, base = {"model.hidden": [8, 12, 16, 20]}, {**BASE, "training": {**BASE["training"], "epochs": 10**4}}

    def within(seconds: float) -> list[Trial]:
        study = make_study(base, space=space, search="grid", scheduler="none", time_budget_s=seconds)
        return tune(study, ray_session, silent)[0].trials

    # A busy machine starts no trial in the first seconds, and then there are no rows.
    seconds = next(seconds for seconds in (2, 4, 8, 16, 32, 64) if within(seconds))
    early = within(seconds)
    assert {(trial.state, trial.reason) for trial in early} == {("stopped early", "tuning.time_budget_s is used up")}
    assert all(trial.epochs and trial.validation_auroc for trial in early)
    assert any(
        f"no further configuration: tuning.time_budget_s is used up ({seconds})" in note for note in silent.notes
    )
    assert silent.notes[-1].endswith("the study is finished; nothing to do")
    resumed = {trial.key: trial for trial in within(seconds + 2)}
    assert [resumed[trial.key] for trial in early] == early


@pytest.mark.full
def test_trials_of_two_workers_have_the_metrics_of_one(
    dataset: Path, ray_session: Any, silent: Silent, tmp_path: Path
) -> None:
    space = {"model.hidden": [8, 12], "model.dropout": [0.2]}
    studies = []
    for workers in (1, 2):
        config = TuningConfig.model_validate(
            {"space": space, "search": "grid", "scheduler": "none", "workers": workers}
        )
        studies.append(tune(Study(config, BASE, dataset, tmp_path / str(workers)), ray_session, silent)[0].trials)
    for alone, shared in zip(*studies, strict=True):
        assert shared.state == "finished"
        assert shared.key == alone.key
        assert shared.validation_auroc == pytest.approx(alone.validation_auroc, abs=0.02)
        assert shared.gap("auroc") == pytest.approx(alone.gap("auroc"), abs=0.02)
    assert bundle.load(tmp_path / "2" / "best" / "bundle").config["run"] in {trial.key for trial in studies[1]}


@pytest.mark.parametrize("sizes", [[4], pytest.param([3, 4], marks=pytest.mark.full)], ids=len)
def test_dataset_keys_build_a_dataset_for_each_value_and_never_the_same_twice(
    genome: GenomeFiles, ray_session: Any, silent: Silent, tmp_path: Path, sizes: list[int]
) -> None:
    base = {
        **BASE,
        "sources": [genome.source()],
        "crop": {"length": 80},
        "split": {"test": ["chr4"], "validation": ["chr3"]},
        "training": {**BASE["training"], "epochs": 1},
    }
    space = {"tokenizer.k": sizes, "tokenizer.stride": [1, 5]}
    config = TuningConfig.model_validate({"space": space, "search": "grid"})
    # Of Ray only trials are of interest here.
    with in_this_process():
        trials = tune(Study(config, base, None, tmp_path / "c"), ray_session, silent)[0].trials
    datasets = {path.name for path in (tmp_path / "c" / "datasets").iterdir() if not path.name.startswith(".")}
    assert [trial.state for trial in trials] == ["finished", "infeasible"] * len(sizes)
    assert "stride" in trials[1].reason
    assert {Path(trial.dataset).name for trial in trials if trial.state == "finished"} == datasets
    for trial in trials[::2]:
        assert read_manifest(Path(trial.dataset))["tokenizer"]["k"] == trial.parameters["tokenizer.k"]
    chosen = ranking.best(trials, "auroc")
    assert chosen is not None
    assert load(tmp_path / "c" / "best.yaml", {}).tokenizer.k == chosen.parameters["tokenizer.k"]
    manifests = sorted((tmp_path / "c" / "datasets").glob("*/manifest.json"))
    built = [path.stat().st_mtime_ns for path in manifests]
    registry = dataset_registry.build_all(base, config.search_space, tmp_path / "c", ray_session, silent)
    assert [path.stat().st_mtime_ns for path in manifests] == built
    assert {name[:12] for name in registry.fingerprints} == datasets


def test_dataset_keys_are_refused_for_an_existing_dataset(
    make_study: Callable[..., Study], ray_session: Any, silent: Silent
) -> None:
    with pytest.raises(UsageError, match=r"tokenizer\.k needs a dataset for every value"):
        tune(make_study(space={"tokenizer.k": [3, 4]}), ray_session, silent)


def epochs_of(output: Path, key: str) -> list[dict[str, Any]]:
    path = output / "trials" / key[:16] / "epochs.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_lost_table_is_made_again_from_the_rows(small: tuple[Path, Silent]) -> None:
    (small[0] / "trials.jsonl").unlink()
    TrialStore(small[0])
    assert len(rows(small[0])) == 6
