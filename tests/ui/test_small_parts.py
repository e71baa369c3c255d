import threading
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtCore import QMimeData, QUrl

from app.ui.choices import ClipInfo, RenderReport, Sample
from app.ui.dialogs import suggested_output
from app.ui.drops import dropped_files
from app.ui.header import facts_of
from app.ui.images import to_image
from app.ui.mailbox import Mailbox
from app.ui.render_bar import progress_text, time_text
from app.ui.transport import clock_text


def clip(source, *, duration_s=9.4, rate=Fraction(30)):
    return ClipInfo(source, "clip", (1280, 720), Fraction(1, 30), rate, duration_s, None)


def test_errands_are_done_in_order_and_before_wishes():
    done, box = [], Mailbox()
    box.wish(lambda: done.append("wish"))
    for number in range(3):
        box.errand(lambda number=number: done.append(number))
    for _ in range(4):
        box.take()()
    assert done == [0, 1, 2, "wish"]


def test_only_the_latest_wish_is_kept():
    done, box = [], Mailbox()
    for number in range(5):
        box.wish(lambda number=number: done.append(number))
    box.take()()
    box.wish(lambda: done.append("later"))
    box.take()()
    assert done == [4, "later"]


def test_closing_lets_a_waiting_thread_go():
    box, taken = Mailbox(), []
    thread = threading.Thread(target=lambda: taken.append(box.take()))
    thread.start()
    box.close()
    thread.join(timeout=5)
    assert taken == [None]


def test_images_keep_colour_and_aspect_and_are_never_enlarged():
    pixels = np.zeros((90, 160, 3), np.uint8)
    pixels[:, :80], pixels[:, 80:] = (255, 0, 0), (0, 40, 250)
    small = to_image(pixels, (80, 300))
    assert (small.width(), small.height()) == (80, 45)
    assert small.pixelColor(5, 5).getRgb()[:3] == (255, 0, 0)
    assert small.pixelColor(75, 40).getRgb()[:3] == (0, 40, 250)
    same = to_image(pixels, (1000, 1000))
    assert (same.width(), same.height()) == (160, 90)
    matte = to_image(np.full((9, 16), 77, np.uint8), (100, 100))
    assert matte.pixelColor(3, 3).getRgb()[:3] == (77, 77, 77)


def test_progress_says_how_far_how_fast_and_how_long_still():
    assert progress_text(1, 100, 0.0) == "1 of 100 frames"
    assert progress_text(3, None, 2.0) == "3 frames"
    assert progress_text(51, 100, 5.0) == "51 of 100 frames  ·  10 a second  ·  0:05 left"
    assert progress_text(100, 100, 9.9) == "100 of 100 frames  ·  10 a second"
    assert progress_text(21, None, 2.0) == "21 frames  ·  10 a second"


def test_times_are_written_as_people_read_them():
    assert [time_text(s) for s in (0.4, 59.6, 65, 3600)] == ["0:00", "1:00", "1:05", "60:00"]
    assert [clock_text(s) for s in (0, 9.4, 62.345, 59.999)] == ["0:00.00", "0:09.40", "1:02.34", "0:59.99"]


def test_a_clips_facts_leave_out_what_nobody_knows():
    assert facts_of(clip(Path("a.mp4"))) == "1280 \u00d7 720  ·  30 fps  ·  9.4 s"
    assert facts_of(clip(Path("a.mp4"), duration_s=None, rate=None)) == "1280 \u00d7 720"
    assert "29.97 fps" in facts_of(clip(Path("a.mp4"), rate=Fraction(30000, 1001)))


def test_the_suggested_name_is_beside_the_clip_and_never_the_clip():
    suggested = suggested_output(clip(Path("/films/talk.mp4")))
    assert suggested == Path("/films/talk-platematch.mp4")
    assert suggested_output(clip(Sample.SAMPLE)).name == "sample-platematch.mp4"


def test_a_reports_summary_names_file_frames_and_rate():
    report = RenderReport(Path("/films/out.mp4"), frames=120, seconds=8.0)
    assert report.summary == "Saved “out.mp4”: 120 frames in 8 s, 15 a second."


@pytest.mark.parametrize(
    ("names", "clips", "pictures"),
    [
        (["a.mp4", "b.JPG"], ["a.mp4"], ["b.JPG"]),
        (["x.webp", "y.png"], [], ["x.webp", "y.png"]),
        (["odd.xyz"], ["odd.xyz"], []),
    ],
)
def test_dropped_files_are_sorted_by_their_endings(names, clips, pictures):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(f"/files/{name}") for name in names] + [QUrl("https://example.org/c.mp4")])
    dropped = dropped_files(data)
    assert [path.name for path in dropped.clips] == clips
    assert [path.name for path in dropped.pictures] == pictures
