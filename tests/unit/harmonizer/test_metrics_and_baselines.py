import math

import numpy as np
import pytest
from skimage.exposure import match_histograms as skimage_match
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio

from harmonizer.baselines import match_histograms, reinhard
from harmonizer.metrics import fmse, mse, psnr

RNG = np.random.default_rng(4)
TRUTH = RNG.integers(0, 256, (40, 50, 3), dtype=np.uint8)
OUTPUT = np.clip(TRUTH.astype(int) + RNG.integers(-20, 20, TRUTH.shape), 0, 255).astype(np.uint8)
MASK = np.zeros((40, 50), bool)
MASK[5:25, 10:40] = True


def test_mse_and_psnr_agree_with_scikit_image():
    assert mse(OUTPUT, TRUTH) == pytest.approx(mean_squared_error(TRUTH, OUTPUT))
    assert psnr(OUTPUT, TRUTH) == pytest.approx(peak_signal_noise_ratio(TRUTH, OUTPUT, data_range=255))
    assert psnr(TRUTH, TRUTH) == math.inf


def test_fmse_is_the_error_inside_the_mask_only():
    altered = OUTPUT.copy()
    altered[~MASK] = 0
    expected = mean_squared_error(TRUTH[MASK], OUTPUT[MASK])
    assert fmse(altered, TRUTH, MASK.astype(float)) == pytest.approx(expected)
    assert fmse(altered, TRUTH, MASK.astype(np.uint8) * 255) == pytest.approx(expected)
    assert math.isnan(fmse(OUTPUT, TRUTH, np.zeros((40, 50))))


@pytest.mark.parametrize("method", [reinhard, match_histograms])
def test_baselines_change_only_the_foreground_and_survive_empty_sides(method):
    out = method(OUTPUT, MASK)
    assert np.array_equal(out[~MASK], OUTPUT[~MASK])
    assert not np.array_equal(out[MASK], OUTPUT[MASK])
    for empty in (np.zeros_like(MASK), np.ones_like(MASK)):
        assert np.array_equal(method(OUTPUT, empty), OUTPUT)


def test_reinhard_moves_the_statistics_onto_the_backgrounds():
    dark = OUTPUT // 2 + 40
    dark[MASK] //= 3
    out = reinhard(dark, MASK)
    assert out[MASK].mean() == pytest.approx(dark[~MASK].mean(), abs=4)


def test_histogram_matching_agrees_with_scikit_image():
    composite = OUTPUT.copy()
    composite[MASK] //= 2
    source, target = composite[MASK][None], composite[~MASK][None]
    expected = skimage_match(source, target, channel_axis=-1)[0]
    np.testing.assert_allclose(match_histograms(composite, MASK)[MASK], expected, atol=1.01)
