"""The statistics everybody compares with: Reinhard transfer and histogram matching."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
_MIN_SPREAD = 1e-6

# Ruderman's l-alpha-beta from RGB by LMS (Reinhard et al., "Color Transfer between Images", 2001, eq. 4-6).
_RGB_TO_LMS = np.array([[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]])
_LMS_TO_LAB = np.diag([3**-0.5, 6**-0.5, 2**-0.5]) @ np.array([[1, 1, 1], [1, 1, -2], [1, -1, 0]])


def _to_lab(pixels: Pixels) -> npt.NDArray[np.float64]:
    lms = (pixels.reshape(-1, 3) / 255.0) @ _RGB_TO_LMS.T
    lab: npt.NDArray[np.float64] = np.log10(np.maximum(lms, 1.0 / 255.0)) @ _LMS_TO_LAB.T
    return lab


def _from_lab(lab: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    lms = 10.0 ** (lab @ np.linalg.inv(_LMS_TO_LAB).T)
    return lms @ np.linalg.inv(_RGB_TO_LMS).T


def reinhard(composite: Pixels, mask: npt.NDArray[np.bool_]) -> Pixels:
    """Foreground mean and spread set to the background's in l-alpha-beta.

    composite (H, W, 3) uint8, mask (H, W) bool -> (H, W, 3) uint8; unchanged outside the mask, and
    everywhere when either side is empty.
    """
    if not mask.any() or mask.all():
        return composite.copy()
    foreground, background = _to_lab(composite[mask]), _to_lab(composite[~mask])
    spread = np.maximum(foreground.std(axis=0), _MIN_SPREAD)
    moved = (foreground - foreground.mean(axis=0)) * (background.std(axis=0) / spread) + background.mean(axis=0)
    out = composite.copy()
    out[mask] = np.rint(np.clip(_from_lab(moved), 0.0, 1.0) * 255.0).astype(np.uint8)
    return out


def match_histograms(composite: Pixels, mask: npt.NDArray[np.bool_]) -> Pixels:
    """Each channel's foreground histogram mapped onto the background's; same contract as `reinhard`."""
    if not mask.any() or mask.all():
        return composite.copy()
    out = composite.copy()
    for channel in range(3):
        source, target = composite[mask, channel], composite[~mask, channel]
        rank = np.cumsum(np.bincount(source, minlength=256)) / source.size
        wanted = np.cumsum(np.bincount(target, minlength=256)) / target.size
        table = np.interp(rank, wanted, np.arange(256))
        out[mask, channel] = np.rint(table[source]).astype(np.uint8)
    return out
