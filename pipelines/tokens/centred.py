"""One token for every base: the k-mer around it, so that tokens and bases have the same index.

k is odd. The reverse complement of a sequence has the reverse complements of its tokens in reverse order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import UsageError
from pipelines.genome import sequence
from pipelines.genome.sequence import Bytes
from pipelines.tokens.tokenizer import Tokenizer
from pipelines.tokens.vocabulary import UNK


def require_centred(tokenizer: Tokenizer) -> None:
    """Refuse a tokenizer that does not give every base the k-mer around it.

    Raises:
        UsageError: an even k, or a stride above 1.
    """
    if tokenizer.k % 2 == 0:
        raise UsageError(
            f"tokenizer.k {tokenizer.k}: even, and a k-mer around a base has as many bases before it as after it",
            "choose an odd k, such as 3",
            key="tokenizer.k",
        )
    if tokenizer.stride != 1:
        raise UsageError(
            f"tokenizer.stride {tokenizer.stride}: every base has a state, and needs a token of its own",
            "set it to 1",
            key="tokenizer.stride",
        )


def encode(tokenizer: Tokenizer, codes: Bytes) -> NDArray[Any]:
    """The id of the k-mer around every base, `<unk>` where it holds another letter or crosses an end.

    Args:
        tokenizer: with an odd k and stride 1.
        codes: base codes 0 to 4 of a sequence, shape (bases,).

    Returns:
        Shape (bases,), of the tokenizer's `dtype`.

    Raises:
        UsageError: as `require_centred`.
    """
    require_centred(tokenizer)
    tokens = np.full(len(codes), UNK, tokenizer.dtype)
    if len(codes) >= tokenizer.k:
        kmers, _ = tokenizer.encode_many(codes, np.array([len(codes)], np.int64))
        flank = tokenizer.k // 2
        # A tail of partial k-mers follows where the tokenizer has one.
        tokens[flank : len(codes) - flank] = kmers[: len(codes) - 2 * flank]
    return tokens


def decode(tokenizer: Tokenizer, tokens: NDArray[Any], lengths: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The base codes of consecutive pieces of stretches, as far as the tokens of each piece determine them.

    Args:
        tokenizer: as for `encode`.
        tokens: ids of all pieces end to end, shape (bases,).
        lengths: bases of each, shape (pieces,).

    Returns:
        Shape (bases,); 4 where every token of the piece that covers a base is a special.
    """
    letters, flank, ends = tokenizer.letters, tokenizer.k // 2, np.cumsum(lengths)
    codes: NDArray[np.uint8] = letters[:, flank][tokens]
    unknown = np.flatnonzero(codes == sequence.OTHER)
    piece = np.searchsorted(ends, unknown, side="right")
    low, high = ends[piece] - lengths[piece], ends[piece]
    for shift in (step for distance in range(1, flank + 1) for step in (-distance, distance)):
        # Where a neighbour's k-mer is known, it shows the base too.
        is_seen = (unknown + shift >= low) & (unknown + shift < high)
        seen = letters[tokens[unknown[is_seen] + shift], flank - shift]
        is_known = seen != sequence.OTHER
        codes[unknown[is_seen][is_known]] = seen[is_known]
    return codes
