from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.hypothesis_profiles import examples
from tests.training.structure.synthetic import SMALL, batch
from training import structure
from training.config import ModelConfig
from training.structure import inference
from training.structure.inference import TileInference
from training.structure.network import StructureModel

LENGTHS = [90, 31, 10, 9, 8, 3, 2, 1]
VARIANTS: list[dict[str, Any]] = [
    {"kind": "lstm", "layers": 2},
    {"kind": "lstm", "stem_stride": 3, "dropout": 0.1, "base_layers": 1},
    {"kind": "gru", "stem_width": 15},
    {"kind": "transformer", "stem_stride": 3, "window": 4},
    {"kind": "transformer", "base_layers": 0, "output_layers": 0},
    {"kind": "cnn", "base_width": 3, "base_layers": 4, "output_layers": 2, "stem_stride": 3, "stem_width": 3},
]


def network_of(changed: dict[str, Any]) -> StructureModel:
    torch.manual_seed(0)
    config = ModelConfig.model_validate(SMALL.model_dump() | changed)
    network = structure.make(config, 67).eval()
    # Biases and scales begin alike.
    for weight in network.parameters():
        weight.data += 0.1 * torch.randn_like(weight)
    return network


@pytest.mark.parametrize("changed", VARIANTS, ids=str)
@examples(10)
@given(seed=st.integers(0, 99), cut=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_rows_have_the_logits_of_the_whole_model(changed: dict[str, Any], seed: int, cut: tuple[float, float]) -> None:
    network, rows = network_of(changed), batch(LENGTHS, seed)
    spans = [(int(min(cut) * (length - 1)), 1 + int(max(cut) * (length - 1))) for length in LENGTHS]
    ends = np.cumsum(rows.counts)
    tokens = [rows.tokens[end - count : end] for end, count in zip(ends, rows.counts, strict=True)]
    with torch.inference_mode():
        expected = network(rows)
        found = list(TileInference(network)(tokens, spans))
    for row, (logits, (first, last)) in enumerate(zip(found, spans, strict=True)):
        whole = torch.cat([expected.states[row], expected.sites[row]], dim=-1)[first:last]
        torch.testing.assert_close(logits.permute(2, 0, 1), whole, rtol=1e-4, atol=1e-5)


def test_only_models_of_gene_structure_on_a_cpu_in_float32_are_read_row_by_row() -> None:
    network = network_of({"kind": "lstm"})
    assert inference.fits(network)
    assert not inference.fits(torch.nn.Identity())
    assert not inference.fits(network_of({"kind": "lstm"}).train())
    assert not inference.fits(network_of({"kind": "lstm"}).bfloat16())
