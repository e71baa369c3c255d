import numpy as np
import pytest

from app.domain.compositing import solid_plate
from app.pipeline.live.slate import slate

WORDS = "The camera “HD Pro Webcam C920 with a long name” was unplugged."


@pytest.mark.parametrize("size", [(1280, 720), (640, 480), (1920, 1080), (360, 640)])
def test_long_reason_stays_inside_the_picture_and_in_its_middle(size):
    picture = slate(solid_plate(size, (60, 120, 60)), WORDS)
    assert picture.shape == (size[1], size[0], 3)
    bright = np.argwhere(picture.min(axis=2) > 180)
    top, left = bright.min(axis=0)
    bottom, right = bright.max(axis=0)
    assert left > 0.02 * size[0]
    assert right < 0.98 * size[0]
    assert abs((left + right) / 2 - size[0] / 2) < 0.05 * size[0]
    assert abs((top + bottom) / 2 - size[1] / 2) < 0.05 * size[1]


def test_plate_is_dimmed_and_details_in_it_are_gone():
    plate = np.zeros((360, 640, 3), np.uint8)
    plate[::4] = 200
    picture = slate(plate, "No pictures.").astype(int)
    corner = picture[40:80, 40:600]
    assert corner.mean() < 0.6 * plate.mean()
    assert corner.max() - corner.min() < 10


def test_plate_itself_is_left_alone():
    plate = solid_plate((320, 180), (10, 200, 30))
    before = plate.copy()
    slate(plate, "Lost.")
    assert np.array_equal(plate, before)
