"""What a delivery shows of a finished frame."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.compositing import Size, blend
from app.pipeline.image_saving import to_8_bits
from app.pipeline.offline.formats import AlphaMode, Encoding
from app.pipeline.offline.job import Content
from app.pipeline.offline.sinks import Picture

_ROWS_AT_ONCE = 32
"""Intermediate values of so many 1080p rows stay in the processor's cache."""


def picture_of(
    content: Content,
    alpha_mode: AlphaMode,
    *,
    source: Picture,
    composite: Picture,
    foreground: Picture,
    alpha: Picture,
    bleed_px: int = 0,
) -> Picture:
    """One picture of a delivery.

    source (h, w, 3): the clip's own frame. composite and foreground (H, W, 3), alpha (H, W): finished, at the
    delivery's size, the foreground matched, straight and clean at its edge. All uint8, or all uint16; an alpha of the
    other depth is converted.

    composite: RGB. foreground: RGBA, straight with colours 0 where alpha is 0, but for `bleed_px` around the edge (see
    `bled`); or premultiplied; or, without alpha, RGB over black. matte: the alpha as (H, W) grey, whatever the mode.
    side-by-side: source left, composite right, (H, 2 W, 3). Pictures that cover everything get an opaque alpha where
    one is asked for.
    """
    alpha = _at_depth_of(composite, alpha)
    if content == "matte":
        return alpha
    if content == "foreground":
        return _foreground(foreground, alpha, alpha_mode, bleed_px)
    picture = composite if content == "composite" else beside(source, composite)
    return picture if alpha_mode == "none" else with_alpha(picture, _opaque(picture))


def alpha_wanted(encoding: Encoding) -> AlphaMode:
    """The mode to ask of `picture_of`, not always the delivery's.

    EXR is multiplied in linear light, which its writer does from straight colours; GIF and WebP know straight only.
    """
    keeps_straight = encoding.format in ("exr", "gif", "webp")
    return "straight" if keeps_straight and encoding.alpha == "premultiplied" else encoding.alpha


def beside(source: Picture, composite: Picture) -> Picture:
    """Source and composite (H, W, 3) in one picture, (H, 2 W, 3).

    The source is as large as it fits, standing on the middle of its half's lower edge with black around it: where the
    person of an unmoved placement stands in the other half.
    """
    height, width = composite.shape[:2]
    out = _blank((height, 2 * width, 3), composite)
    _draw(source, out[:, :width])
    out[:, width:] = composite
    return out


def premultiplied(foreground: Picture, alpha: Picture) -> Picture:
    """round(colour * alpha / full) of (H, W, 3) colours and (H, W) alpha, exactly; at their depth."""
    if foreground.dtype == np.uint8:
        return blend(to_8_bits(foreground), np.zeros(foreground.shape, np.uint8), to_8_bits(alpha))
    out = np.zeros(foreground.shape, np.uint16)
    left, top, width, height = cv2.boundingRect(_covered(alpha))
    for row in range(top, top + height, _ROWS_AT_ONCE):
        box = np.s_[row : min(row + _ROWS_AT_ONCE, top + height), left : left + width]
        product = np.multiply(foreground[box], alpha[box][..., None], dtype=np.uint32)
        # round(x / 65535) without a division; x + 32768 + 65534 is still below 2^32.
        product += np.uint32(32768)
        product += product >> np.uint32(16)
        out[box] = product >> np.uint32(16)
    return out


def straight(foreground: Picture, alpha: Picture, bleed_px: int = 0) -> Picture:
    """RGBA (H, W, 4) of straight colours, 0 where alpha is 0 but for the bleed."""
    covered = _covered(alpha)
    colours: Picture = cv2.bitwise_and(foreground, foreground, mask=covered)  # type: ignore[assignment]
    if bleed_px > 0:
        bled(colours, alpha, bleed_px)
    return with_alpha(colours, alpha)


def bled(colours: Picture, alpha: Picture, reach_px: int) -> None:
    """Extend colours (H, W, 3), in place, over at most `reach_px` of what alpha (H, W) leaves empty.

    The mean of the colours in reach, weighted by their alpha, so that nothing but the foreground's own is in it. Codecs
    that share chroma between pixels mix what lies behind the edge into the edge: black would make it a dark rim.
    """
    left, top, width, height = cv2.boundingRect(_covered(alpha))
    if not width:
        return
    box = np.s_[max(0, top - reach_px) : top + height + reach_px, max(0, left - reach_px) : left + width + reach_px]
    part, weight = colours[box], alpha[box].astype(np.float32)
    side = (2 * reach_px + 1,) * 2
    near = cv2.boxFilter(weight, cv2.CV_32F, side, normalize=False, borderType=cv2.BORDER_CONSTANT)
    rim = (weight == 0) & (near > 0)
    weighted = cv2.multiply(part, cv2.merge([weight] * 3), dtype=cv2.CV_32F)
    sums = cv2.boxFilter(weighted, cv2.CV_32F, side, normalize=False, borderType=cv2.BORDER_CONSTANT)
    part[rim] = np.rint(sums[rim] / near[rim][:, None])


def with_alpha(colours: Picture, alpha: Picture) -> Picture:
    """RGBA of (H, W, 3) and (H, W), both of one depth."""
    out = _blank((*alpha.shape, 4), colours)
    cv2.mixChannels([np.ascontiguousarray(colours), np.ascontiguousarray(alpha)], [out], [0, 0, 1, 1, 2, 2, 3, 3])
    return out


def _foreground(foreground: Picture, alpha: Picture, mode: AlphaMode, bleed_px: int) -> Picture:
    if mode == "straight":
        return straight(foreground, alpha, bleed_px)
    multiplied = premultiplied(foreground, alpha)
    return multiplied if mode == "none" else with_alpha(multiplied, alpha)


def _covered(alpha: Picture) -> npt.NDArray[np.uint8]:
    return (alpha > 0).view(np.uint8)


def _opaque(picture: Picture) -> Picture:
    opaque = _blank(picture.shape[:2], picture)
    opaque[:] = np.iinfo(picture.dtype).max
    return opaque


def _blank(shape: tuple[int, ...], like: Picture) -> Picture:
    return np.zeros(shape, np.uint8) if like.dtype == np.uint8 else np.zeros(shape, np.uint16)


def _at_depth_of(like: Picture, alpha: Picture) -> Picture:
    if alpha.dtype == like.dtype:
        return alpha
    return to_8_bits(alpha) if like.dtype == np.uint8 else np.multiply(alpha, 257, dtype=np.uint16)


def _draw(picture: Picture, half: Picture) -> None:
    """Fit (h, w, 3) into `half` (H, W, 3), which is black, standing on its lower edge."""
    height, width = half.shape[:2]
    size: Size = (picture.shape[1], picture.shape[0])
    scale = min(width / size[0], height / size[1])
    inner = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
    if inner != size:
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        picture = cv2.resize(picture, inner, interpolation=how)  # type: ignore[assignment]
    left = (width - inner[0]) // 2
    half[height - inner[1] :, left : left + inner[0]] = picture
