"""Trains, judges and keeps an embedding: the whole of `raygene embed`.

Four passes over what is learnt from and two over what is held out (positions are counted before they are drawn), and one over
each shuffled copy, in one process and on one thread: 3-mers of 12 Mb take about a minute, most of it the task's two heads;
6-mers some minutes, most of it gradient. A finished one is found again by its content and not made twice.
"""

from __future__ import annotations

import json
import os
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
from training.embed import chance, head, neighbours, pairs, report, skipgram, task
from training.embed.config import EmbeddingConfig
from training.embed.corpus import Corpus
from training.models import embedding_file

# To be raised when the same sequence, configuration and seed come to give other vectors, figures or files.
METHOD = 2
# The dimension is given apart, and strands are told by what is read.
NOT_CONTENT = {"dimension", "strands"}


@dataclass(frozen=True)
class Embedded:
    """A finished embedding.

    Attributes:
        path: the embedding file.
        figures: what it came to, as in the JSON beside it.
    """

    path: Path
    figures: dict[str, Any]

    @property
    def page(self) -> Path:
        """The HTML page beside the file."""
        return self.path.with_suffix(".html")


def embed(corpus: Corpus, dimension: int, output: Path, progress: Progress) -> Embedded:
    """Learn vectors, score them, and write `embed-….safetensors`, and before it a page and the figures of the same name.

    Args:
        corpus: what to learn from, and its configuration.
        dimension: of a vector.
        output: directory of the files.
        progress: told of every step.

    Raises:
        ResourceError: the place cannot be written, another process writes it, or memory is short.
        TrainingError: too little sequence, or numbers that are none.
        UsageError: the vocabulary is too large.
    """
    key = key_of(corpus, dimension)
    storage.make_directory(output)
    with storage.only_writer(output):
        storage.remove_partial(output, "embed-*-checkpoint")
        remove_unfinished(output)
        if (found := finished(output, key, corpus.tokenizer, dimension, progress)) is not None:
            progress.note(f"{found.path} is made of the same sequence and configuration already; nothing to do")
            return found
        with one_thread():
            return _made(corpus, dimension, output, key, progress)


def key_of(corpus: Corpus, dimension: int) -> str:
    """SHA-256 over what decides the vectors and their figures."""
    return fingerprint.of_value(
        {
            "method": METHOD,
            "config": EmbeddingConfig.with_first_names(corpus.config.model_dump(mode="json", exclude=NOT_CONTENT)),
            "dimension": dimension,
            "tokenizer": corpus.tokenizer.fingerprint,
            "both": corpus.both,
            "content": corpus.content,
        }
    )


def finished(output: Path, key: str, tokenizer: Tokenizer, dimension: int, progress: Progress) -> Embedded | None:
    """The embedding of a key in a directory, if it is there whole with its figures; a damaged one is noted."""
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
            told = embedding_file.read_metadata(path)
        except BundleError as error:
            damaged.append(error.problem)
            continue
        if told.get("key") == key and told.get("figures") == fingerprint.of_value(figures):
            return Embedded(path, figures)
        damaged.append(f"{path}: its figures are not those that it was written with")
    for problem in damaged:
        progress.note(f"{problem}; it is left as it is and made again")
    return None


def remove_unfinished(output: Path) -> None:
    """Remove pages and figures of which a kill kept the embedding file from being written."""
    for suffix in (".json", ".html"):
        for path in output.glob(f"embed-*-checkpoint{suffix}"):
            if not path.with_suffix(".safetensors").exists():
                path.unlink(missing_ok=True)


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread, so that sums are taken in the same order wherever this runs."""
    given = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(given)


def made_at() -> datetime:
    """Now, or what `SOURCE_DATE_EPOCH` says, for files that are the same to the byte.

    Raises:
        UsageError: it is no number of seconds.
    """
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if not given:
        return datetime.now(UTC)
    try:
        return datetime.fromtimestamp(int(given), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(f"SOURCE_DATE_EPOCH: {given!r} is no number of seconds", "unset it, or give one") from error


def _made(corpus: Corpus, dimension: int, output: Path, key: str, progress: Progress) -> Embedded:
    config, tokenizer, made = corpus.config, corpus.tokenizer, made_at()
    progress.note(f"learning from {corpus.about}")
    with progress.stage("k-mers"):
        pairs.occurrences(map(corpus.tokens, corpus.train()), tokenizer.vocabulary_size, config.min_count)
    with progress.stage("the task's positions"):
        train = task.drawn(corpus, held_out=False, wanted=config.head_positions)
        held_out = task.drawn(corpus, held_out=True, wanted=config.scored)
        markov = task.fitted_markov(corpus)
    with progress.stage("counting pairs"):
        counted = pairs.count(
            map(corpus.tokens, corpus.train()), tokenizer.vocabulary_size, corpus.first, config.window
        )
    with progress.stage("vectors", config.epochs) as stage:
        learnt = skipgram.learn(counted, tokenizer, dimension, config, stage.advance)
        vectors = learnt.vectors
    one_strand, tokens = learnt, counted.tokens
    if config.opposite_strand_weight:
        with progress.stage("vectors of contexts within a strand", config.epochs) as stage:
            one_strand = skipgram.learn(counted, tokenizer, dimension, chance.one_strand(config), stage.advance)
    # The table of pairs is most of the memory, and each copy has its own.
    del counted
    steps = config.epochs * chance.copies(tokenizer.vocabulary_size)
    with progress.stage("vectors of shuffled sequence", steps) as stage:
        checked = chance.check(corpus, one_strand, learnt, dimension, stage.advance)
    with progress.stage("the task's heads", 2 * -(-len(train.hidden) // head.BATCH)) as stage:
        scored = task.score(vectors, train, held_out, markov, corpus, stage.advance)
    near = neighbours.nearest(vectors.numpy()[learnt.ids], learnt.ids, tokenizer, tokens)
    found = report.figures(scored, checked, near)
    found |= {
        "about": corpus.about,
        "strands": _strands(corpus),
        "imposed": _imposed(config),
        "left_out": int((tokenizer.letters < 4).all(axis=1).sum()) - len(learnt.ids),
        "both_strands": corpus.both,
        "dimension": dimension,
        "vocabulary": tokenizer.vocabulary_size,
        "k": tokenizer.k,
        "stride": tokenizer.stride,
        "head_bases": (corpus.first + config.head_window - 1) * tokenizer.stride,
        "train_tokens": int(tokens[len(SPECIALS) :].sum()),
        "config": config.model_dump(mode="json"),
        "content": corpus.content,
        "tokenizer_fingerprint": tokenizer.fingerprint,
        "key": key,
    }
    path = output / embedding_file.name_of(dimension, tokenizer.vocabulary_size, scored.embedding, made)
    report.page(found, learnt, tokenizer).write(path.with_suffix(".html"))
    storage.write_text(path.with_suffix(".json"), json.dumps(found, indent=1) + "\n")
    more = {
        "task": task.STATED,
        "markov_left": f"{scored.markov_left:.4f}",
        "markov_both": f"{scored.markov_both:.4f}",
        "random_vectors": f"{scored.random_vectors:.4f}",
        "key": key,
        "figures": fingerprint.of_value(found),
    }
    embedding_file.save(vectors, tokenizer, scored.embedding, made, output, more)
    return Embedded(path, found)


def _strands(corpus: Corpus) -> str:
    read = "Both strands were learnt from" if corpus.both else "Each sequence was learnt from on one strand only"
    return f"{read}, with contexts within a strand."


def _imposed(config: EmbeddingConfig) -> str:
    asked = {
        "embedding.opposite_strand_weight": (
            config.opposite_strand_weight,
            "of a context is the other strand's token at its place",
        ),
        "embedding.shared_bases_share": (
            config.shared_bases_share,
            "of the variance is what k-mers with the same bases at the same places have in common",
        ),
        "embedding.reverse_complement_share": (
            config.reverse_complement_share,
            "of its reverse complement's vector is added to each",
        ),
    }
    told = [f"{share:g} {what} ({name})" for name, (share, what) in asked.items() if share]
    if not told:
        return "Nothing was imposed on them (embedding.opposite_strand_weight, embedding.shared_bases_share and embedding.reverse_complement_share 0)."
    return f"That is imposed, and no finding: {'; '.join(told)}."
