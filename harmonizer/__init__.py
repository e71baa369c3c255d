"""Curve-based image harmonization: S2CRNet and PlateMatch's variants, in torch and numpy alone.

from harmonizer import Harmonizer, harmonize_composite
out = harmonize_composite(Harmonizer.load(), composite, alpha)
"""

from harmonizer.config import NetworkConfig, SemanticClass
from harmonizer.engine import (
    Harmonizer,
    PlateEmbedding,
    UnstableNetworkWarning,
    foreground_box,
    harmonize_composite,
    render,
)
from harmonizer.network import S2CRNet
from harmonizer.smoothing import KnotSmoother, SmoothingSettings
from harmonizer.weights import WeightsError

__all__ = [
    "Harmonizer",
    "KnotSmoother",
    "NetworkConfig",
    "PlateEmbedding",
    "S2CRNet",
    "SemanticClass",
    "SmoothingSettings",
    "UnstableNetworkWarning",
    "WeightsError",
    "foreground_box",
    "harmonize_composite",
    "render",
]
