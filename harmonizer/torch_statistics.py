"""Colour statistics in torch, as training and the reference take them. What they are for: see `statistics`."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from harmonizer.statistics import COVERED, GROWS_ABOVE, LUMA, QUANTILES, RING_CELLS, RING_REACH, STRIDE

_OUTSIDE = 2.0


def colour_quantiles(thumbnail: Tensor, coverage: Tensor) -> Tensor:
    """Quantiles of six signals under a mask: thumbnail (B, 3, S, S) in [0, 1], coverage (B, 1, S, S) -> (B, 66).

    Signals: R, G, B, luma, each less 0.5, R - G, luma - B; every second pixel both ways is read. A picture with
    nothing covered gives zeros.
    """
    pixels = thumbnail[:, :, ::STRIDE, ::STRIDE].flatten(2)
    inside = (coverage[:, :, ::STRIDE, ::STRIDE] > COVERED).flatten(2)
    red, green, blue = pixels.unbind(1)
    luma = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
    signals = torch.stack((red - 0.5, green - 0.5, blue - 0.5, luma - 0.5, red - green, luma - blue), dim=1)
    ordered = _sorted(torch.where(inside, signals, torch.full_like(signals, _OUTSIDE)))
    count = inside.sum(dim=2, keepdim=True)
    shares = signals.new_tensor(QUANTILES).view(1, 1, -1)
    index = (shares * (count - 1)).round().long().clamp(min=0)
    values = ordered.gather(2, index.expand(-1, signals.shape[1], -1))
    return torch.where(count > 0, values, torch.zeros_like(values)).flatten(1)


def _sorted(values: Tensor) -> Tensor:
    """Ascending along the last axis.

    On a CPU by numpy, which sorts the values alone; torch sorts their places besides, and `colour_quantiles` takes
    2.0 ms by it instead of 0.6 (medians, one thread). Colours carry no gradient here.
    """
    if values.device.type != "cpu" or values.requires_grad:
        return values.sort(dim=2).values
    return torch.from_numpy(np.sort(values.numpy(), axis=2))


def ring_around(hole: Tensor) -> Tensor:
    """What lies within an eighth of the picture of the foreground: coverage (B, 1, S, S) -> (B, 1, S, S) in [0, 1].

    Light next to a person says more about the light on them than the far corner does.
    """
    coarse = F.interpolate((hole > COVERED).float(), size=(RING_CELLS, RING_CELLS), mode="area")
    grown = F.max_pool2d((coarse > GROWS_ABOVE).float(), 2 * RING_REACH + 1, 1, RING_REACH)
    return F.interpolate(grown, size=hole.shape[2:]) * (1 - hole)
