import math

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, lab2lch, lab2rgb, rgb2lab
from skimage.metrics import structural_similarity

from harmonizer import metrics
from harmonizer.metrics import colour_difference, delta_e_2000, fssim, ssim, ssim_and_fssim

RNG = np.random.default_rng(4)
TRUTH = RNG.integers(0, 256, (70, 50, 3), dtype=np.uint8)
OUTPUT = np.clip(TRUTH.astype(int) + RNG.integers(-30, 50, TRUTH.shape), 0, 255).astype(np.uint8)
MASK = np.zeros((70, 50), bool)
MASK[5:45, 10:40] = True
NOTHING = np.zeros_like(MASK)


def skimage_ssim():
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    return structural_similarity(OUTPUT, TRUTH, channel_axis=2, full=True, **options)


@pytest.mark.parametrize("band_px", [512, 20])
def test_ssim_agrees_with_scikit_image_in_one_band_and_in_several(monkeypatch, band_px):
    monkeypatch.setattr(metrics, "_BAND_PX", band_px)
    whole, similarity = skimage_ssim()
    assert ssim(OUTPUT, TRUTH) == pytest.approx(whole, abs=1e-12)
    assert fssim(OUTPUT, TRUTH, MASK) == pytest.approx(similarity[MASK].mean(), abs=1e-12)
    assert ssim_and_fssim(OUTPUT, TRUTH, MASK * np.uint8(255)) == (ssim(OUTPUT, TRUTH), fssim(OUTPUT, TRUTH, MASK))


def test_ssim_of_equal_pictures_is_one_and_of_tiny_or_unmasked_ones_nan():
    assert ssim_and_fssim(TRUTH, TRUTH, MASK) == pytest.approx((1.0, 1.0))
    assert math.isnan(fssim(OUTPUT, TRUTH, NOTHING))
    assert np.isnan(ssim_and_fssim(OUTPUT[:10], TRUTH[:10], MASK[:10])).all()


def test_delta_e_agrees_with_scikit_image_and_ignores_the_background():
    altered = OUTPUT.copy()
    altered[~MASK] = 0
    expected = deltaE_ciede2000(rgb2lab(TRUTH), rgb2lab(OUTPUT))[MASK].mean()
    assert delta_e_2000(altered, TRUTH, MASK) == pytest.approx(expected)
    assert colour_difference(altered, TRUTH, MASK).delta_e == pytest.approx(expected)
    assert delta_e_2000(TRUTH, TRUTH, MASK) == 0.0


def test_hue_and_chroma_agree_with_scikit_images_lch():
    output, truth = (lab2lch(rgb2lab(picture))[MASK] for picture in (OUTPUT, TRUTH))
    turn = np.abs(output[:, 2] - truth[:, 2])
    turn = np.degrees(np.minimum(turn, 2 * np.pi - turn))
    weight = np.sqrt(output[:, 1] * truth[:, 1])
    found = colour_difference(OUTPUT, TRUTH, MASK)
    assert found.hue_deg == pytest.approx((turn * weight).sum() / weight.sum())
    assert found.chroma == pytest.approx(np.abs(output[:, 1] - truth[:, 1]).mean())
    assert found.chroma_gain == pytest.approx((output[:, 1] - truth[:, 1]).mean())


def flat(lightness, a, b):
    colour = lab2rgb(np.array([[[lightness, a, b]]], float))
    return np.tile(np.rint(colour * 255).astype(np.uint8), (*MASK.shape, 1))


def test_a_turn_of_hue_is_told_in_degrees_and_paling_below_zero():
    turned = colour_difference(flat(60, 0, 30), flat(60, 30, 0), MASK)
    assert turned.hue_deg == pytest.approx(90, abs=1.5)
    assert turned.chroma == pytest.approx(0, abs=0.7)
    assert colour_difference(flat(60, 10, 0), flat(60, 30, 0), MASK).chroma_gain == pytest.approx(-20, abs=0.7)


def test_grey_has_no_hue_and_no_foreground_no_figures():
    grey = np.full_like(TRUTH, 90)
    assert math.isnan(colour_difference(grey, grey + 20, MASK).hue_deg)
    assert np.isnan(list(vars(colour_difference(OUTPUT, TRUTH, NOTHING)).values())).all()
    assert math.isnan(delta_e_2000(OUTPUT, TRUTH, NOTHING))


def test_large_foregrounds_are_sampled(monkeypatch):
    whole = delta_e_2000(OUTPUT, TRUTH, MASK)
    monkeypatch.setattr(metrics, "COLOUR_SAMPLES", 400)
    assert delta_e_2000(OUTPUT, TRUTH, MASK) != whole
    assert delta_e_2000(OUTPUT, TRUTH, MASK) == pytest.approx(whole, rel=0.1)
