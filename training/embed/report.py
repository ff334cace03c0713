"""What an embedding came to: the figures on screen, in JSON and on the page, which are the same."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipelines import report
from pipelines.tokens.tokenizer import Tokenizer
from training.embed.chance import Check
from training.embed.skipgram import Learnt
from training.embed.task import Figures

TASK_HEADER = ("top-1 accuracy of hidden k-mers", "sees", "accuracy")
NEAREST_HEADER = ("k-mer", "nearest, with cosine")
_LABELLED = 64
_POINTS = 4096
_LEAST_DISCORDANT = 25
Json = dict[str, Any]


def figures(task: Figures, check: Check | None, nearest: list[tuple[str, list[tuple[str, float]]]]) -> Json:
    """Flat figures; the keys are described in `docs/embed.md`."""
    return {
        "accuracy": task.embedding,
        "accuracy_standard_error": task.standard_error,
        "random_vectors": task.random_vectors,
        "markov_left": task.markov_left,
        "markov_both": task.markov_both,
        "most_frequent": task.most_frequent,
        "positions": task.positions,
        "over_markov": asdict(task.over_markov),
        "over_random_vectors": asdict(task.over_random_vectors),
        "reverse_complement": _checked(check) if check is not None else None,
        "nearest": {kmer: dict(near) for kmer, near in nearest},
    }


def _checked(check: Check) -> Json:
    found: Json = {
        "learnt": {"percentile": check.everywhere.learnt},
        "shuffled": {"percentile": check.everywhere.shuffled, "copies": check.copies},
        "standard_error": check.everywhere.standard_error,
        "above_chance": check.everywhere.above,
    }
    if check.same_gc is not None:
        found["learnt"]["same_gc_percentile"] = check.same_gc.learnt
        found["shuffled"]["same_gc_percentile"] = check.same_gc.shuffled
        found |= {"same_gc_standard_error": check.same_gc.standard_error, "same_gc_above_chance": check.same_gc.above}
    delivered = check.delivered
    found["delivered"] = {
        "percentile": delivered.percentile,
        "p": delivered.p,
        "same_gc_percentile": delivered.same_gc,
        "same_gc_p": delivered.same_gc_p,
    }
    return found | {"kmers": check.kmers}


def task_rows(found: Json, bases: int) -> list[tuple[str, str, str]]:
    """The table under `TASK_HEADER`; `bases` is how far the head's visible tokens reach on either side."""
    return [
        (
            "embedding, log-linear head",
            f"vectors of whole tokens within {bases} bases on either side",
            _percent(found["accuracy"]),
        ),
        ("random vectors, the same head", "the same tokens", _percent(found["random_vectors"])),
        ("Markov model of order 5, posterior", "5 bases on either side", _percent(found["markov_both"])),
        ("Markov model of order 5", "5 bases before", _percent(found["markov_left"])),
        ("most frequent k-mer of train", "nothing", _percent(found["most_frequent"])),
    ]


def _percent(share: float) -> str:
    return f"{share:.2%}"


def nearest_rows(found: Json) -> list[tuple[str, str]]:
    """The table under `NEAREST_HEADER`."""
    return [
        (kmer, " · ".join(f"{other} {cosine:.2f}" for other, cosine in near.items()))
        for kmer, near in found["nearest"].items()
    ]


def verdict(found: Json) -> str:
    """Two sentences that set the embedding against the better Markov figure, and against random vectors under its head."""
    return (
        f"The embedding {_compared(found['over_markov'], 'the better Markov figure')}. "
        f"It {_compared(found['over_random_vectors'], 'random vectors under the same head')}."
    )


def _compared(lead: Json, other: str) -> str:
    difference, error = lead["difference"], lead["standard_error"]
    points = f"{100 * difference:+.2f} percentage points"
    if lead["discordant"] < _LEAST_DISCORDANT or not error:
        return f"and {other}: too few positions to tell ({points}, {lead['discordant']} at which one alone is right)"
    points += f", {difference / error:+.1f} standard errors"
    if difference > 2 * error:
        return f"is above {other} ({points})"
    if difference < -2 * error:
        return f"is below {other} ({points})"
    return f"is within two standard errors of {other} ({points})"


def mirror_sentences(found: Json) -> list[str]:
    """What the check of reverse complements came to: what was learnt beside chance first, then what the vectors were given."""
    one = found["reverse_complement"]
    if one is None:
        return [f"No two k-mers that were learnt are each other's reverse complement.{_left_out(found)}"]
    learnt, shuffled, delivered = one["learnt"], one["shuffled"], one["delivered"]
    told = (
        f"In what was learnt a k-mer's reverse complement ranks {_above(one['above_chance'])} chance among its neighbours: it is "
        f"nearer than {learnt['percentile']:.1%} of other k-mers, and than {shuffled['percentile']:.1%} in vectors learnt the same "
        f"way from the sequence shuffled ({shuffled['copies']} times; standard error of the difference "
        f"{one['standard_error']:.1%})"
    )
    if "same_gc_above_chance" in one:
        told += (
            f"; of those with as many G and C {learnt['same_gc_percentile']:.1%} and {shuffled['same_gc_percentile']:.1%}, "
            f"{_above(one['same_gc_above_chance'])} chance (standard error {one['same_gc_standard_error']:.1%})"
        )
    given = f"In the vectors delivered it is nearer than {delivered['percentile']:.1%}"
    if delivered["same_gc_percentile"] is not None:
        given += f", and than {delivered['same_gc_percentile']:.1%} of those with as many G and C"
    return [f"{told}. {found['strands']}{_left_out(found)}", f"{given}. {found['imposed']}"]


def _above(above: bool) -> str:
    return "above" if above else "not above"


def _left_out(found: Json) -> str:
    number = found["left_out"]
    if not number:
        return ""
    return f" {number:,} k-mer{'s' * (number > 1)} too seldom to be learnt {'are' if number > 1 else 'is'} left out here and below."


def page(found: Json, learnt: Learnt, tokenizer: Tokenizer) -> report.Page:
    """The figures as one HTML page with a picture of the k-mers."""
    made = report.Page(
        "k-mer embedding",
        f"{tokenizer.k}-mers, stride {tokenizer.stride} · {found['dimension']} numbers each · {found['about']}",
    )
    made.paragraph(verdict(found), lead=True)
    made.table(
        f"{found['positions']:,} hidden k-mers of held-out sequence, none overlapped by what is seen",
        TASK_HEADER,
        task_rows(found, found["head_bases"]),
    )
    for sentence in mirror_sentences(found):
        made.paragraph(sentence)
    picture, shares = map_of(learnt, tokenizer)
    made.figures(
        (
            f"The k-mers in their two principal components ({shares[0]:.0%} and {shares[1]:.0%} of the variance, before all directions are made alike)",
            picture,
        )
    )
    made.table("Nearest k-mers by cosine: from the most frequent to the rarest", NEAREST_HEADER, nearest_rows(found))
    return made


def map_of(learnt: Learnt, tokenizer: Tokenizer) -> tuple[Figure, NDArray[np.float64]]:
    """The k-mers in two principal components, coloured by GC, labelled where few; and the components' shares of variance."""
    from sklearn.decomposition import PCA

    kmers, vectors = learnt.ids, learnt.stretched
    if len(kmers) > _POINTS:
        some = np.linspace(0, len(kmers) - 1, _POINTS).astype(int)
        kmers, vectors = kmers[some], vectors[some]
    pca = PCA(2, svd_solver="full")
    places = pca.fit_transform(vectors.astype(np.float64))
    strong = np.isin(tokenizer.letters[kmers], (1, 2)).mean(axis=1)
    figure, axes = report.new_figure("first component", "second component")
    dots = axes.scatter(
        places[:, 0],
        places[:, 1],
        c=strong,
        cmap="viridis",
        vmin=0,
        vmax=1,
        s=14 if len(kmers) <= 256 else 4,
        linewidths=0,
    )
    figure.colorbar(dots, ax=axes, label="share of G and C")
    if len(kmers) <= _LABELLED:
        for id_, (x, y) in zip(kmers, places, strict=True):
            axes.annotate(tokenizer.vocabulary[id_], (x, y), fontsize=6, xytext=(2, 2), textcoords="offset points")
    return figure, pca.explained_variance_ratio_
