"""`raygene embed`: trains k-mer vectors on their own, and scores them on a task that overlaps cannot solve."""

from __future__ import annotations

import filecmp
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.context import Context
from cluster.options.flags import add_experiment_argument
from cluster.options.parser import Parser
from cluster.paths.output_paths import PathRole
from pipelines import storage
from pipelines.errors import UsageError

if TYPE_CHECKING:
    from training.embed.corpus import Corpus

SECTIONS = ("tokenizer", "embedding")
DESCRIPTION = """\
Learns a vector for every k-mer (skip-gram with negative sampling, contexts that share no base with the k-mer) from the
train split of a dataset, or from whole genomes, and writes one embedding file with the tokenizer in it, and a page with
the figures. The accuracy in the file's name is that of predicting hidden k-mers of held-out sequence; it is shown with
those of random vectors and of a Markov model of order five on the same positions. --model.embedding_file of raygene
train starts a model from it."""
EXAMPLE = "raygene embed examples/yeast/experiment.yaml --dataset yeast --output embeddings"


def add_arguments(parser: Parser) -> None:
    """Add the verb's own arguments."""
    add_experiment_argument(parser)
    parser.add_argument(
        "--dataset",
        type=PathRole.READ_DATASET,
        metavar="DATASET",
        help="learn from the train split of a dataset made by raygene build",
    )
    parser.add_argument(
        "--fasta",
        type=PathRole.READ_FILE,
        nargs="+",
        metavar="FASTA",
        help="or from whole genomes: plain or compressed",
    )
    parser.add_argument(
        "--hold-out",
        nargs="+",
        metavar="NAME",
        help="sequences of the genomes that are scored, not learnt from (default: the end of each, embedding.held_out)",
    )
    parser.add_argument(
        "--split",
        choices=("validation", "test"),
        help="split of the dataset that is scored (default validation)",
    )
    parser.add_argument(
        "--output",
        type=PathRole.WRITTEN_FOLDER,
        required=True,
        metavar="DIR",
        help="directory for the embedding file and its page",
    )
    parser.add_argument("--json", type=PathRole.WRITTEN_FILE, metavar="FILE", help="write the figures as JSON")


def run(context: Context) -> None:
    """Learn, score, and show the tables."""
    from training.embed import report
    from training.embed.run import STABLE_NAME, embed

    experiment = context.experiment()
    dimension = experiment.embedding.dimension or experiment.model.embedding
    arguments, terminal = context.arguments, context.terminal
    embedding = embed(_corpus(context), dimension, Path(arguments.output).absolute(), terminal)
    figures = embedding.figures
    terminal.table(
        f"{figures['positions']:,} hidden k-mers of held-out sequence, none overlapped by what is seen",
        report.ACCURACY_HEADER,
        report.accuracy_rows(figures, figures["head_bases"]),
    )
    terminal.say(report.conclude(figures))
    for sentence in report.reverse_complement_sentences(figures):
        terminal.say(sentence)
    terminal.table("Nearest k-mers by cosine", report.NEAREST_HEADER, report.nearest_rows(figures))
    if arguments.json:
        storage.write_json(Path(arguments.json), figures)
    terminal.say(f"page: {embedding.page}")
    terminal.say(f"embedding: {embedding.path}")
    stable = embedding.path.with_name(STABLE_NAME)
    # A file of that name from elsewhere stays, and there was a warning.
    if filecmp.cmp(embedding.path, stable, shallow=False):
        terminal.say(f"the same, with a name that stays: {stable}")


def _corpus(context: Context) -> Corpus:
    from pipelines.dataset import location
    from training.embed import corpus

    experiment, arguments, terminal = context.experiment(), context.arguments, context.terminal
    if (arguments.dataset is None) == (arguments.fasta is None):
        raise UsageError("raygene embed: give --dataset or --fasta, and not both", "name what to learn from")
    if arguments.dataset and arguments.hold_out:
        raise UsageError("--hold-out goes with --fasta", "a dataset has splits; choose with --split")
    if arguments.dataset is None:
        if arguments.split:
            raise UsageError("--split goes with --dataset", "hold out sequences of a genome with --hold-out")
        paths = [Path(path) for path in arguments.fasta]
        return corpus.from_fasta(paths, arguments.hold_out or [], experiment.tokenizer, experiment.embedding, terminal)
    dataset = location.of_argument(arguments.dataset)
    dataset_corpus = corpus.from_dataset(dataset, arguments.split or "validation", experiment.embedding)
    if differences := corpus.differing_tokenizer_keys(experiment.resolved(), dataset_corpus.tokenizer):
        terminal.warn(
            f"{arguments.dataset}: built with {'; '.join(differences)} as in the experiment: "
            "the dataset's tokenizer is used"
        )
    return dataset_corpus
