"""S2CRNet: Spatial-Separated Curve Rendering Network (Liang et al., ECCV 2022, arXiv 2109.05750).

Written from the paper and from facts about the reference repositories (stefanLeong/S2CRNet,
vinthony/S2CRNet-demos): a shared encoder embeds two thumbnails, the foreground cropped to its box and
masked, and the background; cascaded heads turn the two embeddings into colour curves. Module names follow
the published checkpoints (`<backbone>.N...`, `fusion.cr1...`, `fusion.cr2...`), so these load strictly.
Deviations: heads return knots and never touch pixels; see `heads` for the initialisation and our own head.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any

import torch
from torch import Tensor, nn

from harmonizer.backbone import BackboneName, build_backbone
from harmonizer.heads import CLASSES, HeadName, build_head

PUBLISHED_THUMBNAIL_PX = 256


class SemanticClass(IntEnum):
    """The 5 classes of the published semantic branch; the authors' sample never names index 3."""

    PERSON = 0
    ANIMAL = 1
    FOOD = 2
    UNNAMED = 3
    OTHER = 4


@dataclass(frozen=True)
class NetworkConfig:
    """What it takes to rebuild a network; stored in the checkpoint's metadata.

    thumbnail_px: side of the square thumbnails it was trained on. semantic: whether its class branch is
    trained (the plain branch is used otherwise). stages: cascaded curves.
    """

    backbone: BackboneName = "squeezenet1_1"
    head: HeadName = "published"
    stages: int = 2
    semantic: bool = True
    thumbnail_px: int = PUBLISHED_THUMBNAIL_PX

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> NetworkConfig:
        """Inverse of `to_dict`; TypeError for unknown or missing names."""
        return cls(**values)


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

    def embed(self, thumbnails: Tensor) -> Tensor:
        """Global average of the encoder's features: (B, 3, S, S) in [0, 1] -> (B, 512)."""
        features: Tensor = self.encoder(thumbnails)
        return features.mean(dim=(2, 3))

    def knots(self, foreground: Tensor, background: Tensor, label: Tensor | None = None) -> Tensor:
        """Curves from two embeddings: (B, 512) twice, one-hot (B, 5) or None -> (B, stages, 3, 65)."""
        label = label if self.config.semantic else None
        stages = [head(foreground, background, label) for head in self.fusion.values()]
        return torch.stack(stages, dim=1)

    def forward(self, foreground: Tensor, background: Tensor, label: Tensor | None = None) -> Tensor:
        """Masked thumbnails (B, 3, S, S) twice -> knots (B, stages, 3, 65); one encoder pass for both."""
        both = self.embed(torch.cat((foreground, background)))
        embedded_foreground, embedded_background = both.chunk(2)
        return self.knots(embedded_foreground, embedded_background, label)


def one_hot(label: SemanticClass, batch: int = 1) -> Tensor:
    """(batch, 5) float32 with a one at the class."""
    out = torch.zeros(batch, CLASSES)
    out[:, int(label)] = 1.0
    return out
