"""Trains, evaluates and writes an embedding: the whole of `raygene embed`.

Four passes over the sequence to train on and two over the sequence held out (positions are counted before they are
drawn), and one over each shuffled copy, in one process and on one thread: 3-mers of 12 Mb take about a minute, most of
it for the two heads; 6-mers some minutes, most of it for gradients. A finished embedding is recognised by its key and
not made again.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from threadpoolctl import threadpool_limits

from pipelines import fingerprint, storage
from pipelines.errors import BundleError, UsageError
from pipelines.progress import Progress
from pipelines.tokens.tokenizer import Tokenizer
from pipelines.tokens.vocabulary import SPECIALS
from training.embed import cooccurrence, head, masked_prediction, neighbours, report, shuffled_control, skipgram
from training.embed.config import EmbeddingConfig
from training.embed.corpus import Corpus
from training.models import embedding_file

# Part of the key: raise it when the same sequence, configuration and seed give other vectors, figures or files.
METHOD = 2
# Not part of the key: it holds the dimension by itself, and `strands` shows in what is read.
NOT_IN_KEY = {"dimension", "strands"}
# Always the embedding of the last command that wrote to the directory, for experiments and scripts that name it.
STABLE_NAME = "embedding.safetensors"


@dataclass(frozen=True)
class FinishedEmbedding:
    """A finished embedding.

    Attributes:
        path: the embedding file, whose name has its accuracy and time.
        figures: its figures, as in the JSON file next to it.
    """

    path: Path
    figures: dict[str, Any]

    @property
    def page(self) -> Path:
        """The HTML page next to the file."""
        return self.path.with_suffix(".html")


def embed(corpus: Corpus, dimension: int, output: Path, progress: Progress) -> FinishedEmbedding:
    """Train vectors, score them, and write a page, figures, and last `embed-….safetensors`, all of the same name.

    Args:
        corpus: the sequence and the configuration.
        dimension: of a vector.
        output: directory of the files.
        progress: shows every stage.

    Raises:
        ResourceError: the directory cannot be written, another process writes to it, or memory is short.
        TrainingError: too little sequence, or vectors that are not finite.
        UsageError: the vocabulary is too large.
    """
    key = key_of(corpus, dimension)
    storage.make_directory(output)
    with storage.only_writer(output):
        storage.remove_partial(output, "embed-*-checkpoint")
        storage.remove_partial(output, STABLE_NAME)
        remove_unfinished(output)
        if (finished := find_finished(output, key, corpus.tokenizer, dimension, progress)) is not None:
            progress.note(f"{finished.path} is of the same sequence and configuration; nothing to do")
        else:
            with one_thread():
                finished = _train_and_write(corpus, dimension, output, key, progress)
        copy_to_stable_name(finished.path, progress)
        return finished


def key_of(corpus: Corpus, dimension: int) -> str:
    """SHA-256 of everything that decides the vectors and their figures."""
    return fingerprint.of_value(
        {
            "method": METHOD,
            "config": EmbeddingConfig.with_first_names(corpus.config.model_dump(mode="json", exclude=NOT_IN_KEY)),
            "dimension": dimension,
            "tokenizer": corpus.tokenizer.fingerprint,
            "both": corpus.both_strands,
            "content": corpus.content,
        }
    )


def find_finished(
    output: Path, key: str, tokenizer: Tokenizer, dimension: int, progress: Progress
) -> FinishedEmbedding | None:
    """Find the embedding of a key in a directory, whole and with its figures; a damaged one is noted and left."""
    damaged = []
    for path in sorted(output.glob("embed-*-checkpoint.safetensors")):
        try:
            figures = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if not isinstance(figures, dict) or figures.get("key") != key:
            continue
        try:
            embedding_file.load(path, tokenizer, dimension)
            metadata = embedding_file.read_metadata(path)
        except BundleError as error:
            damaged.append(error.problem)
            continue
        if metadata.get("key") == key and metadata.get("figures") == fingerprint.of_value(figures):
            return FinishedEmbedding(path, figures)
        damaged.append(f"{path}: its figures are not those it was written with")
    for problem in damaged:
        progress.note(f"{problem}; it is left as it is, and the embedding is made again")
    return None


def copy_to_stable_name(path: Path, progress: Progress) -> None:
    """Make `embedding.safetensors` next to an embedding file the same, whole or not at all.

    After a kill before it, the same command does it. A file of that name that `raygene embed` did not write stays.
    """
    stable = path.with_name(STABLE_NAME)
    if stable.exists():
        try:
            is_ours = "key" in embedding_file.read_metadata(stable)
        except BundleError:
            is_ours = False
        if not is_ours:
            progress.warn(f"{stable}: not written by raygene embed, and left as it is; the embedding is {path.name}")
            return
        if stable.read_bytes() == path.read_bytes():
            return
    with storage.replacing(stable) as temporary:
        shutil.copyfile(path, temporary)


def remove_unfinished(output: Path) -> None:
    """Remove pages and figures without an embedding file, which a killed process left."""
    for suffix in (".json", ".html"):
        for path in output.glob(f"embed-*-checkpoint{suffix}"):
            if not path.with_suffix(".safetensors").exists():
                path.unlink(missing_ok=True)


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread, so that sums are taken in the same order wherever this runs."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(threads)


def creation_time() -> datetime:
    """The time now, or that of `SOURCE_DATE_EPOCH`, with which files are the same to the byte.

    Raises:
        UsageError: it is not a number of seconds.
    """
    seconds = os.environ.get("SOURCE_DATE_EPOCH")
    if not seconds:
        return datetime.now(UTC)
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(
            f"SOURCE_DATE_EPOCH: {seconds!r} is not a number of seconds", "unset it, or set one"
        ) from error


def _train_and_write(corpus: Corpus, dimension: int, output: Path, key: str, progress: Progress) -> FinishedEmbedding:
    config, tokenizer, created = corpus.config, corpus.tokenizer, creation_time()
    progress.note(f"learning from {corpus.description}")
    with progress.stage("k-mers"):
        cooccurrence.count_tokens(map(corpus.tokens, corpus.train()), tokenizer.vocabulary_size, config.min_count)
    with progress.stage("hidden k-mers"):
        train = masked_prediction.sample_positions(corpus, held_out=False, limit=config.head_positions)
        held_out = masked_prediction.sample_positions(corpus, held_out=True, limit=config.scored)
        markov = masked_prediction.fit_markov(corpus)
    with progress.stage("counting pairs"):
        counts = cooccurrence.count(
            map(corpus.tokens, corpus.train()), tokenizer.vocabulary_size, corpus.first_distance, config.window
        )
    with progress.stage("vectors", config.epochs, unit="epochs") as stage:
        learnt = skipgram.learn(counts, tokenizer, dimension, config, stage.advance)
    one_strand, tokens = learnt, counts.tokens
    if config.opposite_strand_weight:
        with progress.stage("vectors of contexts within a strand", config.epochs, unit="epochs") as stage:
            within = shuffled_control.one_strand(config)
            one_strand = skipgram.learn(counts, tokenizer, dimension, within, stage.advance)
    # The table of pairs is most of the memory, and each shuffled copy has its own.
    del counts
    steps = config.epochs * shuffled_control.copies(tokenizer.vocabulary_size)
    with progress.stage("vectors of shuffled sequence", steps, unit="epochs") as stage:
        check = shuffled_control.check(corpus, one_strand, learnt, dimension, stage.advance)
    with progress.stage("heads", 2 * -(-len(train.hidden) // head.BATCH), unit="batches") as stage:
        accuracies = masked_prediction.score(learnt.vectors, train, held_out, markov, corpus, stage.advance)
    near = neighbours.nearest(learnt.vectors.numpy()[learnt.ids], learnt.ids, tokenizer, tokens)
    document = report.figures(accuracies, check, near)
    document |= {
        "about": corpus.description,
        "strands": _describe_strands(corpus),
        "imposed": _describe_imposed(config),
        "left_out": int((tokenizer.letters < 4).all(axis=1).sum()) - len(learnt.ids),
        "both_strands": corpus.both_strands,
        "dimension": dimension,
        "vocabulary": tokenizer.vocabulary_size,
        "k": tokenizer.k,
        "stride": tokenizer.stride,
        "head_bases": (corpus.first_distance + config.head_window - 1) * tokenizer.stride,
        "train_tokens": int(tokens[len(SPECIALS) :].sum()),
        "config": config.model_dump(mode="json"),
        "content": corpus.content,
        "tokenizer_fingerprint": tokenizer.fingerprint,
        "key": key,
    }
    path = output / embedding_file.name_of(dimension, tokenizer.vocabulary_size, accuracies.embedding, created)
    report.build_page(document, learnt, tokenizer).write(path.with_suffix(".html"))
    storage.write_json(path.with_suffix(".json"), document)
    metadata = {
        "task": masked_prediction.DESCRIPTION,
        "markov_left": f"{accuracies.markov_left:.4f}",
        "markov_both": f"{accuracies.markov_both:.4f}",
        "random_vectors": f"{accuracies.random_vectors:.4f}",
        "key": key,
        "figures": fingerprint.of_value(document),
    }
    # Last, because an embedding file without page and figures would count as finished.
    embedding_file.save(learnt.vectors, tokenizer, accuracies.embedding, created, output, metadata)
    return FinishedEmbedding(path, document)


def _describe_strands(corpus: Corpus) -> str:
    read = (
        "Both strands were learnt from" if corpus.both_strands else "Each sequence was learnt from on one strand only"
    )
    return f"{read}, with contexts within a strand."


def _describe_imposed(config: EmbeddingConfig) -> str:
    """What the configuration, and not the sequence, makes alike in the delivered vectors."""
    shares = {
        "embedding.opposite_strand_weight": (
            config.opposite_strand_weight,
            "of a context is the other strand's token at its position",
        ),
        "embedding.shared_bases_share": (
            config.shared_bases_share,
            "of the variance is what k-mers with the same bases at the same positions have in common",
        ),
        "embedding.reverse_complement_share": (
            config.reverse_complement_share,
            "of its reverse complement's vector is added to each",
        ),
    }
    imposed = [f"{share:g} {what} ({name})" for name, (share, what) in shares.items() if share]
    if not imposed:
        return f"Nothing was imposed on them ({', '.join([*shares][:-1])} and {[*shares][-1]} 0)."
    return f"That is imposed by the configuration, and is not a finding: {'; '.join(imposed)}."
