from fractions import Fraction
from itertools import islice

import cv2
import numpy as np
import pytest

from app.pipeline.demo_source import camera_matrix, demo_frames, light_table, portrait_path


def take(count, **options):
    return list(islice(demo_frames(**options), count))


def test_the_photograph_comes_with_the_installation():
    assert portrait_path().name == "astronaut.png"


@pytest.mark.parametrize("size", [(320, 180), (180, 320), (200, 200), (33, 17), (1, 1)])
def test_frames_have_the_size_asked_for_and_show_no_black_border(size):
    (frame,) = take(1, size=size)
    assert frame.size == size
    if min(size) > 100:
        levels = frame.pixels.mean(axis=2)
        # A border that the photograph does not reach would be a step to black.
        for edge, inside in ((levels[0], levels[6]), (levels[:, 0], levels[:, 6]), (levels[:, -1], levels[:, -7])):
            assert edge.mean() > 0.6 * inside.mean()


def test_times_follow_the_rate_and_the_length():
    frames = take(99, size=(32, 18), rate=Fraction(30000, 1001), seconds=0.5)
    assert len(frames) == 15
    assert [frame.index for frame in frames] == list(range(15))
    assert frames[3].time_s == pytest.approx(3 * 1001 / 30000)
    assert len(take(9, size=(32, 18), seconds=0.0)) == 1


def test_equal_calls_give_equal_frames_and_each_frame_its_own_noise():
    first, again = take(3, size=(96, 54)), take(3, size=(96, 54))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)
    difference = first[0].pixels.astype(int) - first[1].pixels
    assert 1 < difference.std() < 12


def test_movement_is_gentle_and_sub_pixel():
    middle = np.array([640, 360, 1])
    path = np.array([camera_matrix((1280, 720), step / 25) @ middle for step in range(200)])
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    assert 0.05 < steps.max() < 0.6
    assert np.ptp(path[:, 0]) > 8
    np.testing.assert_allclose(camera_matrix((1280, 720), 0.0), camera_matrix((1280, 720), 8.0), atol=1e-9)


def test_the_light_changes_in_strength_and_in_warmth():
    tables = [light_table(t)[0, 128].astype(int) for t in (0.5, 2.0, 6.0)]
    assert tables[1].sum() > tables[2].sum() + 15
    assert tables[1][0] - tables[1][2] > tables[2][0] - tables[2][2] + 4


def test_the_person_is_in_the_picture():
    (frame,) = take(1, size=(640, 360))
    red, _, blue = cv2.split(cv2.resize(frame.pixels, (64, 36), interpolation=cv2.INTER_AREA).astype(int))
    suit = (red > 150) & (red > blue + 90)
    rows, columns = np.nonzero(suit)
    assert suit.mean() > 0.06
    assert 14 < np.median(columns) < 32
    assert rows.max() == 35
