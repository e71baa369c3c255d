"""Choosing what finds the foreground."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from app.domain.compositing import Rgb, Size, rgb_from_hex
from app.domain.errors import ExitCode, UserError
from app.pipeline.given_matte import ChromaKeySegmenter, GivenMatte
from app.pipeline.model_files import ModelName
from app.pipeline.segmentation import LiteRtSelfieSegmenter, MediaPipeSelfieSegmenter, Segmenter
from app.pipeline.threads import stage_threads

LANDSCAPE_FROM_ASPECT: Final = 1.4
"""The landscape model (16:9 input) is taken from this width / height on; narrower frames get the square one."""


@dataclass(frozen=True)
class SegmenterChoice:
    """What the user asked for. mask and key_color (`#rrggbb`, or `auto` from the first frame) come before any model.

    clip_start_s: the time of the clip's first frame, for who doesn't begin with it; see `GivenMatte`.
    """

    mask: Path | None = None
    key_color: str | None = None
    model: Literal["auto", "landscape", "square"] = "auto"
    engine: Literal["litert", "mediapipe"] = "litert"
    clip_start_s: float | None = None


def open_segmenter(choice: SegmenterChoice, size: Size, *, on_notice: Callable[[str], None]) -> Segmenter:
    """The segmenter for frames of `size` (width, height); close it when done.

    UserError: BAD_INPUT for an unreadable mask, USAGE for a colour that is none, MODEL for a missing model.
    """
    if choice.mask is not None:
        if not choice.mask.exists():
            raise UserError(f"There is no mask '{choice.mask}'.", "Check the path.")
        return GivenMatte(choice.mask, on_notice=on_notice, clip_start_s=choice.clip_start_s)
    if choice.key_color is not None:
        return ChromaKeySegmenter(None if choice.key_color == "auto" else parse_color(choice.key_color))
    model = model_for(choice.model, size)
    if choice.engine == "mediapipe":
        return MediaPipeSelfieSegmenter(model, on_notice=on_notice)
    return LiteRtSelfieSegmenter(model, threads=stage_threads(), on_notice=on_notice)


def model_for(model: Literal["auto", "landscape", "square"], size: Size) -> ModelName:
    """The selfie model by the frame's shape, unless one is named."""
    if model != "auto":
        return model
    return "landscape" if size[0] >= LANDSCAPE_FROM_ASPECT * size[1] else "square"


def parse_color(text: str) -> Rgb:
    """`#rrggbb` (or `#rgb`) -> (r, g, b). UserError (USAGE) for anything else."""
    rgb = rgb_from_hex(text)
    if rgb is None:
        raise UserError(f"{text!r} is not a colour.", "Write it as #20c040.", code=ExitCode.USAGE)
    return rgb
