"""What training minimises."""

from __future__ import annotations

from torch import Tensor

from harmonizer.curves import apply_cascade
from harmonizer.training.views import Batch

_SQUARED_WEIGHT = 8.0


def foreground_l1(output: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Absolute error per foreground pixel, channels summed, mean over usable pictures (S2CRNet's relL1).

    output, truth (B, 3, M); weight (B, 1, M) -> scalar.
    """
    return _mean((output - truth).abs().sum(1, keepdim=True), weight)


def foreground_mse(output: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Squared error per foreground pixel, channels summed, mean over usable pictures: scalar."""
    return _mean((output - truth).square().sum(1, keepdim=True), weight)


def _mean(error: Tensor, weight: Tensor) -> Tensor:
    area = weight.sum(dim=(1, 2))
    per_picture = (error * weight).sum(dim=(1, 2)) / area.clamp(min=1.0)
    return per_picture.sum() / (area > 0).sum().clamp(min=1)


def cascade_loss(knots: Tensor, batch: Batch) -> Tensor:
    """Every stage by relL1 as published, the last one by squared error too: big misses decide the mean."""
    stages = apply_cascade(batch.composite, knots)
    loss = sum((foreground_l1(out, batch.truth, batch.weight) for out in stages), start=knots.new_zeros(()))
    return loss + _SQUARED_WEIGHT * foreground_mse(stages[-1], batch.truth, batch.weight)
