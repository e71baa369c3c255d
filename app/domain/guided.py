"""A guided filter in parts: local colour-linear models of a matte, to be applied at any resolution.

He, Sun, Tang, "Guided Image Filtering" (TPAMI 2013), colour guide, eq. 14-16; coefficients at low resolution
and applied at full resolution as in He and Sun, "Fast Guided Filter" (arXiv 1505.00996).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.frame import Alpha

Floats = npt.NDArray[np.float32]
Coefficients = npt.NDArray[np.float32]
"""(h, w, 4) float32: alpha ~ c[..., 0:3] . RGB + c[..., 3], RGB in [0, 1]."""


@dataclass(frozen=True, slots=True)
class Guide:
    """What a guide picture contributes, computed once and used for any number of passes.

    planes: its R, G, B, each (h, w) float32 in [0, 1]. means: their box means.
    inverse: the inverse of the local covariance + eps I, as its planes rr, rg, rb, gg, gb, bb.
    """

    planes: tuple[Floats, ...]
    means: tuple[Floats, ...]
    inverse: tuple[Floats, ...]
    radius: int


def prepare_guide(picture: npt.NDArray[np.uint8], *, radius: int, eps: float) -> Guide:
    """Local means and inverse covariances of an (h, w, 3) uint8 picture; eps as for values in [0, 1]."""
    r, g, b = planes = _planes(picture.astype(np.float32) * np.float32(1 / 255))
    mr, mg, mb = means = _planes(box_mean(_interleaved(*planes), radius))
    products = box_mean(_interleaved(r * r, r * g, r * b, g * g, g * b, b * b), radius)
    rr, rg, rb, gg, gb, bb = _planes(products)
    rr, gg, bb = rr - mr * mr + eps, gg - mg * mg + eps, bb - mb * mb + eps
    rg, rb, gb = rg - mr * mg, rb - mr * mb, gb - mg * mb
    return Guide(planes, means, _inverse(rr, rg, rb, gg, gb, bb, floor=eps**3), radius)


def fit(guide: Guide, alpha: Alpha) -> Coefficients:
    """The local linear models that best explain alpha, (h, w), by the guide; averaged over each box."""
    r, g, b = guide.planes
    mr, mg, mb = guide.means
    irr, irg, irb, igg, igb, ibb = guide.inverse
    moments = box_mean(_interleaved(alpha * r, alpha * g, alpha * b, alpha), guide.radius)
    sr, sg, sb, mean = _planes(moments)
    sr, sg, sb = sr - mr * mean, sg - mg * mean, sb - mb * mean
    ar = irr * sr + irg * sg + irb * sb
    ag = irg * sr + igg * sg + igb * sb
    ab = irb * sr + igb * sg + ibb * sb
    return box_mean(_interleaved(ar, ag, ab, mean - ar * mr - ag * mg - ab * mb), guide.radius)


def apply_models(models: Coefficients, guide: Guide) -> Alpha:
    """The models' alpha at the guide's own resolution, (h, w) float32; may leave [0, 1]."""
    r, g, b = guide.planes
    ar, ag, ab, offset = _planes(models)
    return np.asarray(ar * r + ag * g + ab * b + offset)


def box_mean(values: Floats, radius: int) -> Floats:
    """Mean over a (2 radius + 1) square; (h, w[, c]) float32, border reflected."""
    side = 2 * radius + 1
    return np.asarray(cv2.boxFilter(values, -1, (side, side), borderType=cv2.BORDER_REFLECT))


def _planes(values: Floats) -> tuple[Floats, ...]:
    return tuple(np.asarray(plane) for plane in cv2.split(values))


def _interleaved(*planes: Floats) -> Floats:
    return np.asarray(cv2.merge(planes), np.float32)


def _inverse(
    rr: Floats, rg: Floats, rb: Floats, gg: Floats, gb: Floats, bb: Floats, *, floor: float
) -> tuple[Floats, ...]:
    """Adjugate over determinant of symmetric 3 x 3 matrices, plane by plane."""
    crr, crg, crb = gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb
    cgg, cgb, cbb = rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg
    scale = 1 / np.maximum(rr * crr + rg * crg + rb * crb, np.float32(floor))
    return tuple(c * scale for c in (crr, crg, crb, cgg, cgb, cbb))
