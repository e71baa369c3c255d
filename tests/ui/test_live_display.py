import threading
import time

import numpy as np
import pytest

from app.domain.governor import LEVELS, Level
from app.domain.placement import Placement
from app.pipeline.handover import LatestSlot
from app.pipeline.live.live_stats import WorkMeter
from app.pipeline.live.outlet import LivePicture
from app.pipeline.live.pictures import Finished
from app.pipeline.looks import Rendered
from app.ui.choices import View
from app.ui.live.display import LiveDisplay, smaller_room
from app.ui.preview import Preview
from tests.ui.helpers import wait_until
from tests.unit.live.scripted import frame_of

pytestmark = pytest.mark.alone

SMALLER = LEVELS[-2]
SLOWER = Level(preview_every=2)


def picture(index, size=(640, 360), *, is_cover=False):
    pixels = np.full((size[1], size[0], 3), 100, np.uint8)
    if is_cover:
        return LivePicture(Finished(pixels, float(index)))
    frame, alpha = frame_of(index, pixels=pixels), np.full(pixels.shape[:2], 255, np.uint8)
    rendered = Rendered(frame, alpha, pixels, pixels, pixels, Placement(), None)
    return LivePicture(Finished(pixels, float(index), frame, alpha), rendered)


class Shown:
    """A display at a level that may be changed, and what it made of each picture."""

    def __init__(self):
        self.level, self.meter = LEVELS[0], WorkMeter()
        self.slot = LatestSlot()
        self.display = LiveDisplay(self.slot, level=lambda: self.level, meter=self.meter)
        self.is_taken = threading.Event()

    def show(self, picture, *, is_shown=True):
        before = self.meter.worked_s(0.0)
        self.slot.put(picture)
        wait_until(lambda: self.slot._item is None)
        if not is_shown:
            # The one after it is made; had this one been made too, there would be two to take.
            return self.display.take()
        made = []
        wait_until(lambda: made.append(self.display.take()) or made[-1] is not None)
        assert self.meter.worked_s(time.monotonic()) > before
        return made[-1]


@pytest.fixture
def shown(qapp):
    made = Shown()
    yield made
    made.display.stop()


def size_of(shown):
    image = shown.images[View.MATCHED]
    return image.width(), image.height()


def test_pictures_get_smaller_with_the_level_and_whole_again(shown):
    assert size_of(shown.show(picture(0))) == (640, 360)
    shown.level = SMALLER
    assert size_of(shown.show(picture(1))) == (320, 180)
    assert size_of(shown.show(picture(2, is_cover=True))) == (320, 180)
    shown.level = LEVELS[0]
    assert size_of(shown.show(picture(3))) == (640, 360)


def test_every_second_picture_is_passed_over_but_never_a_cover(shown):
    shown.level = SLOWER
    assert shown.show(picture(0), is_shown=False) is None
    assert shown.show(picture(1)).captured_s == 1
    assert shown.show(picture(2), is_shown=False) is None
    assert shown.show(picture(3, is_cover=True)).is_cover
    assert shown.show(picture(4), is_shown=False) is None
    shown.level = LEVELS[0]
    assert shown.show(picture(5)).captured_s == 5
    assert shown.display.dropped == 0


@pytest.mark.parametrize("room", [(952, 519), (923, 600), (640, 360), (1281, 533), (400, 900)])
@pytest.mark.parametrize("size", [(1920, 1080), (1280, 720), (640, 480)])
def test_a_smaller_picture_is_shown_at_the_same_place(qtbot, shown, room, size):
    preview = Preview()
    qtbot.addWidget(preview)
    preview.resize(*room)
    shown.display.want((View.MATCHED,), preview.area_px())
    places = []
    for level in (LEVELS[0], SMALLER):
        shown.level = level
        made = shown.show(picture(0, size))
        preview.show_pictures(made.images)
        places.append(preview.picture_rect())
    sizes = [(place.width(), place.height()) for place in places]
    assert np.abs(np.subtract(*sizes)).max() <= 1
    assert (places[0].topLeft() - places[1].topLeft()).manhattanLength() <= 1


def test_nothing_is_made_smaller_at_a_whole_share():
    assert smaller_room((1920, 1080), (952, 519), 1.0) == (952, 519)


@pytest.mark.parametrize("size", [(2, 2), (4, 2000), (2000, 4), (1, 1)])
def test_a_tiny_picture_keeps_a_size(size):
    assert min(smaller_room(size, (952, 519), 0.5)) >= 1
