"""Click or scribble, and an object's outline follows: GrabCut in a box, brought to the picture's own edges.

Rother, Kolmogorov and Blake, "GrabCut" (SIGGRAPH 2004), as OpenCV has it, on at most MAX_SIDE_PX a side; what it cut
hard becomes a soft alpha by the guided filter (`app.domain.guided`).
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.alpha import SOLID, from_u8, to_u8
from app.domain.compositing import Size, as_uint8
from app.domain.frame import Alpha, Alpha8, Pixels
from app.domain.guided import apply_models, fit, prepare_guide
from app.domain.mask.areas import Area, no_area, tightened
from app.domain.mask.planes import Box, box_of

MAX_SIDE_PX: Final = 320
"""Of the picture that is cut. Smaller than 640 because a click should be answered while the hand is still there."""

ROUNDS: Final = 3
"""Of modelling and cutting; the outline hardly moves after that."""

CLICK_PX: Final = 8.0
"""Radius of what one click says for sure, on a frame 1080 px high; in proportion on others."""

_CLICK_BOX: Final = 0.22
"""Half the side of a click's box, of the frame's shorter side."""

_SEED: Final = 6
"""GrabCut's colour models start at random: the same click should always give the same area."""

_GUIDE_RADIUS: Final = 3
_GUIDE_EPS: Final = 1e-4
_LEAST_SIDE_PX: Final = 3
_NEAR: Final = np.ones((7, 7), np.uint8)

Bools = npt.NDArray[np.bool_]


def click_scribble(place: tuple[float, float], size: Size) -> Alpha8:
    """What a click at (x, y) px says: a disc of 255 in zeros, (H, W) uint8; nothing for a click outside."""
    width, height = size
    scribble = np.zeros((height, width), np.uint8)
    x, y = int(np.floor(place[0])), int(np.floor(place[1]))
    if 0 <= x < width and 0 <= y < height:
        radius = max(1, round(CLICK_PX * min(size) / 1080))
        cv2.circle(scribble, (x, y), radius, (255.0,), -1)
    return scribble


def scribble_box(foreground: Alpha8, background: Alpha8) -> Box:
    """Where to look for what the scribbles (H, W) mean: around them, with the surroundings that a click gets.

    Empty where there is no foreground scribble.
    """
    height, width = foreground.shape
    meant = box_of(foreground)
    if meant.is_empty:
        return meant
    return (
        meant.united(box_of(background)).grown(max(16, round(_CLICK_BOX * min(width, height)))).within((width, height))
    )


def assisted(
    pixels: Pixels,
    box: Box,
    foreground: Alpha8,
    background: Alpha8,
    prior_alpha: Alpha8,
    *,
    only_alike: bool = False,
) -> Area:
    """Coverage of the object under the foreground scribble, joined to it, within the box.

    pixels (H, W, 3); foreground, background, prior_alpha (H, W) uint8: scribbled where over 127 (background wins), and
    the matte so far, which only says where to begin. Edges are soft and follow the picture. Nothing without a
    foreground scribble in the box. only_alike: nothing of other colours than the scribble's, as where something is to
    be taken out beside what must stay. The same arguments always give the same area.
    """
    inside = box.within((foreground.shape[1], foreground.shape[0]))
    if inside.is_empty:
        return no_area()
    part, size = inside.rows_columns, _small(inside.size)
    picture = as_uint8(cv2.resize(pixels[part], size, interpolation=cv2.INTER_AREA))
    is_background = _shrunk_marks(background[part], size)
    is_foreground = _shrunk_marks(foreground[part], size) & ~is_background
    if not is_foreground.any():
        return no_area()
    prior = from_u8(as_uint8(cv2.resize(prior_alpha[part], size, interpolation=cv2.INTER_AREA)))
    cut = _cut(picture, is_foreground, is_background, prior)
    if only_alike:
        alike = _joined(_resembles(picture, is_foreground), is_foreground)
        cut &= cv2.dilate(alike.view(np.uint8), _NEAR) > 0
    soft = _softened(np.ascontiguousarray(pixels[part]), picture, _joined(cut, is_foreground))
    # The hand has the last word, to the pixel.
    soft[foreground[part] > 127], soft[background[part] > 127] = 255, 0
    return tightened(inside, soft)


def _small(size: Size) -> Size:
    scale = min(1.0, MAX_SIDE_PX / max(size))
    width, height = (max(1, round(side * scale)) for side in size)
    return width, height


def _shrunk_marks(scribble: Alpha8, size: Size) -> Bools:
    """A mark stays one however thin it is."""
    marked = np.where(scribble > 127, np.uint8(255), np.uint8(0))
    return as_uint8(cv2.resize(marked, size, interpolation=cv2.INTER_AREA)) > 0


def _cut(picture: Pixels, foreground: Bools, background: Bools, prior: Alpha) -> Bools:
    """The foreground as GrabCut sees it."""
    mask = _first_guess(picture, foreground, background, prior)
    has_both = np.isin(mask, (cv2.GC_BGD, cv2.GC_PR_BGD)).any()
    if has_both and min(mask.shape) >= _LEAST_SIDE_PX:
        cv2.setRNGSeed(_SEED)
        models = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.grabCut(picture, mask, (0, 0, 1, 1), *models, ROUNDS, cv2.GC_INIT_WITH_MASK)
    return np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD))


def _first_guess(picture: Pixels, foreground: Bools, background: Bools, prior: Alpha) -> Alpha8:
    """Marks for GrabCut: what the scribble resembles or the matte holds for foreground, the box's rim for background.

    Where the scribble lies on the matte's background the matte is wrong there, and only colours count.
    """
    believed = prior >= SOLID
    trusts_matte = believed[foreground].mean() > SOLID
    alike = _joined(_resembles(picture, foreground), foreground)
    likely = (believed | alike) if trusts_matte else (alike & ~believed)
    if background.any():
        likely &= ~_joined(_resembles(picture, background), background)
    mask = np.where(likely, np.uint8(cv2.GC_PR_FGD), np.uint8(cv2.GC_PR_BGD))
    rim = np.ones(mask.shape, bool)
    rim[1:-1, 1:-1] = False
    mask[rim & ~likely] = cv2.GC_BGD
    mask[background], mask[foreground] = cv2.GC_BGD, cv2.GC_FGD
    return mask


def _resembles(picture: Pixels, foreground: Bools) -> Bools:
    """Pixels of the scribble's colours, within 3 standard deviations."""
    lab = as_uint8(cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)).astype(np.float64)
    colours = lab[foreground]
    away = colours - colours.mean(axis=0)
    inverse = np.linalg.inv(away.T @ away / len(away) + 36 * np.eye(3))
    apart = lab - colours.mean(axis=0)
    return np.asarray(np.einsum("hwi,ij,hwj->hw", apart, inverse, apart) < 9)


def _joined(cut: Bools, foreground: Bools) -> Bools:
    """Only the pieces with a scribble on them."""
    _, labels = cv2.connectedComponents(cut.view(np.uint8), connectivity=4)
    labels = np.asarray(labels)
    return np.asarray(np.isin(labels, np.unique(labels[foreground & cut])) & cut)


def _softened(pixels: Pixels, picture: Pixels, cut: Bools) -> Alpha8:
    """The cut at the picture's full size with soft edges that lie on its own."""
    height, width = pixels.shape[:2]
    hard = cut.astype(np.float32)
    models = fit(prepare_guide(picture, radius=_GUIDE_RADIUS, eps=_GUIDE_EPS), hard)
    fine = prepare_guide(pixels, radius=1, eps=_GUIDE_EPS)
    soft = apply_models(np.asarray(cv2.resize(models, (width, height), interpolation=cv2.INTER_LINEAR)), fine)
    # Far from the cut its own word counts: a linear model throws sparks over a busy ground.
    side = 2 * _GUIDE_RADIUS + 1
    disc = np.ones((side, side), np.uint8)
    least, most = cv2.erode(hard, disc), cv2.dilate(hard, disc)
    low, high = (cv2.resize(bound, (width, height), interpolation=cv2.INTER_LINEAR) for bound in (least, most))
    return to_u8(np.clip(soft, np.asarray(low), np.asarray(high)))
