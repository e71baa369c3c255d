"""PlateMatch's own curve network: S2CRNet's two looks, joined before anything is decided.

S2CRNet adds a linear reading of the foreground to one of the background, so nothing can depend on both; here
one small network reads the two embeddings, their colour quantiles and those of the surroundings together.
Features are averaged under the mask instead of over the whole thumbnail, and each channel's curve is monotone
with free ends. What each of these brings is measured in MODEL_CARD.md.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harmonizer.backbone import EMBEDDING, build_backbone
from harmonizer.config import CLASSES, NetworkConfig
from harmonizer.curves import PIECES
from harmonizer.heads import MAX_LIFT, MAX_LOG_GAIN
from harmonizer.statistics import AROUND, QUANTILE_SCALE, QUANTILES, STATISTICS
from harmonizer.torch_curves import apply_curve, monotone_knots
from harmonizer.torch_statistics import colour_quantiles, ring_around

_CONTROLS = 16
_WIDTH = 256
ALONE_BELOW, WHOLE_FROM = 6.0 / 255.0, 8.0 / 255.0
"""RMS move of the foreground, in levels of 255: smaller corrections are wrong too often to be worth making. On the
validation part these halve the pictures made worse for 2 % of the mean error; odds learned from everything the
network reads did no better."""

_DROPOUT = 0.1
_INITIAL_SPREAD = 0.1
_MIN_CELLS = 0.25


class FusedNet(nn.Module):
    """Two thumbnails under their masks -> knots of one monotone curve a channel."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.add_module(config.backbone, build_backbone(config.backbone))
        self.norm_foreground = nn.LayerNorm(EMBEDDING)
        self.norm_background = nn.LayerNorm(EMBEDDING)
        inputs = 2 * (EMBEDDING + STATISTICS) + AROUND + 1 + CLASSES
        self.fusion = nn.Sequential(nn.Dropout(_DROPOUT), *_block(inputs), *_block(_WIDTH))
        self.curve = nn.Linear(_WIDTH, 3 * (_CONTROLS + 2))
        with torch.no_grad():
            self.curve.weight.mul_(_INITIAL_SPREAD)
            self.curve.bias.zero_()

    @property
    def encoder(self) -> nn.Module:
        """The shared encoder."""
        return self.get_submodule(self.config.backbone)

    def embed(self, thumbnails: Tensor, coverage: Tensor) -> Tensor:
        """Features averaged under the mask, quantiles, and the share covered.

        thumbnails (B, 3, S, S) in [0, 1] already times coverage (B, 1, S, S) -> (B, 579).
        """
        return self.pooled(self.encoder(thumbnails), thumbnails, coverage)

    def pooled(self, features: Tensor, thumbnails: Tensor, coverage: Tensor) -> Tensor:
        """`embed` where the encoder's features (B, 512, h, w) are known already."""
        cells = F.interpolate(coverage, size=features.shape[2:], mode="area")
        return torch.cat((masked_mean(features, cells), self.statistics(thumbnails, coverage)), dim=1)

    def statistics(self, thumbnails: Tensor, coverage: Tensor) -> Tensor:
        """The part of an embedding that owes nothing to the encoder: quantiles and the share covered, (B, 67)."""
        quantiles = QUANTILE_SCALE * colour_quantiles(thumbnails, coverage)
        return torch.cat((quantiles, coverage.mean(dim=(2, 3))), dim=1)

    def around(self, background: Tensor, hole: Tensor) -> Tensor:
        """What lies next to the foreground.

        background (B, 3, S, S), hole (B, 1, S, S): where in it the foreground stands -> (B, 67).
        """
        quantiles = QUANTILE_SCALE * colour_quantiles(background, ring_around(hole))
        return torch.cat((quantiles, hole.mean(dim=(2, 3))), dim=1)

    def knots(self, foreground: Tensor, background: Tensor, label: Tensor | None, around: Tensor) -> Tensor:
        """Embeddings (B, 579) twice, one-hot (B, 5) or None, surroundings (B, 67) -> (B, 1, 3, 65).

        Corrections too small to be worth their risk are pulled to the identity: see `settled`.
        """
        knots = self.read(foreground, background, label, around)
        return settled(knots, move_of(knots, foreground[:, EMBEDDING:]))

    def read(self, foreground: Tensor, background: Tensor, label: Tensor | None, around: Tensor) -> Tensor:
        """`knots` as estimated, which training learns from: a pulled curve has no gradient."""
        label = no_label(foreground) if label is None else label
        read = (
            self.norm_foreground(foreground[:, :EMBEDDING]),
            foreground[:, EMBEDDING:],
            self.norm_background(background[:, :EMBEDDING]),
            background[:, EMBEDDING:-1],
            around,
            label,
        )
        hidden = self.fusion(torch.cat(read, dim=1))
        out = self.curve(hidden).view(-1, 3, _CONTROLS + 2)
        slopes = F.interpolate(out[..., :_CONTROLS], size=PIECES, mode="linear", align_corners=True)
        lift = MAX_LIFT * torch.tanh(out[..., _CONTROLS])
        gain = torch.exp(MAX_LOG_GAIN * torch.tanh(out[..., _CONTROLS + 1]))
        return monotone_knots(slopes, lift, gain).unsqueeze(1)


def no_label(foreground: Tensor) -> Tensor:
    """The last class, one-hot (B, 5), for embeddings (B, 579) of who knows what."""
    label = foreground.new_zeros(len(foreground), CLASSES)
    label[:, -1] = 1.0
    return label


def move_of(knots: Tensor, statistics: Tensor) -> Tensor:
    """RMS change (B,) that curves (B, 1, 3, K+1) make to a foreground of these statistics (B, 67), by its quantiles."""
    levels = statistics[:, : 3 * len(QUANTILES)].view(-1, 3, len(QUANTILES)) / QUANTILE_SCALE + 0.5
    squared = (apply_curve(levels, knots[:, 0]).clamp(0, 1) - levels).square().mean(dim=1)
    return (squared * squared.new_tensor(quantile_weights())).sum(dim=1).sqrt()


def quantile_weights() -> list[float]:
    """The share of pixels that each quantile stands for; sums to 1."""
    middles = [(low + high) / 2 for low, high in pairwise(QUANTILES)]
    return [high - low for low, high in pairwise((0.0, *middles, 1.0))]


def settled(knots: Tensor, move: Tensor) -> Tensor:
    """Curves (B, 1, 3, K+1) whose move (B,) is small, blended with the identity.

    Left alone below ALONE_BELOW, whole from WHOLE_FROM on, with a smooth ramp between: video crosses it gently.
    """
    share = ((move.view(-1, 1, 1, 1) - ALONE_BELOW) / (WHOLE_FROM - ALONE_BELOW)).clamp(0, 1)
    identity = torch.linspace(0, 1, knots.shape[-1], device=knots.device)
    return identity + share * share * (3 - 2 * share) * (knots - identity)


def masked_mean(features: Tensor, cells: Tensor) -> Tensor:
    """Features (B, C, h, w) averaged with the weights of cells (B, 1, h, w): (B, C)."""
    return (features * cells).sum(dim=(2, 3)) / cells.sum(dim=(2, 3)).clamp(min=_MIN_CELLS)


def _block(inputs: int) -> tuple[nn.Module, ...]:
    return nn.Linear(inputs, _WIDTH), nn.LayerNorm(_WIDTH), nn.GELU(), nn.Dropout(_DROPOUT)
