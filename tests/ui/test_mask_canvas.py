import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PyQt6.QtCore import QEvent, QObject, QPoint, QPointF, Qt
from PyQt6.QtGui import (
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPointingDevice,
    QPointingDeviceUniqueId,
    QTabletEvent,
    QWheelEvent,
)
from PyQt6.QtWidgets import QApplication

from app.domain.compositing import IDENTITY_TABLE
from app.domain.mask.planes import Box, Planes
from app.domain.mask.views import Layers, MaskView, ViewOptions
from app.ui.mask.canvas import Canvas
from app.ui.mask.canvas_bench import bench_canvas
from app.ui.mask.gestures import Button, Gesture

SIZE = (317, 231)
NO_KEY = Qt.KeyboardModifier.NoModifier
LEFT, RIGHT, MIDDLE = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton, Qt.MouseButton.MiddleButton
NONE = Qt.MouseButton.NoButton
PRESS, MOVE = QEvent.Type.MouseButtonPress, QEvent.Type.MouseMove
RELEASE, DOUBLE = QEvent.Type.MouseButtonRelease, QEvent.Type.MouseButtonDblClick


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def noisy_layers(size=SIZE):
    shape = size[::-1]
    pictures = [noise(*shape, 3, seed=seed) for seed in range(3)]
    alphas = [noise(*shape, seed=seed) for seed in range(3, 6)]
    return Layers(pictures[0], alphas[0], pictures[1], pictures[2], noise(256, 3, seed=6), (alphas[1], alphas[2]))


@pytest.fixture
def canvas(qtbot):
    canvas = Canvas()
    qtbot.addWidget(canvas)
    canvas.resize(500, 400)
    canvas.show()
    qtbot.waitExposed(canvas)
    return canvas


@pytest.fixture
def filled(canvas):
    canvas.show_layers(noisy_layers(), Planes(noise(*SIZE[::-1], seed=8), noise(*SIZE[::-1], seed=9)))
    return canvas


@pytest.fixture
def told(filled):
    """Everything the canvas says, in order."""
    told = []
    for name in ("pressed", "moved", "released", "double_clicked", "cancelled", "hovered", "left", "brush_resized"):
        getattr(filled, name).connect(lambda *values, name=name: told.append((name, *values)))
    return told


def pixels_of(canvas):
    image = canvas.grab().toImage()
    memory = image.bits().asarray(image.sizeInBytes())
    return np.array(memory, np.uint8).reshape(image.height(), image.width(), 4)


def mouse(canvas, kind, place, button=LEFT, *, keys=NO_KEY):
    held = NONE if kind == RELEASE else button
    changed = NONE if kind == MOVE else button
    at = QPointF(canvas.mapToGlobal(QPoint(0, 0))) + place
    QApplication.sendEvent(canvas, QMouseEvent(kind, place, at, changed, held, keys))


def wheel(canvas, place, angle, *, keys=NO_KEY, phase=Qt.ScrollPhase.NoScrollPhase, way=(0, 0)):
    at = QPointF(canvas.mapToGlobal(QPoint(0, 0))) + place
    turned = QPoint(0, angle)
    QApplication.sendEvent(canvas, QWheelEvent(place, at, QPoint(*way), turned, NONE, keys, phase, False))


def key(canvas, code, kind=QEvent.Type.KeyPress):
    event = QKeyEvent(kind, code, NO_KEY)
    QApplication.sendEvent(canvas, event)
    return event.isAccepted()


def pen(canvas, kind, place, pressure, *, tip=QPointingDevice.PointerType.Pen):
    capabilities = QPointingDevice.Capability.Position | QPointingDevice.Capability.Pressure
    device = QPointingDevice(
        "pen", 1, QPointingDevice.DeviceType.Stylus, tip, capabilities, 1, 1, "", QPointingDeviceUniqueId()
    )
    at = QPointF(canvas.mapToGlobal(QPoint(0, 0))) + place
    held = NONE if kind == QEvent.Type.TabletRelease else LEFT
    event = QTabletEvent(kind, device, place, at, pressure, 0, 0, 0.0, 0.0, 0.0, NO_KEY, LEFT, held)
    QApplication.sendEvent(canvas, event)


class PaintWatch(QObject):
    """Notes the rectangle of every paint event."""

    def __init__(self, canvas):
        super().__init__(canvas)
        self.areas = []
        canvas.installEventFilter(self)

    def eventFilter(self, watched, event):
        if event.type() == QEvent.Type.Paint:
            self.areas.append(event.rect())
        return False


def areas_painted(canvas):
    return PaintWatch(canvas).areas


def at(canvas, x, y):
    """Where the widget shows a point of the picture."""
    return canvas.widget_point(x, y)


class TestPainting:
    @pytest.mark.parametrize("percent", [25, 33.3, 100, 130, 250, 1600])
    @pytest.mark.parametrize("has_onion", [False, True])
    @pytest.mark.parametrize("view", MaskView)
    def test_a_part_painted_again_equals_everything_painted_again(self, filled, view, has_onion, percent):
        layers = noisy_layers()
        planes = Planes.empty(SIZE)
        filled.show_layers(layers, planes)
        filled.set_view(view)
        filled.set_onion(has_onion)
        filled.zoom_to(percent, QPointF(200, 150))
        before = pixels_of(filled)

        for number, box in enumerate((Box(100, 80, 141, 120), Box(0, 0, 3, 5), Box(310, 220, 317, 231))):
            planes = planes.copy()
            planes.value[box.rows_columns] = noise(*box.size[::-1], seed=number)
            planes.weight[box.rows_columns] = 255
            filled.show_planes(planes, box)
        partly = pixels_of(filled)
        filled.show_layers(layers, planes)

        assert np.array_equal(partly, pixels_of(filled))
        assert not np.array_equal(partly, before)

    @pytest.mark.parametrize("percent", [33.3, 100, 250, 1600])
    def test_a_panned_picture_equals_one_painted_there(self, filled, percent):
        filled.set_view(MaskView.CHECKERBOARD)
        filled.zoom_to(percent)
        before = pixels_of(filled)

        for way in (QPointF(13, -7), QPointF(-40, 27)):
            mouse(filled, PRESS, QPointF(250, 200), MIDDLE)
            mouse(filled, MOVE, QPointF(250, 200) + way, MIDDLE)
            mouse(filled, RELEASE, QPointF(250, 200) + way, MIDDLE)
            panned = pixels_of(filled)
            filled.set_options(replace(ViewOptions(), opacity=0.5))
            filled.set_options(ViewOptions())
            assert np.array_equal(panned, pixels_of(filled))

        assert not np.array_equal(panned, before)

    def test_at_100_percent_a_pixel_is_a_pixel(self, filled):
        layers = noisy_layers()
        filled.set_view(MaskView.OUTLINE)
        filled.show_layers(replace(layers, alpha=np.full_like(layers.alpha, 255)), Planes.empty(SIZE))
        filled.one_to_one()
        corner = at(filled, 0, 0).toPoint()

        shown = pixels_of(filled)[corner.y() :, corner.x() :][: SIZE[1], : SIZE[0], 2::-1]

        assert np.array_equal(shown, layers.pixels)

    def test_from_200_percent_pixels_are_squares_and_from_800_there_is_a_grid(self, filled):
        layers = noisy_layers()
        filled.set_view(MaskView.OUTLINE)
        filled.show_layers(replace(layers, alpha=np.full_like(layers.alpha, 255)), Planes.empty(SIZE))
        for percent, rim in ((300, 0), (800, 1)):
            filled.zoom_to(percent)
            first = at(filled, 150, 110).toPoint()
            side = round(percent / 100)
            square = pixels_of(filled)[first.y() :, first.x() :][:side, :side, 2::-1]
            assert (square[rim:, rim:] == layers.pixels[110, 150]).all()
        assert (square[0] != layers.pixels[110, 150]).any()

    @pytest.mark.parametrize("size", [(1, 1), (3, 1000), (1001, 7), (4097, 2161)])
    def test_odd_sizes_are_shown_at_every_zoom(self, canvas, size):
        width, height = size
        layers = Layers(np.full((height, width, 3), 200, np.uint8), np.full((height, width), 255, np.uint8))
        canvas.set_view(MaskView.RUBYLITH)
        canvas.show_layers(layers, Planes.empty(size))
        for percent in (None, 5, 33.3, 100, 3200):
            canvas.fit() if percent is None else canvas.zoom_to(percent)
            middle = canvas.widget_point(width / 2, height / 2)
            if percent is None:
                assert QPointF(canvas.rect().center()).x() == pytest.approx(middle.x(), abs=2)
            x, y = min(max(int(middle.x()), 0), 499), min(max(int(middle.y()), 0), 399)
            assert 200 in pixels_of(canvas)[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2, :3]

    def test_only_what_changed_is_painted(self, filled, qtbot):
        filled.one_to_one()
        filled.repaint()
        areas = areas_painted(filled)

        with qtbot.waitSignal(filled.painted):
            filled.show_planes(Planes.empty(SIZE), Box(100, 80, 120, 90))
            filled.show_planes(Planes.empty(SIZE), Box(110, 80, 130, 95))

        assert len(areas) == 1
        assert areas[0].width() <= 30 + 6
        assert areas[0].height() <= 15 + 6

    def test_a_view_without_its_layer_is_shown_as_rubylith(self, filled):
        layers = replace(noisy_layers(), plate=None)
        filled.show_layers(layers, Planes.empty(SIZE))
        rubylith = pixels_of(filled)

        filled.set_view(MaskView.PASTED)

        assert filled.view is MaskView.PASTED
        assert filled.shown_view is MaskView.RUBYLITH
        assert np.array_equal(pixels_of(filled), rubylith)
        filled.show_layers(replace(layers, plate=noise(*SIZE[::-1], 3), table=IDENTITY_TABLE), Planes.empty(SIZE))
        assert filled.shown_view is MaskView.PASTED
        assert not np.array_equal(pixels_of(filled), rubylith)

    def test_every_view_looks_different(self, filled):
        shown = set()
        for view in MaskView:
            filled.set_view(view)
            shown.add(pixels_of(filled).tobytes())
        assert len(shown) == len(MaskView)

    def test_planes_of_another_size_are_refused(self, filled):
        with pytest.raises(ValueError, match="planes of"):
            filled.show_planes(Planes.empty((5, 5)), Box(0, 0, 5, 5))
        with pytest.raises(ValueError, match="planes of"):
            filled.show_layers(noisy_layers(), Planes.empty((5, 5)))

    def test_without_a_frame_there_is_nothing_to_do(self, canvas, qtbot):
        with qtbot.assertNotEmitted(canvas.pressed):
            mouse(canvas, PRESS, QPointF(100, 100))
        canvas.fit()
        canvas.zoom_to(200)
        wheel(canvas, QPointF(100, 100), 120)

        assert len(np.unique(pixels_of(canvas).reshape(-1, 4), axis=0)) == 1

    def test_a_cleared_canvas_is_empty(self, filled):
        filled.clear()

        assert len(np.unique(pixels_of(filled).reshape(-1, 4), axis=0)) == 1

    def test_the_bench_measures_strokes(self, qapp):
        report = bench_canvas((320, 180), 40, MaskView.RUBYLITH, room=(320, 200), events=12)

        for zoom in ("fit", "100", "400"):
            assert 0 < report[zoom]["wall_p50_ms"] <= report[zoom]["wall_p95_ms"]
            assert report[zoom]["cpu_p95_ms"] > 0


class TestOverlay:
    def changed(self, canvas, change):
        """The rectangle of what a change repaints, and whether painting all gives the same."""
        before = pixels_of(canvas)
        change()
        QApplication.processEvents()
        after = pixels_of(canvas)
        rows, columns = np.nonzero((before != after).any(axis=2))
        return (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) if rows.size else None

    def hover(self, canvas, place):
        mouse(canvas, MOVE, place, NONE)

    def test_the_ring_has_the_brushs_size_and_follows_the_pointer(self, filled):
        filled.one_to_one()
        filled.set_brush_ring(60)

        left, top, right, bottom = self.changed(filled, lambda: self.hover(filled, QPointF(200, 150)))

        assert (left + right) / 2 == pytest.approx(200, abs=1)
        assert (top + bottom) / 2 == pytest.approx(150, abs=1)
        assert 60 <= right - left <= 66
        assert filled.cursor().shape() == Qt.CursorShape.BlankCursor

    def test_the_ring_goes_with_the_pointer(self, filled):
        filled.set_brush_ring(60)
        empty = pixels_of(filled)
        self.hover(filled, QPointF(200, 150))
        assert not np.array_equal(pixels_of(filled), empty)

        QApplication.sendEvent(filled, QEvent(QEvent.Type.Leave))

        assert np.array_equal(pixels_of(filled), empty)

    def test_a_tool_without_a_ring_has_a_cross_hair(self, filled):
        filled.set_brush_ring(60)
        filled.set_brush_ring(None)

        assert filled.cursor().shape() == Qt.CursorShape.BitmapCursor

    def test_a_ring_too_small_to_see_gives_way_to_the_cross_hair(self, filled):
        filled.set_brush_ring(4)
        filled.zoom_to(100)
        assert filled.cursor().shape() == Qt.CursorShape.BitmapCursor

        filled.zoom_to(800)

        assert filled.cursor().shape() == Qt.CursorShape.BlankCursor

    def test_a_path_is_drawn_where_its_points_are(self, filled):
        filled.one_to_one()
        points = [(100.0, 100.0), (150.0, 60.0), (200.0, 120.0)]
        first, last = at(filled, 100, 60), at(filled, 200, 120)

        left, top, right, bottom = self.changed(filled, lambda: filled.show_path(points))

        assert (left, top) == pytest.approx((first.x(), first.y()), abs=3)
        assert (right, bottom) == pytest.approx((last.x(), last.y()), abs=3)
        assert self.changed(filled, lambda: filled.show_path(points, closed=True)) is not None
        assert self.changed(filled, lambda: filled.show_path([])) is not None

    def test_a_path_that_grows_repaints_its_end_only(self, filled, qtbot):
        points = [(10.0, 10.0), (300.0, 200.0), (100.0, 100.0)]
        filled.one_to_one()
        filled.show_path(points)
        filled.repaint()
        areas = areas_painted(filled)

        with qtbot.waitSignal(filled.painted):
            filled.show_path([*points, (110.0, 105.0)])

        assert max(areas[-1].width(), areas[-1].height()) <= 20

    def test_a_rectangle_comes_and_goes(self, filled):
        filled.one_to_one()
        empty = pixels_of(filled)
        first, last = at(filled, 50, 40), at(filled, 150, 90)

        left, top, right, bottom = self.changed(filled, lambda: filled.show_rectangle(Box(50, 40, 150, 90)))

        assert (left, top) == pytest.approx((first.x(), first.y()), abs=3)
        assert (right, bottom) == pytest.approx((last.x(), last.y()), abs=3)
        filled.show_rectangle(None)
        assert np.array_equal(pixels_of(filled), empty)

    def test_a_note_comes_and_goes(self, filled):
        empty = pixels_of(filled)

        left, _, right, bottom = self.changed(filled, lambda: filled.set_note("No background yet"))

        assert filled.note == "No background yet"
        assert bottom <= 40
        assert (left + right) / 2 == pytest.approx(250, abs=3)
        filled.set_note("")
        assert np.array_equal(pixels_of(filled), empty)

    def test_it_says_what_it_is(self, filled):
        filled.set_view(MaskView.MATTE)

        assert filled.accessibleName()
        assert filled.accessibleDescription() == MaskView.MATTE.hint


class TestZoom:
    def test_the_wheel_keeps_the_point_under_the_pointer(self, filled):
        place = QPointF(260, 190)
        filled.one_to_one()
        x, y = filled.picture_point(place)

        for keys in (NO_KEY, Qt.KeyboardModifier.ControlModifier) * 4:
            wheel(filled, place, 120, keys=keys)

        assert filled.percent == pytest.approx(400)
        assert filled.picture_point(place) == pytest.approx((x, y), abs=1)

    def test_two_fingers_pan(self, filled):
        filled.zoom_to(300)
        before = filled.widget_point(0, 0)

        wheel(filled, QPointF(250, 200), -30, phase=Qt.ScrollPhase.ScrollUpdate, way=(12, -30))

        assert filled.percent == pytest.approx(300)
        assert filled.widget_point(0, 0) - before == QPointF(12, -30)

    def test_two_fingers_and_ctrl_zoom(self, filled):
        filled.zoom_to(300)

        wheel(
            filled,
            QPointF(250, 200),
            120,
            keys=Qt.KeyboardModifier.ControlModifier,
            phase=Qt.ScrollPhase.ScrollUpdate,
            way=(0, 30),
        )

        assert filled.percent > 300

    def test_a_fitted_picture_follows_the_canvas(self, filled, qtbot):
        small = filled.percent
        assert filled.is_fitted

        with qtbot.waitSignal(filled.zoomed):
            filled.resize(900, 800)

        assert filled.percent > small
        middle = filled.widget_point(SIZE[0] / 2, SIZE[1] / 2)
        assert (middle.x(), middle.y()) == pytest.approx((450, 400), abs=1)

    def test_a_zoomed_one_does_not(self, filled):
        filled.zoom_to(150)

        filled.resize(900, 800)

        assert filled.percent == pytest.approx(150)
        filled.fit()
        assert filled.is_fitted

    def test_the_zoom_is_kept_for_the_next_frame(self, filled):
        filled.zoom_to(250, QPointF(100, 100))
        corner = filled.widget_point(0, 0)

        filled.show_layers(noisy_layers(), Planes.empty(SIZE))

        assert filled.widget_point(0, 0) == corner
        assert filled.percent == pytest.approx(250)

    def test_every_other_zoom_is_told(self, filled):
        told = []
        filled.zoomed.connect(told.append)

        filled.zoom_to(250)
        filled.zoom_to(250)
        filled.one_to_one()

        assert told == pytest.approx([250, 100])


class TestGestures:
    @pytest.mark.parametrize("percent", [33.3, 100, 777])
    def test_they_are_in_px_of_the_picture(self, filled, told, percent):
        filled.zoom_to(percent)
        mouse(filled, PRESS, QPointF(250, 200), MIDDLE)
        mouse(filled, MOVE, QPointF(270, 190), MIDDLE)
        mouse(filled, RELEASE, QPointF(270, 190), MIDDLE)

        mouse(filled, PRESS, at(filled, 100.5, 80.25), RIGHT, keys=Qt.KeyboardModifier.ShiftModifier)
        mouse(filled, MOVE, at(filled, -20, 300), RIGHT, keys=Qt.KeyboardModifier.ControlModifier)
        mouse(filled, RELEASE, at(filled, 102, 81), RIGHT)

        assert [name for name, *_ in told] == ["pressed", "moved", "released"]
        assert [(one.x, one.y) for _, one in told] == [
            pytest.approx(point) for point in ((100.5, 80.25), (-20, 300), (102, 81))
        ]
        assert {one.button for _, one in told} == {Button.RIGHT}
        assert [(one.shift, one.ctrl, one.alt) for _, one in told] == [
            (True, False, False),
            (False, True, False),
            (False, False, False),
        ]
        assert {(one.pressure, one.is_tablet) for _, one in told} == {(1.0, False)}

    def test_every_move_is_told_and_painted_together(self, filled, told, qtbot):
        painted = []
        filled.repaint()
        filled.painted.connect(lambda: painted.append(1))
        filled.moved.connect(lambda one: filled.show_planes(Planes.empty(SIZE), Box(0, 0, int(one.x), int(one.y))))
        place = at(filled, 20, 20)
        mouse(filled, PRESS, place)

        for step in range(40):
            event = QMouseEvent(MOVE, place + QPointF(step, 0), place, NONE, LEFT, NO_KEY)
            QApplication.postEvent(filled, event)
        qtbot.waitUntil(lambda: bool(painted))

        assert sum(name == "moved" for name, *_ in told) == 40
        assert len(painted) <= 3
        mouse(filled, RELEASE, place)

    def test_moves_are_not_compressed_while_one_draws(self, filled):
        compresses = Qt.ApplicationAttribute.AA_CompressHighFrequencyEvents
        QApplication.setAttribute(compresses, True)
        place = at(filled, 20, 20)

        mouse(filled, PRESS, place)
        during = QApplication.testAttribute(compresses)
        mouse(filled, RELEASE, place)

        assert not during
        assert QApplication.testAttribute(compresses)

    def test_esc_gives_up_the_whole_gesture(self, filled, told):
        mouse(filled, PRESS, at(filled, 20, 20))
        mouse(filled, MOVE, at(filled, 30, 20))

        assert key(filled, Qt.Key.Key_Escape)
        mouse(filled, MOVE, at(filled, 40, 20))
        mouse(filled, RELEASE, at(filled, 40, 20))

        assert [name for name, *_ in told] == ["pressed", "moved", "cancelled"]
        mouse(filled, PRESS, at(filled, 20, 20))
        assert told[-1][0] == "pressed"

    def test_esc_is_left_to_others_where_there_is_nothing_to_give_up(self, filled, told):
        assert not key(filled, Qt.Key.Key_Escape)
        assert told == []

    def test_esc_gives_up_a_polygon_between_its_points(self, filled, told):
        filled.show_path([(10, 10), (20, 20)])

        assert key(filled, Qt.Key.Key_Escape)

        assert told == [("cancelled",)]

    @pytest.mark.parametrize("end", ["focus", "hidden", "cleared"])
    def test_a_gesture_whose_end_may_be_missed_is_given_up(self, filled, told, end):
        mouse(filled, PRESS, at(filled, 20, 20))

        if end == "focus":
            QApplication.sendEvent(filled, QFocusEvent(QEvent.Type.FocusOut, Qt.FocusReason.ActiveWindowFocusReason))
        elif end == "hidden":
            filled.hide()
        else:
            filled.clear()

        assert [name for name, *_ in told if name in ("pressed", "cancelled", "released")] == ["pressed", "cancelled"]

    def test_a_second_button_changes_nothing(self, filled, told):
        mouse(filled, PRESS, at(filled, 20, 20))
        mouse(filled, PRESS, at(filled, 20, 20), RIGHT)
        mouse(filled, RELEASE, at(filled, 20, 20), RIGHT)
        mouse(filled, RELEASE, at(filled, 25, 20))

        assert [name for name, *_ in told] == ["pressed", "released"]

    def test_space_pans_and_draws_nothing(self, filled, told):
        filled.zoom_to(300)
        before = filled.widget_point(0, 0)

        assert key(filled, Qt.Key.Key_Space)
        assert filled.cursor().shape() == Qt.CursorShape.OpenHandCursor
        mouse(filled, PRESS, QPointF(200, 200))
        assert filled.cursor().shape() == Qt.CursorShape.ClosedHandCursor
        mouse(filled, MOVE, QPointF(230, 190))
        mouse(filled, RELEASE, QPointF(230, 190))
        key(filled, Qt.Key.Key_Space, QEvent.Type.KeyRelease)

        assert filled.widget_point(0, 0) - before == QPointF(30, -10)
        assert told == []
        mouse(filled, PRESS, QPointF(200, 200))
        assert [name for name, *_ in told] == ["pressed"]

    def test_alt_sizes_the_brush(self, filled, told):
        filled.zoom_to(200)
        alt = Qt.KeyboardModifier.AltModifier

        mouse(filled, PRESS, QPointF(200, 200), keys=alt)
        mouse(filled, MOVE, QPointF(210, 200), keys=alt)
        mouse(filled, MOVE, QPointF(210, 193), keys=alt)
        mouse(filled, RELEASE, QPointF(210, 193), keys=alt)

        assert told == [("brush_resized", pytest.approx(5), 0.0), ("brush_resized", 0.0, -7.0)]

    def test_the_pointer_hovers_and_leaves(self, filled, told):
        mouse(filled, MOVE, at(filled, 12.5, 20), NONE)
        QApplication.sendEvent(filled, QEvent(QEvent.Type.Leave))

        assert told == [("hovered", pytest.approx(12.5), pytest.approx(20)), ("left",)]

    def test_a_double_click_comes_after_its_own_press(self, filled, told):
        place = at(filled, 12, 20)
        for kind in (PRESS, RELEASE, DOUBLE, RELEASE):
            mouse(filled, kind, place)

        assert [name for name, *_ in told] == ["pressed", "released", "pressed", "double_clicked", "released"]

    def test_a_pen_tells_its_pressure(self, filled, told):
        pen(filled, QEvent.Type.TabletPress, at(filled, 10, 20), 0.25)
        pen(filled, QEvent.Type.TabletMove, at(filled, 30, 20), 0.75)
        mouse(filled, MOVE, at(filled, 200, 200))
        pen(filled, QEvent.Type.TabletRelease, at(filled, 30, 20), 0.0)

        assert [name for name, *_ in told] == ["pressed", "moved", "released"]
        assert told[1][1] == Gesture(
            pytest.approx(30), pytest.approx(20), pytest.approx(0.75), Button.LEFT, is_tablet=True
        )

    def test_the_eraser_of_a_pen_is_the_right_button(self, filled, told):
        pen(filled, QEvent.Type.TabletPress, at(filled, 10, 20), 0.5, tip=QPointingDevice.PointerType.Eraser)

        assert told[0][1].button is Button.RIGHT


DENSE_SCREEN = """
import json
import numpy as np
from PyQt6.QtCore import QEvent, QPointF, Qt
from PyQt6.QtGui import QMouseEvent
from PyQt6.QtWidgets import QApplication
from app.domain.mask.planes import Box, Planes
from app.domain.mask.views import Layers, MaskView
from app.ui.mask.canvas import Canvas

app = QApplication([])
draw = np.random.default_rng(1)
pixels, alpha = draw.integers(0, 256, (300, 400, 3), dtype=np.uint8), np.full((300, 400), 255, np.uint8)
canvas = Canvas()
canvas.resize(501, 401)
canvas.show()

def shown():
    image = canvas.grab().toImage()
    memory = image.bits().asarray(image.sizeInBytes())
    return np.array(memory, np.uint8).reshape(image.height(), image.width(), 4)[..., 2::-1]

canvas.show_layers(Layers(pixels, alpha), Planes.empty((400, 300)))
canvas.one_to_one()
ratio = canvas.devicePixelRatioF()
corner = canvas.widget_point(0, 0) * ratio
left, top = round(corner.x()), round(corner.y())
is_exact = np.array_equal(shown()[top : top + 300, left : left + 400], pixels)
gestures = []
canvas.pressed.connect(gestures.append)
place = QPointF((left + 100) / ratio, (top + 50) / ratio)
left_button, no_key = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
app.sendEvent(canvas, QMouseEvent(QEvent.Type.MouseButtonPress, place, place, left_button, left_button, no_key))
canvas.zoom_to(333)
planes = Planes.empty((400, 300))
planes.weight[150:170, 200:230] = 255
canvas.show_planes(planes, Box(200, 150, 230, 170))
partly = shown()
canvas.show_layers(Layers(pixels, alpha), planes)
print(json.dumps([ratio, bool(is_exact), gestures[0].x, gestures[0].y, bool(np.array_equal(partly, shown()))]))
"""


@pytest.mark.parametrize("ratio", ["2", "1.5"])
def test_on_a_dense_screen_a_pixel_is_one_of_the_screens(ratio):
    environment = os.environ | {"QT_SCALE_FACTOR": ratio, "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [sys.executable, "-c", DENSE_SCREEN], capture_output=True, text=True, env=environment, check=True
    )

    found_ratio, is_exact, x, y, is_same_in_part = json.loads(done.stdout)

    assert found_ratio == float(ratio)
    assert is_exact
    assert (x, y) == pytest.approx((100, 50))
    assert is_same_in_part
