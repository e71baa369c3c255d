"""From knots to a table on the device; see `harmonizer.curves` for what both are."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from harmonizer.curves import MAX_SANE_LEVEL
from harmonizer.torch_curves import apply_curve

TABLE_ENTRIES = 256

Fold = Callable[[Tensor, float], Tensor]
"""Knots (S, 3, K+1) float32 and a strength in 0..1 -> table (256, 3) uint8; knots that are no curve change nothing."""


def fold_by_torch(knots: Tensor, strength: float) -> Tensor:
    """`curves.fold` and `curves.lut8` in float64; see `Fold`."""
    # Times the step, as numpy's linspace: a half-way value then rounds to the same side.
    ramp = torch.arange(TABLE_ENTRIES, dtype=torch.float64, device=knots.device) * (1 / (TABLE_ENTRIES - 1))
    ramp = ramp.expand(1, 3, TABLE_ENTRIES)
    level = ramp
    for stage in knots.double().nan_to_num().unsqueeze(0).unbind(1):
        level = apply_curve(level, stage)
    # A comparison with NaN is false, so this refuses what is not finite too.
    is_sane = (knots.abs() <= MAX_SANE_LEVEL).all()
    mixed = torch.where(is_sane, ramp + strength * (level.clamp(0, 1) - ramp), ramp)
    return (mixed[0].T * (TABLE_ENTRIES - 1)).round().to(torch.uint8)
