"""Recolouring as light does it: what training asks the network to undo.

Real mismatches between a person and a plate are mostly exposure, black level, contrast and white balance,
seldom hue. All of it happens in linear light; a part of the pictures gets per-channel curves or another
picture's statistics instead, because published test pairs are made that way. Strengths are heavy-tailed:
most changes mild, some two stops and more.
"""

from __future__ import annotations

import torch
from torch import Tensor

_PIVOT = 0.18
_LUMA = (0.2126, 0.7152, 0.0722)
_MAX_STOPS = 3.0


def srgb_to_linear(levels: Tensor) -> Tensor:
    """IEC 61966-2-1 decoding, element-wise, levels in [0, 1]."""
    return torch.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055).clamp(min=0) ** 2.4)


def linear_to_srgb(light: Tensor) -> Tensor:
    """IEC 61966-2-1 encoding, element-wise; clamps to [0, 1]."""
    light = light.clamp(0.0, 1.0)
    return torch.where(light <= 0.0031308, light * 12.92, 1.055 * light.clamp(min=1e-8) ** (1 / 2.4) - 0.055)


def heavy_tailed(batch: int, channels: int, scale: float, generator: torch.Generator) -> Tensor:
    """(B, channels, 1, 1) draws from Student's t with 3 degrees of freedom, times scale."""
    normal = torch.randn(batch, channels, 4, generator=generator, device=generator.device)
    chi = normal[..., 1:].square().mean(-1).sqrt().clamp(min=0.25)
    return (scale * normal[..., 0] / chi).view(batch, channels, 1, 1)


def _chance(batch: int, probability: float, generator: torch.Generator) -> Tensor:
    return (torch.rand(batch, 1, 1, 1, generator=generator, device=generator.device) < probability).float()


def white_balance_gains(batch: int, strength: float, generator: torch.Generator) -> Tensor:
    """(B, 3, 1, 1) log-gains: along daylight-tungsten, a smaller green-magenta part, a small free cast."""
    temperature = heavy_tailed(batch, 1, 0.16 * strength, generator)
    tint = heavy_tailed(batch, 1, 0.05 * strength, generator)
    cast = heavy_tailed(batch, 3, 0.05 * strength, generator)
    return torch.cat((temperature, tint, -temperature), dim=1) + cast


def relight(light: Tensor, *, strength: float, generator: torch.Generator) -> Tensor:
    """Another light on linear pictures (B, 3, H, W): gains, contrast, veil, shoulder, mild saturation."""
    batch = light.shape[0]
    stops = heavy_tailed(batch, 1, 0.8 * strength, generator).clamp(-_MAX_STOPS, _MAX_STOPS)
    gains = white_balance_gains(batch, strength, generator)
    out = light * torch.exp(0.6931 * stops + gains.clamp(-1.2, 1.2))
    contrast = torch.exp(heavy_tailed(batch, 1, 0.15 * strength, generator).clamp(-0.7, 0.7))
    out = _PIVOT * (out / _PIVOT).clamp(min=1e-5) ** contrast
    out = _saturate(out, torch.exp(heavy_tailed(batch, 1, 0.12 * strength, generator).clamp(-0.7, 0.5)))
    out = _veil(out, strength, generator)
    shoulder = torch.rand(batch, 1, 1, 1, generator=generator, device=generator.device) * _chance(batch, 0.5, generator)
    return out * (1.0 + shoulder) / (1.0 + shoulder * out.clamp(min=0))


def _saturate(light: Tensor, factor: Tensor) -> Tensor:
    luma = (light * light.new_tensor(_LUMA).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    return (luma + factor * (light - luma)).clamp(min=0)


def _veil(light: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Haze or a raised black level, of a colour near grey, on two pictures in five."""
    batch = light.shape[0]
    amount = heavy_tailed(batch, 1, 0.015 * strength, generator).abs().clamp(max=0.15)
    amount = amount * _chance(batch, 0.4, generator)
    colour = 0.6 + 0.4 * torch.rand(batch, 3, 1, 1, generator=generator, device=generator.device)
    return light * (1 - amount) + amount * colour


def random_curves(levels: Tensor, *, generator: torch.Generator) -> Tensor:
    """Per-channel gamma and S-curves on encoded levels (B, 3, H, W): a grading or retouch style."""
    batch = levels.shape[0]
    shared = heavy_tailed(batch, 1, 0.25, generator)
    gamma = torch.exp((shared + heavy_tailed(batch, 3, 0.08, generator)).clamp(-1.0, 1.0))
    bent = levels.clamp(min=1e-4) ** gamma
    s_curve = bent * bent * (3 - 2 * bent)
    amount = heavy_tailed(batch, 1, 0.2, generator).clamp(-0.6, 0.8)
    low = heavy_tailed(batch, 3, 0.015, generator).clamp(-0.1, 0.15)
    high = 1 + heavy_tailed(batch, 3, 0.03, generator).clamp(-0.3, 0.2)
    return (low + (high - low) * (bent + amount * (s_curve - bent))).clamp(0, 1)


def random_look(levels: Tensor, *, generator: torch.Generator) -> Tensor:
    """A smooth three-dimensional colour map, as 3D LUTs and retouch styles are (B, 3, H, W), [0, 1] -> same.

    A matrix near the identity that keeps grey grey up to a cast, plus quadratic terms that leave black alone.
    """
    batch = levels.shape[0]
    mix = heavy_tailed(batch, 9, 0.05, generator).clamp(-0.3, 0.3).view(batch, 3, 3)
    mix = mix - mix.mean(dim=2, keepdim=True)
    out = levels + torch.einsum("bij,bjhw->bihw", mix, levels)
    luma = (levels * levels.new_tensor(_LUMA).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    toned = heavy_tailed(batch, 6, 0.06, generator).clamp(-0.4, 0.4)
    out = out + toned[:, :3] * luma * (1 - luma) + toned[:, 3:] * levels * (1 - levels)
    return random_curves(out.clamp(0, 1), generator=generator)


def statistics(levels: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (B, 3, 1, 1) and covariance's Cholesky factor (B, 3, 3) of the foreground."""
    weight = mask / mask.sum(dim=(2, 3), keepdim=True).clamp(min=1.0)
    mean = (levels * weight).sum(dim=(2, 3), keepdim=True)
    centred = ((levels - mean) * weight.sqrt()).flatten(2)
    covariance = centred @ centred.transpose(1, 2) + 2e-4 * torch.eye(3, device=levels.device)
    return mean, torch.linalg.cholesky(covariance)


def borrow_statistics(levels: Tensor, mask: Tensor, *, generator: torch.Generator) -> Tensor:
    """Foreground statistics moved part of the way to another picture's of the batch (B, 3, H, W).

    Mean and spread a channel (Reinhard et al. 2001) on half the pictures, the whole covariance on the others
    (a colour transfer after Xiao & Ma 2006, by Cholesky factors): published test pairs were made so.
    """
    batch = levels.shape[0]
    if batch < 2:
        return levels
    mean, factor = statistics(levels, mask)
    other = (
        torch.arange(batch, device=levels.device)
        + 1
        + torch.randint(0, batch - 1, (batch,), generator=generator, device=generator.device)
    ) % batch
    spread, target = (f.square().sum(dim=2).sqrt() for f in (factor, factor[other]))
    diagonal = torch.diag_embed((target / spread).clamp(0.4, 2.5))
    whole = factor[other] @ torch.linalg.inv(factor)
    by_channel = (torch.rand(batch, 1, 1, generator=generator, device=generator.device) < 0.5) | (
        whole.abs().amax((1, 2), keepdim=True) > 3
    )
    transfer = torch.where(by_channel, diagonal, whole)
    moved = mean[other] + torch.einsum("bij,bjhw->bihw", transfer, levels - mean)
    amount = 0.15 + 0.7 * torch.rand(batch, 1, 1, 1, generator=generator, device=generator.device)
    return (levels + amount * (moved - levels)).clamp(0, 1)


UNTOUCHED_SHARE = 0.06
_SHARES = (("curves", 0.16), ("look", 0.10), ("borrowed", 0.12))


def recolour(
    light: Tensor, mask: Tensor, *, generator: torch.Generator, untouched_share: float = UNTOUCHED_SHARE
) -> Tensor:
    """Recoloured sRGB levels (B, 3, H, W) of linear pictures.

    16 % by curves, 10 % by a three-dimensional look, 12 % with borrowed statistics, `untouched_share` as they
    are, the rest by light.
    """
    levels = linear_to_srgb(light)
    out = linear_to_srgb(relight(light, strength=1.0, generator=generator))
    draw = torch.rand(light.shape[0], generator=generator, device=generator.device)
    start = untouched_share
    out[draw < start] = levels[draw < start]
    for kind, share in _SHARES:
        chosen = (draw >= start) & (draw < start + share)
        start += share
        if kind == "borrowed" and bool(chosen.any()):
            out[chosen] = borrow_statistics(levels, mask, generator=generator)[chosen]
        elif bool(chosen.any()):
            by = random_curves if kind == "curves" else random_look
            out[chosen] = by(levels[chosen], generator=generator)
    return out
