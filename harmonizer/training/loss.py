"""What training minimises. Every term is a mean over the batch's usable pictures; weights are the run's choice."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from harmonizer.torch_curves import apply_cascade
from harmonizer.training.light import srgb_to_linear
from harmonizer.training.views import Points

_RELATIVE_FLOOR = 0.003
_RGB_TO_XYZ = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
_WHITE_D65 = (0.9505, 1.0, 1.089)
_LAB_UNITS = 100.0


@dataclass(frozen=True)
class LossWeights:
    """How much each term counts.

    l1: foreground L1 of every stage (S2CRNet's relL1). squared: of the last stage. relative: its squared error
    over the composite's own, so that a mild mismatch counts as much as a strong one. lab: L1 in CIELAB / 100.
    adversarial: LSGAN's generator term (published: 0.01).
    """

    l1: float = 1.0
    squared: float = 8.0
    relative: float = 0.3
    lab: float = 0.0
    adversarial: float = 0.0


def picture_l1(output: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Absolute error per foreground pixel, channels summed: (B, 3, M) twice, (B, 1, M) -> (B,)."""
    return _per_picture((output - truth).abs().sum(1, keepdim=True), weight)


def picture_squared(output: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Squared error per foreground pixel, channels summed: (B, 3, M) twice, (B, 1, M) -> (B,)."""
    return _per_picture((output - truth).square().sum(1, keepdim=True), weight)


def _per_picture(error: Tensor, weight: Tensor) -> Tensor:
    return (error * weight).sum(dim=(1, 2)) / weight.sum(dim=(1, 2)).clamp(min=1.0)


def cascade_loss(knots: Tensor, points: Points, weights: LossWeights = LossWeights()) -> Tensor:
    """The weighted terms of curves (B, S, 3, K+1) on B foregrounds, without the adversarial one: scalar."""
    stages = apply_cascade(points.composite, knots)
    truth, weight, final = points.truth, points.weight, stages[-1]
    squared = picture_squared(final, truth, weight)
    loss = weights.squared * squared
    for output in stages:
        loss = loss + weights.l1 * picture_l1(output, truth, weight)
    if weights.relative:
        untouched = picture_squared(points.composite, truth, weight)
        loss = loss + weights.relative * squared / (untouched + _RELATIVE_FLOOR)
    if weights.lab:
        loss = loss + weights.lab * picture_l1(lab(final), lab(truth), weight)
    return _over_usable(loss, weight)


def _over_usable(loss: Tensor, weight: Tensor) -> Tensor:
    """The mean of (B,) over pictures with any weight (B, 1, M)."""
    usable = (weight.sum(dim=(1, 2)) > 0).float()
    return (loss * usable).sum() / usable.sum().clamp(min=1)


def lab(levels: Tensor) -> Tensor:
    """CIELAB (D65) / 100 of sRGB levels (B, 3, M), clamped to [0, 1] and smooth at black for its gradient's sake."""
    matrix = levels.new_tensor(_RGB_TO_XYZ) / levels.new_tensor(_WHITE_D65).unsqueeze(1)
    xyz = torch.einsum("ij,bjm->bim", matrix, srgb_to_linear(levels.clamp(0, 1)))
    f = torch.where(xyz > 0.008856, xyz.clamp(min=1e-4) ** (1 / 3), 7.787 * xyz + 16 / 116)
    x, y, z = f.unbind(1)
    return torch.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), dim=1) / _LAB_UNITS


class Discriminator(nn.Module):
    """S2CRNet's judge of pictures: five strided convolutions to a map of scores (stefanLeong/S2CRNet)."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width in (64, 128, 256, 512):
            layers.append(nn.Conv2d(channels, width, kernel_size=5, stride=2, padding=1))
            if channels > 3:
                layers.append(nn.BatchNorm2d(width))
            layers.append(nn.LeakyReLU(0.2))
            channels = width
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels, 1, kernel_size=4))

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, S, S), S >= 80 -> (B, 1, h, w)."""
        scores: Tensor = self.layers(pictures)
        return scores


def generator_term(judge: Discriminator, pictures: Tensor) -> Tensor:
    """LSGAN (Mao et al. 2017): how far the judge is from taking outputs for real."""
    term: Tensor = (judge(pictures) - 1).square().mean()
    return term


def judge_loss(judge: Discriminator, fake: Tensor, real: Tensor) -> Tensor:
    """LSGAN's other half: outputs towards 0, real pictures towards 1."""
    loss: Tensor = judge(fake.detach()).square().mean() + (judge(real) - 1).square().mean()
    return loss
