"""One token for every base: the k-mer around it, so that tokens and bases have the same index.

k is odd. The reverse complement of a sequence has the reverse complements of its tokens in reverse order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import UsageError
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
