"""k-mer embeddings: their task beside Markov models, other vectors and gensim; an LSTM that starts from them; and random DNA.

    python benchmarks/embedding.py --data DIR [--work DIR] [--only tasks learners models] [--seeds 0 1 2]

- tasks: `raygene embed` on S. cerevisiae (IV, VIII and XV held out), on A. thaliana chromosome 1 and on 12 Mb of random DNA, every
  base as likely (their last tenth held out).
- learners: on the same 3-mers of S. cerevisiae, this project's vectors, gensim's (`pip install gensim`) with one and two threads,
  random ones and those that models start from otherwise, each judged by the same head on the same positions.
- models: the LSTM of examples/arabidopsis from an embedding of the dataset's train split, and from scratch; test AUROC.

Figures go to benchmarks/results/embedding.json after every run; what is stored there is not repeated. About an hour on a core.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# This file lies beside a training.py, and Python looks beside the script first.
sys.path[0] = sys.argv[0] = str(Path(__file__).parents[1])

import numpy as np
import torch

from benchmarks.quality import CEREVISIAE, EXAMPLES, THALIANA, TOKEN_BUDGET, Place, build, raygene
from pipelines import metrics
from pipelines.config import TokenizerConfig
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.progress import Silent
from pipelines.tokens.vocabulary import SPECIALS
from training.bundle import bundle
from training.embed import head, neighbours, pairs, skipgram, task
from training.embed.config import EmbeddingConfig
from training.embed.corpus import Corpus, of_fasta
from training.embed.run import one_thread
from training.engine.scoring import probabilities
from training.models.initial_vectors import compositional

HERE = Path(__file__).parent
DIMENSION = 32
SENTENCE = 1000
HELD_OUT = ("IV", "VIII", "XV")
YEAST = f"{CEREVISIAE}.dna.toplevel.fa.gz"
CRESS = f"{THALIANA}_GCF_000001735.4_TAIR10.1_genomic.fna.gz"
GENOMES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "S. cerevisiae": ("cerevisiae", YEAST, ("--hold-out", *HELD_OUT)),
    "A. thaliana chromosome 1": ("arabidopsis", CRESS, ()),
    "random DNA": ("cerevisiae", "", ()),
}
RANDOM_BASES = 12_000_000
TOKENS: dict[str, tuple[str, ...]] = {
    "3-mers, stride 1": (),
    "6-mers, stride 3": ("--tokenizer.k", "6", "--tokenizer.stride", "3", "--embedding.dimension", "64"),
}
STARTS: dict[str, tuple[str, ...]] = {
    "scratch": (),
    "embedding": (),
    "embedding, frozen for 2 of 6 epochs": ("--training.freeze_embedding", "2"),
}
KEPT = (
    *(
        "accuracy",
        "accuracy_standard_error",
        "random_vectors",
        "markov_left",
        "markov_both",
        "most_frequent",
        "positions",
    ),
    *("over_markov", "over_random_vectors", "reverse_complement", "left_out", "dimension"),
)
Figures = dict[str, Any]


def tasks(place: Place) -> None:
    """`raygene embed` on whole genomes, both strands."""
    for tokens, flags in TOKENS.items():
        for genome, (example, fasta, held_out) in GENOMES.items():
            stored = place.stored.setdefault("tasks", {}).setdefault(genome, {})
            if tokens in stored:
                continue
            path = place.data / fasta if fasta else random_dna(place.work)
            target = (
                place.work / "embeddings" / f"{path.name.split('.')[0]}-{tokens.replace(', ', '-').replace(' ', '')}"
            )
            found = target.with_suffix(".json")
            raygene(
                *("embed", str(EXAMPLES / example / "experiment.yaml"), "--output", str(target), "--json", str(found)),
                *("--fasta", str(path), *held_out, *flags),
            )
            figures = json.loads(found.read_text())
            stored[tokens] = {name: figures[name] for name in KEPT}
            place.store()
            print(genome, tokens, json.dumps(stored[tokens]), flush=True)


def random_dna(work: Path) -> Path:
    """A FASTA file of bases drawn at random, every one as likely."""
    path = work / "random.fa"
    if not path.exists():
        codes = np.random.default_rng(0).integers(0, 4, RANDOM_BASES)
        work.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b">random\n" + np.frombuffer(b"ACGT", np.uint8)[codes].tobytes() + b"\n")
    return path


def learners(place: Place) -> None:
    """The same head on vectors of other origin."""
    stored = place.stored.setdefault("learners", {})
    config, tokens = EmbeddingConfig(), TokenizerConfig(k=3, stride=1)
    corpus = of_fasta([place.data / YEAST], HELD_OUT, tokens, config, Silent())
    with one_thread():
        train = task.drawn(corpus, held_out=False, wanted=config.head_positions)
        held_out = task.drawn(corpus, held_out=True, wanted=config.scored)

        def judge(name: str, make: Callable[[], torch.Tensor]) -> None:
            if name in stored:
                return
            began = time.monotonic()
            vectors = make()
            seconds = time.monotonic() - began
            fitted = head.fit(vectors, train.contexts, train.hidden, config.seed, lambda: None)
            kmers = np.arange(len(SPECIALS), corpus.tokenizer.vocabulary_size)
            near = neighbours.mirror(vectors.numpy()[kmers], kmers, corpus.tokenizer, 0)
            stored[name] = {
                "accuracy": float((fitted.predict(held_out.contexts) == held_out.hidden).mean()),
                "reverse complement": near.percentile if near else None,
                "seconds": round(seconds, 2),
                "bytes": hashlib.sha256(vectors.numpy().tobytes()).hexdigest()[:12],
            }
            place.store()
            print(name, json.dumps(stored[name]), flush=True)

        judge("this project", lambda: own(corpus))
        judge("this project, again", lambda: own(corpus))
        judge("as learnt, directions made alike", lambda: own(corpus, shared_bases_share=0, reverse_complement_share=0))
        judge(
            "the same, contexts of one strand",
            lambda: own(corpus, shared_bases_share=0, reverse_complement_share=0, opposite_strand_weight=0),
        )
        size = corpus.tokenizer.vocabulary_size
        judge("random", lambda: torch.randn(size, DIMENSION, generator=torch.Generator().manual_seed(0)))
        judge("what models start from", lambda: compositional(corpus.tokenizer.vocabulary, DIMENSION, 0))
        try:
            import gensim
        except ImportError:
            print("gensim is not installed: left out")
            return
        stored["gensim version"] = gensim.__version__
        for threads, turn in ((1, "first"), (1, "second"), (2, "first"), (2, "second")):
            plural = "s" * (threads > 1)
            judge(f"gensim, {threads} thread{plural}, {turn} run", lambda threads=threads: by_gensim(corpus, threads))  # type: ignore[misc]


def own(corpus: Corpus, **keys: float) -> torch.Tensor:
    """This project's vectors, counting included."""
    counted = pairs.count(
        map(corpus.tokens, corpus.train()), corpus.tokenizer.vocabulary_size, corpus.first, corpus.config.window
    )
    return skipgram.learn(
        counted, corpus.tokenizer, DIMENSION, corpus.config.model_copy(update=keys), lambda: None
    ).vectors


def by_gensim(corpus: Corpus, threads: int) -> torch.Tensor:
    """One epoch of word2vec; sentences are every third token, so that no context overlaps its centre, shape (ids, size)."""
    from gensim.models import Word2Vec

    sentences = []
    for codes in corpus.train():
        ids = corpus.tokens(codes)
        for phase in range(corpus.first):
            mine = ids[phase :: corpus.first]
            words = [list(map(str, mine[at : at + SENTENCE].tolist())) for at in range(0, len(mine), SENTENCE)]
            sentences += [[word for word in sentence if int(word) > 2] for sentence in words]
    learnt = Word2Vec(
        sentences,
        vector_size=DIMENSION,
        window=2,
        negative=5,
        sg=1,
        min_count=1,
        workers=threads,
        epochs=1,
        seed=0,
        sample=0,
    )
    vectors = torch.zeros(corpus.tokenizer.vocabulary_size, DIMENSION)
    for word, vector in zip(learnt.wv.index_to_key, learnt.wv.vectors, strict=True):
        vectors[int(word)] = torch.from_numpy(np.array(vector))
    return vectors


def models(place: Place, seeds: list[int]) -> None:
    """LSTMs on GC-matched crops of A. thaliana chromosome 1, one worker."""
    dataset, experiment = build("arabidopsis", place), str(EXAMPLES / "arabidopsis" / "experiment.yaml")
    target = place.work / "embeddings" / "arabidopsis-train"
    raygene("embed", experiment, "--dataset", str(dataset), "--split", "validation", "--output", str(target))
    (file,) = target.glob("embed-*-checkpoint.safetensors")
    stored = place.stored.setdefault("models", {})
    task_figures = json.loads(file.with_suffix(".json").read_text())
    stored["embedding of the train split"] = {name: task_figures[name] for name in KEPT}
    for start, flags in STARTS.items():
        for seed in seeds:
            runs = stored.setdefault(start, {}).setdefault("seeds", {})
            if str(seed) not in runs:
                folder = place.work / "runs" / f"{start.replace(' ', '-').replace(',', '')}-{seed}"
                given = () if start == "scratch" else ("--model.embedding_file", str(file), *flags)
                more = ("--training.seed", str(seed), "--training.workers", "1", *given)
                raygene("train", experiment, "--dataset", str(dataset), "--output", str(folder), *more)
                runs[str(seed)] = judged(folder, dataset)
            values = [one["auroc"] for one in runs.values()]
            stored[start] |= {"values": values, "mean": statistics.mean(values)}
            if len(values) > 1:
                stored[start]["standard deviation"] = statistics.stdev(values)
            place.store()
            print(start, seed, json.dumps(runs[str(seed)]), flush=True)


def judged(run: Path, dataset: Path) -> Figures:
    """Test AUROC of a run's bundle, and validation AUROC of each epoch."""
    found, scored = bundle.load(run / "bundle"), TokenDataset.open(dataset, "test")
    given = probabilities(found.model, scored.tokens, scored.lengths, TOKEN_BUDGET)
    return {
        "auroc": metrics.auroc(scored.labels, given),
        "validation auroc by epoch": [record["validation_auroc"] for record in found.config["records"]],
    }


def main() -> None:
    """Measure what is asked for, and store it as it comes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("embedding-work"))
    parser.add_argument(
        "--only", nargs="+", choices=("tasks", "learners", "models"), default=["tasks", "learners", "models"]
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    given = parser.parse_args()
    target = HERE / "results" / "embedding.json"
    machine = {"processor": platform.machine(), "cpus": os.cpu_count(), "python": platform.python_version()}
    stored = json.loads(target.read_text()) if target.exists() else {"machine": machine}
    place = Place(given.data.absolute(), given.work.absolute(), "test", target, stored)
    if "tasks" in given.only:
        tasks(place)
    if "learners" in given.only:
        learners(place)
    if "models" in given.only:
        models(place, given.seeds)


if __name__ == "__main__":
    main()
