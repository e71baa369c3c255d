import numpy as np
import pytest

from app.domain.histograms import histogram


def test_every_channel_is_a_share_of_the_picture():
    pixels = np.random.default_rng(4).integers(0, 256, (720, 1280, 3), np.uint8)
    found = histogram(pixels)
    assert (found.shape, found.dtype) == ((256, 3), np.float32)
    assert found.sum(axis=0) == pytest.approx([1, 1, 1], abs=1e-4)
    assert found.max() < 2.0 / 256


def test_levels_stand_where_they_are_in_the_order_red_green_blue():
    pixels = np.empty((90, 160, 3), np.uint8)
    pixels[:] = (10, 120, 250)
    found = histogram(pixels)
    assert found.argmax(axis=0).tolist() == [10, 120, 250]
    assert np.flatnonzero(found[:, 1]).tolist() == list(range(117, 124))


def test_shares_are_those_of_the_whole_picture_however_large():
    pixels = np.zeros((1080, 1920, 3), np.uint8)
    pixels[:, 480:] = 200
    found = histogram(pixels)
    assert found[:100].sum(axis=0) == pytest.approx([0.25] * 3, abs=0.01)
    assert found[100:].sum(axis=0) == pytest.approx([0.75] * 3, abs=0.01)


def test_only_the_person_is_counted():
    pixels = np.full((480, 640, 3), 30, np.uint8)
    alpha = np.zeros((480, 640), np.uint8)
    pixels[:, 320:], alpha[:, 320:] = 180, 255
    alpha[:, :10] = 100  # less than half covered
    found = histogram(pixels, alpha)
    assert found[:100].sum() == 0
    assert found.sum(axis=0) == pytest.approx([1, 1, 1], abs=1e-4)


def test_nobody_gives_zeros_and_not_a_division_by_zero():
    pixels = np.full((48, 64, 3), 30, np.uint8)
    assert not histogram(pixels, np.zeros((48, 64), np.uint8)).any()


def test_black_and_white_ends_lose_nothing():
    for level in (0, 255):
        found = histogram(np.full((3, 3, 3), level, np.uint8))
        assert found.sum(axis=0) == pytest.approx([1, 1, 1], abs=1e-4)


def test_a_frames_read_only_view_is_taken_as_it_is():
    pixels = np.full((100, 100, 3), 77, np.uint8)[:, ::-1]
    pixels.setflags(write=False)
    assert histogram(pixels)[77].tolist() == histogram(pixels.copy())[77].tolist()


def test_an_alpha_of_another_size_is_refused():
    with pytest.raises(ValueError, match="not of the picture"):
        histogram(np.zeros((10, 10, 3), np.uint8), np.zeros((5, 5), np.uint8))
