"""What a video's numbers mean as colours, and the matrices that follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorPrimaries, ColorRange, ColorTrc

Matrix = Literal["rgb", "bt709", "bt601", "smpte240m", "fcc", "bt2020"]
Range = Literal["limited", "full"]

Hdr = Literal["refuse", "tone-map"]
"""What to do with PQ and HLG video: say that it can't be used, or bring it to SDR (`app.domain.tone_mapping`)."""

HD_HEIGHT_PX: Final = 720
"""Untagged video at least this tall is taken for BT.709, smaller video for BT.601."""

# AVColorSpace values (ITU-T H.273 MatrixCoefficients) that decode by one linear matrix.
_MATRIX_OF_CODE: Final[dict[int, Matrix]] = {
    0: "rgb",
    1: "bt709",
    4: "fcc",
    5: "bt601",
    6: "bt601",
    7: "smpte240m",
    9: "bt2020",
}
# Reserved codes appear in VP9 and hardware-decoded files; they say no more than "unspecified" does.
_UNSPECIFIED_MATRIX: Final = frozenset({2, 3})

_RGB_FORMATS: Final = ("rgb", "bgr", "gbr", "argb", "abgr", "0rgb", "0bgr", "x2rgb", "x2bgr", "pal8")
_GREY_FORMATS: Final = ("gray", "ya", "mono")

_LUMA_WEIGHTS: Final[dict[Matrix, tuple[float, float]]] = {
    "bt709": (0.2126, 0.0722),
    "bt601": (0.299, 0.114),
    "smpte240m": (0.212, 0.087),
    "fcc": (0.30, 0.11),
    "bt2020": (0.2627, 0.0593),
}
"""(K_red, K_blue) of each matrix; K_green is what remains of 1 (H.273, equation 38 onwards)."""


@dataclass(frozen=True, slots=True)
class ColorTags:
    """How decoded samples stand for colours.

    matrix: YCbCr matrix. range: "limited" is 16..235 (8 bit), "full" is 0..255.
    primaries, trc: FFmpeg's names in lower case, "unspecified" where the file says nothing. PQ, HLG and the primaries
    of BT.2020 are converted to what every other video is taken for, display-referred BT.709; other primaries are
    reported only: those of BT.601 lie so close that few would see it. guessed: matrix or range was not in the file and
    was inferred. peak_nits: the brightest that PQ video says it gets, None where it doesn't.
    """

    matrix: Matrix
    range: Range
    primaries: str
    trc: str
    guessed: bool
    peak_nits: float | None = None

    @property
    def is_hdr(self) -> bool:
        """True for the PQ and HLG transfer curves, which are not sRGB-like at all."""
        return self.trc in {"smpte2084", "arib_std_b67"}

    @property
    def is_converted(self) -> bool:
        """Whether R'G'B' are not yet what the program works with: HDR, or SDR with the primaries of BT.2020."""
        return self.is_hdr or self.primaries == "bt2020"

    @property
    def is_full_range(self) -> bool:
        """True when black is 0 and white is the largest code."""
        return self.range == "full"


def resolve_tags(
    *, matrix: int, color_range: int, primaries: int, trc: int, pix_fmt: str, height_px: int
) -> ColorTags | None:
    """Read FFmpeg's codes, guesses filled in; None for a matrix this program can't decode.

    Unspecified matrix: BT.709 from 720 lines on, BT.601 below (what broadcasters and players do).
    Unspecified range: limited, except for the yuvj formats, RGB and grey, which are full by definition.
    """
    is_rgb, is_grey = pix_fmt.startswith(_RGB_FORMATS), pix_fmt.startswith(_GREY_FORMATS)
    matrix_guessed = not is_rgb and matrix in _UNSPECIFIED_MATRIX
    if is_rgb:
        known: Matrix | None = "rgb"
    elif matrix_guessed:
        known = "bt709" if height_px >= HD_HEIGHT_PX else "bt601"
    else:
        known = _MATRIX_OF_CODE.get(matrix)
    if known is None:
        return None
    by_format = is_rgb or is_grey or pix_fmt.startswith("yuvj")
    range_guessed = not by_format and color_range not in (ColorRange.MPEG, ColorRange.JPEG)
    limited = color_range == ColorRange.MPEG if by_format else color_range != ColorRange.JPEG
    return ColorTags(
        matrix=known,
        range="limited" if limited and not pix_fmt.startswith("yuvj") else "full",
        primaries=_name(ColorPrimaries, primaries),
        trc=_name(ColorTrc, trc),
        guessed=(matrix_guessed and not is_grey) or range_guessed,
    )


def rgb_from_yuv(tags: ColorTags, bits: int) -> npt.NDArray[np.float32]:
    """(3, 4) affine matrix: (Y, Cb, Cr, 1) codes of `bits` depth -> (R, G, B) on the 0..255 scale.

    H.273 equations for the inverse matrix; ValueError when the tags describe RGB.
    """
    if tags.matrix == "rgb":
        raise ValueError("RGB video has no YCbCr matrix")
    k_red, k_blue = _LUMA_WEIGHTS[tags.matrix]
    k_green = 1.0 - k_red - k_blue
    step = float(1 << (bits - 8))
    top = float((1 << bits) - 1)
    limited = (219 * step, 224 * step, 16 * step)
    luma_span, chroma_span, black = (top, top, 0.0) if tags.is_full_range else limited
    red, blue = 2 * (1 - k_red) / chroma_span, 2 * (1 - k_blue) / chroma_span
    linear = 255.0 * np.array(
        [
            [1 / luma_span, 0.0, red],
            [1 / luma_span, -blue * k_blue / k_green, -red * k_red / k_green],
            [1 / luma_span, blue, 0.0],
        ]
    )
    offset = -linear @ np.array([black, 128 * step, 128 * step])
    return np.column_stack([linear, offset]).astype(np.float32)


def _name(names: type[ColorPrimaries] | type[ColorTrc], code: int) -> str:
    try:
        return names(code).name.lower()
    except ValueError:
        return "unspecified"


def yuv_from_rgb(tags: ColorTags) -> npt.NDArray[np.float32]:
    """The matrix (3, 4) the other way round, from RGB 0..255 to 8-bit YCbCr."""
    matrix = rgb_from_yuv(tags, 8).astype(np.float64)
    back = np.linalg.inv(matrix[:, :3])
    return np.column_stack((back, -back @ matrix[:, 3])).astype(np.float32)
