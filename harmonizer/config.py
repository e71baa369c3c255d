"""What every part of the harmonizer names alike: architecture and classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

BackboneName = Literal["squeezenet1_1", "vgg16"]
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


def one_hot(label: SemanticClass | None, batch: int = 1) -> npt.NDArray[np.float32]:
    """(batch, 5) with a one at the class; all zeros for None, the plain branch."""
    out = np.zeros((batch, CLASSES), np.float32)
    if label is not None:
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
