"""Experiments, manifests, bundles, tokenizers and embedding files that were changed.

Half of the cases that a digest would catch get a digest that fits, as a hostile hand would give them.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
import yaml
from safetensors import SafetensorError
from safetensors.torch import load

from cluster import experiment
from cluster.experiment import Experiment
from pipelines import fingerprint
from pipelines.audit.inspection import inspect
from pipelines.build import left_out
from pipelines.dataset.manifest import read_counts, read_manifest, sealed_text
from pipelines.dataset.token_dataset import TokenDataset, is_whole
from pipelines.errors import RaygeneError
from pipelines.tokens.tokenizer import Tokenizer
from tests.fuzz import mutation
from tests.fuzz.harness import CASES, MANY_CASES, Target, run_cases, written
from tests.training.conftest import write_dataset
from tests.training.small_bundle import small_bundle
from training.bundle import bundle, description, digests
from training.bundle.bundle import DIGESTED_FILES
from training.models import embedding_file
from tuning.config import TuningConfig
from tuning.trial import Trial
from tuning.trials.store import TrialStore

EXPERIMENTS = [
    """\
# an experiment
sources:
  - {genome: a, fasta: a.fa, annotation: a.gff3, chromosomes: [I, "2"], aliases: ~/a.txt, first: 3}
  - {genome: b, sequences: b.csv}
  - {genome: c, fasta: c.fa, annotation: c.gtf, chromosomes: "/chr[0-9]+/", biotypes: protein_coding}
negatives: {kinds: [shuffle, antisense:0.5], unplaced: shorten, match: [length, gc], ratio: 1.5}
crop: {length: 512, position: random}
tokenizer: {k: 6, stride: 3, tail: anchor}
split: {by: chromosome, validation: 0.1, test: [IV, "a:XV"]}
cluster: {address: local, cpus: 2}
""",
    """\
embedding: {window: 4, seed: 1, strands: both}
model: {kind: lstm, embedding: 32, hidden: 32, layers: 2, bidirectional: true}
training: {epochs: 10, global_batch_size: 64, workers: 1, seed: 0, learning_rate: 1e-3, device: cpu}
tuning:
  space: {model.hidden: [8, 16], training.learning_rate: {log_uniform: [1.0e-4, 0.1]}, tokenizer.k: {int: [3, 4]}}
  search: random
  configurations: 4
""",
    yaml.safe_dump(Experiment().resolved()),
]


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset, a bundle and an embedding file that nobody changed."""
    folder = tmp_path_factory.mktemp("seeds")
    split = TokenDataset.open(write_dataset(folder / "dataset", rows=16, longest=60), "train")
    manifest = json.loads((folder / "dataset" / "manifest.json").read_text())
    counts = [
        {"split": name, "genome": "toy", "chromosome": "chr1", "label": label, "source": "gene", "rows": 8}
        for name in ("train", "test")
        for label in (0, 1)
    ]
    manifest |= {"counts": counts, "dropped": {"toy": {"duplicate": 1}}, "leakage": {"evaluated": 3, "share": 0.1}}
    (folder / "dataset" / "manifest.json").write_text(json.dumps(manifest))
    small_bundle(split).save(folder / "bundle")
    created = datetime(2026, 1, 1, tzinfo=UTC)
    vectors = torch.rand(split.tokenizer.vocabulary_size, 8)
    embedding_file.save(vectors, split.tokenizer, 0.5, created, folder).rename(folder / "vectors.safetensors")
    return folder


def changed_json(text: str, random: Random) -> bytes:
    """A JSON document changed in its text or in its values."""
    if random.random() < 0.4:
        return mutation.mutated(text.encode(), [text.encode()], random)
    return json.dumps(mutation.with_changed_values(json.loads(text), random)).encode()


def parsed(content: bytes) -> Any:
    """The document if it is JSON, for which digests can be made."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def check_experiment(random: Random, folder: Path) -> None:
    text = random.choice(EXPERIMENTS)
    if random.random() < 0.5:
        content = mutation.mutated(text.encode(), [other.encode() for other in EXPERIMENTS], random)
    else:
        content = yaml.safe_dump(mutation.with_changed_values(yaml.safe_load(text), random)).encode()
    path = written(folder, "experiment.yaml", content)
    loaded = experiment.load(path, {})
    experiment.inputs(loaded)
    resolved = written(folder, "resolved.yaml", yaml.safe_dump(loaded.resolved()).encode())
    assert experiment.load(resolved, {}) == loaded
    copied = written(folder, "portable.yaml", experiment.portable(path)[0].encode())
    assert experiment.load(copied, {}) == loaded
    if loaded.sources:
        loaded.dataset("experiment.yaml")
    assert isinstance(loaded.tuning, TuningConfig)


def check_manifest(seeds: Path) -> Callable[[Random, Path], None]:
    text = (seeds / "dataset" / "manifest.json").read_text()

    def check(random: Random, folder: Path) -> None:
        dataset = folder / "dataset"
        if not dataset.exists():
            shutil.copytree(seeds / "dataset", dataset)
        content = changed_json(text, random)
        document = parsed(content)
        if isinstance(document, dict) and random.random() < 0.6:
            content = sealed_text(document).encode()
        written(dataset, "manifest.json", content)
        manifest = read_manifest(dataset)
        for split in ("train", "validation", "test"):
            check_split(TokenDataset.open(dataset, split))
        is_whole(dataset, manifest)
        left_out.read(dataset, manifest)
        assert all(count["rows"] > 0 for count in read_counts(dataset))
        inspect(dataset)
        description.data(manifest)

    return check


def check_split(split: TokenDataset) -> None:
    assert len(split) > 0
    assert split.offsets[0] == 0
    assert split.offsets[-1] == len(split.tokens)
    assert (split.lengths > 0).all()
    assert split.tokens.max() < split.tokenizer.vocabulary_size
    assert set(split.labels.tolist()) <= {0, 1}


def check_bundle(seeds: Path, name: str) -> Callable[[Random, Path], None]:
    seed = (seeds / "bundle" / name).read_bytes()

    def check(random: Random, folder: Path) -> None:
        saved = folder / "bundle"
        shutil.rmtree(saved, ignore_errors=True)
        shutil.copytree(seeds / "bundle", saved)
        content = changed_json(seed.decode(), random) if name.endswith(".json") else changed_tensors(seed, random)
        written(saved, name, content)
        config = parsed((saved / "config.json").read_bytes())
        if name == "tokenizer.json" and random.random() < 0.7:
            config["tokenizer"]["fingerprint"] = fingerprint.of_value(parsed(content))
        if isinstance(config, dict) and random.random() < 0.7:
            document = digests.with_digests(config, digests.entries_of_files(saved, DIGESTED_FILES, str(saved)))
            if random.random() < 0.5 and name == "config.json":
                # A configuration that says itself of what format it is.
                document = {key: value for key, value in document.items() if key != "digest"} | {
                    key: config[key] for key in ("format", "format_version") if key in config
                }
                document["digest"] = fingerprint.of_value(document)
            written(saved, "config.json", json.dumps(document).encode())
        check_loaded(bundle.load(saved))

    return check


def check_loaded(loaded: bundle.Bundle) -> None:
    assert math.isfinite(loaded.config["threshold"])
    assert all(tensor.isfinite().all() for tensor in loaded.model.state_dict().values())
    assert len(loaded.model.get_parameter("embedding.weight")) == loaded.tokenizer.vocabulary_size
    assert loaded.fingerprint


def changed_tensors(content: bytes, random: Random) -> bytes:
    """A safetensors file changed in its bytes, or in its header, whose size then fits again."""
    if random.random() < 0.4:
        return mutation.mutated(content, [content], random)
    size = int.from_bytes(content[:8], "little")
    header = changed_json(content[8 : 8 + size].decode(), random)
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + content[8 + size :]


def with_digest(content: bytes) -> bytes:
    """An embedding file with the digest that fits its metadata and vectors, where it has both."""
    size = int.from_bytes(content[:8], "little")
    header = parsed(content[8 : 8 + size])
    if not (isinstance(header, dict) and isinstance(metadata := header.get("__metadata__"), dict)):
        return content
    try:
        metadata["digest"] = embedding_file._digest(metadata, load(content)[embedding_file.TOKEN_VECTORS])
    except (SafetensorError, KeyError, TypeError):
        return content
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[8 + size :]


def check_tokenizer(seeds: Path) -> Callable[[Random, Path], None]:
    text = (seeds / "bundle" / "tokenizer.json").read_text()
    observed = json.loads(text)
    observed |= {"observed": True, "vocabulary": observed["vocabulary"][:20]}

    def check(random: Random, folder: Path) -> None:
        written(folder, "tokenizer.json", changed_json(random.choice((text, json.dumps(observed))), random))
        tokenizer = Tokenizer.load(folder)
        ids = tokenizer.encode("ACGTNACGTTGCA")
        assert ids.max() < tokenizer.vocabulary_size
        assert Tokenizer.load(folder).fingerprint == tokenizer.fingerprint

    return check


def check_embedding(seeds: Path) -> Callable[[Random, Path], None]:
    content, tokenizer = (seeds / "vectors.safetensors").read_bytes(), Tokenizer.load(seeds / "bundle")

    def check(random: Random, folder: Path) -> None:
        changed = changed_tensors(content, random)
        path = written(folder, "vectors.safetensors", changed if random.random() < 0.3 else with_digest(changed))
        vectors = embedding_file.load(path, tokenizer, 8)
        assert vectors.shape == (tokenizer.vocabulary_size, 8)
        assert vectors.isfinite().all()

    return check


def check_trial(random: Random, folder: Path) -> None:
    """A row of a study that cannot be read is set aside; one that can has numbers."""
    trial = Trial(1, 1, "f" * 64, 5, {"model.hidden": 8}, "finished", validation_auroc=0.9, epochs=2, ended=1)
    path = folder / "trials" / ("f" * 16) / "trial.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(changed_json(json.dumps(trial.to_json()), random))
    store = TrialStore(folder, read_only=True)
    assert len(store.trials) <= 1
    assert store.next_number >= 1


TARGETS: dict[str, Callable[[Path], Callable[[Random, Path], None]]] = {
    "experiment": lambda seeds: check_experiment,
    "manifest": check_manifest,
    "tokenizer": check_tokenizer,
    "trial of a study": lambda seeds: check_trial,
    "embedding file": check_embedding,
    "configuration of a bundle": lambda seeds: check_bundle(seeds, "config.json"),
    "tokenizer of a bundle": lambda seeds: check_bundle(seeds, "tokenizer.json"),
    "weights of a bundle": lambda seeds: check_bundle(seeds, "model.safetensors"),
}


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_read_is_valid_or_an_error_of_one_line(name: str, seeds: Path, tmp_path: Path) -> None:
    run_cases(Target(name, TARGETS[name](seeds)), tmp_path, CASES)


@pytest.mark.full
@pytest.mark.parametrize("name", TARGETS)
def test_a_thousand_cases_are_valid_or_an_error_of_one_line(name: str, seeds: Path, tmp_path: Path) -> None:
    run_cases(Target(name, TARGETS[name](seeds)), tmp_path, MANY_CASES, first=CASES)


def test_the_files_that_cases_begin_with_are_valid(seeds: Path) -> None:
    check_split(TokenDataset.open(seeds / "dataset", "train"))
    check_loaded(bundle.load(seeds / "bundle"))
    embedding_file.load(seeds / "vectors.safetensors", Tokenizer.load(seeds / "bundle"), 8)
    for text in EXPERIMENTS:
        path = written(seeds, "experiment.yaml", text.encode())
        try:
            experiment.load(path, {})
        except RaygeneError as error:
            pytest.fail(str(error))
