"""What every part of the harmonizer names alike: architecture, classes, and what a network looks at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any, Literal

import torch
from torch import Tensor

from harmonizer.backbone import BackboneName

HeadName = Literal["published", "monotone", "fused"]
CLASSES = 5
PUBLISHED_THUMBNAIL_PX = 256


class SemanticClass(IntEnum):
    """The 5 classes of the published semantic branch; the authors' sample never names index 3."""

    PERSON = 0
    ANIMAL = 1
    FOOD = 2
    UNNAMED = 3
    OTHER = 4


def one_hot(label: SemanticClass, batch: int = 1) -> Tensor:
    """(batch, 5) float32 with a one at the class."""
    out = torch.zeros(batch, CLASSES)
    out[:, int(label)] = 1.0
    return out


@dataclass(frozen=True)
class NetworkConfig:
    """What it takes to rebuild a network; stored in the checkpoint's metadata.

    head: `published` (S2CRNet's), `monotone` (its inputs, our curves) or `fused` (our network, see `fused`).
    thumbnail_px: side of the square thumbnails it was trained on. semantic: whether its class branch is
    trained (the plain branch is used otherwise). stages: cascaded curves; `fused` has one, whatever is said here.
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
