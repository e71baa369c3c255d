"""Curve-based image harmonization: S2CRNet and PlateMatch's variants, on ONNX Runtime or torch, and numpy.

from harmonizer import OnnxHarmonizer, harmonize_composite
out = harmonize_composite(OnnxHarmonizer.load(), composite, alpha)

Importing this imports neither: torch comes with the first use of `Harmonizer` or `S2CRNet`, ONNX Runtime when an
`OnnxHarmonizer` is loaded.
"""

from typing import TYPE_CHECKING

from harmonizer.config import NetworkConfig, SemanticClass
from harmonizer.engine import (
    CurveEngine,
    PlateEmbedding,
    UnstableNetworkWarning,
    foreground_box,
    harmonize_composite,
    render,
)
from harmonizer.manifest import WeightsError
from harmonizer.onnx_engine import OnnxHarmonizer
from harmonizer.smoothing import KnotSmoother, SmoothingSettings

if TYPE_CHECKING:
    from harmonizer.network import S2CRNet
    from harmonizer.torch_engine import Harmonizer

_NEED_TORCH = {"Harmonizer": "harmonizer.torch_engine", "S2CRNet": "harmonizer.network"}


def __getattr__(name: str) -> object:
    """What needs torch, imported when it is asked for (PEP 562)."""
    if name not in _NEED_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_NEED_TORCH[name]), name)


__all__ = [
    "CurveEngine",
    "Harmonizer",
    "KnotSmoother",
    "NetworkConfig",
    "OnnxHarmonizer",
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
