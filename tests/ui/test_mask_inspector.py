from dataclasses import replace
from fractions import Fraction

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QAbstractButton, QCheckBox, QProgressBar, QPushButton, QTabBar, QToolButton

from app.domain.mask.adjusting import Adjustment
from app.domain.mask.correction import Correction
from app.domain.mask.document import (
    AdjustedSpan,
    Clip,
    FrameEdit,
    MaskDocument,
    MatchSpan,
    MediaRef,
    Meta,
    Origin,
    Span,
)
from app.domain.mask.planes import Planes
from app.domain.settings import MatchOptions, Settings
from app.ui.mask.mask_inspector import MaskInspector
from app.ui.mask.mask_state import MaskState
from app.ui.mask.propagate_panel import PropagateWish, Way
from app.ui.mask.tool_options import ToolKind, ToolOptions, ToolOptionsModel
from app.ui.theme import apply_theme

SIZE = (128, 64)
PAGES = ("tool", "time", "adjust", "match")


@pytest.fixture(scope="module", autouse=True)
def theme(qapp):
    apply_theme(qapp, "dark")


@pytest.fixture
def state():
    clip = Clip(MediaRef("a.mp4", "/a.mp4", "0", 1), SIZE, Fraction(1, 25))
    return MaskState(MaskDocument(Meta(clip, span=Span(25, 50))), pts=30)


@pytest.fixture
def inspector(qtbot, state):
    widget = MaskInspector()
    qtbot.addWidget(widget)
    widget.resize(300, 620)
    widget.show_state(state)
    widget.show()
    state.changed.connect(lambda _: widget.show_state(state))
    return widget


def every_signal(inspector):
    """Everything any panel says from now on."""
    said = []
    tool, time, adjust, match = inspector.tool, inspector.time, inspector.adjust, inspector.match
    for signal in (
        *(tool.changed, tool.clean_up_wanted, tool.accept_wanted, tool.drop_wanted),
        *(time.propagate_wanted, time.cancel_wanted, time.keyframe_wanted, time.lock_wanted),
        *(time.copy_wanted, time.clear_wanted, adjust.changed, adjust.settled),
        *(match.changed, match.lock_wanted, match.strength_wanted, match.removed),
    ):
        signal.connect(lambda *what: said.append(what))
    return said


def painted_edit(**flags):
    planes = Planes.empty(SIZE)
    planes.weight[10:20, 10:20] = 255
    return FrameEdit(Correction.of(planes), **flags)


def button(parent, words):
    found = [one for one in parent.findChildren(QAbstractButton) if one.text() == words]
    assert len(found) == 1, words
    return found[0]


def drag(slider, ticks):
    slider.setSliderDown(True)
    for tick in ticks:
        slider.setSliderPosition(tick)
    slider.setSliderDown(False)


def test_showing_a_project_says_nothing_and_shows_everything(inspector, state):
    said = every_signal(inspector)
    settings = Settings(match=MatchOptions(strength=0.4, smoothing_s=1.0, protect_skin=0.5, subject="food"))
    meta = replace(
        state.meta,
        settings=settings,
        adjustment=Adjustment(low=0.2, high=0.8, grow_px=-3, feather_px=2),
        adjusted_spans=(AdjustedSpan(Span(0, 10), Adjustment(grow_px=2)),),
        match_spans=(MatchSpan(Span(), knots=((0.0, 1.0),) * 3, locked_pts=50), MatchSpan(Span(25, 50), strength=0.3)),
    )
    document = MaskDocument(meta, {30: painted_edit(is_keyframe=True, origin=Origin.PROPAGATED), 20: painted_edit()})
    other = MaskState(document, pts=30)
    inspector.show_state(other)
    inspector.show_tool(ToolKind.SMART, ToolOptions(size_px=200, color_tolerance=0.8))
    assert said == []
    assert inspector.match.control("strength").value == 0.4
    assert inspector.match.strength.value == 0.3
    assert inspector.adjust.control("grow_px").value == -3
    assert inspector.adjust.spans.rows == (("0:00.00 to 0:00.40", "+2 px"),)
    assert [what for _, what in inspector.match.spans.rows] == ["locked at 0:02.00", "strength 30 %"]
    assert inspector.tool.control("size_px").value == 200
    boxes = [box for box in inspector.time.findChildren(QCheckBox)]
    assert [box.isChecked() for box in boxes] == [True, False]
    assert button(inspector.time, "Copy from the edit before").isEnabled()


def test_times_count_from_the_clips_first_frame(inspector, state):
    meta = replace(state.meta, adjusted_spans=(AdjustedSpan(Span(1025, None), Adjustment(grow_px=2)),))
    inspector.show_state(MaskState(MaskDocument(meta), pts=1030), start_pts=1000)
    assert inspector.adjust.spans.rows == (("0:01.00 to end", "+2 px"),)


@pytest.mark.parametrize("kind", ToolKind)
def test_each_tool_shows_the_options_it_follows(inspector, kind):
    inspector.show_tool(kind, ToolOptionsModel().of(kind))
    shown = {name for name in ToolOptions.__dataclass_fields__ if inspector.tool.control(name).isVisible()}
    assert shown == set(kind.option_names)
    assert inspector.tool.widget().minimumSizeHint().width() <= inspector.tool.viewport().width()


def test_an_option_set_in_the_panel_is_announced_by_name(inspector):
    said = every_signal(inspector)
    inspector.tool.control("size_px").slider.setValue(41)
    inspector.tool.control("uses_pressure").box.click()
    assert said == [("size_px", 42.0), ("uses_pressure", False)]


def test_clean_up_and_answers_have_buttons(inspector):
    said = every_signal(inspector)
    inspector.show_tool(ToolKind.CLEAN_UP, ToolOptions())
    for words in ("Fill holes", "Remove specks"):
        QTest.mouseClick(button(inspector.tool, words), Qt.MouseButton.LeftButton)
    inspector.show_tool(ToolKind.ASSIST, ToolOptions())
    assert not button(inspector.tool, "Fill holes").isVisible()
    for words in ("Accept", "Drop"):
        QTest.mouseClick(button(inspector.tool, words), Qt.MouseButton.LeftButton)
    assert said == [("holes",), ("specks",), (), ()]


def test_without_a_correction_on_the_frame_only_its_neighbours_can_be_blended(inspector):
    assert [way for way in Way if inspector.time.button(way).isEnabled()] == [Way.BLEND]


def test_every_way_to_carry_is_wanted_by_its_button(inspector, state):
    state.set_frames({30: painted_edit()}, "Paint")
    said = every_signal(inspector)
    inspector.show_page("time")
    for way in Way:
        QTest.mouseClick(inspector.time.button(way), Qt.MouseButton.LeftButton)
    assert said == [(PropagateWish(way),) for way in Way]


def test_while_something_runs_it_can_only_be_cancelled(inspector, state):
    inspector.show_page("time")
    bar, cancel = inspector.time.findChild(QProgressBar), button(inspector.time, "Cancel")
    assert not bar.isVisible()
    state.set_frames({20: painted_edit(), 30: painted_edit()}, "Paint")
    inspector.time.show_running("Carrying on …", 3, 10)
    assert (bar.value(), bar.maximum(), bar.isVisible()) == (3, 10, True)
    buttons = [one for one in inspector.time.widget().findChildren(QAbstractButton) if one.isVisible()]
    assert [one for one in buttons if one.isEnabled()] == [cancel]
    said = every_signal(inspector)
    QTest.mouseClick(cancel, Qt.MouseButton.LeftButton)
    assert said == [()]
    inspector.time.show_idle("Stopped at 0:03.20: scene cut.")
    assert not bar.isVisible()
    assert [one for one in buttons if one is not cancel and not one.isEnabled()] == []


def test_the_frames_own_switches(inspector, state):
    said = every_signal(inspector)
    inspector.show_page("time")
    keyframe, lock = inspector.time.findChildren(QCheckBox)
    keyframe.click()
    lock.click()
    assert said == [(True,), (True,)]
    clear = button(inspector.time, "Clear this frame")
    inspector.show_state(state)
    assert (keyframe.isChecked(), clear.isEnabled()) == (False, False)
    state.set_frames({30: painted_edit()}, "Paint")
    assert clear.isEnabled()
    state.set_flags("Lock", is_locked=True)
    assert (lock.isChecked(), clear.isEnabled()) == (True, False)


def test_a_drag_of_an_adjustment_is_one_step_and_the_next_another(inspector, state):
    inspector.show_page("adjust")
    grow = inspector.adjust.control("grow_px").slider
    drag(grow, [62, 64, 70])
    assert state.meta.adjustment.grow_px == 5
    drag(grow, [64, 62])
    assert state.meta.adjustment.grow_px == 1
    state.undo()
    assert (state.meta.adjustment.grow_px, inspector.adjust.control("grow_px").value) == (5, 5)
    state.undo()
    assert state.meta.adjustment == Adjustment()
    assert state.undo_name is None


def test_levels_push_each_other_and_never_cross(inspector, state):
    low, high = inspector.adjust.control("low").slider, inspector.adjust.control("high").slider
    high.setValue(40)
    low.setValue(60)
    assert (state.meta.adjustment.low, state.meta.adjustment.high) == (0.6, pytest.approx(0.61))
    low.setValue(100)
    assert (state.meta.adjustment.low, state.meta.adjustment.high) == (0.99, 1)
    assert inspector.adjust.control("low").value == 0.99
    high.setValue(0)
    assert (state.meta.adjustment.low, state.meta.adjustment.high) == (0, 0.01)


def choose(control, value):
    index = control.combo.findData(value)
    control.combo.setCurrentIndex(index)
    control.combo.activated.emit(index)


def test_an_adjustment_from_in_to_out_is_a_range_that_can_be_removed(inspector, state):
    inspector.show_page("adjust")
    inspector.adjust.control("feather_px").slider.setValue(4)
    choose(inspector.adjust.scope, "span")
    inspector.adjust.control("feather_px").slider.setValue(10)
    inspector.adjust.control("grow_px").slider.setValue(62)
    assert state.meta.adjustment == Adjustment(feather_px=2)
    assert state.meta.adjusted_spans == (AdjustedSpan(Span(25, 50), Adjustment(feather_px=5, grow_px=1)),)
    assert inspector.adjust.spans.rows == (("0:01.00 to 0:02.00", "+1 px, feather 5 px"),)
    choose(inspector.adjust.scope, "clip")
    assert inspector.adjust.control("feather_px").value == 2
    remove = inspector.adjust.spans.findChild(QToolButton)
    QTest.mouseClick(remove, Qt.MouseButton.LeftButton)
    assert state.meta.adjusted_spans == ()
    assert inspector.adjust.spans.rows == ()


def test_without_in_and_out_only_the_whole_clip_is_offered(inspector, state):
    choose(inspector.adjust.scope, "span")
    state.set_meta(replace(state.meta, span=Span()), "Span")
    assert (inspector.adjust.scope.value, inspector.adjust.scope.isEnabled()) == ("clip", False)
    assert not inspector.match.strength.isEnabled()


def test_nothing_is_adjusted_while_something_runs(inspector, state):
    refused = []
    state.refused.connect(refused.append)
    state.is_busy = True
    inspector.adjust.control("grow_px").slider.setValue(80)
    assert state.meta.adjustment == Adjustment()
    assert inspector.adjust.control("grow_px").value == 0
    assert len(refused) == 1


def test_the_match_is_set_locked_and_freed_by_signals(inspector, state):
    state.set_meta(replace(state.meta, match_spans=(MatchSpan(Span(), strength=0.2),)), "Match")
    said = every_signal(inspector)
    inspector.show_page("match")
    drag(inspector.match.control("strength").slider, [70])
    QTest.mouseClick(button(inspector.match, "In to out"), Qt.MouseButton.LeftButton)
    QTest.mouseClick(button(inspector.match, "Whole clip"), Qt.MouseButton.LeftButton)
    drag(inspector.match.strength.slider, [50])
    inspector.match.spans.findChild(QToolButton).click()
    assert said == [
        ("match", "strength", 0.7, True),
        ("match", "strength", 0.7, False),
        (Span(25, 50),),
        (Span(),),
        (Span(25, 50), 0.5, True),
        (Span(25, 50), 0.5, False),
        (0,),
    ]


@pytest.mark.parametrize("page", PAGES)
def test_pages_fit_the_column_and_are_turned_by_keys(inspector, page):
    turned = []
    inspector.page_changed.connect(turned.append)
    bar = inspector.findChild(QTabBar)
    assert bar.tabRect(bar.count() - 1).right() < inspector.width()
    bar.setFocus()
    for _ in range(PAGES.index(page)):
        QTest.keyClick(bar, Qt.Key.Key_Right)
    assert inspector.current_page == page
    assert turned == list(PAGES[1 : PAGES.index(page) + 1])
    shown = {"tool": inspector.tool, "time": inspector.time, "adjust": inspector.adjust, "match": inspector.match}[page]
    inspector.resize(300, 300)  # with a scroll bar
    assert shown.widget().minimumSizeHint().width() <= shown.viewport().width()
    unnamed = [one for one in shown.findChildren(QPushButton) if not one.accessibleName()]
    assert unnamed == []
