"""Every output of every verb is held apart from every input: each pair of options is tried from the command line."""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from cluster import cli
from cluster.cli import main, parser_of_all
from cluster.context import Context
from cluster.experiment import load
from cluster.options.flags import parse
from cluster.options.parser import Parser
from cluster.paths import output_paths
from cluster.paths.output_paths import PathRole, Written, require_apart
from cluster.screen.terminal import Terminal
from cluster.verbs import train
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.documents import yaml_writer
from pipelines.errors import UsageError
from tests.conftest import make_genome
from tests.training.conftest import write_dataset
from tests.training.small_bundle import small_bundle

WRITTEN = {PathRole.WRITTEN_FILE, PathRole.WRITTEN_FOLDER, PathRole.WRITTEN_DATASET}
NO_PATHS = {
    "TYPE",
    "NAME",
    "N",
    "X",
    "SIZE",
    "URL",
    "JOB",
    "NAME=VALUE",
    "REGION",
    "SHARE|NAME",
    "CODON",
    "true|false",
    "CLASS",
    "{recognise,structure,classify}",
    None,
}
"""Metavars of options that take no path. One that is not here needs a role."""
ENDINGS = {("predict", "--output"): ".bed", ("scan", "--output"): ".gff3", ("evaluate", "--predictions"): ".tsv"}
ENDINGS |= {("annotate", "--output"): ".gff3", ("annotate", "--bigwig"): ".bw"}
ALTERNATIVES: dict[str, list[tuple[str, ...]]] = {
    "predict": [("--sequences",), ("--intervals", "--fasta")],
    "embed": [("--dataset",), ("--fasta",)],
    "compare": [(), ("--dataset",)],
    "init": [("--fasta", "--annotation"), ("--train", "--validation", "--test")],
}
"""Inputs of a verb that exclude each other."""


@cache
def parsers() -> dict[str, Parser]:
    (verbs,) = [action for action in parser_of_all()._actions if isinstance(action, argparse._SubParsersAction)]
    return {name: verb for name, verb in verbs.choices.items() if name != "submit"}


def options(parser: argparse.ArgumentParser) -> dict[str, PathRole]:
    return {
        (action.option_strings or [str(action.metavar)])[0]: action.type
        for action in parser._actions
        if isinstance(action.type, PathRole)
    }


PAIRS = [
    (verb, output, source)
    for verb, parser in parsers().items()
    for output, role in options(parser).items()
    if role in WRITTEN
    for source in [name for name, role in options(parser).items() if role in output_paths.READ]
]


@dataclass(frozen=True)
class Inputs:
    """A real file or directory for every input option."""

    folder: Path

    def of(self, verb: str, option: str) -> Path:
        names = {
            "EXPERIMENT.yaml": "experiment.yaml",
            "--experiment": "experiment.yaml",
            "DATASET": "dataset",
            "--dataset": "dataset",
            "BUNDLE": "run/bundle",
            "--from": "started",
            "CALLS": "calls.gff3",
            "--fasta": "genome.fa",
            "--sequences": "genome.fa",
            "--annotation": "genes.gff3",
            "--intervals": "genes.gff3",
            "--train": "sequences.csv",
            "--validation": "sequences.csv",
            "--test": "sequences.csv",
        }
        return self.folder / names[option]

    def hashes(self) -> dict[str, str]:
        return {
            str(path.relative_to(self.folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    folder = tmp_path_factory.mktemp("inputs")
    genome = make_genome(folder)
    (folder / "calls.gff3").write_text(genome.annotation.read_text())
    (folder / "excluded.bed").write_text("chr1\t0\t10\n")
    (folder / "sequences.csv").write_text("sequence,label\nACGT,1\n")
    (folder / "aliases.tsv").write_text("chr1\tchr1\n")
    source = {**genome.source(), "exclude": str(folder / "excluded.bed"), "aliases": str(folder / "aliases.tsv")}
    (folder / "vectors.safetensors").write_bytes(b"vectors")
    small_bundle(TokenDataset.open(write_dataset(folder / "dataset"), "train")).save(folder / "run" / "bundle")
    shutil.copytree(folder / "run" / "bundle", folder / "started")
    values = {
        "sources": [source],
        "tokenizer": {"from": str(folder / "run" / "bundle")},
        "model": {"embedding_file": str(folder / "vectors.safetensors")},
        "training": {"start_from": str(folder / "started")},
    }
    (folder / "experiment.yaml").write_text(yaml.safe_dump(values))
    return Inputs(folder)


def command(verb: str, inputs: Inputs, given: dict[str, str], required: str = "") -> list[str]:
    """A command line with a real input for every option, and the given paths; `required` is never left out."""
    parser = parsers()[verb]
    choices = ALTERNATIVES.get(verb, [()])
    chosen = next((names for names in choices if required in names), choices[0])
    left_out = {name for names in choices for name in names} - set(chosen)
    line, positional = [verb], list[str]()
    for name, role in options(parser).items():
        if name in left_out or (role not in output_paths.READ and name not in given):
            continue
        value = given.get(name) or str(inputs.of(verb, name))
        if name.startswith("--"):
            line += [name, value]
        else:
            positional.append(value)
    for action in parser._actions:
        flag = (action.option_strings or [str(action.metavar)])[0]
        is_given = flag in line if action.option_strings else flag in given
        if action.required and action.type in WRITTEN and not is_given:
            line += [flag, str(inputs.folder.parent / f"elsewhere-{verb}{ENDINGS.get((verb, flag), '')}")]
    return [verb, *positional, *line[1:]]


def refused(line: list[str], inputs: Inputs, capsys: pytest.CaptureFixture[str], *flags: str) -> None:
    """The command line ends with status 2 and one line that names the flags, and no input has changed."""
    before = inputs.hashes()
    capsys.readouterr()
    status = main(line)
    captured = capsys.readouterr()
    assert status == 2, (line, captured)
    assert len(captured.err.splitlines()) == 1, captured.err
    assert captured.err.startswith("raygene: error: "), captured.err
    for flag in flags:
        assert flag in captured.err, (line, captured.err)
    assert inputs.hashes() == before


def test_every_option_with_a_path_says_whether_it_is_read_or_written() -> None:
    for verb, parser in parsers().items():
        for action in parser._actions:
            if action.nargs == 0 or action.choices or "." in action.dest or action.dest.startswith("sources"):
                continue
            assert isinstance(action.type, PathRole) or action.metavar in NO_PATHS, f"{verb} {action.option_strings}"


def aimed_at(target: Path, ending: str, folder: Path) -> Iterator[Path]:
    """Paths that lead to a file, or into a directory, in every way that a file system has."""
    folder.mkdir()
    if target.is_dir():
        inner = next(path for path in sorted(target.rglob("*")) if path.is_file())
        yield from (target / f"new{ending}", inner, target / "deeper" / f"new{ending}")
        link = folder / "directory"
        link.symlink_to(target)
        yield link / f"new{ending}"
        return
    yield target
    (folder / f"symbolic{ending}").symlink_to(target)
    yield folder / f"symbolic{ending}"
    os.link(target, folder / f"hard{ending}")
    yield folder / f"hard{ending}"
    yield Path(os.path.relpath(target))
    yield target.parent / ".." / target.parent.name / target.name


@pytest.mark.parametrize(("verb", "output", "source"), PAIRS)
def test_no_output_overwrites_an_input(
    verb: str, output: str, source: str, inputs: Inputs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = inputs.of(verb, source)
    ending = ENDINGS.get((verb, output), "")
    role = options(parsers()[verb])[output]
    if role is not PathRole.WRITTEN_FILE:
        above = (target.parent, target.parent.parent) if role is PathRole.WRITTEN_DATASET else ()
        for path in (target, *above, *([target / "new"] if target.is_dir() else [])):
            refused(command(verb, inputs, {output: str(path)}, source), inputs, capsys, output)
        return
    for path in aimed_at(target, ending, tmp_path / "links"):
        if not path.name.endswith(ending):
            continue
        flags = (output, source) if not target.is_dir() else (output,)
        refused(command(verb, inputs, {output: str(path)}, source), inputs, capsys, *flags)


EXPERIMENTS = [(verb, output) for verb, output, source in PAIRS if source in ("EXPERIMENT.yaml", "--experiment")]
KEYS = {
    "sources.0.fasta": "genome.fa",
    "sources.0.annotation": "genes.gff3",
    "sources.0.exclude": "excluded.bed",
    "sources.0.aliases": "aliases.tsv",
    "model.embedding_file": "vectors.safetensors",
    "tokenizer.from": "run/bundle/tokenizer.json",
}


@pytest.mark.parametrize(("verb", "output"), EXPERIMENTS)
def test_no_output_overwrites_what_the_experiment_names(
    verb: str, output: str, inputs: Inputs, capsys: pytest.CaptureFixture[str]
) -> None:
    for key, name in KEYS.items():
        refused(command(verb, inputs, {output: str(inputs.folder / name)}), inputs, capsys, output, key.split(".")[-1])


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    folder = tmp_path_factory.mktemp("other")
    small_bundle(TokenDataset.open(write_dataset(folder / "data"), "train")).save(folder / "other")
    return Inputs(folder)


@pytest.mark.parametrize(("verb", "output"), sorted({(verb, output) for verb, output, _ in PAIRS}))
def test_nothing_is_written_into_a_bundle_or_dataset_that_is_not_even_read(
    verb: str, output: str, inputs: Inputs, other: Inputs, capsys: pytest.CaptureFixture[str]
) -> None:
    before = other.hashes()
    for folder, kind in (("other", "model bundle"), ("data", "dataset")):
        path = other.folder / folder / f"new{ENDINGS.get((verb, output), '')}"
        refused(command(verb, inputs, {output: str(path)}), inputs, capsys, output, kind)
    assert other.hashes() == before


def test_files_next_to_an_output_are_held_apart_too(
    inputs: Inputs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("x.bed", "x.json", "x.plus.bedgraph"):
        (tmp_path / name).write_bytes((inputs.folder / "genome.fa").read_bytes())
        line = ["scan", str(inputs.folder / "run" / "bundle"), "--fasta", str(tmp_path / name)]
        refused([*line, "--output", str(tmp_path / "x.gff3")], inputs, capsys, "--output", "--fasta")
        assert (tmp_path / name).read_bytes() == (inputs.folder / "genome.fa").read_bytes()
    (tmp_path / "y.bed").write_text("chr1\t0\t10\n")
    line = ["predict", str(inputs.folder / "run" / "bundle"), "--fasta", str(inputs.folder / "genome.fa")]
    line += ["--intervals", str(tmp_path / "y.bed"), "--output", str(tmp_path / "y.tsv")]
    refused(line, inputs, capsys, "--output", "--intervals")


@pytest.mark.parametrize(
    ("verb", "name"),
    [
        ("train", "metrics.jsonl"),
        ("train", "train.log"),
        ("tune", "best.yaml"),
        ("tune", "trials.csv"),
        ("tune", "report.html"),
        ("demo", "genes.bed"),
        ("profile", "trace-worker-0.json.gz"),
    ],
)
def test_an_input_by_the_name_of_a_result_is_not_overwritten(
    verb: str, name: str, inputs: Inputs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = yaml.safe_load((inputs.folder / "experiment.yaml").read_text())
    (tmp_path / name).write_text(yaml.safe_dump(values))
    if verb == "demo":
        values["sources"][0]["exclude"] = str(tmp_path / name)
        (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(values))
        line = ["demo", "--example", str(tmp_path)]
    else:
        line = [verb, str(tmp_path / name), "--dataset", str(inputs.of(verb, "--dataset"))]
    before = (tmp_path / name).read_bytes()
    refused([*line, "--output", str(tmp_path)], inputs, capsys, "--output", name)
    assert (tmp_path / name).read_bytes() == before


@pytest.mark.parametrize("verb", ["train", "tune", "embed", "profile"])
def test_results_may_lie_beside_the_experiment_and_its_inputs(verb: str, inputs: Inputs) -> None:
    def require_apart_from_inputs(output: Path) -> None:
        namespace, overrides = parse(parser_of_all(), command(verb, inputs, {"--output": str(output)}))
        context = Context(namespace, overrides, Terminal())
        cli._require_outputs_apart(context, import_module(f"cluster.verbs.{verb}"), parsers()[verb])

    require_apart_from_inputs(inputs.folder)
    with pytest.raises(UsageError, match="--output"):
        require_apart_from_inputs(inputs.folder / "run" / "bundle")


def test_a_run_is_repeated_from_its_own_experiment(
    inputs: Inputs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def is_replaced(*flags: str) -> bool:
        line = ["train", str(experiment), "--dataset", str(inputs.folder / "dataset"), "--output", str(tmp_path)]
        return train._is_replaced(Context(*parse(parser_of_all(), [*line, *flags]), Terminal()))

    experiment = tmp_path / "experiment.yaml"
    experiment.write_text(f"# by hand\n{(inputs.folder / 'experiment.yaml').read_text()}")
    assert not is_replaced()
    # The values of flags would be written over it.
    with pytest.raises(UsageError, match=r"would overwrite .*experiment\.yaml, the experiment itself, with the values"):
        is_replaced("--training.epochs", "7")
    # One that an earlier run wrote holds nothing of the user's own.
    experiment.write_text(yaml_writer.dump(load(experiment, {}).resolved()))
    assert not is_replaced()
    assert is_replaced("--training.epochs", "7")
    line = ["train", str(inputs.folder / "experiment.yaml"), "--dataset", str(inputs.folder / "dataset")]
    namespace, overrides = parse(parser_of_all(), [*line, "--output", str(tmp_path)])
    assert train._is_replaced(Context(namespace, overrides, Terminal()))


def test_two_outputs_never_share_a_path(tmp_path: Path) -> None:
    def both(first: str, second: str, role: PathRole = PathRole.WRITTEN_FILE) -> None:
        require_apart([Written("--json", tmp_path / first), Written("--report", tmp_path / second, role)])

    both("a", "b")
    both("folder/figures.json", "folder", PathRole.WRITTEN_FOLDER)
    for first, second in (("a", "a"), ("a", "./x/../a"), ("a", "A"), ("\u00e9", "e\u0301"), ("a", "a/b")):
        with pytest.raises(UsageError, match=r"--report: would overwrite .* which is --json's"):
            both(first, second)
    with pytest.raises(UsageError, match="would overwrite"):
        both("folder", "folder/deeper", PathRole.WRITTEN_FOLDER)
    with pytest.raises(UsageError, match="would overwrite"):
        both("folder", "folder", PathRole.WRITTEN_FOLDER)
    (tmp_path / "real").write_text("")
    os.link(tmp_path / "real", tmp_path / "linked")
    with pytest.raises(UsageError, match="would overwrite"):
        both("real", "linked")


def test_a_device_is_no_output() -> None:
    for path in ("/dev/null", "/dev/stdout"):
        with pytest.raises(UsageError, match="not a regular file"):
            output_paths.output_file("--json", path)


def test_a_run_directory_takes_the_report_next_to_its_bundle_but_not_within(inputs: Inputs) -> None:
    run = inputs.folder / "run"
    read = [("BUNDLE", run / "bundle"), ("--dataset", inputs.folder / "dataset")]
    mistakes = Written("--mistakes", run / "mistakes-test.bed")
    require_apart([Written("--report", run / "report-test.html"), mistakes], read)
    with pytest.raises(UsageError, match=r"--report .*lies in .*, which is BUNDLE's"):
        require_apart([Written("--report", run / "bundle" / "report-test.html"), mistakes], read)


def test_many_inputs_are_compared_in_time_in_proportion(tmp_path: Path) -> None:
    read = [(f"sources.{number}.fasta", tmp_path / f"{number}.fa") for number in range(5_000)]
    with pytest.raises(UsageError, match=r"sources\.4999\.fasta"):
        require_apart([Written("--json", tmp_path / "4999.fa")], read)


def test_an_output_given_as_a_file_address_is_written_there(
    inputs: Inputs, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    line = command("compare", inputs, {"--json": (tmp_path / "figures.json").as_uri()})
    assert main(line) == 0, capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["figures.json"]
