from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from training.models.recurrent import cells
from training.models.recurrent.cells import Cell

CPU = torch.device("cpu")
KINDS = [nn.LSTM, nn.GRU]
SIZES = (16, 32)


def cell_of(kind: type[Cell], seed: int = 0) -> Cell:
    torch.manual_seed(seed)
    return kind(*SIZES)


def inputs(rows: int = 3) -> Tensor:
    return torch.randn(11, rows, SIZES[0], generator=torch.Generator().manual_seed(1))


def gradient(weight: Tensor) -> Tensor:
    assert weight.grad is not None
    return weight.grad


@pytest.fixture
def as_on_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run cells on the CPU as a GPU in bf16 does."""
    monkeypatch.setattr(cells, "asked_type", lambda device: torch.get_autocast_dtype(device.type))


def autocast() -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16)


@pytest.fixture
def seen_types(monkeypatch: pytest.MonkeyPatch) -> list[set[torch.dtype]]:
    """The number formats that PyTorch's functions are called with, inputs and weights together."""
    seen: list[set[torch.dtype]] = []
    for name in ("lstm", "gru"):
        function = getattr(torch, name)

        def recorded(states: Tensor, *arguments, function=function):  # type: ignore[no-untyped-def]
            assert not torch.is_autocast_enabled("cpu")
            weights = next(argument for argument in arguments if isinstance(argument, list))
            seen.append({states.dtype, *(weight.dtype for weight in weights)})
            return function(states, *arguments)

        monkeypatch.setattr(torch, name, recorded)
    return seen


@pytest.mark.usefixtures("as_on_gpu")
@pytest.mark.parametrize("kind", KINDS)
def test_a_cell_is_computed_in_the_format_that_is_asked_for(
    kind: type[Cell], seen_types: list[set[torch.dtype]]
) -> None:
    cell = cell_of(kind)
    with autocast():
        output = cells.run(cell, inputs().bfloat16())
    assert seen_types == [{torch.bfloat16}]
    assert output.dtype == torch.bfloat16


@pytest.mark.usefixtures("as_on_gpu")
@pytest.mark.parametrize("kind", KINDS)
def test_a_format_that_the_library_lacks_becomes_fp32(
    kind: type[Cell], seen_types: list[set[torch.dtype]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cells, "computed_type", lambda *_: torch.float32)
    cell, states = cell_of(kind), inputs()
    with autocast():
        output = cells.run(cell, states)
    assert seen_types == [{torch.float32}]
    assert torch.equal(output, cell(states)[0].bfloat16())


def test_bf16_is_fp32_where_the_library_of_a_gpu_does_not_serve_it(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu, cell = torch.device("cuda", 0), cell_of(nn.LSTM)
    for served, expected in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(cells, "serves", lambda *_, served=served: served)
        assert cells.computed_type(cell, gpu, torch.bfloat16) == expected
    assert cells.computed_type(cell, CPU, torch.bfloat16) == torch.bfloat16


def test_a_library_is_recognised_by_what_the_backward_pass_runs() -> None:
    assert cells.serves.__wrapped__(True, CPU, torch.float32)
    with torch.backends.mkldnn.flags(enabled=False, allow_tf32=None):
        assert not cells.serves.__wrapped__(True, CPU, torch.float32)
    assert not cells.serves.__wrapped__(False, CPU, torch.float32), "PyTorch computes GRUs by itself on CPUs"


def test_trying_a_library_draws_no_random_number() -> None:
    state = torch.get_rng_state()
    cells.serves.__wrapped__(True, CPU, torch.float32)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.usefixtures("as_on_gpu")
@pytest.mark.parametrize("kind", KINDS)
def test_states_and_gradients_are_those_of_autocast_where_that_keeps_to_bf16(kind: type[Cell]) -> None:
    results = []
    for compute in (lambda cell, states: cell(states)[0], cells.run):
        cell, states = cell_of(kind), inputs().requires_grad_()
        with autocast():
            output = compute(cell, states.bfloat16())
        output.float().square().sum().backward()
        results.append([output, *map(gradient, cell.parameters()), gradient(states)])
    for expected, actual in zip(*results, strict=True):
        assert torch.equal(expected, actual)
    assert {value.dtype for value in results[1][1:]} == {torch.float32}


@pytest.mark.usefixtures("as_on_gpu")
@pytest.mark.parametrize("kind", KINDS)
def test_packed_states_are_those_of_the_cell_within_bf16(kind: type[Cell]) -> None:
    cell, packed = cell_of(kind), pack_padded_sequence(inputs(), torch.tensor([11, 5, 2]))
    expected = cell(packed)[0].data
    with autocast():
        output = cells.run(cell, packed.data, packed.batch_sizes)
    torch.testing.assert_close(output.float(), expected, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_cpu_computes_under_autocast_as_ever(kind: type[Cell], dtype: torch.dtype) -> None:
    cell, packed = cell_of(kind), pack_padded_sequence(inputs().to(dtype), torch.tensor([11, 5, 2]))
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        assert torch.equal(cells.run(cell, inputs().to(dtype)), cell(inputs().to(dtype))[0])
        assert torch.equal(cells.run(cell, packed.data, packed.batch_sizes), cell(packed)[0].data)


def test_inputs_in_fp32_are_cast_for_an_lstm_of_a_cpu() -> None:
    cell = cell_of(nn.LSTM)
    with autocast():
        assert torch.equal(cells.run(cell, inputs()), cell(inputs().bfloat16())[0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("packed", [False, True])
def test_two_directions_in_one_call_are_those_of_two(kind: type[Cell], packed: bool) -> None:
    lengths = torch.tensor([11, 5, 2] if packed else [11, 11, 11])
    together = nn.LSTM(*SIZES, bidirectional=True) if kind is nn.LSTM else nn.GRU(*SIZES, bidirectional=True)
    ahead, back = cell_of(kind, 1), cell_of(kind, 2)
    for name, weight in ahead.named_parameters():
        getattr(together, name).data.copy_(weight.data)
        getattr(together, f"{name}_reverse").data.copy_(back.get_parameter(name).data)
    sequences = pack_padded_sequence(inputs(), lengths)
    if packed:
        expected = together(sequences)[0].data
        output = cells.run_both(ahead, back, sequences.data, sequences.batch_sizes)
    else:
        expected, output = together(inputs())[0], cells.run_both(ahead, back, inputs())
    assert torch.equal(output, expected)
    output.square().sum().backward()
    expected.square().sum().backward()
    for name, weight in ahead.named_parameters():
        assert torch.equal(gradient(weight), gradient(getattr(together, name)))
        assert torch.equal(gradient(back.get_parameter(name)), gradient(getattr(together, f"{name}_reverse")))


def test_weights_lie_in_one_tensor_with_matrices_before_biases() -> None:
    weights = cells.cast_weights([cell_of(nn.LSTM, 1), cell_of(nn.LSTM, 2)], torch.bfloat16)
    assert [weight.dim() for weight in weights] == [2, 2, 1, 1] * 2
    assert len({weight.untyped_storage().data_ptr() for weight in weights}) == 1
    laid_out = sorted(weights, key=lambda weight: weight.storage_offset())
    assert [weight.dim() for weight in laid_out] == [2] * 4 + [1] * 4
