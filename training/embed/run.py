"""Trains, judges and keeps an embedding: the whole of `raygene embed`.

Two passes over what is learnt from and two over what is held out, in one process and on one thread: 3-mers of 12 Mb take
about half a minute, most of it the task's head; 6-mers some minutes, most of it gradient. A finished one is found again by
its content and not made twice.
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
from pipelines.errors import UsageError
from pipelines.progress import Progress
from training import embedding_file
from training.embed import head, neighbours, pairs, report, skipgram, task
from training.embed.corpus import Corpus

METHOD = 1
NOT_CONTENT = {"dimension"}


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
        ResourceError: the place cannot be written, or another process writes it.
        TrainingError: too little sequence, or numbers that are none.
        UsageError: the vocabulary is too large.
    """
    key = key_of(corpus, dimension)
    storage.make_directory(output)
    with storage.only_writer(output):
        storage.remove_partial(output, "embed-*-checkpoint")
        remove_unfinished(output)
        if (found := finished(output, key)) is not None:
            progress.note(f"{found.path} is made of the same sequence and configuration already; nothing to do")
            return found
        with one_thread():
            return _made(corpus, dimension, output, key, progress)


def key_of(corpus: Corpus, dimension: int) -> str:
    """SHA-256 over what decides the vectors and their figures."""
    return fingerprint.of_value(
        {
            "method": METHOD,
            "config": corpus.config.model_dump(mode="json", exclude=NOT_CONTENT),
            "dimension": dimension,
            "tokenizer": corpus.tokenizer.fingerprint,
            "both": corpus.both,
            "content": corpus.content,
        }
    )


def finished(output: Path, key: str) -> Embedded | None:
    """The embedding of a key in a directory, if it is there with its figures."""
    for path in sorted(output.glob("embed-*-checkpoint.safetensors")):
        try:
            figures = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(figures, dict) and figures.get("key") == key and embedding_file.facts(path).get("key") == key:
            return Embedded(path, figures)
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
    with progress.stage("counting pairs"):
        counted = pairs.count(
            map(corpus.tokens, corpus.train()), tokenizer.vocabulary_size, corpus.first, config.window
        )
    with progress.stage("vectors", config.epochs) as stage:
        learnt = skipgram.learn(counted, tokenizer, dimension, config, stage.advance)
        vectors = learnt.vectors
    with progress.stage("the task's positions"):
        train = task.drawn(corpus, held_out=False, wanted=config.head_positions)
        held_out = task.drawn(corpus, held_out=True, wanted=config.scored)
        markov = task.fitted_markov(corpus)
    with progress.stage("the task's head", -(-len(train.hidden) // head.BATCH)) as stage:
        scored = task.score(vectors, train, held_out, markov, corpus, stage.advance)
    found = report.figures(
        scored,
        neighbours.mirror(vectors, tokenizer, config.seed),
        neighbours.nearest(vectors, tokenizer, counted.tokens),
    )
    found |= {
        "about": corpus.about,
        "strands": _strands(corpus),
        "both_strands": corpus.both,
        "dimension": dimension,
        "vocabulary": tokenizer.vocabulary_size,
        "k": tokenizer.k,
        "stride": tokenizer.stride,
        "head_bases": (corpus.first + config.head_window - 1) * tokenizer.stride,
        "train_tokens": int(counted.tokens[3:].sum()),
        "config": config.model_dump(mode="json"),
        "content": corpus.content,
        "tokenizer_fingerprint": tokenizer.fingerprint,
        "key": key,
    }
    path = output / embedding_file.name_of(dimension, tokenizer.vocabulary_size, scored.embedding, made)
    report.page(found, learnt, tokenizer).write(path.with_suffix(".html"))
    storage.write_text(path.with_suffix(".json"), json.dumps(found, indent=1) + "\n")
    more = {"task": task.STATED, "markov_left": f"{scored.markov_left:.4f}", "markov_both": f"{scored.markov_both:.4f}"}
    embedding_file.save(vectors, tokenizer, scored.embedding, made, output, more | {"key": key})
    return Embedded(path, found)


def _strands(corpus: Corpus) -> str:
    read = "Both strands were learnt from" if corpus.both else "Each sequence was learnt from on one strand only"
    config = corpus.config
    if not config.opposite and not config.mirrored:
        return f"{read}; nothing else draws reverse complements together (embedding.opposite and embedding.mirrored 0)."
    return (
        f"{read}; the other strand's token at a context's place counts {config.opposite:g} of a context (embedding.opposite), and "
        f"{config.mirrored:g} of its reverse complement's vector is added to each (embedding.mirrored)."
    )
