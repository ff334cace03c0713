"""The share of `<unk>` tokens of a source: what it says about the source, and from where on it is told or refused."""

from __future__ import annotations

from pipelines.errors import InputError
from pipelines.progress import Progress


def check(source: str, share: float, warn_from: float, limit: float, key: str | None, progress: Progress) -> None:
    """Warn of a source with many `<unk>` tokens, and refuse one with too many.

    Args:
        source: its name, for messages.
        share: of its tokens that are `<unk>`.
        warn_from: the smallest share that is told.
        limit: the largest share that is accepted.
        key: the configuration key of the limit; None without one.
        progress: where it is told.

    Raises:
        InputError: a larger share than `limit`.
    """
    if share < warn_from and share <= limit:
        return
    causes = "letters other than A, C, G, T, sequences shorter than k, or k-mers that are not in the vocabulary"
    problem = f"{source}: {share:.0%} of its tokens are <unk> ({causes})"
    if share > limit:
        raise InputError(
            f"{problem}, more than {limit:.0%}",
            "check that it holds nucleotides and that the tokenizer is meant for it"
            + (f", or raise {key}" if key else ""),
            key=key,
        )
    progress.warn(f"{problem}; a model learns and tells little from these")
