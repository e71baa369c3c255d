"""Curves while they are learned: slopes -> knots -> levels, differentiable. `curves` renders them."""

from __future__ import annotations

import torch
from torch import Tensor

MIN_SLOPE_SUM = 1e-6


def knots_from_slopes(slopes: Tensor) -> Tensor:
    """Curve knots from segment slopes (S2CRNet curve rendering module).

    slopes (..., K), any real -> knots (..., K+1). knots[..., 0] == 0 and knots[..., -1] == 1 whatever
    the slopes; equal slopes give the identity; monotone only while the slopes share one sign. Where
    |sum| < MIN_SLOPE_SUM the published form divides by about zero; the sum is then held at
    MIN_SLOPE_SUM, which yields finite, useless knots that the caller's sanity check refuses.
    """
    total = slopes.sum(dim=-1, keepdim=True)
    safe = torch.where(total.abs() < MIN_SLOPE_SUM, torch.full_like(total, MIN_SLOPE_SUM), total)
    cumulated = torch.cumsum(slopes, dim=-1) / safe
    return torch.nn.functional.pad(cumulated, (1, 0))


def monotone_knots(raw: Tensor, lift: Tensor, gain: Tensor) -> Tensor:
    """Monotone curve with free end points: PlateMatch's own head.

    raw (..., K) any real, turned into positive slopes; lift and gain (...): output at input 0 and the
    rise from there to input 1 (gain >= 0) -> knots (..., K+1). Unlike the published curve it can lift
    black and dim white, so darkening needs no spike in the last segment.
    """
    unit = knots_from_slopes(torch.nn.functional.softplus(raw) + MIN_SLOPE_SUM)
    return lift.unsqueeze(-1) + gain.unsqueeze(-1) * unit


def apply_curve(levels: Tensor, knots: Tensor) -> Tensor:
    """One curve stage on pixel levels, differentiable in both arguments.

    levels (B, 3, N) clamped to [0, 1], knots (B, 3, K+1) -> (B, 3, N). Equals the published clamped
    sum to rounding (tests/golden).
    """
    pieces = knots.shape[-1] - 1
    position = levels.clamp(0.0, 1.0) * pieces
    segment = position.detach().floor().clamp(max=pieces - 1).long()
    low = torch.gather(knots, 2, segment)
    high = torch.gather(knots, 2, segment + 1)
    return low + (high - low) * (position - segment)


def apply_cascade(levels: Tensor, knots: Tensor) -> list[Tensor]:
    """All stages in turn: levels (B, 3, N), knots (B, S, 3, K+1) -> S tensors (B, 3, N), last is final."""
    outputs = []
    for stage in range(knots.shape[1]):
        levels = apply_curve(levels, knots[:, stage])
        outputs.append(levels)
    return outputs
