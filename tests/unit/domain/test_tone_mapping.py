"""Against the formulas of SMPTE ST 2084, BT.2100 and BT.2390 written down once more, for one number at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest

from app.domain.tone_mapping import ToneMapper, eetf_nits, hlg_scene, pq_nits, pq_signal

M1, M2 = 0.1593017578125, 78.84375
C1, C2, C3 = 0.8359375, 18.8515625, 18.6875
TO_709 = ((1.660491, -0.587641, -0.072850), (-0.124550, 1.132900, -0.008349), (-0.018151, -0.100579, 1.118730))
LUMA_709, LUMA_2020 = (0.212639, 0.715169, 0.072192), (0.262700, 0.677998, 0.059302)


def eotf(signal: float) -> float:
    root = signal ** (1 / M2)
    return 10000 * (max(root - C1, 0) / (C2 - C3 * root)) ** (1 / M1)


def inverse_eotf(nits: float) -> float:
    light = (nits / 10000) ** M1
    return ((C1 + C2 * light) / (1 + C3 * light)) ** M2


def inverse_oetf(signal: float) -> float:
    if signal <= 0.5:
        return signal * signal / 3
    return (math.exp((signal - 0.55991073) / 0.17883277) + 0.28466892) / 12


def eetf(nits: float, peak: float) -> float:
    whole = inverse_eotf(peak)
    level, most = min(inverse_eotf(nits) / whole, 1.0), inverse_eotf(203) / whole
    start = 1.5 * most - 0.5
    if level >= start:
        t = (level - start) / (1 - start)
        level = (2 * t**3 - 3 * t**2 + 1) * start + (t**3 - 2 * t**2 + t) * (1 - start) + (-2 * t**3 + 3 * t**2) * most
    return eotf(level * whole)


def dot(weights, colour) -> float:
    return sum(w * c for w, c in zip(weights, colour, strict=True))


def mapped(light, peak: float) -> list[float]:
    """Displayed light of BT.2020 to SDR's signal, for colours far enough inside BT.709."""
    linear = [dot(row, light) for row in TO_709]
    saturation = 1 - min(linear) / dot(LUMA_709, linear)
    assert saturation < 0.9, "beyond this the gamut's edge bends it"
    gain = eetf(max(linear), peak) / max(linear) / 203
    return [(value * gain) ** (1 / 2.4) for value in linear]


def shown(mapper: ToneMapper, *colours) -> np.ndarray:
    return mapper(np.rint(np.array([colours], float) * 65535).astype(np.uint16))[0] / 65535


def ramp() -> np.ndarray:
    return np.dstack([np.arange(65536, dtype=np.uint16).reshape(128, 512)] * 3)


def test_known_points_of_the_curves():
    assert float(pq_nits(np.array(0.58))) == pytest.approx(203, abs=2)
    assert float(pq_signal(np.array(100.0))) == pytest.approx(0.508, abs=5e-4)
    assert float(pq_signal(np.array(1000.0))) == pytest.approx(0.7518, abs=5e-5)
    assert float(pq_nits(np.array(1.0))) == pytest.approx(10000)
    assert float(pq_nits(np.array(0.0))) == 0
    # HLG: 75 % is reference white, 203 cd/m2 on the nominal display; 38 % an 18 % grey card's 26.
    assert 1000 * float(hlg_scene(np.array(0.75))) ** 1.2 == pytest.approx(203, abs=1)
    assert 1000 * float(hlg_scene(np.array(0.38))) ** 1.2 == pytest.approx(26, abs=1)
    assert float(hlg_scene(np.array(1.0))) == pytest.approx(1, abs=1e-6)
    assert float(hlg_scene(np.array(0.5))) == pytest.approx(1 / 12)


def test_the_curves_are_each_others_inverse_and_the_scalar_formulas():
    signals = np.linspace(0.001, 1, 500)
    np.testing.assert_allclose(pq_signal(pq_nits(signals)), signals, atol=1e-9)
    np.testing.assert_allclose(pq_nits(signals), [eotf(s) for s in signals], rtol=1e-9)
    np.testing.assert_allclose(hlg_scene(signals), [inverse_oetf(s) for s in signals], rtol=1e-9)


@pytest.mark.parametrize("peak", [300.0, 1000.0, 4000.0, 10000.0])
def test_the_eetf_is_bt2390s(peak):
    nits = np.geomspace(0.01, 10000, 400)
    got = eetf_nits(nits, peak)
    np.testing.assert_allclose(got, [eetf(n, peak) for n in nits], rtol=1e-9)
    assert np.all(np.diff(got) >= 0)
    assert np.all(got <= np.minimum(nits, 203) * (1 + 1e-9)), "nothing gets brighter"
    assert got[-1] == pytest.approx(203)


def test_a_source_no_brighter_than_sdr_is_left_alone():
    np.testing.assert_allclose(eetf_nits(np.array([1.0, 80.0, 203.0, 500.0]), 203.0), [1, 80, 203, 203], rtol=1e-12)


@pytest.mark.parametrize("transfer", ["pq", "hlg"])
def test_whole_colours_follow_the_scalar_formulas(transfer):
    rng = np.random.default_rng(5)
    grey = rng.uniform(0.15, 0.74, (200, 1))
    colours = np.clip(grey * (1 + rng.uniform(-0.06, 0.06, (200, 3))), 0, 1)
    colours = np.rint(colours * 65535) / 65535
    got = shown(ToneMapper(transfer), *colours)
    for colour, result in zip(colours, got, strict=True):
        if transfer == "pq":
            light = [eotf(c) for c in colour]
        else:
            scene = [inverse_oetf(c) for c in colour]
            light = [1000 * dot(LUMA_2020, scene) ** 0.2 * c for c in scene]
        np.testing.assert_allclose(result, mapped(light, 1000), atol=1.5e-4)


def test_reference_white_is_nine_tenths_of_the_signal_and_the_peak_all_of_it():
    pq, hlg = ToneMapper("pq"), ToneMapper("hlg")
    assert shown(pq, (0.5807,) * 3)[0, 1] * 255 == pytest.approx(230.4, abs=0.5)
    assert shown(hlg, (0.75,) * 3)[0, 1] * 255 == pytest.approx(230.4, abs=0.5)
    assert shown(pq, (0.7518271,) * 3)[0].min() > 0.9999
    assert shown(hlg, (1, 1, 1))[0].min() > 0.9999
    # Below the knee light is kept: 26 cd/m2 of a white of 203.
    assert shown(pq, (float(pq_signal(np.array(26.0))),) * 3)[0, 0] == pytest.approx((26 / 203) ** (1 / 2.4), abs=1e-3)


@pytest.mark.parametrize("mapper", [ToneMapper("pq"), ToneMapper("hlg"), ToneMapper("pq", peak_nits=4000)])
def test_greys_stay_neutral_and_in_order_at_every_level(mapper):
    out = mapper(ramp()).reshape(-1, 3).astype(int)
    assert np.ptp(out, axis=1).max() <= 1
    assert np.diff(out, axis=0).min() >= 0
    assert out[0].max() == 0
    assert out[-1].min() == 65535


def test_a_brighter_peak_leaves_more_room_for_highlights():
    white = (0.5807,) * 3
    at_peak = [shown(ToneMapper("pq", peak_nits=nits), white)[0, 0] for nits in (300, 1000, 4000)]
    assert at_peak[0] > at_peak[1] > at_peak[2] > 0.75


@pytest.mark.parametrize("transfer", ["pq", "hlg"])
def test_saturated_colours_keep_their_order_and_nothing_is_clipped_flat(transfer):
    """Ever more saturated green at one luminance: red falls all the way, beyond what BT.709 can show."""
    steps = np.linspace(0, 1, 200)
    level = 0.45
    colours = np.stack([level * (1 - steps), np.full(200, level), level * (1 - steps)], axis=1)
    out = shown(ToneMapper(transfer), *colours)
    assert np.diff(out[:, 0]).max() <= 1 / 65535
    assert out[-1, 0] < 0.35 * out[-1, 1]
    assert out.min() >= 0


def test_primaries_of_bt709_are_not_converted_again():
    mapper = ToneMapper("pq", "bt709")
    red = shown(mapper, (0.5, 0.3, 0.3))[0]
    light = [eotf(c) for c in (0.5, 0.3, 0.3)]
    np.testing.assert_allclose(
        red, [(n * eetf(light[0], 1000) / light[0] / 203) ** (1 / 2.4) for n in light], atol=2e-4
    )
