"""Scores of bases as whole numbers of one byte each, and their files.

A base has 24 numbers: on each strand the log-probability of 8 states and the logit of 4 kinds of sites. Of a state
16 times the root of the negative log-probability is kept, which is finest where the state is likely: the error is 0.02
at a probability of 0.9 and 0.13 at 0.02. A site's logit is kept in steps of 0.2 from -12.6 to 12.6. The file of a task
is an Arrow IPC file with a batch for each piece and a column for each number, compressed by Zstandard.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipelines import storage
from pipelines.errors import DatasetError
from pipelines.structure import states
from training.decoding.scores import Scores

PLANES = states.STATES + states.SITES
ROOT_STEP, SITE_STEP = 1 / 16, 0.2
_LEVELS = 255
# A site below -12.6 is none for certain. Levels are few, so that they take less room.
_SITE_ZERO, _SITE_MOST = 64, 63
Packed = NDArray[np.uint8]
"""Shape (2, 12, bases): strands, then states and sites; bases innermost, as networks give them and files hold them."""


def pack(states_and_sites: Tensor) -> Packed:
    """Scores in one byte each, shape (2, 12, bases).

    Args:
        states_and_sites: log-probabilities of 8 states, then logits of 4 sites, float32, shape (2, 12, bases).
    """
    packed = torch.empty_like(states_and_sites, dtype=torch.uint8)
    log_states, sites = states_and_sites.split([states.STATES, states.SITES], dim=1)
    roots = log_states.clamp(max=0).neg_().sqrt_()
    packed[:, : states.STATES] = roots.mul_(1 / ROOT_STEP).round_().clamp_(max=_LEVELS)
    packed[:, states.STATES :] = (sites * (1 / SITE_STEP)).round_().clamp_(-_SITE_MOST, _SITE_MOST).add_(_SITE_ZERO)
    numbers: Packed = packed.cpu().numpy()
    return numbers


def unpack(packed: Packed) -> Scores:
    """The scores as a decoder reads them."""
    by_base = np.ascontiguousarray(packed.transpose(2, 0, 1))
    return Scores(LOG_PROBABILITIES[by_base[..., : states.STATES]], _SITE_LOGITS[by_base[..., states.STATES :]])


LOG_PROBABILITIES = -np.square(np.arange(_LEVELS + 1) * ROOT_STEP).astype(np.float32)
"""Of a state, by what is stored of it; shape (256,)."""
_SITE_LOGITS = ((np.arange(_LEVELS + 1) - _SITE_ZERO) * SITE_STEP).astype(np.float32)


def certainly_intergenic(bases: int) -> Packed:
    """The scores of bases that no gene can be on, such as those in a long run of N; shape (2, 12, bases)."""
    packed = np.full((2, PLANES, bases), _LEVELS, np.uint8)
    packed[:, states.INTERGENIC] = 0
    packed[:, states.STATES :] = _SITE_ZERO - _SITE_MOST
    return packed


def _schema() -> pa.Schema:
    names = [*states.NAMES[: states.STATES], *states.SITE_NAMES]
    return pa.schema([(f"{strand} {name}", pa.uint8()) for strand in ("forward", "reverse") for name in names])


def write(pieces: Iterable[Packed], path: Path) -> None:
    """Write the scores of the pieces of a task, whole or not at all."""
    schema = _schema()
    # The lowest level takes a fifth of the time of the next, and a few percent more room.
    options = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", compression_level=1), use_threads=False)
    with storage.replacing(path) as temporary, pa.ipc.new_file(temporary, schema, options=options) as writer:
        for packed in pieces:
            planes = packed.reshape(2 * PLANES, -1)
            # Arrow would import pandas to see whether the planes are of it, and so again to read them as arrays.
            columns = [pa.Array.from_buffers(pa.uint8(), len(plane), [None, pa.py_buffer(plane)]) for plane in planes]
            writer.write_batch(pa.record_batch(columns, schema=schema))


def read(path: Path, piece: int, bases: int) -> Packed:
    """Read the scores of one piece of a task, shape (2, 12, bases).

    Args:
        path: file of the task.
        piece: number of the piece in it.
        bases: that it has.

    Raises:
        DatasetError: missing, damaged or of another size.
    """
    fix = "delete it and annotate again"
    try:
        with pa.memory_map(str(path)) as stream:
            reader = pa.ipc.open_file(stream)
            is_ours = reader.schema.equals(_schema()) and piece < reader.num_record_batches
            batch = reader.get_batch(piece) if is_ours else None
    except (OSError, pa.ArrowInvalid) as error:
        raise DatasetError(f"{path}: cannot be read ({' '.join(str(error).split())[:160]})", fix) from error
    if batch is None or batch.num_rows != bases:
        raise DatasetError(f"{path}: not the scores of {bases:,} bases", fix)
    planes = [np.frombuffer(column.buffers()[1], np.uint8, bases) for column in batch.columns]
    return np.stack(planes).reshape(2, PLANES, bases)
