"""k-mer embeddings compared with Markov models, other vectors and gensim, and as the start of an LSTM.

    python benchmarks/embedding.py --data DIR [--work DIR] [--only tasks learners models] [--seeds 0 1 2]
        [--genomes NAME …] [--tokens NAME …] [--positions N] [--epochs 6] [--results FILE]

- tasks: `raygene embed` on S. cerevisiae (IV, VIII and XV held out), on A. thaliana chromosome 1 and on 12 Mb of random
  DNA (their last tenth held out).
- learners: on the same 3-mers of S. cerevisiae, this project's vectors, gensim's (`pip install gensim`) with one and
  two threads, random ones and those that models start from otherwise, each read by the same head on the same positions.
- models: the LSTM of examples/arabidopsis from an embedding of the dataset's train split, and from scratch; test AUROC.

Figures go to --results, by default benchmarks/results/embedding.json, after every run; what is stored there is not
repeated. It takes about an hour on a core.
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
from functools import partial
from pathlib import Path
from typing import Any

# The datasets are those of benchmarks/quality.py, which is imported from the root of the checkout.
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch

from benchmarks.process.commands import raygene
from benchmarks.process.options import add_data, at_least, parse
from benchmarks.process.results import read_results
from benchmarks.quality import CEREVISIAE, EXAMPLES, THALIANA, TOKEN_BUDGET, Workspace, build
from pipelines import metrics
from pipelines.config import TokenizerConfig
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.progress import Silent
from pipelines.tokens.vocabulary import SPECIALS
from training.bundle import bundle
from training.embed import cooccurrence, head, masked_prediction, neighbours, skipgram
from training.embed.config import EmbeddingConfig
from training.embed.corpus import Corpus, from_fasta
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


def tasks(workspace: Workspace, genomes: list[str], token_names: list[str], limits: dict[str, int]) -> None:
    """`raygene embed` on whole genomes, both strands."""
    heads = [f"--embedding.{key}={positions}" for key, positions in limits.items()]
    for tokens in token_names:
        flags = TOKENS[tokens]
        for genome in genomes:
            example, fasta, held_out = GENOMES[genome]
            stored = workspace.stored.setdefault("tasks", {}).setdefault(genome, {})
            if tokens in stored:
                continue
            path = workspace.data / fasta if fasta else random_dna(workspace.work)
            target = (
                workspace.work
                / "embeddings"
                / f"{path.name.split('.')[0]}-{tokens.replace(', ', '-').replace(' ', '')}"
            )
            report = target.with_suffix(".json")
            raygene(
                *("embed", str(EXAMPLES / example / "experiment.yaml"), "--output", str(target), "--json", str(report)),
                *("--fasta", str(path), *held_out, *flags, *heads),
            )
            figures = json.loads(report.read_text())
            stored[tokens] = {name: figures[name] for name in KEPT}
            workspace.store()
            print(genome, tokens, json.dumps(stored[tokens]), flush=True)


def random_dna(work: Path) -> Path:
    """A FASTA file of bases drawn at random, each as likely as the others."""
    path = work / "random.fa"
    if not path.exists():
        codes = np.random.default_rng(0).integers(0, 4, RANDOM_BASES)
        work.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b">random\n" + np.frombuffer(b"ACGT", np.uint8)[codes].tobytes() + b"\n")
    return path


def learners(workspace: Workspace, limits: dict[str, int]) -> None:
    """Fit the same head to vectors of other origin."""
    stored = workspace.stored.setdefault("learners", {})
    config, tokens = EmbeddingConfig.model_validate(limits), TokenizerConfig(k=3, stride=1)
    corpus = from_fasta([workspace.data / YEAST], HELD_OUT, tokens, config, Silent())
    with one_thread():
        train = masked_prediction.sample_positions(corpus, held_out=False, limit=config.head_positions)
        held_out = masked_prediction.sample_positions(corpus, held_out=True, limit=config.scored)

        def compare(name: str, make: Callable[[], torch.Tensor]) -> None:
            if name in stored:
                return
            began = time.monotonic()
            vectors = make()
            seconds = time.monotonic() - began
            fitted = head.fit(vectors, train.contexts, train.hidden, config.seed, lambda: None)
            kmers = np.arange(len(SPECIALS), corpus.tokenizer.vocabulary_size)
            near = neighbours.rank_reverse_complements(vectors.numpy()[kmers], kmers, corpus.tokenizer, 0)
            stored[name] = {
                "accuracy": float((fitted.predict(held_out.contexts) == held_out.hidden).mean()),
                "reverse complement": near.percentile if near else None,
                "seconds": round(seconds, 2),
                "bytes": hashlib.sha256(vectors.numpy().tobytes()).hexdigest()[:12],
            }
            workspace.store()
            print(name, json.dumps(stored[name]), flush=True)

        compare("this project", lambda: own(corpus))
        compare("this project, again", lambda: own(corpus))
        compare(
            "as learnt, directions made alike", lambda: own(corpus, shared_bases_share=0, reverse_complement_share=0)
        )
        compare(
            "the same, contexts of one strand",
            lambda: own(corpus, shared_bases_share=0, reverse_complement_share=0, opposite_strand_weight=0),
        )
        size = corpus.tokenizer.vocabulary_size
        compare("random", lambda: torch.randn(size, DIMENSION, generator=torch.Generator().manual_seed(0)))
        compare("what models start from", lambda: compositional(corpus.tokenizer.vocabulary, DIMENSION, 0))
        try:
            import gensim
        except ImportError:
            print("gensim is not installed: left out")
            return
        stored["gensim version"] = gensim.__version__
        for threads, turn in ((1, "first"), (1, "second"), (2, "first"), (2, "second")):
            plural = "s" * (threads > 1)
            compare(f"gensim, {threads} thread{plural}, {turn} run", partial(by_gensim, corpus, threads))


def own(corpus: Corpus, **keys: float) -> torch.Tensor:
    """This project's vectors, counting included."""
    counted = cooccurrence.count(
        map(corpus.tokens, corpus.train()),
        corpus.tokenizer.vocabulary_size,
        corpus.first_distance,
        corpus.config.window,
    )
    return skipgram.learn(
        counted, corpus.tokenizer, DIMENSION, corpus.config.model_copy(update=keys), lambda: None
    ).vectors


def by_gensim(corpus: Corpus, threads: int) -> torch.Tensor:
    """Vectors of one epoch of word2vec, shape (ids, size).

    Sentences are every third token, so that no context overlaps its centre.
    """
    from gensim.models import Word2Vec

    sentences = []
    for codes in corpus.train():
        ids = corpus.tokens(codes)
        for phase in range(corpus.first_distance):
            sentence_ids = ids[phase :: corpus.first_distance]
            words = [
                list(map(str, sentence_ids[at : at + SENTENCE].tolist()))
                for at in range(0, len(sentence_ids), SENTENCE)
            ]
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


def models(workspace: Workspace, seeds: list[int], epochs: int | None) -> None:
    """LSTMs on GC-matched crops of A. thaliana chromosome 1, one worker."""
    dataset, experiment = build("arabidopsis", workspace), str(EXAMPLES / "arabidopsis" / "experiment.yaml")
    target = workspace.work / "embeddings" / "arabidopsis-train"
    raygene("embed", experiment, "--dataset", str(dataset), "--split", "validation", "--output", str(target))
    (file,) = target.glob("embed-*-checkpoint.safetensors")
    stored = workspace.stored.setdefault("models", {})
    task_figures = json.loads(file.with_suffix(".json").read_text())
    stored["embedding of the train split"] = {name: task_figures[name] for name in KEPT}
    for start, flags in STARTS.items():
        for seed in seeds:
            runs = stored.setdefault(start, {}).setdefault("seeds", {})
            if str(seed) not in runs:
                folder = workspace.work / "runs" / f"{start.replace(' ', '-').replace(',', '')}-{seed}"
                start_flags = () if start == "scratch" else ("--model.embedding_file", str(file), *flags)
                seed_flags = ("--training.seed", str(seed), "--training.workers", "1", *start_flags)
                seed_flags += () if epochs is None else ("--training.epochs", str(epochs))
                raygene("train", experiment, "--dataset", str(dataset), "--output", str(folder), *seed_flags)
                runs[str(seed)] = score(folder, dataset)
            values = [run["auroc"] for run in runs.values()]
            stored[start] |= {"values": values, "mean": statistics.mean(values)}
            if len(values) > 1:
                stored[start]["standard deviation"] = statistics.stdev(values)
            workspace.store()
            print(start, seed, json.dumps(runs[str(seed)]), flush=True)


def score(run: Path, dataset: Path) -> Figures:
    """Test AUROC of a run's bundle, and validation AUROC of each epoch."""
    model_bundle, scored = bundle.load(run / "bundle"), TokenDataset.open(dataset, "test")
    scores = probabilities(model_bundle.model, scored.tokens, scored.lengths, TOKEN_BUDGET)
    return {
        "auroc": metrics.auroc(scored.labels, scores),
        "validation auroc by epoch": [record["validation_auroc"] for record in model_bundle.config["records"]],
    }


def main() -> None:
    """Measure the requested parts, and store figures as they arrive."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data(parser)
    parser.add_argument("--work", type=Path, default=Path("embedding-work"))
    parser.add_argument(
        "--only", nargs="+", choices=("tasks", "learners", "models"), default=["tasks", "learners", "models"]
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--genomes", nargs="+", choices=list(GENOMES), default=list(GENOMES), help="of `tasks`")
    parser.add_argument("--tokens", nargs="+", choices=list(TOKENS), default=list(TOKENS), help="of `tasks`")
    parser.add_argument(
        "--positions", type=at_least(1), help="to fit a head, and to score it (default: as `embed` has them)"
    )
    parser.add_argument("--epochs", type=at_least(1), help="of `models` (default: as the example has them)")
    arguments = parse(parser, HERE / "results" / "embedding.json", small=("positions", "epochs"))
    target = arguments.results
    machine = {"processor": platform.machine(), "cpus": os.cpu_count(), "python": platform.python_version()}
    stored = read_results(target, {"machine": machine})
    workspace = Workspace(arguments.data.absolute(), arguments.work.absolute(), "test", target, stored)
    limits = dict.fromkeys(("head_positions", "scored"), arguments.positions) if arguments.positions else {}
    if "tasks" in arguments.only:
        tasks(workspace, arguments.genomes, arguments.tokens, limits)
    if "learners" in arguments.only:
        learners(workspace, limits)
    if "models" in arguments.only:
        models(workspace, arguments.seeds, arguments.epochs)


if __name__ == "__main__":
    main()
