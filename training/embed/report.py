"""The figures of an embedding, which are the same on screen, in JSON and on the page."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipelines import report
from pipelines.tokens.tokenizer import Tokenizer
from training.embed.masked_prediction import Accuracies
from training.embed.shuffled_control import ReverseComplementCheck
from training.embed.skipgram import KmerVectors

ACCURACY_HEADER = ("top-1 accuracy of hidden k-mers", "sees", "accuracy")
NEAREST_HEADER = ("k-mer", "nearest, with cosine")
# k-mers that are still legible as labels, and points that are still worth their bytes in a page.
_MAX_LABELLED = 64
_MAX_POINTS = 4096
_MIN_DISCORDANT = 25
# Of what the vectors were learnt from and scored on, on the page.
_NAMES = {"fasta": "sequences", "hold_out": "held out", "share": "share held out"}
Json = dict[str, Any]


def figures(
    accuracies: Accuracies, check: ReverseComplementCheck | None, nearest: list[tuple[str, list[tuple[str, float]]]]
) -> Json:
    """Flat figures; the keys are described in `docs/embed.md`."""
    return {
        "accuracy": accuracies.embedding,
        "accuracy_standard_error": accuracies.standard_error,
        "random_vectors": accuracies.random_vectors,
        "markov_left": accuracies.markov_left,
        "markov_both": accuracies.markov_both,
        "most_frequent": accuracies.most_frequent,
        "positions": accuracies.positions,
        "over_markov": asdict(accuracies.over_markov),
        "over_random_vectors": asdict(accuracies.over_random_vectors),
        "reverse_complement": _check_figures(check) if check is not None else None,
        "nearest": {kmer: dict(near) for kmer, near in nearest},
    }


def _check_figures(check: ReverseComplementCheck) -> Json:
    document: Json = {
        "learnt": {"percentile": check.everywhere.learnt},
        "shuffled": {"percentile": check.everywhere.shuffled, "copies": check.copies},
        "standard_error": check.everywhere.standard_error,
        "above_chance": check.everywhere.is_above,
    }
    if check.same_gc is not None:
        document["learnt"]["same_gc_percentile"] = check.same_gc.learnt
        document["shuffled"]["same_gc_percentile"] = check.same_gc.shuffled
        document |= {
            "same_gc_standard_error": check.same_gc.standard_error,
            "same_gc_above_chance": check.same_gc.is_above,
        }
    delivered = check.delivered
    document["delivered"] = {
        "percentile": delivered.percentile,
        "p": delivered.p,
        "same_gc_percentile": delivered.same_gc,
        "same_gc_p": delivered.same_gc_p,
    }
    return document | {"kmers": check.kmers}


def accuracy_rows(document: Json, bases: int) -> list[tuple[str, str, str]]:
    """The rows under `ACCURACY_HEADER`; `bases` is how far the head's visible tokens reach on either side."""
    return [
        (
            "embedding, log-linear head",
            f"vectors of whole tokens within {bases} bases on either side",
            _percent(document["accuracy"]),
        ),
        ("random vectors, the same head", "the same tokens", _percent(document["random_vectors"])),
        ("Markov model of order 5, posterior", "5 bases on either side", _percent(document["markov_both"])),
        ("Markov model of order 5", "5 bases before", _percent(document["markov_left"])),
        ("most frequent k-mer of train", "nothing", _percent(document["most_frequent"])),
    ]


def _percent(share: float) -> str:
    return f"{share:.2%}"


def nearest_rows(document: Json) -> list[tuple[str, str]]:
    """The rows under `NEAREST_HEADER`."""
    return [
        (kmer, " · ".join(f"{other} {cosine:.2f}" for other, cosine in near.items()))
        for kmer, near in document["nearest"].items()
    ]


def conclude(document: Json) -> str:
    """Compare the embedding with the better Markov figure and with random vectors under its head, a sentence each."""
    return (
        f"The embedding {_compare(document['over_markov'], 'the better Markov figure')}. "
        f"It {_compare(document['over_random_vectors'], 'random vectors under the same head')}."
    )


def _compare(lead: Json, other: str) -> str:
    difference, error = lead["difference"], lead["standard_error"]
    points = f"{100 * difference:+.2f} percentage points"
    if lead["discordant"] < _MIN_DISCORDANT or not error:
        return f"and {other}: too few positions to tell ({points}, {lead['discordant']} at which one alone is right)"
    points += f", {difference / error:+.1f} standard errors"
    if difference > 2 * error:
        return f"is above {other} ({points})"
    if difference < -2 * error:
        return f"is below {other} ({points})"
    return f"is within two standard errors of {other} ({points})"


def reverse_complement_sentences(document: Json) -> list[str]:
    """The result of the check of reverse complements: first in what was learnt, then in the delivered vectors."""
    check = document["reverse_complement"]
    if check is None:
        return [f"No two k-mers that were learnt are each other's reverse complement.{_rare_kmers(document)}"]
    learnt, shuffled, delivered = check["learnt"], check["shuffled"], check["delivered"]
    in_learnt = (
        f"In what was learnt a k-mer's reverse complement ranks {_above(check['above_chance'])} chance among its "
        f"neighbours: it is nearer than {learnt['percentile']:.1%} of other k-mers, and than "
        f"{shuffled['percentile']:.1%} in vectors learnt the same way from the sequence shuffled "
        f"({shuffled['copies']} times; standard error of the difference {check['standard_error']:.1%})"
    )
    if "same_gc_above_chance" in check:
        in_learnt += (
            f"; of those with as many G and C {learnt['same_gc_percentile']:.1%} and "
            f"{shuffled['same_gc_percentile']:.1%}, {_above(check['same_gc_above_chance'])} chance "
            f"(standard error {check['same_gc_standard_error']:.1%})"
        )
    in_delivered = f"In the vectors delivered it is nearer than {delivered['percentile']:.1%}"
    if delivered["same_gc_percentile"] is not None:
        in_delivered += f", and than {delivered['same_gc_percentile']:.1%} of those with as many G and C"
    return [
        f"{in_learnt}. {document['strands']}{_rare_kmers(document)}",
        f"{in_delivered}. {document['imposed']}",
    ]


def _above(above: bool) -> str:
    return "above" if above else "not above"


def _rare_kmers(document: Json) -> str:
    """A sentence about k-mers too rare to be learnt, with a space before it; empty if there are none."""
    number = document["left_out"]
    if not number:
        return ""
    if number == 1:
        return " 1 k-mer too rare to be learnt is left out here and below."
    return f" {number:,} k-mers too rare to be learnt are left out here and below."


def build_page(document: Json, learnt: KmerVectors, tokenizer: Tokenizer) -> report.Page:
    """Build the HTML page: the figures, and a map of the k-mers."""
    page = report.Page(
        "k-mer embedding",
        f"{tokenizer.k}-mers, stride {tokenizer.stride} · {document['dimension']} numbers each · {document['about']}",
    )
    page.paragraph(conclude(document), lead=True)
    page.table(
        f"{document['positions']:,} hidden k-mers of held-out sequence, none overlapped by what is seen",
        ACCURACY_HEADER,
        accuracy_rows(document, document["head_bases"]),
    )
    for sentence in reverse_complement_sentences(document):
        page.paragraph(sentence)
    figure, shares = principal_components(learnt, tokenizer)
    page.figures(
        (
            f"The k-mers in their two principal components ({shares[0]:.0%} and {shares[1]:.0%} of the variance, "
            "before all directions are made alike)",
            figure,
        )
    )
    page.table("Nearest k-mers by cosine: from the most frequent to the rarest", NEAREST_HEADER, nearest_rows(document))
    page.provenance([*_facts(document), ("tokenizer", tokenizer.fingerprint), ("embedding", document["key"])])
    return page


def _facts(document: Json) -> list[tuple[str, object]]:
    """What was read, and the settings."""
    content = {name: _listed(value) for name, value in document["content"].items() if value}
    settings = ", ".join(f"{name} {value}" for name, value in document["config"].items() if value is not None)
    return [*((_NAMES.get(name, name), value) for name, value in content.items()), ("settings", settings)]


def _listed(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def principal_components(learnt: KmerVectors, tokenizer: Tokenizer) -> tuple[Figure, NDArray[np.float64]]:
    """Draw the k-mers in two principal components, coloured by GC, labelled if they are few.

    Returns:
        The plot, and the share of variance of each component, shape (2,).
    """
    from sklearn.decomposition import PCA

    kmers, vectors = learnt.ids, learnt.raw
    if len(kmers) > _MAX_POINTS:
        shown = np.linspace(0, len(kmers) - 1, _MAX_POINTS).astype(int)
        kmers, vectors = kmers[shown], vectors[shown]
    pca = PCA(2, svd_solver="full")
    points = pca.fit_transform(vectors.astype(np.float64))
    gc = np.isin(tokenizer.letters[kmers], (1, 2)).mean(axis=1)
    figure, axes = report.new_figure("first component", "second component")
    dots = axes.scatter(
        points[:, 0],
        points[:, 1],
        c=gc,
        cmap="viridis",
        vmin=0,
        vmax=1,
        s=14 if len(kmers) <= 256 else 4,
        linewidths=0,
    )
    figure.colorbar(dots, ax=axes, label="share of G and C")
    if len(kmers) <= _MAX_LABELLED:
        for id_, (x, y) in zip(kmers, points, strict=True):
            axes.annotate(
                report.plain(tokenizer.vocabulary[id_]), (x, y), fontsize=6, xytext=(2, 2), textcoords="offset points"
            )
    return figure, pca.explained_variance_ratio_
