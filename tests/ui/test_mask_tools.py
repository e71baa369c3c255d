import threading
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from PyQt6.QtCore import QEvent, QPointF, Qt
from PyQt6.QtGui import QMouseEvent
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication

from app.domain.mask.document import Clip, MaskDocument, MediaRef, Meta
from app.domain.mask.planes import everywhere
from app.domain.mask.views import Layers, final_alpha
from app.ui.mask.canvas import Canvas
from app.ui.mask.mask_state import MaskState
from app.ui.mask.tool_options import ToolKind, ToolOptions, ToolOptionsModel
from app.ui.mask.tool_strip import ToolStrip
from app.ui.mask.tools.tool_box import ToolBox
from app.ui.theme import apply_theme
from tests.ui.helpers import drop_deleted

SIZE = (160, 90)
LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
SHIFT, CTRL, ALT = (
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.AltModifier,
)


def scene():
    """A frame, dark at the left and bright from x = 80 on, and a model's alpha that has the person there."""
    pixels = np.full((SIZE[1], SIZE[0], 3), 40, np.uint8)
    pixels[:, 80:] = 210
    alpha = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    alpha[:, 80:] = 255
    return Layers(pixels, alpha)


class Desk:
    """A canvas at 4:1 with everything that tools need, driven by the mouse as a person does."""

    def __init__(self):
        clip = Clip(MediaRef("a.mp4", "/a.mp4", "0", 1), SIZE, Fraction(1, 25))
        self.layers = scene()
        self.state = MaskState(MaskDocument(Meta(clip)), pts=10)
        self.canvas, self.options = Canvas(), ToolOptionsModel()
        self.canvas.resize(SIZE[0] * 4 + 60, SIZE[1] * 4 + 60)
        self.canvas.show()
        self.box = ToolBox(self.canvas, self.state, self.options)
        self.said = []
        self.box.noted.connect(self.said.append)
        self.state.refused.connect(self.said.append)
        self.state.planes_changed.connect(self.show_planes)
        self.show_frame()
        self.canvas.zoom_to(400)

    def show_frame(self):
        self.canvas.show_layers(self.layers, self.state.planes)
        self.box.set_layers(self.layers)

    def show_planes(self):
        self.canvas.show_planes(self.state.planes, everywhere(SIZE))

    @property
    def names(self):
        """The steps that can be taken back, newest first; takes them back and makes them again."""
        names = []
        while self.state.undo_name is not None:
            names.append(self.state.undo_name)
            self.state.undo()
        for _ in names:
            self.state.redo()
        return names

    @property
    def alpha(self):
        """The mask in the project."""
        return final_alpha(self.layers.alpha, self.state.planes)

    def shown(self):
        """What is on the canvas, as painted, without the brush's ring."""
        self.canvas.leaveEvent(QEvent(QEvent.Type.Leave))
        image = self.canvas.grab().toImage()
        return bytes(image.constBits().asarray(image.sizeInBytes()))

    def send(self, kind, at, *, button=LEFT, keys=Qt.KeyboardModifier.NoModifier, held=True):
        place = self.canvas.widget_point(*at)
        cause = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else button
        buttons = button if held else Qt.MouseButton.NoButton
        event = QMouseEvent(kind, place, QPointF(self.canvas.mapToGlobal(place.toPoint())), cause, buttons, keys)
        QApplication.sendEvent(self.canvas, event)

    def press(self, at, **how):
        self.send(QEvent.Type.MouseButtonPress, at, **how)

    def move(self, at, **how):
        self.send(QEvent.Type.MouseMove, at, **how)

    def release(self, at, **how):
        self.send(QEvent.Type.MouseButtonRelease, at, held=False, **how)

    def drag(self, *points, **how):
        self.press(points[0], **how)
        for point in points[1:]:
            self.move(point, **how)
        self.release(points[-1], **how)

    def click(self, at, **how):
        self.drag(at, **how)

    def key(self, key):
        QTest.keyClick(self.canvas, key)

    def set(self, **values):
        self.options.change(self.box.kind, **values)


@pytest.fixture
def desk(qapp):
    apply_theme(qapp, "dark")
    made = Desk()
    yield made
    made.box.close()
    made.canvas.close()
    made.canvas.deleteLater()
    drop_deleted()


@pytest.fixture
def brush(desk):
    desk.set(size_px=12, hardness=1)
    return desk


def test_a_stroke_paints_where_the_mouse_went_and_nowhere_else(brush):
    brush.drag((20, 30), (40, 30), (60, 30))
    alpha = brush.alpha
    assert (alpha[30, 18:62] == 255).all()
    assert (alpha[26:34, 40] == 255).all()
    assert alpha[:22].max(initial=0, where=np.arange(160) < 80) == 0
    assert alpha[40:, :80].max() == 0
    assert brush.names == ["Brush stroke"]
    assert brush.state.edit.is_keyframe


def test_what_is_shown_during_a_stroke_is_what_the_step_leaves(brush):
    brush.press((20, 30))
    brush.move((60, 50))
    during = brush.shown()
    assert brush.state.undo_name is None
    brush.release((60, 50))
    assert brush.shown() == during
    brush.show_planes()
    assert brush.shown() == during


def test_the_right_button_does_the_opposite(brush):
    brush.drag((100, 30), (120, 30), button=RIGHT)
    assert (brush.alpha[30, 100:120] == 0).all()
    brush.box.choose(ToolKind.ERASER)
    brush.drag((100, 60), (120, 60))
    brush.drag((20, 60), (40, 60), button=RIGHT)
    assert (brush.alpha[60, 100:120] == 0).all()
    assert (brush.alpha[60, 20:40] == 255).all()
    assert brush.names == ["Brush stroke", "Eraser stroke", "Eraser stroke"]


def test_x_swaps_brush_and_eraser_and_what_areas_paint(brush):
    brush.key(Qt.Key.Key_X)
    assert brush.box.kind is ToolKind.ERASER
    brush.click((100, 40))
    assert brush.alpha[40, 100] == 0
    brush.key(Qt.Key.Key_X)
    assert brush.box.kind is ToolKind.BRUSH
    brush.box.choose(ToolKind.LASSO)
    brush.key(Qt.Key.Key_X)
    assert (brush.box.kind, brush.options.of(ToolKind.LASSO).paint) == (ToolKind.LASSO, "remove")


def test_the_way_back_to_the_model_takes_a_stroke_away(brush):
    brush.drag((20, 30), (60, 30))
    brush.box.choose(ToolKind.RESTORE)
    brush.set(size_px=30)
    brush.drag((10, 30), (70, 30))
    assert brush.state.edit.correction.is_empty
    assert brush.names == ["Back to the model", "Brush stroke"]


def test_undo_and_redo_are_exact_and_shown(brush):
    before = brush.shown()
    brush.set(hardness=0.2, opacity=0.7, flow=0.3)
    brush.drag((20, 30), (60, 50), (100, 20))
    after, planes = brush.shown(), brush.state.planes
    brush.state.undo()
    assert brush.state.edit.correction.is_empty
    assert brush.shown() == before
    brush.state.redo()
    np.testing.assert_array_equal(brush.state.planes.value, planes.value)
    np.testing.assert_array_equal(brush.state.planes.weight, planes.weight)
    assert brush.shown() == after


@pytest.mark.parametrize("way", ["escape", "focus", "undo", "tool", "playing"])
def test_a_stroke_given_up_leaves_no_trace(brush, way):
    brush.drag((30, 70), (60, 70))
    before, told = brush.shown(), []
    brush.box.stroke_ended.connect(lambda: told.append("ended"))
    brush.press((20, 30))
    brush.move((100, 30))
    assert brush.box.is_stroking
    assert brush.shown() != before
    if way == "escape":
        brush.key(Qt.Key.Key_Escape)
    elif way == "focus":
        brush.canvas.focusOutEvent(None)
    elif way == "undo":
        brush.state.undo()
        brush.state.redo()
    elif way == "tool":
        brush.box.choose(ToolKind.LASSO)
    else:
        brush.box.set_enabled(False)
    brush.move((120, 60))
    brush.release((120, 60))
    brush.box.choose(ToolKind.BRUSH)
    brush.move((120, 60), held=False)
    assert told == ["ended"]
    assert not brush.box.is_stroking
    assert brush.names == ["Brush stroke"]
    np.testing.assert_array_equal(brush.box.planes.weight, brush.state.planes.weight)
    assert brush.alpha[30, 20] == 0


def test_escape_shows_exactly_what_was_there(brush):
    brush.drag((30, 70), (60, 70))
    brush.move((60, 70), held=False)
    before = brush.shown()
    brush.press((60, 70))
    brush.move((100, 30))
    brush.move((60, 70))
    brush.key(Qt.Key.Key_Escape)
    brush.release((60, 70))
    assert brush.shown() == before


def test_shift_draws_straight_from_where_the_last_stroke_ended(brush):
    brush.click((20, 20))
    brush.click((60, 60), keys=SHIFT)
    assert all(brush.alpha[at, at] == 255 for at in range(20, 61, 5))
    assert len(brush.names) == 2


def test_no_line_comes_from_another_frame(brush):
    brush.click((20, 20))
    brush.state.go(11)
    brush.show_frame()
    brush.click((60, 60), keys=SHIFT)
    assert brush.alpha[40, 40] == 0
    assert brush.alpha[60, 60] == 255


def test_a_stroke_on_another_frame_goes_there_and_undo_goes_back(brush):
    brush.click((20, 20))
    brush.state.go(11)
    brush.show_frame()
    brush.click((60, 60))
    assert set(brush.state.document.frames) == {10, 11}
    brush.state.go(30)
    brush.state.undo()
    assert (brush.state.pts, set(brush.state.document.frames)) == (11, {10})


def test_leaving_the_frame_drops_the_stroke(brush):
    brush.press((20, 20))
    brush.move((40, 20))
    brush.state.go(11)
    brush.release((40, 20))
    assert brush.state.document.frames == {}
    brush.click((20, 20))
    assert brush.said == ["This frame is still being prepared."]


@pytest.mark.parametrize(("make", "words"), [("lock", "locked"), ("busy", "Wait")])
def test_a_frame_that_may_not_be_changed_is_refused_at_the_press(brush, make, words):
    if make == "lock":
        brush.state.set_flags("Lock", is_locked=True)
    else:
        brush.state.is_busy = True
    document, before = brush.state.document, brush.shown()
    for kind in ToolKind:
        brush.box.choose(kind)
        brush.drag((20, 30), (60, 30), (60, 60))
    assert brush.state.document is document
    assert len(brush.said) == len(ToolKind)
    assert all(words in sentence for sentence in brush.said)
    brush.box.choose(ToolKind.BRUSH)
    assert brush.shown() == before


def test_a_frame_locked_during_a_stroke_stays_as_it_is(brush):
    brush.press((20, 30))
    brush.move((60, 30))
    brush.state.set_flags("Lock", is_locked=True)
    brush.release((60, 30))
    assert brush.state.edit.correction.is_empty


def test_keys_and_a_drag_with_alt_change_the_brush(desk):
    size = desk.options.of(ToolKind.BRUSH).size_px
    desk.key(Qt.Key.Key_BracketRight)
    assert desk.options.of(ToolKind.BRUSH).size_px > size
    desk.key(Qt.Key.Key_BracketLeft)
    assert desk.options.of(ToolKind.BRUSH).size_px == pytest.approx(size, abs=1)
    before = desk.options.of(ToolKind.BRUSH)
    desk.drag((40, 40), (50, 40), keys=ALT)
    assert desk.options.of(ToolKind.BRUSH).size_px == pytest.approx(before.size_px + 20, abs=1)
    desk.drag((40, 40), (40, 50), keys=ALT)
    assert desk.options.of(ToolKind.BRUSH).hardness > before.hardness
    assert desk.names == []
    for _ in range(60):
        desk.key(Qt.Key.Key_BracketLeft)
    assert desk.options.of(ToolKind.BRUSH).size_px == 1


def test_every_tool_remembers_its_own_options(desk):
    desk.set(size_px=33)
    desk.box.choose(ToolKind.EDGE)
    assert desk.options.of(ToolKind.EDGE).size_px != 33
    desk.set(size_px=70)
    desk.box.choose(ToolKind.ERASER)
    assert desk.options.of(ToolKind.ERASER).size_px == 33
    assert desk.options.of(ToolKind.EDGE).size_px == 70
    with pytest.raises(ValueError, match="size_px"):
        desk.set(size_px=0)
    assert ToolOptions().brush.size_px == 80


def test_pressure_counts_where_it_is_wanted(brush):
    from app.ui.mask.gestures import Gesture

    for wanted, y in ((True, 20), (False, 60)):
        brush.set(uses_pressure=wanted)
        light = Gesture(40, y, pressure=0.5, is_tablet=True)
        brush.canvas.pressed.emit(light)
        brush.canvas.released.emit(light)
    assert brush.alpha[20, 40] == pytest.approx(128, abs=1)
    assert brush.alpha[60, 40] == 255


def square(x, y, side):
    return [(x, y), (x + side, y), (x + side, y + side), (x, y + side)]


def test_a_lasso_adds_and_takes_away(desk):
    desk.box.choose(ToolKind.LASSO)
    desk.set(feather_px=0)
    desk.drag(*square(20, 20, 20))
    assert (desk.alpha[21:39, 21:39] == 255).all()
    assert desk.alpha[10:19, :80].max() == 0
    desk.drag(*square(25, 25, 10), button=RIGHT)
    assert (desk.alpha[26:34, 26:34] == 0).all()
    desk.drag(*square(100, 20, 20), keys=CTRL)
    assert (desk.alpha[21:39, 101:119] == 0).all()
    desk.options.change(ToolKind.LASSO, paint="remove")
    desk.drag(*square(100, 20, 20), keys=SHIFT)
    assert (desk.alpha[21:39, 101:119] == 255).all()
    assert desk.names == ["Lasso"] * 4


def test_a_lasso_given_up_leaves_no_line(desk):
    desk.box.choose(ToolKind.LASSO)
    before = desk.shown()
    desk.press((20, 20))
    desk.move((60, 20))
    assert desk.shown() != before
    desk.key(Qt.Key.Key_Escape)
    desk.release((60, 60))
    assert desk.shown() == before
    assert desk.names == []


@pytest.mark.parametrize("way", ["enter", "first corner", "double click"])
def test_a_polygon_is_clicked_and_closed(desk, way):
    desk.box.choose(ToolKind.POLYGON)
    desk.set(feather_px=0)
    corners = square(20, 20, 30)
    for corner in corners:
        desk.click(corner)
        desk.move((90, 80), held=False)
    if way == "enter":
        desk.key(Qt.Key.Key_Return)
    elif way == "first corner":
        desk.click((21, 20))
    else:
        desk.send(QEvent.Type.MouseButtonDblClick, corners[-1])
        desk.release(corners[-1])
    assert (desk.alpha[21:49, 21:49] == 255).all()
    assert desk.alpha[52:, :80].max() == 0
    assert desk.names == ["Polygon"]


def test_a_polygon_by_keys(desk):
    desk.box.choose(ToolKind.POLYGON)
    desk.set(feather_px=0)
    nothing = desk.shown()
    for corner in [*square(20, 20, 30), (75, 5)]:
        desk.click(corner)
    desk.key(Qt.Key.Key_Backspace)
    desk.key(Qt.Key.Key_Return)
    assert desk.alpha[8:19, :80].max() == 0
    assert (desk.alpha[21:49, 21:49] == 255).all()
    desk.state.undo()
    for corner in square(20, 20, 30)[:2]:
        desk.click(corner)
    desk.key(Qt.Key.Key_Return)
    assert desk.names == []
    desk.key(Qt.Key.Key_Escape)
    assert desk.shown() == nothing
    desk.key(Qt.Key.Key_Return)
    assert desk.names == []


def test_a_polygon_begun_with_the_right_button_takes_away(desk):
    desk.box.choose(ToolKind.POLYGON)
    for number, corner in enumerate(square(100, 20, 30)):
        desk.click(corner, button=LEFT if number else RIGHT)
    desk.key(Qt.Key.Key_Enter)
    assert (desk.alpha[25:45, 105:125] == 0).all()


def test_fill_in_the_mask_and_in_the_picture(desk):
    desk.box.choose(ToolKind.FILL)
    desk.set(feather_px=0)
    desk.click((120, 40), button=RIGHT)
    assert desk.alpha.max() == 0
    desk.set(fills="colour")
    desk.click((20, 40))
    assert (desk.alpha[:, :80] == 255).all()
    assert desk.alpha[:, 80:].max() == 0
    assert desk.names == ["Fill", "Fill"]
    desk.press((20, 40))
    desk.key(Qt.Key.Key_Escape)
    desk.release((20, 40))
    assert len(desk.names) == 2


def dirty(desk):
    alpha = desk.layers.alpha.copy()
    alpha[40:44, 100:104] = 0
    alpha[20:23, 20:23] = 255
    alpha[70:73, 40:43] = 255
    desk.layers = Layers(desk.layers.pixels, alpha)
    desk.show_frame()


def test_clean_up_by_button_and_in_a_rectangle(desk, qtbot):
    dirty(desk)
    desk.box.choose(ToolKind.CLEAN_UP)
    qtbot.waitUntil(lambda: desk.said[-1:] == ["To clean up here: 1 hole and 2 specks."])
    desk.set(max_area_px=10)
    qtbot.waitUntil(lambda: desk.said[-1:] == ["To clean up here: 2 specks."])
    desk.set(max_area_px=100)
    desk.drag((10, 10), (60, 50))
    assert desk.alpha[21, 21] == 0
    assert desk.alpha[71, 41] == 255
    assert "Cleaned up: 1 speck." in desk.said
    desk.box.clean_up("holes")
    assert desk.alpha[41, 101] == 255
    desk.box.clean_up("specks")
    assert desk.alpha[71, 41] == 0
    assert desk.names == ["Remove specks", "Fill holes", "Clean up"]
    desk.box.clean_up("holes")
    assert desk.said[-1] == "There is nothing that small here."
    assert len(desk.names) == 3


def test_the_smart_brush_stops_at_the_colour(desk):
    desk.box.choose(ToolKind.SMART)
    desk.set(size_px=30, hardness=1)
    desk.drag((60, 20), (72, 40), (72, 70))
    assert desk.alpha[40, 66] == 255
    desk.drag((90, 20), (86, 60), button=RIGHT)
    assert desk.alpha[50, 88] == 0
    assert desk.alpha[40, 66] == 255  # the eraser of the bright side left the dark one alone
    assert desk.names == ["Smart brush", "Smart brush"]


def hairy(desk):
    """An edge whose true place differs from the model's."""
    pixels = desk.layers.pixels.copy()
    pixels[:, 70:80] = 210
    desk.layers = Layers(pixels, desk.layers.alpha)
    desk.show_frame()


def test_the_edge_brush_is_one_step_before_and_after_the_finer_result(desk, qtbot, monkeypatch):
    hairy(desk)
    before = desk.shown()
    desk.box.choose(ToolKind.EDGE)
    desk.set(size_px=30)
    documents = []
    desk.state.changed.connect(lambda _: documents.append(desk.state.document))
    desk.drag((75, 30), (75, 60))
    assert len(documents) == 1
    fast = desk.alpha
    assert fast[45, 74] > 128
    assert fast[45, 65] < 128
    return_before = desk.state.document
    qtbot.waitUntil(
        lambda: desk.state.document is not return_before, timeout=200_000
    )  # Compiled first, on a new machine.
    assert not np.array_equal(desk.alpha, fast)
    assert desk.names == ["Edge brush"]
    assert desk.alpha[45, 74] > 128
    desk.state.undo()
    desk.box.choose(ToolKind.BRUSH)
    assert desk.state.edit.correction.is_empty
    assert desk.shown() == before


def test_a_band_across_a_large_frame_is_found_in_its_place(desk, qtbot):
    """Larger than what is looked at as it is: the result must lie where the band is all the same."""
    pixels = np.full((1200, 1600, 3), 40, np.uint8)
    pixels[:, 760:] = 210
    alpha = np.zeros((1200, 1600), np.uint8)
    alpha[:, 800:] = 255
    clip = replace(desk.state.meta.clip, size=(1600, 1200))
    state, options = MaskState(MaskDocument(Meta(clip)), pts=0), ToolOptionsModel()
    desk.box.close()
    desk.box = ToolBox(desk.canvas, state, options)
    desk.canvas.show_layers(Layers(pixels, alpha), state.planes)
    desk.box.set_layers(Layers(pixels, alpha))
    desk.box.choose(ToolKind.EDGE)
    options.change(ToolKind.EDGE, size_px=160, is_fine=False)
    documents = []
    state.changed.connect(lambda _: documents.append(state.document))
    desk.canvas.fit()
    desk.drag((780, 60), (780, 1100))
    first = final_alpha(alpha, state.planes)
    qtbot.waitUntil(lambda: len(documents) == 3)  # the first, and in its place the one in full
    second = final_alpha(alpha, state.planes)
    for found in (first, second):
        assert found[600, 775] > 128
        assert found[600, 745] < 64
    assert np.abs(first.astype(int) - second).max() < 90
    state.undo()
    assert state.edit.correction.is_empty


def finer_result_of(monkeypatch, release):
    """The finer result is what the test says, when it says so."""
    from app.pipeline.mask import edge_matting

    def refined(_pixels, _alpha, _band, box):
        release.wait(30)
        values = np.full((box.y1 - box.y0, box.x1 - box.x0), 77, np.uint8)
        return edge_matting.RefinedEdge(box, values, "closed-form")

    monkeypatch.setattr(edge_matting, "refined_edge", refined)


@pytest.mark.parametrize("then", ["nothing", "a stroke", "another frame", "undo", "a lock"])
def test_a_finer_result_never_takes_anything_away(desk, qtbot, monkeypatch, then):
    release = threading.Event()
    finer_result_of(monkeypatch, release)
    answered = []
    compute = desk.box._easel.compute
    monkeypatch.setattr(
        desk.box._easel,
        "compute",
        lambda key, work, done: compute(key, work, lambda got: (done(got), answered.append(1))),
    )
    hairy(desk)
    desk.box.choose(ToolKind.EDGE)
    desk.drag((75, 30), (75, 60))
    fast = desk.state.document
    if then == "a stroke":
        desk.box.choose(ToolKind.BRUSH)
        desk.click((20, 20))
    elif then == "another frame":
        desk.state.go(11)
    elif then == "undo":
        desk.state.undo()
    elif then == "a lock":
        desk.state.set_flags("Lock", is_locked=True)
    document = desk.state.document
    release.set()
    qtbot.waitUntil(lambda: answered == [1])
    assert desk.state.pts == (11 if then == "another frame" else 10)
    names = {"a stroke": ["Brush stroke", "Edge brush"], "undo": [], "a lock": ["Lock", "Edge brush"]}
    assert desk.names == names.get(then, ["Edge brush"])
    if then == "nothing":
        assert desk.alpha[45, 75] == 77
        assert desk.state.document is not fast
    else:
        assert desk.state.document.frames == document.frames


def test_closing_during_a_finer_result_ends_the_thread(desk, monkeypatch):
    release = threading.Event()
    finer_result_of(monkeypatch, release)
    hairy(desk)
    desk.box.choose(ToolKind.EDGE)
    desk.drag((75, 30), (75, 60))
    document = desk.state.document
    release.set()
    desk.box.close()
    QTest.qWait(20)
    assert desk.state.document is document
    desk.click((20, 20))
    assert desk.state.document is document


def test_the_strip_names_its_tools_and_their_keys(qtbot):
    strip = ToolStrip()
    qtbot.addWidget(strip)
    with qtbot.waitActive(strip):
        strip.show()
        strip.activateWindow()
    chosen = []
    strip.chosen.connect(chosen.append)
    keys = [kind.key for kind in ToolKind]
    assert len(set(keys)) == len(keys)
    assert not set(keys) & set("ZKLIOXJ")
    for kind in ToolKind:
        button = strip.button(kind)
        assert button.accessibleName() == kind.label
        assert f"({kind.key})" in button.toolTip()
        QTest.keyClick(strip, getattr(Qt.Key, f"Key_{kind.key}"))
        assert button.isChecked()
    assert chosen == list(ToolKind)
    strip.show_tool(ToolKind.FILL)
    assert strip.button(ToolKind.FILL).isChecked()
    assert len(chosen) == len(ToolKind)


def test_the_strip_is_walked_by_arrow_keys(qtbot):
    strip = ToolStrip()
    qtbot.addWidget(strip)
    with qtbot.waitActive(strip):
        strip.show()
        strip.activateWindow()
    chosen = []
    strip.chosen.connect(chosen.append)
    QTest.keyClick(strip, Qt.Key.Key_Tab)
    assert strip.button(ToolKind.BRUSH).hasFocus()
    QTest.keyClick(strip.button(ToolKind.BRUSH), Qt.Key.Key_Down)
    assert strip.button(ToolKind.ERASER).hasFocus()
    QTest.keyClick(strip.button(ToolKind.ERASER), Qt.Key.Key_Space)
    assert chosen[-1] is ToolKind.ERASER
    assert strip.button(ToolKind.ERASER).isChecked()


def assist(desk):
    """A bright disc on the dark side that the model missed."""
    pixels = desk.layers.pixels.copy()
    rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
    pixels[(rows - 45) ** 2 + (columns - 40) ** 2 <= 12**2] = (200, 60, 60)
    desk.layers = Layers(pixels, desk.layers.alpha)
    desk.show_frame()
    desk.box.choose(ToolKind.ASSIST)


FOUND = "Enter accepts, Esc drops, more clicks refine"


def test_assist_shows_what_it_found_and_enter_takes_it(desk, qtbot):
    assist(desk)
    desk.click((40, 45))
    qtbot.waitUntil(lambda: desk.canvas.note == FOUND)
    assert desk.state.undo_name is None
    assert desk.box.planes.weight[45, 40] == 255
    desk.key(Qt.Key.Key_Return)
    assert desk.alpha[45, 34] > 200
    assert desk.alpha[45, 60] == 0
    assert desk.names == ["Assist"]
    assert desk.canvas.note == ""


def test_assist_dropped_leaves_no_trace(desk, qtbot):
    assist(desk)
    before = desk.shown()
    desk.click((40, 45))
    qtbot.waitUntil(lambda: desk.canvas.note == FOUND)
    assert desk.shown() != before
    desk.key(Qt.Key.Key_Escape)
    assert desk.shown() == before
    desk.key(Qt.Key.Key_Return)
    assert desk.names == []
    desk.drag((35, 45), (45, 45))
    desk.state.go(11)
    desk.state.go(10)
    desk.show_frame()
    QTest.qWait(50)
    assert desk.shown() == before


def test_assist_takes_out_what_only_the_right_button_points_at(desk, qtbot):
    assist(desk)
    pixels = desk.layers.pixels.copy()
    pixels[30:60, 100:130] = (60, 60, 200)
    desk.layers = Layers(pixels, desk.layers.alpha)
    desk.show_frame()
    desk.click((115, 45), button=RIGHT)
    qtbot.waitUntil(lambda: desk.canvas.note == FOUND)
    desk.box.accept()
    assert desk.alpha[45, 110] < 50
    assert desk.alpha[45, 145] == 255


def test_assist_is_not_accepted_on_a_frame_that_got_locked(desk, qtbot):
    assist(desk)
    desk.click((40, 45))
    qtbot.waitUntil(lambda: desk.canvas.note == FOUND)
    desk.state.is_busy = True
    desk.box.accept()
    assert desk.state.undo_name is None
    assert "Wait" in desk.said[-1]
    desk.state.is_busy = False
    desk.box.accept()
    assert desk.names == ["Assist"]


def test_assist_looks_within_the_box_that_was_drawn(desk, qtbot):
    assist(desk)
    desk.drag((20, 25), (42, 65), keys=SHIFT)
    assert "inside the box" in desk.canvas.note
    desk.drag((32, 40), (38, 50))
    qtbot.waitUntil(lambda: desk.canvas.note == FOUND)
    desk.key(Qt.Key.Key_Enter)
    assert desk.alpha[45, 34] > 200
    assert desk.alpha[:, 43:80].max() == 0
