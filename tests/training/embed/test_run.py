from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch

from pipelines.config import TokenizerConfig
from pipelines.errors import BundleError, ResourceError, UsageError
from pipelines.progress import Silent
from pipelines.tokens.tokenizer import Tokenizer
from tests.conftest import GenomeFiles
from training import models
from training.config import ModelConfig
from training.embed import run as run_module
from training.embed import skipgram
from training.embed.config import EmbeddingConfig
from training.embed.corpus import Corpus, from_dataset, from_fasta
from training.embed.run import FinishedEmbedding, embed
from training.models import embedding_file

CONFIG = EmbeddingConfig(epochs=6, head_positions=1_000, scored=1_000)
CREATED = "1772600767"
KINDS = [".html", ".json", ".safetensors"]


def of_genome(genome: GenomeFiles, config: EmbeddingConfig = CONFIG) -> Corpus:
    return from_fasta([genome.fasta], ["chr4"], TokenizerConfig(k=3, stride=1), config, Silent())


@pytest.fixture(scope="module")
def finished(genome: GenomeFiles, tmp_path_factory: pytest.TempPathFactory) -> FinishedEmbedding:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", CREATED)
        return embed(of_genome(genome), 8, tmp_path_factory.mktemp("embeddings"), Silent())


def test_file_figures_and_page_have_the_same_name(finished: FinishedEmbedding) -> None:
    files = sorted(finished.path.parent.glob("embed-*"))
    assert [file.suffix for file in files] == KINDS
    assert {file.stem for file in files} == {finished.path.stem}
    assert finished.path.name.startswith(f"embed-8-67-{finished.figures['accuracy']:.4f}-")
    assert json.loads(finished.path.with_suffix(".json").read_text()) == finished.figures


def test_the_last_embedding_has_a_stable_name_too(finished: FinishedEmbedding, genome: GenomeFiles) -> None:
    stable = finished.path.with_name(run_module.STABLE_NAME)
    assert stable.read_bytes() == finished.path.read_bytes()
    # As after a kill between the two, and after another embedding.
    for content in (None, b""):
        stable.unlink()
        if content is not None:
            shutil.copy(other_embedding(stable.parent.parent), stable)
        embed(of_genome(genome), 8, finished.path.parent, Silent())
        assert stable.read_bytes() == finished.path.read_bytes()


def other_embedding(folder: Path) -> Path:
    """Another file that `raygene embed` might have written."""
    tokenizer = Tokenizer(2, 1, "anchor")
    vectors = torch.ones(tokenizer.vocabulary_size, 4)
    return embedding_file.save(vectors, tokenizer, 0.5, datetime(2026, 1, 1, tzinfo=UTC), folder, {"key": "other"})


def test_a_file_of_someone_else_at_the_stable_name_stays(finished: FinishedEmbedding, tmp_path: Path) -> None:
    path = shutil.copy(finished.path, tmp_path)
    (tmp_path / run_module.STABLE_NAME).write_bytes(b"mine")
    progress = Silent()
    run_module.copy_to_stable_name(Path(path), progress)
    assert (tmp_path / run_module.STABLE_NAME).read_bytes() == b"mine"
    assert "left as it is" in progress.warnings[-1]


def test_metadata_name_the_task_of_the_accuracy(finished: FinishedEmbedding) -> None:
    metadata = embedding_file.read_metadata(finished.path)
    assert metadata["task"] == "top-1 accuracy of k-mers hidden with all that overlap them, on held-out sequence"
    assert finished.figures["head_bases"] == 18
    assert (metadata["accuracy"], metadata["markov_both"]) == (
        f"{finished.figures['accuracy']:.4f}",
        f"{finished.figures['markov_both']:.4f}",
    )


def test_the_page_is_one_file_with_a_picture_and_every_figure(finished: FinishedEmbedding) -> None:
    text = finished.page.read_text()
    assert "<svg" in text
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "src=" not in text
    for expected in (
        f"{finished.figures['accuracy']:.2%}",
        f"{finished.figures['markov_both']:.2%}",
        "reverse complement",
        "AAA",
        "<td>held out</td><td>chr4</td>",
        finished.figures["key"],
    ):
        assert expected in text


def test_the_same_sequence_and_seed_give_the_same_bytes(
    finished: FinishedEmbedding, genome: GenomeFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", CREATED)
    first, threads = finished, torch.get_num_threads()
    torch.set_num_threads(2)
    second = embed(of_genome(genome), 8, tmp_path / "two", Silent())
    torch.set_num_threads(threads)
    assert first.path.name == second.path.name
    for suffix in KINDS:
        assert first.path.with_suffix(suffix).read_bytes() == second.path.with_suffix(suffix).read_bytes()


def test_a_finished_embedding_is_not_made_again(
    finished: FinishedEmbedding, genome: GenomeFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(skipgram, "learn", lambda *_: pytest.fail("learnt again"))
    before = {path: path.stat().st_mtime_ns for path in finished.path.parent.iterdir()}
    progress = Silent()
    assert embed(of_genome(genome), 8, finished.path.parent, progress) == finished
    assert {path: path.stat().st_mtime_ns for path in finished.path.parent.iterdir()} == before
    assert "nothing to do" in progress.notes[-1]


@pytest.mark.parametrize("suffix", [".safetensors", ".json"])
def test_a_damaged_embedding_is_noted_and_made_again(
    finished: FinishedEmbedding, genome: GenomeFiles, tmp_path: Path, suffix: str
) -> None:
    for path in finished.path.parent.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    damaged = tmp_path / finished.path.with_suffix(suffix).name
    content = bytearray(damaged.read_bytes())
    at = -20 if suffix == ".safetensors" else content.index(b"0.0")
    content[at] ^= 1
    damaged.write_bytes(content)
    progress = Silent()
    again = embed(of_genome(genome), 8, tmp_path, progress)
    assert "it is left as it is, and the embedding is made again" in progress.notes[0]
    assert again.figures == finished.figures
    tokenizer = Tokenizer.load(again.path)
    assert torch.equal(embedding_file.load(again.path, tokenizer, 8), embedding_file.load(finished.path, tokenizer, 8))


def test_strands_that_are_the_same_are_the_same_embedding(genome: GenomeFiles) -> None:
    auto, both, given = (
        run_module.key_of(of_genome(genome, CONFIG.model_copy(update={"strands": strands})), 8)
        for strands in ("auto", "both", "given")
    )
    assert auto == both != given


def test_vectors_learnt_from_a_genome_predict_better_than_random_ones(tmp_path: Path) -> None:
    fasta = Path(__file__).parents[3] / "examples" / "yeast" / "genome.fa.gz"
    config = EmbeddingConfig(head_positions=40_000, scored=40_000)
    finished = embed(
        from_fasta([fasta], ["VIII"], TokenizerConfig(k=3, stride=1), config, Silent()), 8, tmp_path, Silent()
    )
    lead = finished.figures["over_random_vectors"]
    assert lead["difference"] > 2 * lead["standard_error"]
    assert finished.figures["accuracy"] - finished.figures["random_vectors"] == pytest.approx(lead["difference"])


def test_another_seed_size_or_held_out_sequence_is_another_embedding(genome: GenomeFiles, dataset: Path) -> None:
    corpora = [
        (of_genome(genome), 8),
        (of_genome(genome), 16),
        (of_genome(genome, CONFIG.model_copy(update={"seed": 1})), 8),
        (from_fasta([genome.fasta], ["chr3"], TokenizerConfig(k=3, stride=1), CONFIG, Silent()), 8),
        (from_fasta([genome.fasta], ["chr4"], TokenizerConfig(k=3, stride=3), CONFIG, Silent()), 8),
        (from_dataset(dataset, "test", CONFIG), 8),
        (from_dataset(dataset, "validation", CONFIG), 8),
    ]
    assert len({run_module.key_of(*arguments) for arguments in corpora}) == len(corpora)


def test_what_a_kill_leaves_is_no_embedding_and_is_removed(
    genome: GenomeFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(embedding_file, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        embed(of_genome(genome), 8, tmp_path, Silent())
    monkeypatch.undo()
    assert not list(tmp_path.glob("*.safetensors"))
    (tmp_path / ".embed-8-67-0.1-x-checkpoint.safetensors.ab.partial").touch()
    finished = embed(of_genome(genome), 8, tmp_path, Silent())
    assert {path.stem for path in tmp_path.glob("embed-*")} == {finished.path.stem}


def test_a_directory_belongs_to_one_process(genome: GenomeFiles, tmp_path: Path) -> None:
    from pipelines import storage

    with storage.only_writer(tmp_path / "out"), pytest.raises(ResourceError, match="another process is writing it"):
        embed(of_genome(genome), 8, tmp_path / "out", Silent())


def test_a_creation_time_that_is_not_a_number_is_refused(
    genome: GenomeFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(UsageError, match="SOURCE_DATE_EPOCH: 'yesterday' is not a number of seconds"):
        embed(of_genome(genome), 8, tmp_path, Silent())


def test_a_model_starts_from_it_or_refuses_another_stride_or_size(finished: FinishedEmbedding) -> None:
    config = ModelConfig(embedding=8, hidden=8, stem=8, embedding_file=str(finished.path))
    model = models.fresh(config, Tokenizer(3, 1, "anchor"), 0)
    own = Tokenizer.load(finished.path)
    assert torch.equal(model.get_parameter("embedding.weight"), embedding_file.load(finished.path, own, 8))
    with pytest.raises(BundleError, match="stride 1 against 3"):
        models.fresh(config, Tokenizer(3, 3, "anchor"), 0)
    with pytest.raises(BundleError, match=r"vectors of 8 numbers, but model.embedding is 16"):
        models.fresh(config.model_copy(update={"embedding": 16}), own, 0)
