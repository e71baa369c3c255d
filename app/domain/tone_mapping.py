"""HDR video (PQ and HLG, ITU-R BT.2100) to what every other video is: display-referred BT.709.

Signal -> displayed light in cd/m2 -> primaries of BT.709 -> into their gamut -> down to the range of SDR -> R'G'B'.
The range is brought down by the EETF of ITU-R BT.2390: untouched up to a knee, from there a Hermite spline to the
target's peak, all in PQ's own steps, which are about equal to the eye. It is applied to the largest of R, G and B and
the other two follow in proportion: hue and saturation stay, and no channel is clipped.

SDR's white is put at 203 cd/m2, HDR's reference white (BT.2408). From a peak of 1000 everything up to 91 cd/m2 keeps
its light, reference white itself comes out at 90 % of the signal (level 230), and the highlights share what is left.
"""

from __future__ import annotations

from typing import Final, Literal

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.primaries import (
    Deep,
    Floats,
    Primaries,
    encoded,
    extremes,
    look_up,
    luminance_weights,
    nearer_grey,
    rows_of,
    with_luminance,
)

Transfer = Literal["pq", "hlg"]

Curve = npt.NDArray[np.float64]
"""Any shape, float64."""

PQ_PEAK_NITS: Final = 10_000.0
REFERENCE_WHITE_NITS: Final = 203.0
"""HDR's diffuse white (BT.2408), and here the light of an SDR display's white."""

DEFAULT_PEAK_NITS: Final = 1000.0
"""Of PQ video that does not say; and HLG's nominal display, for which its system gamma is 1.2 (BT.2100, table 5)."""
HLG_GAMMA: Final = 1.2

_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
_HLG_A, _HLG_B, _HLG_C = 0.17883277, 0.28466892, 0.55991073

_TOP_NITS: Final = 2 * PQ_PEAK_NITS
"""More than any channel can have: the reddest red of BT.2020 is 1.66 times as red in BT.709."""
_STEPS: Final = 4096
_TINY: Final = np.float32(1e-6)

_GAMUT_KNEE, _GAMUT_LIMIT = 0.9, 2.24
"""Saturations, as shares of what BT.709 can show: from the first on they are compressed, and the last, that of the
purest blue of BT.2020, comes out at 1."""


def pq_nits(signal: Curve) -> Curve:
    """SMPTE ST 2084's EOTF: signal 0..1 -> cd/m2, 0..10000."""
    root = np.asarray(signal, np.float64).clip(0, 1) ** (1 / _M2)
    return np.asarray(PQ_PEAK_NITS * (np.maximum(root - _C1, 0) / (_C2 - _C3 * root)) ** (1 / _M1))


def pq_signal(nits: Curve) -> Curve:
    """Its inverse: cd/m2 -> signal."""
    light = (np.asarray(nits, np.float64).clip(0, PQ_PEAK_NITS) / PQ_PEAK_NITS) ** _M1
    return np.asarray(((_C1 + _C2 * light) / (1 + _C3 * light)) ** _M2)


def hlg_scene(signal: Curve) -> Curve:
    """Inverse of HLG's OETF (BT.2100, table 5): signal 0..1 -> light of the scene, 0..1."""
    signal = np.asarray(signal, np.float64).clip(0, 1)
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - _HLG_C) / _HLG_A) + _HLG_B) / 12)


def eetf_nits(nits: Curve, source_peak_nits: float) -> Curve:
    """BT.2390's EETF from a display with the source's peak to one of 203 cd/m2, both with a black of 0.

    Monotone. Everything from the source's peak on becomes 203; nothing changes if that is no brighter than the target.
    """
    whole = pq_signal(np.array(source_peak_nits))
    target = float(pq_signal(np.array(REFERENCE_WHITE_NITS)) / whole)
    level = np.minimum(pq_signal(nits) / whole, 1.0)
    if target >= 1:
        return np.minimum(np.asarray(nits, np.float64), REFERENCE_WHITE_NITS)
    knee = 1.5 * target - 0.5
    t = ((level - knee) / (1 - knee)).clip(0, 1)
    spline = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (-2 * t**3 + 3 * t**2) * target
    return pq_nits(np.where(level < knee, level, spline) * whole)


class ToneMapper:
    """HDR R'G'B' to SDR of BT.709. Its tables take 300 kB; pictures are worked on a strip at a time. Not thread-safe.

    transfer: of the signal. primaries: of the signal. peak_nits: the brightest that PQ video gets, None if unknown.
    """

    def __init__(self, transfer: Transfer, primaries: Primaries = "bt2020", *, peak_nits: float | None = None) -> None:
        levels = np.arange(65536) / 65535
        self._is_hlg = transfer == "hlg"
        self._light = (hlg_scene(levels) if self._is_hlg else pq_nits(levels)).astype(np.float32)
        self._scene_luminance = luminance_weights(primaries).astype(np.float32)[None]
        self._matrix = with_luminance(primaries)
        peak = DEFAULT_PEAK_NITS if self._is_hlg or peak_nits is None else peak_nits
        self._gain, self._gain_step = _gains(peak)

    def __call__(self, pixels: Deep) -> Deep:
        """(H, W, 3) uint16, 0..65535 -> the same shape."""
        out = np.empty_like(pixels)
        for rows in rows_of(len(pixels)):
            out[rows] = self._strip(pixels[rows])
        return out

    def _strip(self, pixels: Deep) -> Deep:
        light = look_up(pixels, self._light)
        if self._is_hlg:
            light = self._displayed(light)
        mixed = cv2.transform(light, self._matrix)
        *planes, luminance = (np.asarray(plane, np.float32) for plane in cv2.split(mixed))
        kept = _kept_saturation(extremes(planes)[0], luminance)
        if kept is not None:
            planes = nearer_grey(planes, luminance, kept)
        gain = self._gain_at(extremes(planes)[1])
        return encoded(np.asarray(cv2.merge([plane * gain for plane in planes]), np.float32))

    def _displayed(self, scene: Floats) -> Floats:
        """HLG's OOTF for the nominal display: brighter scenes gain more than dark ones, hues stay."""
        luminance = cv2.transform(scene, self._scene_luminance)
        gain = cv2.pow(luminance, HLG_GAMMA - 1.0) * np.float32(DEFAULT_PEAK_NITS)
        return np.asarray(scene * gain[..., None], np.float32)

    def _gain_at(self, brightest: Floats) -> Floats:
        """What displayed light is multiplied by to be a share of SDR's white, where `brightest` is the largest channel.

        Interpolated: nearest entries would make steps where the curve is flat.
        """
        root = cv2.sqrt(cv2.sqrt(np.maximum(brightest, np.float32(0)) * np.float32(1 / _TOP_NITS)))
        place = np.minimum(np.asarray(root, np.float32) * np.float32(_STEPS), np.float32(_STEPS - 1))
        whole = place.astype(np.int32)
        return np.asarray(self._gain.take(whole) + (place - whole) * self._gain_step.take(whole), np.float32)


def _gains(peak_nits: float) -> tuple[Floats, Floats]:
    """Gain at _STEPS levels, evenly spaced in the fourth root of light, and the difference to the next."""
    nits = _TOP_NITS * (np.maximum(np.arange(_STEPS + 1), 1e-3) / _STEPS) ** 4
    gain = eetf_nits(nits, peak_nits) / nits / REFERENCE_WHITE_NITS
    gain[:2] = gain[2]  # Where PQ's own rounding is all there is.
    return gain[:-1].astype(np.float32), np.diff(gain).astype(np.float32)


def _kept_saturation(least: Floats, luminance: Floats) -> Floats | None:
    """How much of its distance from grey each colour keeps, 0..1; None where all keep all of it.

    Saturation counts from grey, 0, to the edge of BT.709's gamut, 1. The curve is that of the ACES reference gamut
    compression, power 1: straight up to a knee, then ever flatter, the limit ending at 1.
    """
    saturation = (luminance - least) / np.maximum(luminance, _TINY)
    over = saturation - np.float32(_GAMUT_KNEE)
    if not (over > 0).any():
        return None
    scale = np.float32(1 / (1 / (1 - _GAMUT_KNEE) - 1 / (_GAMUT_LIMIT - _GAMUT_KNEE)))
    compressed = np.float32(_GAMUT_KNEE) + over / (1 + over / scale)
    return np.asarray(np.where(over > 0, compressed / np.maximum(saturation, _TINY), np.float32(1)), np.float32)
