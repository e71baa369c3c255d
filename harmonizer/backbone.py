"""Image encoders, cut where S2CRNet cuts them, laid out like torchvision's so that weights load by name.

SqueezeNet 1.1 `features[:12]` (Iandola et al., arXiv 1602.07360; S2CRNet-S) and VGG16 `features[:30]`
(Simonyan & Zisserman, arXiv 1409.1556; S2CRNet-V). Both end in 512 channels. Input is RGB in [0, 1]
without ImageNet normalisation, as S2CRNet feeds it; `fold_input_scale` moves another convention's scale
and mean into the first convolution.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from harmonizer.config import BackboneName

EMBEDDING = 512
_VGG16_PLAN: Sequence[int] = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512)


class Fire(nn.Module):
    """SqueezeNet's fire module: squeeze 1x1, then 1x1 and 3x3 expansions side by side."""

    def __init__(self, channels_in: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels_in, squeezed, kernel_size=1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, kernel_size=1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, kernel_size=3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels_in, H, W) -> (B, 2 * expanded, H, W), non-negative."""
        x = torch.relu(self.squeeze(x))
        return torch.relu(torch.cat((self.expand1x1(x), self.expand3x3(x)), dim=1))


def _squeezenet_features() -> nn.Sequential:
    """SqueezeNet 1.1 without its last fire module and classifier."""

    def pool() -> nn.MaxPool2d:
        return nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)

    return nn.Sequential(
        nn.Conv2d(3, 64, kernel_size=3, stride=2),
        nn.ReLU(),
        pool(),
        Fire(64, 16, 64),
        Fire(128, 16, 64),
        pool(),
        Fire(128, 32, 128),
        Fire(256, 32, 128),
        pool(),
        Fire(256, 48, 192),
        Fire(384, 48, 192),
        Fire(384, 64, 256),
    )


def _vgg16_features() -> nn.Sequential:
    """VGG16's 13 convolutions without the last pooling."""
    layers: list[nn.Module] = []
    channels = 3
    for width in _VGG16_PLAN:
        if width == 0:
            layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
            continue
        layers += [nn.Conv2d(channels, width, kernel_size=3, padding=1), nn.ReLU()]
        channels = width
    return nn.Sequential(*layers)


def build_backbone(name: BackboneName) -> nn.Sequential:
    """An untrained encoder: (B, 3, S, S) in [0, 1] -> (B, 512, h, w). ValueError for an unknown name."""
    if name == "squeezenet1_1":
        return _squeezenet_features()
    if name == "vgg16":
        return _vgg16_features()
    raise ValueError(f"unknown backbone {name!r}; known: squeezenet1_1, vgg16")


def fold_input_scale(weight: Tensor, bias: Tensor, *, scale: float, mean_bgr: Sequence[float]) -> tuple[Tensor, Tensor]:
    """First convolution for RGB in [0, 1] from one trained on BGR `scale * x - mean`.

    weight (O, 3, k, k), bias (O,) -> the same shapes. Exact because the convolution has no padding:
    w' = scale * w with its input channels reversed, b' = b - sum(w * mean).
    """
    mean = torch.tensor(mean_bgr, dtype=weight.dtype).view(1, 3, 1, 1)
    folded_bias = bias - (weight * mean).sum(dim=(1, 2, 3))
    return scale * weight.flip(1), folded_bias
