"""The encoder as few, larger pieces of work: small convolutions on a big card cost their launches, not their sums."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harmonizer.backbone import Fire

_TOLERANCE = 0.02
"""Of the largest feature: half precision's own rounding is a tenth of it."""


class ConvRelu(nn.Module):
    """Convolution, bias and ReLU; one launch where `is_fused`, which needs cuDNN, else three."""

    def __init__(self, weight: Tensor, bias: Tensor, *, stride: tuple[int, ...], padding: tuple[int, ...]) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight, requires_grad=False), nn.Parameter(bias, requires_grad=False)
        self.is_fused = False
        self._stride, self._padding = stride, padding

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, D, h, w), non-negative."""
        if self.is_fused:
            return torch.cudnn_convolution_relu(x, self.weight, self.bias, self._stride, self._padding, (1, 1), 1)
        return torch.relu(F.conv2d(x, self.weight, self.bias, self._stride, self._padding))


def merged(encoder: nn.Module) -> nn.Sequential:
    """A copy of an encoder with the same result in fewer layers.

    Every ReLU joins its convolution; a fire module's 1x1 expansion becomes part of its 3x3 one, with zeros round it.
    ValueError for layers that are none of `harmonizer.backbone`'s.
    """
    return nn.Sequential(*(piece for layer in encoder.children() for piece in _pieces(layer)))


def fuse_where_possible(encoder: nn.Sequential, example: Tensor) -> bool:
    """Let cuDNN do each convolution with its ReLU at once, if it can here and gives the same; says whether.

    example: such an input (1, 3, S, S) as will come, of the encoder's type.
    """
    expected = encoder(example)
    if _is_same_fused(encoder, example, expected):
        return True
    _set_fused(encoder, fused=False)
    return False


def _is_same_fused(encoder: nn.Sequential, example: Tensor, expected: Tensor) -> bool:
    if example.device.type != "cuda":
        return False
    _set_fused(encoder, fused=True)
    try:
        difference = (encoder(example) - expected).abs().max()
    # Whatever an older cuDNN or another card refuses it with.
    except RuntimeError:
        return False
    return bool(difference <= _TOLERANCE * expected.abs().max())


def _set_fused(encoder: nn.Sequential, *, fused: bool) -> None:
    for piece in encoder:
        if isinstance(piece, ConvRelu):
            piece.is_fused = fused


def _pieces(layer: nn.Module) -> Iterator[nn.Module]:
    if isinstance(layer, nn.Conv2d):
        yield _with_relu(layer)
    elif isinstance(layer, Fire):
        yield _with_relu(layer.squeeze)
        yield _expansions(layer)
    elif isinstance(layer, nn.MaxPool2d):
        yield layer
    elif not isinstance(layer, nn.ReLU):
        raise ValueError(f"no known layer of an encoder: {layer}")


def _with_relu(layer: nn.Conv2d) -> ConvRelu:
    assert layer.bias is not None  # noqa: S101  (narrowing: all of ours have one)
    padding = tuple(int(p) for p in layer.padding)
    return ConvRelu(layer.weight.detach(), layer.bias.detach(), stride=layer.stride, padding=padding)


def _expansions(fire: Fire) -> ConvRelu:
    one, three = _with_relu(fire.expand1x1), _with_relu(fire.expand3x3)
    weight = torch.cat((F.pad(one.weight, (1, 1, 1, 1)), three.weight))
    return ConvRelu(weight, torch.cat((one.bias, three.bias)), stride=(1, 1), padding=(1, 1))
