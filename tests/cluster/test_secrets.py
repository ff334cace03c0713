"""A marked secret in every place where an address is accepted: it is on no screen and in no file afterwards."""

from __future__ import annotations

import json
import sys
import threading
import traceback
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.cli import main, parser_of_all
from cluster.jobs.command import prepare
from cluster.paths.output_paths import PathRole
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import UsageError
from tests.cluster.paths.test_output_paths import NO_PATHS, options, parsers
from tests.conftest import make_genome
from tests.empty_store import empty_store
from tests.training.conftest import write_dataset
from tests.training.evaluation.conftest import spread
from tests.training.small_bundle import small_bundle
from training import models
from training.bundle.bundle import Bundle
from training.config import ModelConfig

SECRET = "S3CR3Tmarked"
SECRETS = ("https://user:{}@127.0.0.1:9/x", "https://127.0.0.1:9/x?X-Amz-Signature={}", "s3://KEY:{}@bucket/x")
PLACES = [(verb, name) for verb, parser in parsers().items() for name in options(parser)]


class _Server(SimpleHTTPRequestHandler):
    """Serves files whatever the user and the query are; `/refuse` refuses, and quotes the whole address."""

    def do_GET(self) -> None:
        if self.path.startswith("/refuse"):
            self.send_error(403, f"not with {self.path}")
        else:
            super().do_GET()

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture(scope="module")
def store() -> Iterator[dict[str, str]]:
    with empty_store() as variables:
        yield variables


@pytest.fixture(autouse=True)
def variables(store: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in store.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one, with an empty cache in it."""
    monkeypatch.setenv("RAYGENE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def server(folder: Path) -> Iterator[str]:
    handler = partial(_Server, directory=str(folder / "served"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def leaks(folder: Path, captured: Any, *ignored: Path) -> list[str]:
    """Where the secret is, in files, in their names, and on the screen."""
    found = [stream for stream, text in (("out", captured.out), ("err", captured.err)) if SECRET in text]
    for path in folder.rglob("*"):
        if SECRET in path.name or (path.is_file() and path not in ignored and SECRET.encode() in path.read_bytes()):
            found.append(str(path))
    return found


def command(verb: str, name: str, value: str) -> list[str]:
    """A command line with one value, and paths that do not exist for what else it needs."""
    line, positional = [verb], []
    for action in parsers()[verb]._actions:
        option = (action.option_strings or [str(action.metavar)])[0]
        if option == name or (action.required and isinstance(action.type, PathRole)):
            words = [value if option == name else "absent.gff3"]
            if action.option_strings:
                line += [option, *words]
            else:
                positional += words
    if verb == "predict" and "--intervals" not in line and "--sequences" not in line:
        line += ["--sequences", "absent.fa"]
    return [*line[:1], *positional, *line[1:]]


@pytest.mark.parametrize(("verb", "name"), PLACES)
def test_an_address_given_for_any_path_shows_no_secret(
    verb: str, name: str, folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.doctor.diagnosis.diagnose", lambda *_: (_ for _ in ()).throw(UsageError("stop")))
    for form in SECRETS[:1] if name in ("BUNDLE", "--storage") else SECRETS:
        assert main(command(verb, name, form.format(SECRET))) in (1, 2)
        captured = capfd.readouterr()
        assert leaks(folder, captured) == [], captured
        assert captured.err.startswith("raygene: error: ")


KEYS = (
    "sources.0.fasta",
    "sources.0.annotation",
    "sources.0.exclude",
    "tokenizer.from",
    "model.embedding_file",
    "training.start_from",
)


@pytest.mark.parametrize("form", [*SECRETS, "ray://host:1?token={}", "http://u:{}@h:5000"])
def test_an_address_for_any_key_of_an_experiment_shows_no_secret(
    form: str, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    genome = make_genome(folder / "genome")
    address = form.format(SECRET)
    path = folder / "experiment.yaml"
    for key in (*KEYS, "training.mlflow", "cluster.address", "split.test", "training.optimizer", "nonsense"):
        values: dict[str, Any] = {"sources": [genome.source()]}
        section, _, last = key.rpartition(".")
        (values["sources"][0] if section == "sources.0" else values.setdefault(section or "model", {}))[last] = address
        path.write_text(yaml.safe_dump(values))
        assert main(["build", str(path), "--output", "data", "--dry-run"]) in (0, 1, 2)
        captured = capfd.readouterr()
        assert leaks(folder, captured, path) == [], (key, captured)
        flag = f"--{key}" if "." in key else f"--model.{key}"
        path.write_text(yaml.safe_dump({"sources": [genome.source()]}))
        assert main(["memory", str(path), "--dataset", "absent", flag, address]) in (1, 2)
        captured = capfd.readouterr()
        assert leaks(folder, captured) == [], (key, captured)


def test_a_model_from_an_address_with_a_secret_works_and_leaves_no_trace_of_it(
    folder: Path, server: str, capfd: pytest.CaptureFixture[str]
) -> None:
    dataset = write_dataset(folder / "data")
    for split in ("train", "test"):
        spread(dataset / f"split={split}" / "part-00000.parquet")
    manifest = json.loads((dataset / "manifest.json").read_text())
    (dataset / "manifest.json").write_text(json.dumps(manifest | {"counts": []}))
    train = TokenDataset.open(dataset, "train")
    bundle = small_bundle(train)
    bundle.save(folder / "served" / "run" / "bundle")
    other = models.fresh(ModelConfig(embedding=8, hidden=8, stem=8), train.tokenizer, 1).eval()
    Bundle(other, train.tokenizer, bundle.config).save(folder / "served" / "other" / "bundle")
    (folder / "s.fa").write_text(">one\nACGTACGTACGT\n")
    address = f"http://user:{SECRET}@{server}/run/bundle?sig={SECRET}"
    assert main(["predict", address, "--sequences", "s.fa", "--output", "s.tsv"]) == 0, capfd.readouterr().err
    outputs = ["--json", "f.json", "--report", "r.html", "--predictions", "p.tsv", "--mistakes", "m.bed"]
    for second in (address.replace("run", "other"), f"{address}2"):
        line = ["evaluate", address, second, "--dataset", str(dataset), "--samples", "100", *outputs]
        assert main(line) == 0, capfd.readouterr().err
        assert leaks(folder, capfd.readouterr()) == []
    refused = address.replace("/run/", "/refuse/")
    for line in (
        ["predict", refused, "--sequences", "s.fa", "--output", "s.tsv"],
        ["scan", refused, "--fasta", "s.fa", "--output", "s.gff3"],
        ["evaluate", refused, "--dataset", str(dataset)],
    ):
        assert main(line) == 1
        assert leaks(folder, capfd.readouterr()) == []
        with pytest.raises(Exception) as failed:  # noqa: PT011
            main([*line, "--debug"])
        sys.excepthook(type(failed.value), failed.value, failed.value.__traceback__)
        captured = capfd.readouterr()
        assert "Traceback" in captured.err
        assert leaks(folder, captured) == []


def test_the_environments_addresses_are_not_shown(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://user:{SECRET}@127.0.0.1:9")
    monkeypatch.setenv("http_proxy", f"http://user:{SECRET}@127.0.0.1:9")
    for variable, address in (
        ("RAY_ADDRESS", f"ray://127.0.0.1:9?token={SECRET}"),
        ("RAY_ADDRESS", f"http://user:{SECRET}@127.0.0.1:9"),
        ("RAY_API_SERVER_ADDRESS", f"http://127.0.0.1:9/?token={SECRET}"),
        ("RAY_API_SERVER_ADDRESS", f"ftp://user:{SECRET}@host"),
    ):
        monkeypatch.setenv(variable, address)
        assert main(["submit", "list"]) in (1, 2)
        assert leaks(folder, capfd.readouterr()) == []
        monkeypatch.delenv(variable, raising=False)
    assert main(["submit", "logs", "job", "--address", f"http://user:{SECRET}@127.0.0.1:9"]) in (1, 2)
    assert leaks(folder, capfd.readouterr()) == []


def test_a_job_is_refused_a_command_line_and_an_experiment_with_a_secret(folder: Path) -> None:
    parser = parser_of_all()
    address = f"https://user:{SECRET}@host/bundle"
    fasta = ["--sequences", "/s.fa", "--output", "/s.tsv"]
    with pytest.raises(UsageError, match="the cluster would keep and show") as refused:
        prepare(["predict", address, *fasta], parser)
    assert SECRET not in "".join(traceback.format_exception(refused.value))
    path = folder / "experiment.yaml"
    path.write_text(yaml.safe_dump({"tokenizer": {"from": f"s3://KEY:{SECRET}@bucket/x"}}))
    for line in (
        ["memory", str(path), "--dataset", "/d"],
        ["doctor", f"--cluster.address=ray://host:1?token={SECRET}"],
    ):
        with pytest.raises(UsageError) as refused:
            prepare(line, parser)
        assert SECRET not in str(refused.value)
    endpoint = "s3://bucket/run/bundle?endpoint_override=localhost:9000&scheme=http"
    assert prepare(["predict", endpoint, *fasta], parser).arguments[1] == endpoint


def test_every_option_that_may_hold_an_address_is_tried() -> None:
    assert {name for _, name in PLACES} >= {"BUNDLE", "--dataset", "--fasta", "--storage", "--output", "--json"}
    assert "URL" in NO_PATHS


@pytest.mark.ray
@pytest.mark.full
def test_training_and_a_study_leave_no_trace_of_a_secret(
    folder: Path, server: str, ray_session: Any, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    dataset = write_dataset(folder / "data")
    path = folder / "experiment.yaml"
    source = {"genome": "toy", "fasta": f"https://u:{SECRET}@h/g.fa", "annotation": f"s3://K:{SECRET}@bucket/a.gff3"}
    values = {
        "sources": [source],
        "tokenizer": {"from": f"https://h/bundle?sig={SECRET}"},
        "model": {"embedding": 8, "hidden": 8, "stem": 8},
        "training": {"epochs": 1, "mlflow": f"{(folder / 'runs').as_uri()}", "probe": False},
        "tuning": {"space": {"model.hidden": [8]}, "configurations": 1},
    }
    path.write_text(yaml.safe_dump(values))
    monkeypatch.setenv("https_proxy", f"http://u:{SECRET}@127.0.0.1:9")
    train = ["train", str(path), "--dataset", str(dataset), "--output", str(folder / "run")]
    assert main(train) == 0, capfd.readouterr().err
    key = json.loads((folder / "run" / "bundle" / "config.json").read_text())["run"]
    path.write_text(path.read_text().replace(f"sig={SECRET}", f"sig={SECRET}rotated"))
    assert main(train) == 0
    assert "trained already" in capfd.readouterr().err
    assert json.loads((folder / "run" / "bundle" / "config.json").read_text())["run"] == key
    tune = ["tune", str(path), "--dataset", str(dataset), "--output", str(folder / "study")]
    assert main(tune) == 0, capfd.readouterr().err
    assert leaks(folder, capfd.readouterr(), path) == []
    assert "https://***@h/g.fa" in (folder / "run" / "experiment.yaml").read_text()
    session = Path(ray._private.worker._global_node.get_session_dir_path())
    assert leaks(session, capfd.readouterr()) == []
