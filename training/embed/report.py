"""What an embedding came to: the figures on screen, in JSON and on the page, which are the same."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipelines import report
from pipelines.tokenizer import Tokenizer
from training.embed.neighbours import Mirror
from training.embed.skipgram import Learnt
from training.embed.task import Figures

TASK_HEADER = ("top-1 accuracy of hidden k-mers", "sees", "accuracy")
NEAREST_HEADER = ("k-mer", "nearest, with cosine")
_LABELLED = 64
_POINTS = 4096
_SIGNIFICANT = 0.05
Json = dict[str, Any]


def figures(task: Figures, mirror: Mirror | None, nearest: list[tuple[str, list[tuple[str, float]]]]) -> Json:
    """Flat figures; the keys are described in `docs/embed.md`."""
    found: Json = {
        "accuracy": task.embedding,
        "accuracy_standard_error": task.standard_error,
        "markov_left": task.markov_left,
        "markov_both": task.markov_both,
        "most_frequent": task.most_frequent,
        "positions": task.positions,
        "reverse_complement": None,
        "nearest": {kmer: dict(near) for kmer, near in nearest},
    }
    if mirror is not None:
        found["reverse_complement"] = {
            "percentile": mirror.percentile,
            "p": mirror.p,
            "same_gc_percentile": mirror.same_gc,
            "same_gc_p": mirror.same_gc_p,
            "kmers": mirror.kmers,
        }
    return found


def task_rows(found: Json, bases: int) -> list[tuple[str, str, str]]:
    """The table under `TASK_HEADER`; `bases` is how far the head's visible tokens reach on either side."""
    return [
        (
            "embedding, log-linear head",
            f"vectors of whole tokens within {bases} bases on either side",
            _percent(found["accuracy"]),
        ),
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
    """One sentence that sets the embedding against the better Markov figure, in units of its standard error."""
    ahead = found["accuracy"] - max(found["markov_left"], found["markov_both"])
    errors = ahead / max(found["accuracy_standard_error"], 1e-12)
    points = f"{100 * ahead:+.2f} percentage points, {errors:+.1f} standard errors"
    if errors > 2:
        return f"The embedding beats both Markov figures on this task ({points})."
    if errors < -2:
        return f"The embedding does not beat the better Markov figure on this task ({points})."
    return f"The embedding and the better Markov figure are within two standard errors ({points})."


def mirror_sentence(found: Json, strands: str) -> str:
    """What the check of reverse complements came to."""
    one = found["reverse_complement"]
    if one is None:
        return "No two k-mers of the vocabulary are each other's reverse complement."
    above = one["percentile"] > 0.5 and one["p"] <= _SIGNIFICANT
    told = (
        f"A k-mer's reverse complement ranks {'above' if above else 'not above'} chance among its neighbours: it is nearer than "
        f"{one['percentile']:.1%} of other k-mers (chance 50 %, p = {one['p']:.3f} by permutation)"
    )
    if one["same_gc_percentile"] is not None:
        told += f", and than {one['same_gc_percentile']:.1%} of those with as many G and C (p = {one['same_gc_p']:.3f})"
    return f"{told}. {strands}"


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
    made.paragraph(mirror_sentence(found, found["strands"]))
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
