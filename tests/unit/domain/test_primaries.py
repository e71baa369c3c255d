from __future__ import annotations

import numpy as np
import pytest

from app.domain.primaries import PrimariesConverter, luminance_weights, rgb_between

# ITU-R BT.2087-0, equation for linear BT.709 to BT.2020 as printed there.
BT2087 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])


def codes(*colours):
    return np.rint(np.array([colours]) * 65535).astype(np.uint16)


def test_matrices_are_the_published_ones():
    np.testing.assert_allclose(rgb_between("bt709", "bt2020"), BT2087, atol=5e-5)
    np.testing.assert_allclose(rgb_between("bt2020", "bt709") @ rgb_between("bt709", "bt2020"), np.eye(3), atol=1e-12)
    np.testing.assert_allclose(luminance_weights("bt709"), (0.2126, 0.7152, 0.0722), atol=5e-5)
    np.testing.assert_allclose(luminance_weights("bt2020"), (0.2627, 0.6780, 0.0593), atol=5e-5)


def test_grey_comes_out_as_it_came_in_at_every_level():
    ramp = np.dstack([np.arange(65536, dtype=np.uint16).reshape(256, 256)] * 3)
    np.testing.assert_array_equal(PrimariesConverter("bt2020")(ramp), ramp)


def test_colours_of_bt709_survive_the_way_there_and_back():
    rng = np.random.default_rng(3)
    wanted = rng.random((70, 50, 3))
    linear = wanted**2.4 @ BT2087.T
    shown = PrimariesConverter("bt2020")(np.rint(linear ** (1 / 2.4) * 65535).astype(np.uint16))
    # BT2087 is printed with four digits: 1e-4 of light, more of it in the signal where that is steep.
    error = np.abs(shown / 65535 - wanted)
    assert error[wanted.min(axis=2) > 0.2].max() < 5e-4
    assert error.mean() < 1e-3


@pytest.mark.parametrize("colour", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 1), (0.2, 0.9, 0.3), (1, 0.1, 0)])
def test_what_bt709_cannot_show_keeps_luminance_and_hue_and_loses_saturation(colour):
    shown = PrimariesConverter("bt2020")(codes(colour))[0, 0] / 65535
    linear = rgb_between("bt2020", "bt709") @ np.array(colour, float) ** 2.4
    assert linear.min() < 0 or linear.max() > 1, "the case is about colours outside"
    grey = luminance_weights("bt709") @ linear
    got = shown**2.4
    assert luminance_weights("bt709") @ got == pytest.approx(grey, abs=2e-4)
    kept = (got - grey) @ (linear - grey) / np.sum((linear - grey) ** 2)
    np.testing.assert_allclose(got, grey + kept * (linear - grey), atol=2e-4)
    assert 0 < kept < 1
    assert min(shown.min(), 1 - shown.max()) == pytest.approx(0, abs=0.02), "no more is lost than has to be"


def test_odd_sizes_and_single_pixels():
    convert = PrimariesConverter("bt2020")
    assert convert(np.zeros((1, 1, 3), np.uint16)).shape == (1, 1, 3)
    picture = np.random.default_rng(0).integers(0, 65536, (65, 7, 3)).astype(np.uint16)
    whole = convert(picture)
    rows = np.concatenate([convert(picture[i : i + 1]) for i in range(65)])
    np.testing.assert_array_equal(whole, rows)
