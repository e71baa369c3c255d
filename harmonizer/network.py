"""S2CRNet: Spatial-Separated Curve Rendering Network (Liang et al., ECCV 2022, arXiv 2109.05750).

Written from the paper and from facts about the reference repositories (stefanLeong/S2CRNet,
vinthony/S2CRNet-demos): a shared encoder embeds two thumbnails, the foreground cropped to its box and
masked, and the background; cascaded heads turn the two embeddings into colour curves. Module names follow
the published checkpoints (`<backbone>.N...`, `fusion.cr1...`, `fusion.cr2...`), so these load strictly.
Deviations: heads return knots and never touch pixels; see `heads` for the initialisation and monotone curves,
`fused` for our own network.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from harmonizer.backbone import build_backbone
from harmonizer.config import NetworkConfig
from harmonizer.fused import FusedNet
from harmonizer.heads import build_head


@dataclass(frozen=True)
class Views:
    """What a network is shown of B composites.

    foreground (B, 3, S, S): cropped to the mask's box, times alpha (B, 1, S, S). background (B, 3, S, S): the
    whole picture times keep (B, 1, S, S), which is 1 everywhere for a plate seen whole. hole (B, 1, S, S): where
    in the background the foreground stands. In training there may be R * B foregrounds to B backgrounds.
    """

    foreground: Tensor
    alpha: Tensor
    background: Tensor
    keep: Tensor
    hole: Tensor

    def looks(self) -> Tensor:
        """What the encoder sees: foregrounds, then backgrounds."""
        both = torch.cat((self.foreground, self.background))
        return both.contiguous(memory_format=torch.channels_last)


class S2CRNet(nn.Module):
    """Two thumbnails -> knots of the cascaded colour curves."""

    def __init__(self, config: NetworkConfig = NetworkConfig()) -> None:
        super().__init__()
        self.config = config
        self.add_module(config.backbone, build_backbone(config.backbone))
        self.fusion = nn.ModuleDict({f"cr{i + 1}": build_head(config.head) for i in range(config.stages)})

    @property
    def encoder(self) -> nn.Module:
        """The shared encoder."""
        return self.get_submodule(self.config.backbone)

    def embed(self, thumbnails: Tensor, coverage: Tensor | None = None) -> Tensor:
        """Global average of the encoder's features: (B, 3, S, S) in [0, 1] -> (B, 512). Coverage is not used."""
        return self.pooled(self.encoder(thumbnails), thumbnails, coverage)

    def pooled(self, features: Tensor, thumbnails: Tensor, coverage: Tensor | None) -> Tensor:
        """`embed` where the encoder's features (B, 512, h, w) are known already."""
        return features.mean(dim=(2, 3))

    def around(self, background: Tensor, hole: Tensor) -> Tensor:
        """Nothing (B, 0): the published network knows no surroundings."""
        return background.new_zeros(len(background), 0)

    def knots(
        self, foreground: Tensor, background: Tensor, label: Tensor | None = None, around: Tensor | None = None
    ) -> Tensor:
        """Curves from two embeddings: (B, 512) twice, one-hot (B, 5) or None -> (B, stages, 3, 65)."""
        return self.read(foreground, background, label, around)

    def read(
        self, foreground: Tensor, background: Tensor, label: Tensor | None = None, around: Tensor | None = None
    ) -> Tensor:
        """`knots` as estimated, which training learns from: here the same."""
        label = label if self.config.semantic else None
        stages = [head(foreground, background, label) for head in self.fusion.values()]
        return torch.stack(stages, dim=1)


CurveNet = S2CRNet | FusedNet
"""What estimates curves; all share `config`, `encoder`, `embed`, `pooled`, `around`, `read` and `knots`."""


def build_network(config: NetworkConfig) -> CurveNet:
    """An untrained network. ValueError for unknown names."""
    return FusedNet(config) if config.head == "fused" else S2CRNet(config)


def embedded(network: CurveNet, features: Tensor, views: Views) -> tuple[Tensor, Tensor, Tensor]:
    """Foreground, background and surroundings, as `knots` takes them, from the encoder's features of `views.looks()`.

    Several foregrounds may share a background: R * B rows each.
    """
    count, shared = len(views.foreground), len(views.foreground) // len(views.background)
    foreground = network.pooled(features[:count], views.foreground, views.alpha)
    background = network.pooled(features[count:], views.background, views.keep)
    around = network.around(views.background, views.hole)
    return foreground, background.repeat(shared, 1), around.repeat(shared, 1)


def curves_of(network: CurveNet, views: Views, label: Tensor | None = None) -> Tensor:
    """Knots (B, stages, 3, 65) of B composites; one encoder pass for both looks."""
    foreground, background, around = embedded(network, network.encoder(views.looks()), views)
    return network.knots(foreground, background, label, around)
