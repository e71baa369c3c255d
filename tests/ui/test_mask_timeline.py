from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from PyQt6.QtCore import QPoint, QPointF, Qt
from PyQt6.QtGui import QImage, QWheelEvent
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication, QToolButton, QVBoxLayout, QWidget

from app.domain.mask.timeline_marks import Mark, Marks, MatchSpan, clock_words, pts_array, whole
from app.ui.mask.timeline import Timeline
from app.ui.mask.timeline_bar import TimelineBar
from app.ui.mask.timeline_painting import MARGIN_PX, ROWS, ROWS_PX, confidence_image
from app.ui.mask.timeline_thumbnails import Thumbnails, tiles
from app.ui.theme import apply_theme

LEFT = Qt.MouseButton.LeftButton
MS = Fraction(1, 1000)
LINE_PX = 1000
RULER_Y, PICTURES_Y, MARKS_Y, TRUST_Y, MATCH_Y = (top + height // 2 for top, height in ROWS)

TRUST = np.ones(100, np.float32)
TRUST[[30, 33, 70]] = 0.4, 0.1, 0.3
CLIP = Marks(
    pts=pts_array(range(0, 4000, 40)),
    time_base=MS,
    edited=pts_array([400, 800, 2000]),
    propagated=pts_array(range(840, 1200, 40)),
    keyframes=pts_array([800]),
    locked=pts_array([2000]),
    stops={1200: "The picture changed too much."},
    cuts=pts_array([2400]),
    match_spans=(MatchSpan(2400, 3200, "strength", "Match 40 %"),),
    confidence=TRUST,
)
"""100 frames of 40 ms: at LINE_PX each is 10 px wide."""

VARYING = Marks(pts=pts_array([2**40 + at for at in (0, 100, 300, 900)]), time_base=MS)
"""Frames of 100, 200, 600 and again 200 ms, with pts that no 32 bits hold."""


@pytest.fixture
def timeline(qapp, qtbot):
    apply_theme(qapp, "dark")
    widget = Timeline()
    qtbot.addWidget(widget)
    widget.resize(LINE_PX + 2 * MARGIN_PX, widget.height())
    widget.set_marks(CLIP)
    widget.show()
    qtbot.waitExposed(widget)
    widget.went = []
    widget.scrubbed.connect(widget.went.append)
    widget.ranges = []
    widget.range_changed.connect(lambda first, last: widget.ranges.append((first, last)))
    return widget


def at(x, y):
    return QPoint(round(x) + MARGIN_PX, y)


def drag(widget, start, *stops):
    QTest.mousePress(widget, LEFT, Qt.KeyboardModifier.NoModifier, start)
    for stop in stops:
        QTest.mouseMove(widget, stop)
    QTest.mouseRelease(widget, LEFT, Qt.KeyboardModifier.NoModifier, stops[-1])


def wheel(widget, x, turn, *, keys=Qt.KeyboardModifier.NoModifier, sideways=0):
    place = QPointF(at(x, MARKS_Y))
    event = QWheelEvent(
        place,
        widget.mapToGlobal(place),
        QPoint(),
        QPoint(sideways, turn),
        Qt.MouseButton.NoButton,
        keys,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, event)


def pixels(widget):
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits().asarray(image.sizeInBytes()), np.uint8)
    return (
        rows.reshape(image.height(), -1)[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).astype(int)
    )


def plain_image(rgb, width=82, height=46):
    image = QImage(width, height, QImage.Format.Format_RGB888)
    image.fill(rgb)
    return image


# Scrubbing


@pytest.mark.parametrize("y", [RULER_Y, PICTURES_Y, MARKS_Y, TRUST_Y, MATCH_Y])
def test_a_press_anywhere_goes_to_the_frame_that_is_shown_there(timeline, y):
    QTest.mouseClick(timeline, LEFT, Qt.KeyboardModifier.NoModifier, at(437, y))
    assert timeline.went == [43 * 40]
    assert timeline.position == 43 * 40


def test_dragging_goes_from_frame_to_frame_and_names_each_once(timeline):
    drag(timeline, at(101, RULER_Y), at(104, RULER_Y), at(109, RULER_Y), at(111, RULER_Y), at(305, PICTURES_Y))
    assert timeline.went == [400, 440, 1200]


def test_dragging_beyond_the_ends_stops_at_the_first_and_last_frame(timeline):
    drag(timeline, at(500, MARKS_Y), at(-300, MARKS_Y), at(1500, MARKS_Y))
    assert timeline.went == [2000, 0, 3960]


def test_frames_of_varying_length_and_huge_pts_are_met_by_their_time(timeline):
    timeline.set_marks(VARYING)
    width_px = timeline.scale.x_of(VARYING.end_pts)
    assert width_px == pytest.approx(LINE_PX)
    per_ms = LINE_PX / (VARYING.end_pts - 2**40)
    for ms in (50, 150, 700, 950):
        QTest.mouseClick(timeline, LEFT, Qt.KeyboardModifier.NoModifier, at(ms * per_ms, MARKS_Y))
    assert timeline.went == [2**40 + 100, 2**40 + 300, 2**40 + 900]


def test_other_buttons_of_the_mouse_do_not_scrub(timeline):
    QTest.mouseClick(timeline, Qt.MouseButton.MiddleButton, Qt.KeyboardModifier.NoModifier, at(437, MARKS_Y))
    assert timeline.went == []


def test_while_the_mouse_has_the_playhead_nobody_else_moves_it(timeline):
    QTest.mousePress(timeline, LEFT, Qt.KeyboardModifier.NoModifier, at(437, MARKS_Y))
    timeline.set_position(80)
    assert timeline.position == 1720
    QTest.mouseRelease(timeline, LEFT, Qt.KeyboardModifier.NoModifier, at(437, MARKS_Y))
    timeline.set_position(80)
    assert timeline.position == 80
    assert timeline.went == [1720]


@pytest.mark.parametrize(
    ("x", "y", "pts"),
    [(204, MARKS_Y, 800), (496, MARKS_Y, 2000), (326, TRUST_Y, 33 * 40), (303, MARKS_Y, 1200)],
)
def test_a_double_click_goes_to_the_mark_or_least_trusted_frame_near_it(timeline, x, y, pts):
    QTest.mouseClick(timeline, LEFT, Qt.KeyboardModifier.NoModifier, at(x, y))
    QTest.mouseDClick(timeline, LEFT, Qt.KeyboardModifier.NoModifier, at(x, y))
    assert timeline.position == pts


def test_a_double_click_near_nothing_goes_where_it_was(timeline):
    QTest.mouseDClick(timeline, LEFT, Qt.KeyboardModifier.NoModifier, at(900, MARKS_Y))
    assert timeline.went == []


# Keys


def test_the_keyboard_goes_by_frames_and_ends(timeline):
    key, shift = Qt.Key, Qt.KeyboardModifier.ShiftModifier
    for pressed, keys in (
        (key.Key_Right, Qt.KeyboardModifier.NoModifier),
        (key.Key_Right, shift),
        (key.Key_Left, Qt.KeyboardModifier.NoModifier),
        (key.Key_End, Qt.KeyboardModifier.NoModifier),
        (key.Key_Left, shift),
        (key.Key_Home, Qt.KeyboardModifier.NoModifier),
    ):
        QTest.keyClick(timeline, pressed, keys)
    assert timeline.went == [40, 440, 400, 3960, 3560, 0]


def test_the_page_keys_go_to_edited_frames_and_stay_at_the_last(timeline):
    for _ in range(4):
        QTest.keyClick(timeline, Qt.Key.Key_PageDown)
    assert timeline.went == [400, 800, 2000]
    QTest.keyClick(timeline, Qt.Key.Key_PageUp)
    assert timeline.position == 800


def test_its_keys_are_its_own_while_it_has_the_focus(qapp, qtbot):
    page = QWidget()
    qtbot.addWidget(page)
    column = QVBoxLayout(page)
    bar, timeline = TimelineBar(), Timeline()
    column.addWidget(bar)
    column.addWidget(timeline)
    for part in (bar, timeline):
        part.set_marks(CLIP)
    asked = []
    bar.edited_wanted.connect(asked.append)
    page.show()
    qtbot.waitExposed(page)
    page.activateWindow()
    qtbot.waitUntil(page.isActiveWindow)
    timeline.setFocus()
    QTest.keyClick(timeline, Qt.Key.Key_PageDown)
    assert (timeline.position, asked) == (400, [])
    bar.play.setFocus()
    QTest.keyClick(bar.play, Qt.Key.Key_PageDown)
    assert (timeline.position, asked) == (400, [1])


# The range


def test_a_dragged_end_of_the_range_lands_on_a_frame_and_is_told_once(timeline):
    drag(timeline, at(-4, PICTURES_Y), at(30, PICTURES_Y), at(108, PICTURES_Y), at(203, PICTURES_Y))
    assert timeline.ranges == [(800, 3960)]
    drag(timeline, at(LINE_PX + 4, PICTURES_Y), at(900, PICTURES_Y), at(700, PICTURES_Y))
    assert timeline.ranges[1:] == [(800, 2760)]
    assert (timeline.marks.in_pts, timeline.marks.out_pts) == (800, 2760)
    assert timeline.went == []


def test_the_ends_of_the_range_cannot_cross(timeline):
    timeline.set_marks(Marks(pts=CLIP.pts, time_base=MS, in_pts=800, out_pts=2000))
    drag(timeline, at(200 - 4, PICTURES_Y), at(300, PICTURES_Y), at(900, PICTURES_Y))
    assert timeline.ranges == [(2000, 2000)]
    drag(timeline, at(510 + 4, PICTURES_Y), at(100, PICTURES_Y), at(20, PICTURES_Y))
    assert timeline.ranges[-1] == (2000, 2000)
    drag(timeline, at(510 + 4, PICTURES_Y), at(600, PICTURES_Y))
    assert timeline.ranges[-1] == (2000, 2360)


def test_marks_that_come_while_an_end_is_dragged_do_not_take_it_away(timeline):
    QTest.mousePress(timeline, LEFT, Qt.KeyboardModifier.NoModifier, at(-4, PICTURES_Y))
    QTest.mouseMove(timeline, at(203, PICTURES_Y))
    timeline.set_marks(CLIP)
    QTest.mouseRelease(timeline, LEFT, Qt.KeyboardModifier.NoModifier, at(203, PICTURES_Y))
    assert timeline.ranges == [(800, 3960)]
    timeline.set_marks(CLIP)
    assert timeline.marks.in_pts is None


def test_outside_the_range_the_rows_are_dimmer(timeline):
    timeline.set_marks(Marks(pts=CLIP.pts, time_base=MS, in_pts=800, out_pts=2000, edited=CLIP.pts))
    shown = pixels(timeline)
    y = sum(ROWS.marks) - 8
    inside, outside = shown[y, MARGIN_PX + 300], shown[y, MARGIN_PX + 700]
    assert inside.sum() > outside.sum() + 60


# Zoom


def test_the_wheel_zooms_at_the_mouse_and_never_beyond_the_clip(timeline):
    before = timeline.scale.pts_at(600)
    for _ in range(3):
        wheel(timeline, 600, 120)
    assert timeline.scale.ticks_per_px == pytest.approx(4 / 1.25**3)
    assert timeline.scale.pts_at(600) == pytest.approx(before)
    for _ in range(9):
        wheel(timeline, 600, -120)
    assert timeline.scale == whole(CLIP, LINE_PX)


def test_shift_and_sideways_turns_scroll(timeline):
    timeline.zoom_by(4, at_px=0)
    start = timeline.scale.start_pts
    wheel(timeline, 500, -120, keys=Qt.KeyboardModifier.ShiftModifier)
    further = timeline.scale.start_pts
    assert further == pytest.approx(start + 100)
    wheel(timeline, 500, 0, sideways=120)
    assert timeline.scale.start_pts == pytest.approx(start)
    wheel(timeline, 500, 120, keys=Qt.KeyboardModifier.ShiftModifier)
    assert timeline.scale.start_pts == 0


def test_the_scroll_bar_is_there_when_there_is_more_and_moves_the_line(timeline):
    bar = timeline.findChild(QWidget, "", Qt.FindChildOption.FindDirectChildrenOnly)
    assert not bar.isVisible()
    timeline.zoom_by(4, at_px=0)
    assert bar.isVisible()
    bar.setValue(bar.maximum())
    assert timeline.scale.pts_at(LINE_PX) == pytest.approx(4000, abs=2)
    timeline.show_whole()
    assert not bar.isVisible()


def test_the_playhead_stays_in_sight_while_playing(timeline):
    timeline.zoom_by(6, at_px=0)
    for pts in CLIP.pts.tolist():
        timeline.set_position(pts)
        assert 0 <= timeline.scale.x_of(pts + 20) <= LINE_PX
    assert timeline.went == []


def test_a_whole_clip_stays_whole_when_the_window_changes(timeline):
    timeline.resize(1500, timeline.height())
    assert timeline.scale == whole(CLIP, 1500 - 2 * MARGIN_PX)
    timeline.zoom_by(3)
    start = timeline.scale.start_pts
    timeline.resize(1400, timeline.height())
    assert timeline.scale.start_pts == pytest.approx(start)


def test_another_clip_starts_at_its_start_and_other_marks_change_no_view(timeline):
    timeline.set_thumbnail(0, plain_image(0xFF00FF))
    timeline.zoom_by(4, at_px=0)
    timeline.set_position(2000)
    kept = timeline.scale
    timeline.set_marks(Marks(pts=CLIP.pts, time_base=MS))
    assert (timeline.scale, timeline.position) == (kept, 2000)
    timeline.set_marks(VARYING)
    assert timeline.position == 2**40
    assert timeline.scale == whole(VARYING, LINE_PX)


# Looks


def test_each_kind_of_mark_is_seen_where_it_is(timeline):
    timeline.set_position(3800)
    bare = Timeline()
    bare.resize(timeline.size())
    bare.set_marks(Marks(pts=CLIP.pts, time_base=MS))
    bare.set_position(3800)
    shown, plain = pixels(timeline), pixels(bare)
    bare.deleteLater()
    changed = np.abs(shown - plain).sum(axis=2) > 60

    def seen(x, row, top=0.0, bottom=1.0):
        first, height = row
        part = slice(first + round(top * height), first + round(bottom * height))
        return changed[part, round(x) + MARGIN_PX].any()

    assert seen(205, ROWS.marks, 0, 0.5), "keyframe"
    assert seen(105, ROWS.marks, 0.5), "edited"
    assert seen(250, ROWS.marks, 0.5), "propagated"
    assert seen(308, ROWS.marks, 0, 0.4), "flag of the stop"
    assert changed[slice(*np.cumsum(ROWS.thumbnails)), 600 + MARGIN_PX].any(), "cut"
    assert seen(700, ROWS.match), "match"
    assert not seen(900, ROWS.marks)
    assert not seen(850, ROWS.match)


def test_less_trust_is_higher_and_redder_and_unknown_is_empty(qapp):
    trust = np.array([1, 0.75, 0.4, 0, np.nan], np.float32)
    image = confidence_image(trust, 100, 0xFF9DA2AB, 0xFFFF8A80)
    columns = [[image.pixelColor(x, y) for y in range(100)] for x in range(5)]
    heights = [sum(colour.alpha() > 0 for colour in column) for column in columns]
    assert heights == [*sorted(heights[:4]), 0]
    assert heights[0] > 0
    assert heights[3] == 100
    calm, alert = columns[0][99], columns[3][99]
    assert alert.red() - alert.blue() > 100 > calm.red() - calm.blue()
    assert columns[1][99].getRgb() == alert.getRgb()


def test_moving_the_playhead_repaints_a_strip_only(timeline, qtbot):
    areas = []
    original = timeline.paintEvent

    def watched(event):
        areas.append(event.region().boundingRect().width())
        original(event)

    timeline.paintEvent = watched
    timeline.set_position(2000)
    qtbot.waitUntil(lambda: len(areas) >= 1)
    areas.clear()
    timeline.set_position(2040)
    qtbot.waitUntil(lambda: len(areas) >= 1)
    assert max(areas) < 60


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("name", ["none", "one", "many"])
def test_it_paints_in_both_themes_with_any_number_of_frames(timeline, qapp, theme, name):
    trust = np.full(50_000, np.nan, np.float32)
    many = Marks(pts=pts_array(np.arange(50_000) * 40), time_base=MS, confidence=trust, keyframes=pts_array([0, 40]))
    timeline.set_marks({"none": Marks(), "one": Marks(pts=pts_array([3])), "many": many}[name])
    apply_theme(qapp, theme)
    shown = pixels(timeline)
    ground = shown[RULER_Y, 2].mean()
    assert (ground < 100) == (theme == "dark")
    assert len(np.unique(shown.reshape(-1, 3), axis=0)) > 3
    apply_theme(qapp, "dark")


def test_without_frames_nothing_can_be_moved(timeline):
    timeline.set_marks(Marks())
    drag(timeline, at(100, MARKS_Y), at(300, MARKS_Y))
    QTest.keyClick(timeline, Qt.Key.Key_Right)
    wheel(timeline, 100, 120)
    timeline.set_position(5)
    assert timeline.went == []
    assert timeline.position is None
    assert timeline.accessibleDescription() == "No clip"


def test_a_single_frame_is_a_clip_too(timeline):
    timeline.set_marks(Marks(pts=pts_array([90]), time_base=MS))
    for key in (Qt.Key.Key_Right, Qt.Key.Key_End, Qt.Key.Key_Home):
        QTest.keyClick(timeline, key)
    drag(timeline, at(100, MARKS_Y), at(900, MARKS_Y))
    assert timeline.position == 90
    drag(timeline, at(-4, PICTURES_Y), at(400, PICTURES_Y))
    assert timeline.ranges == [(90, 90)]


# Words


def test_tool_tips_say_frame_time_marks_and_reasons(timeline):
    assert timeline.words_at(at(205, RULER_Y)).splitlines()[0] == "0:00.800 · frame 20"
    marked = timeline.words_at(at(203, MARKS_Y))
    assert "Keyframe, edited by hand" in marked
    assert "The picture changed too much." in timeline.words_at(at(301, MARKS_Y))
    assert "Trust in the matte: 10 %" in timeline.words_at(at(335, TRUST_Y))
    assert "Match 40 %" in timeline.words_at(at(700, MATCH_Y))
    assert "Start of the range" in timeline.words_at(at(-4, PICTURES_Y))
    assert "End of the range" in timeline.words_at(at(LINE_PX + 4, PICTURES_Y))


def test_who_cannot_see_it_hears_the_frame_and_its_marks(timeline):
    timeline.set_position(800)
    assert timeline.accessibleName() == "Timeline"
    assert timeline.accessibleDescription().startswith("0:00.800 · frame 20, Keyframe, edited by hand")
    timeline.set_position(2000)
    assert "locked" in timeline.accessibleDescription()


# Thumbnails


def test_pictures_are_asked_for_where_one_looks_and_not_twice(timeline, qtbot):
    with qtbot.waitSignal(timeline.thumbnails_wanted) as asked:
        timeline.zoom_by(4, at_px=500)
    wanted = asked.args[0]
    assert 10 <= len(wanted) <= 30
    assert wanted == sorted(set(wanted))
    assert set(wanted) <= set(CLIP.pts.tolist())
    low, high = timeline.scale.pts_at(-90), timeline.scale.pts_at(LINE_PX)
    assert all(low <= pts <= high for pts in wanted)
    for pts in wanted[:5]:
        timeline.set_thumbnail(pts, plain_image(0x40C040))
    with qtbot.waitSignal(timeline.thumbnails_wanted) as again:
        timeline.set_marks(CLIP)
    assert again.args[0] == wanted[5:]


def test_a_picture_is_seen_in_its_place(timeline, qtbot):
    with qtbot.waitSignal(timeline.thumbnails_wanted) as asked:
        timeline.set_marks(CLIP)
    for pts in asked.args[0]:
        timeline.set_thumbnail(pts, plain_image(0xFF2020 if pts < 2000 else 0x2020FF, 300, 170))
    shown = pixels(timeline)
    left, right = shown[PICTURES_Y, MARGIN_PX + 100], shown[PICTURES_Y, MARGIN_PX + 800]
    assert left[0] > 200 > 60 > left[2]
    assert right[2] > 200 > 60 > right[0]


def test_only_so_many_pictures_are_kept_and_those_looked_at_stay():
    store = Thumbnails(kept=5)
    for pts in range(5):
        store.put(pts, plain_image(0))
    store.near(0, 0)
    store.put(5, plain_image(0))
    assert len(store) == 5
    assert 0 in store
    assert 1 not in store
    assert store.near(1, 0) is None
    assert store.near(1, 1) is not None
    store.clear()
    assert len(store) == 0
    assert store.near(0, 99) is None


def test_places_of_pictures_tile_the_line_and_move_along_when_scrolled():
    scale = whole(CLIP, LINE_PX).zoomed(3, at_px=0)
    places = tiles(CLIP, scale, LINE_PX, tile_px=80)
    assert places[0].x_px <= 0
    assert places[-1].x_px + places[-1].width_px >= LINE_PX
    for before, after in pairwise(places):
        assert before.x_px + before.width_px == pytest.approx(after.x_px)
    assert all(40 <= place.width_px <= 80 for place in places)
    moved = tiles(CLIP, scale.scrolled(7), LINE_PX, tile_px=80)
    assert {place.pts for place in places[1:-1]} <= {place.pts for place in moved}
    assert tiles(Marks(), scale, LINE_PX, tile_px=80) == []


# The bar


@pytest.fixture
def bar(qapp, qtbot):
    apply_theme(qapp, "dark")
    widget = TimelineBar()
    qtbot.addWidget(widget)
    widget.set_marks(CLIP)
    widget.show()
    return widget


def button(bar, hint):
    return next(b for b in bar.findChildren(QToolButton) if b.toolTip().startswith(hint))


@pytest.mark.parametrize(
    ("hint", "signal", "values"),
    [
        ("Play", "play_wanted", []),
        ("Previous frame (", "step_wanted", [-1]),
        ("Next frame (", "step_wanted", [1]),
        ("Previous edited", "edited_wanted", [-1]),
        ("Next edited", "edited_wanted", [1]),
        ("Previous frame that looks wrong", "problem_wanted", [-1]),
        ("Next frame that looks wrong", "problem_wanted", [1]),
        ("The range begins", "in_wanted", []),
        ("The range ends", "out_wanted", []),
        ("Keyframe", "keyframe_wanted", [True]),
        ("Lock", "lock_wanted", [True]),
    ],
)
def test_each_button_says_what_is_wanted_by_mouse_and_key(bar, qtbot, hint, signal, values):
    pressed = button(bar, hint)
    assert pressed.accessibleName()
    with qtbot.waitSignal(getattr(bar, signal)) as told:
        QTest.mouseClick(pressed, LEFT)
    assert told.args == values
    assert pressed.toolTip().endswith(")"), "the key is in the tool tip"


def test_the_bar_shows_moment_number_and_marks_of_the_frame(bar):
    assert bar.words == "0:00.000 · frame 0"
    bar.set_position(800)
    assert bar.words == "0:00.800 · frame 20"
    assert (bar.keyframe.isChecked(), bar.lock.isChecked()) == (True, False)
    bar.set_position(2000)
    assert (bar.keyframe.isChecked(), bar.lock.isChecked()) == (False, True)
    assert clock_words(2) in bar.words
    assert Mark.LOCKED in CLIP.marks_of(2000)


def test_a_toggle_goes_back_to_what_is_marked_when_it_was_not_granted(bar):
    QTest.mouseClick(bar.lock, LEFT)
    bar.set_marks(CLIP)
    assert not bar.lock.isChecked()


def test_clearing_the_range_is_offered_when_there_is_one(bar, qtbot):
    clear = button(bar, "The whole clip")
    assert not clear.isEnabled()
    bar.set_marks(Marks(pts=CLIP.pts, time_base=MS, in_pts=400))
    with qtbot.waitSignal(bar.range_clear_wanted):
        QTest.mouseClick(clear, LEFT)


def test_without_a_clip_nothing_can_be_pressed_and_playing_shows(bar):
    bar.show_playing(True)
    assert (bar.play.toolTip(), bar.play.accessibleName()) == ("Pause (K)", "Pause")
    bar.show_playing(False)
    assert bar.play.accessibleName() == "Play"
    bar.set_marks(Marks())
    assert bar.words == ""
    assert not any(one.isEnabled() for one in bar.findChildren(QToolButton))
    bar.set_marks(VARYING)
    assert bar.words == "0:00.000 · frame 0"


def test_the_rows_fit_the_height_they_are_given(timeline):
    assert 120 <= timeline.height() <= 150
    assert timeline.height() > ROWS_PX
