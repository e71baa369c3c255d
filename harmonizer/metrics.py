"""Picture metrics of the harmonization literature, peak 255, and colour differences as people see them.

fMSE is the squared error over foreground pixels only (mask > 0.5), averaged over pixels and channels. SSIM is
Wang et al.'s (2004) with its Gaussian window; fSSIM the mean of its map over the foreground. Colour differences
are CIEDE2000, hue and chroma in CIELAB (D65).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Levels = npt.NDArray[np.number[Any]]
Inside = npt.NDArray[np.bool_]
Values = npt.NDArray[np.float64]
PEAK = 255.0

SSIM_WINDOW_PX: Final = 11
"""Side of the Gaussian window (sigma 1.5, cut off at 3.5 sigma); smaller pictures have no SSIM."""

_HALO_PX = SSIM_WINDOW_PX // 2
_BAND_PX = 512

COLOUR_SAMPLES: Final = 1 << 20
"""Foreground pixels that colour differences look at: of a larger foreground every k-th."""

_GREY_CHROMA = 1.0


@dataclass(frozen=True)
class ColourDifference:
    """How a foreground's colours differ from the truth's, means over its pixels.

    delta_e: CIEDE2000. hue_deg: 0..180, weighted by chroma as CIE's hue difference is (grey has no hue); nan
    when the foreground is grey. chroma: absolute difference of CIELAB chroma. chroma_gain: signed, below 0 when
    the output is paler than the truth.
    """

    delta_e: float
    hue_deg: float
    chroma: float
    chroma_gain: float


def mse(output: Levels, truth: Levels) -> float:
    """Mean squared error of two (H, W, 3) pictures in 0..255."""
    return float(np.square(np.asarray(output, np.float64) - np.asarray(truth, np.float64)).mean())


def fmse(output: Levels, truth: Levels, mask: Levels | Inside) -> float:
    """MSE over the foreground: mask (H, W), above half its peak. nan when the foreground is empty."""
    inside = _foreground(mask)
    if not inside.any():
        return math.nan
    return mse(np.asarray(output)[inside], np.asarray(truth)[inside])


def psnr(output: Levels, truth: Levels) -> float:
    """Peak signal-to-noise ratio in dB at peak 255; inf for equal pictures."""
    error = mse(output, truth)
    return math.inf if error == 0 else 10.0 * math.log10(PEAK**2 / error)


def ssim(output: Levels, truth: Levels) -> float:
    """Structural similarity of two (H, W, 3) pictures in 0..255, at most 1; nan below 11 px a side."""
    return ssim_and_fssim(output, truth, np.ones(np.asarray(output).shape[:2], np.bool_))[0]


def fssim(output: Levels, truth: Levels, mask: Levels | Inside) -> float:
    """Mean of the SSIM map over the foreground; nan when that is empty or the picture below 11 px a side."""
    return ssim_and_fssim(output, truth, mask)[1]


def ssim_and_fssim(output: Levels, truth: Levels, mask: Levels | Inside) -> tuple[float, float]:
    """Both from one map. SSIM leaves out a border of 5 px, as scikit-image does; fSSIM does not."""
    inside = _foreground(mask)
    height, width = inside.shape
    if min(height, width) < SSIM_WINDOW_PX:
        return math.nan, math.nan
    within = np.zeros_like(inside)
    within[_HALO_PX : height - _HALO_PX, _HALO_PX : width - _HALO_PX] = True
    whole, foreground = 0.0, 0.0
    for rows, band in _ssim_bands(np.asarray(output), np.asarray(truth)):
        whole += float(band[within[rows]].sum())
        foreground += float(band[inside[rows]].sum())
    area = int(inside.sum())
    return whole / float(within.sum()), foreground / area if area else math.nan


def delta_e_2000(output: Levels, truth: Levels, mask: Levels | Inside) -> float:
    """Mean CIEDE2000 colour difference over the foreground; nan when that is empty."""
    return _mean_delta_e(*_foreground_lab(output, truth, mask))


def colour_difference(output: Levels, truth: Levels, mask: Levels | Inside) -> ColourDifference:
    """Difference, hue and chroma over the foreground; all nan when that is empty."""
    moved, wanted = _foreground_lab(output, truth, mask)
    if not len(moved):
        return ColourDifference(math.nan, math.nan, math.nan, math.nan)
    chroma, true_chroma = (np.hypot(lab[:, 1], lab[:, 2]) for lab in (moved, wanted))
    return ColourDifference(
        delta_e=_mean_delta_e(moved, wanted),
        hue_deg=_mean_hue_deg(moved, wanted, weight=np.sqrt(chroma * true_chroma)),
        chroma=float(np.abs(chroma - true_chroma).mean()),
        chroma_gain=float((chroma - true_chroma).mean()),
    )


def _foreground(mask: Levels | Inside) -> Inside:
    half = 127.5 if mask.dtype == np.uint8 else 0.5
    return np.asarray(mask > half)


def _ssim_bands(output: Levels, truth: Levels) -> Iterator[tuple[slice, Values]]:
    """Rows and their SSIM map (rows, W), mean of the channels.

    In bands with a halo of half a window: the same map, but 12 megapixels take 0.4 GB and 8 s where they take
    1.8 GB and 18 s as a whole.
    """
    height = truth.shape[0]
    edges = np.linspace(0, height, max(1, height // _BAND_PX) + 1).astype(int)
    for start, stop in pairwise(edges):
        first, last = max(0, start - _HALO_PX), min(height, stop + _HALO_PX)
        similarity = _ssim_map(output[first:last], truth[first:last])
        yield slice(start, stop), similarity[start - first : stop - first]


def _ssim_map(output: Levels, truth: Levels) -> Values:
    from skimage.metrics import structural_similarity

    _, similarity = structural_similarity(  # type: ignore[no-untyped-call]
        output,
        truth,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=PEAK,
        channel_axis=2,
        full=True,
    )
    mean: Values = np.asarray(similarity, np.float64).mean(axis=2)
    return mean


def _foreground_lab(output: Levels, truth: Levels, mask: Levels | Inside) -> tuple[Values, Values]:
    from skimage.color import rgb2lab

    inside = _foreground(mask)
    step = max(1, math.ceil(int(inside.sum()) / COLOUR_SAMPLES))
    moved, wanted = (np.asarray(picture)[inside][::step] / PEAK for picture in (output, truth))
    return rgb2lab(moved), rgb2lab(wanted)


def _mean_delta_e(moved: Values, wanted: Values) -> float:
    from skimage.color import deltaE_ciede2000

    if not len(moved):
        return math.nan
    if np.array_equal(moved, wanted):
        return 0.0  # the formula gives 1e-15
    return float(deltaE_ciede2000(moved, wanted).mean())  # type: ignore[no-untyped-call]


def _mean_hue_deg(moved: Values, wanted: Values, *, weight: Values) -> float:
    if weight.mean() < _GREY_CHROMA:
        return math.nan
    angles = (np.arctan2(lab[:, 2], lab[:, 1]) for lab in (moved, wanted))
    turn = np.subtract(*angles)
    apart = np.degrees(np.abs(np.arctan2(np.sin(turn), np.cos(turn))))
    return float(np.average(apart, weights=weight))
