"""A strided convolution whose positions lie alike from either end of a sequence."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.config import ModelConfig
from training.cost.amount import NOTHING
from training.cost.shape import FLOAT, Shape, mirrored_positions
from training.cost.stage import Stage
from training.models.cnn import convolve, padding_of
from training.models.paired.layers import RECTIFIED, PairedConvolution, without_padding_
from training.models.positions import Positions


class MirroredStem(nn.Module):
    """Convolution and rectifier; positions are counted from both ends of a row and meet in its middle.

    Of ten tokens and a stride of 2 they are 0, 2, 4, 5, 7 and 9, so that they are the same ones on the other strand.
    Where the stride divides the distance of the ends, they are those of any strided convolution.

    Args:
        config: size of token vectors, channels, kernel width and stride.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.stride = config.stem_stride
        self.convolution = PairedConvolution(2 * config.embedding, config.stem, config.stem_width, gain=RECTIFIED)

    def forward(self, tokens: Positions) -> Positions:
        """Positions of tokens, whose vectors have to be zero after the end of a row; so are those of positions."""
        counts = mirrored_positions(tokens.counts, self.stride)
        lengths = mirrored_positions(tokens.lengths, self.stride)
        longest = int(counts.max())
        mask = torch.arange(longest, device=lengths.device) < lengths[:, None]
        convolved = without_padding_(self._convolved(tokens, lengths, longest), padding_of(mask, counts))
        keys = None if tokens.dropout_keys is None else tokens.dropout_keys[:, :longest]
        return Positions(convolved.relu_(), mask, lengths, counts, keys)

    def _convolved(self, tokens: Positions, lengths: Tensor, longest: int) -> Tensor:
        """Shape (rows, positions, channels)."""
        weights, biases = self.convolution.weights(), self.convolution.biases()
        is_even = not ((tokens.counts - 1) % self.stride).any()
        stride = self.stride if is_even else 1
        everywhere = convolve(tokens.states, weights, biases, stride, 1, self.convolution.padding)
        if is_even:
            return everywhere[:, :longest]
        rows, places, width = everywhere.shape
        first = torch.arange(rows, device=lengths.device)[:, None] * places
        chosen = first + self._places(tokens.lengths, lengths, longest)
        return everywhere.reshape(-1, width).index_select(0, chosen.reshape(-1)).view(rows, longest, width)

    def _places(self, tokens: Tensor, lengths: Tensor, longest: int) -> Tensor:
        """The token in the middle of each position, shape (rows, positions); 0 after the end of a row."""
        number = torch.arange(longest, device=lengths.device)
        from_the_end = (lengths[:, None] - 1 - number).clamp(min=0)
        is_behind = number > from_the_end
        places = torch.where(is_behind, tokens[:, None] - 1 - self.stride * from_the_end, self.stride * number)
        return torch.where(number < lengths[:, None], places, 0)

    @staticmethod
    def memory_stage(config: ModelConfig, shape: Shape) -> Stage:
        """Memory of the convolution, at every token where the stride does not divide all rows alike."""
        weights = FLOAT * (2 * config.embedding * config.stem_width + 1) * config.stem / 2
        inputs = shape.tensor(shape.item * shape.padded_tokens * 2 * config.embedding)
        everywhere = shape.tensor(shape.item * shape.padded_tokens * config.stem)
        chosen = shape.states(config.stem)
        extra = everywhere if config.stem_stride > 1 else NOTHING
        return Stage(
            "stem",
            weights=weights,
            saved=chosen + shape.tensor(shape.padded_positions) + shape.tensor(2 * weights),
            forward=extra,
            backward=inputs + chosen + extra,
        )
