"""Picture metrics of the harmonization literature, peak 255.

fMSE is the squared error over foreground pixels only (mask > 0.5), averaged over pixels and channels.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Levels = npt.NDArray[np.number[Any]]
PEAK = 255.0


def mse(output: Levels, truth: Levels) -> float:
    """Mean squared error of two (H, W, 3) pictures in 0..255."""
    return float(np.square(np.asarray(output, np.float64) - np.asarray(truth, np.float64)).mean())


def fmse(output: Levels, truth: Levels, mask: Levels) -> float:
    """MSE over the foreground: mask (H, W), above half its peak. nan when the foreground is empty."""
    inside = _foreground(mask)
    if not inside.any():
        return math.nan
    return mse(np.asarray(output)[inside], np.asarray(truth)[inside])


def psnr(output: Levels, truth: Levels) -> float:
    """Peak signal-to-noise ratio in dB at peak 255; inf for equal pictures."""
    error = mse(output, truth)
    return math.inf if error == 0 else 10.0 * math.log10(PEAK**2 / error)


def _foreground(mask: Levels) -> npt.NDArray[np.bool_]:
    mask = np.asarray(mask)
    half = 127.5 if mask.dtype == np.uint8 else 0.5
    return np.asarray(mask > half)
