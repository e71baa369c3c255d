"""What stands in for the picture: the plate alone, with a word on why where it lasts."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from app.domain.compositing import as_uint8, blur_plate
from app.domain.frame import Pixels

_DIM: Final = 0.45
_BLUR_SHARE: Final = 0.02
_TEXT_SHARE: Final = 0.05
_WIDTH_SHARE: Final = 0.88


def slate(plate: Pixels, words: str) -> Pixels:
    """The plate (H, W, 3), dimmed and out of focus, with the words in the middle, in as many lines as they need."""
    height, width = plate.shape[:2]
    soft = blur_plate(plate, _BLUR_SHARE * height)
    dim = as_uint8(cv2.convertScaleAbs(soft, alpha=_DIM))
    picture = Image.fromarray(dim)
    font = _font(max(12, round(_TEXT_SHARE * height)))
    draw = ImageDraw.Draw(picture)
    lines = _lines(words, lambda line: draw.textlength(line, font=font) <= _WIDTH_SHARE * width)
    draw.text((width / 2, height / 2), lines, font=font, fill=(235, 238, 242), anchor="mm", align="center")
    return np.asarray(picture)


def _lines(words: str, fits: Callable[[str], bool]) -> str:
    lines: list[str] = []
    for word in words.split():
        if lines and fits(f"{lines[-1]} {word}"):
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return "\n".join(lines)


@lru_cache(maxsize=8)
def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)
