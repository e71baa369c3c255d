"""Thumbnails made on the device, of a box found on the device: nothing is waited for, nothing comes back.

Shapes depend on the picture's size alone, never on what is in it, so all of it can be part of a CUDA graph.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from harmonizer.statistics import COVERED

_BOX_STEP = 4
"""As `matching.coarse_box`: every fourth pixel both ways is read, of pictures that have 16 times as many."""

RowAverage = Callable[[Tensor, Tensor, int], Tensor]
"""Bytes (H, N) uint8, box (4,) and a number of cells S -> the box's rows averaged in S bands, (S, N) float32."""


def foreground_box(alpha: Tensor) -> Tensor:
    """Box (x0, y0, x1, y1) float32 of alpha (H, W) uint8 above a half, to within 4 px; the whole where nobody is."""
    height, width = alpha.shape
    step = _BOX_STEP if min(height, width) >= 16 * _BOX_STEP else 1
    inside = alpha[::step, ::step] > COVERED * 255
    x0, x1 = _span(inside.any(dim=0))
    y0, y1 = _span(inside.any(dim=1))
    box = torch.stack((x0, y0, x1, y1)).float() * step
    return torch.stack((box[0], box[1], box[2].clamp(max=width), box[3].clamp(max=height)))


@dataclass(frozen=True)
class Region:
    """A box (4,) on the device, and the shares of each column of the picture in each of a thumbnail's: (S, W)."""

    box: Tensor
    columns: Tensor


def region_of(box: Tensor, width: int, side: int) -> Region:
    """The box of pictures of that width, for thumbnails (side, side)."""
    return Region(box, area_weights(box[0], box[2], width, side))


def area_average(picture: Tensor, region: Region, *, rows: RowAverage) -> Tensor:
    """The region of a picture (H, W, C) uint8, shrunk to (C, S, S) float32 in 0..255, each pixel by its share."""
    height, width, channels = picture.shape
    side = len(region.columns)
    bands = rows(picture.reshape(height, width * channels), region.box, side).view(side, width, channels)
    # One matrix product for all channels: 128 small ones, one a row, would cost their launches.
    lines = bands.permute(2, 0, 1).reshape(channels * side, width)
    return torch.matmul(lines, region.columns.T).view(channels, side, side)


def average_rows_by_torch(lines: Tensor, box: Tensor, cells: int) -> Tensor:
    """`RowAverage` as one matrix product, on a GPU in half precision: off by 0.15 levels at most."""
    kind = torch.float16 if lines.device.type == "cuda" else torch.float32
    weights = area_weights(box[1], box[3], len(lines), cells).to(kind)
    total = weights.float().sum(dim=1, keepdim=True)
    return torch.matmul(weights, lines.to(kind)).float() / total


def area_weights(start: Tensor, stop: Tensor, length: int, cells: int) -> Tensor:
    """How much of each of `cells` equal parts of [start, stop) each of `length` pixels is: (cells, length); 1 a row."""
    size = (stop - start) / cells
    first = start + size * torch.arange(cells, device=start.device).view(-1, 1)
    pixel = torch.arange(length, device=start.device)
    cover = torch.minimum(pixel + 1.0, first + size) - torch.maximum(pixel.float(), first)
    return cover.clamp(min=0) / size


def _span(covered: Tensor) -> tuple[Tensor, Tensor]:
    """First covered place and one past the last; 0 and the length where none is."""
    found = covered.to(torch.int32)
    return found.argmax(), len(found) - found.flip(0).argmax()
