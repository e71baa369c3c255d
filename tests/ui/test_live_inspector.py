from dataclasses import fields

import pytest
from PyQt6.QtCore import QPoint, QPointF, Qt
from PyQt6.QtGui import QWheelEvent
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication, QFileDialog, QLabel, QTabBar

from app.domain.setting_kinds import Choice, Number, Toggle, kinds_of
from app.domain.settings import GROUPS, Settings
from app.ui.live.inspector import LiveInspector
from app.ui.live.inspector_controls import NumberControl, ToggleControl
from app.ui.theme import apply_theme

ALL = [(group, name, kind) for group in GROUPS for name, kind in kinds_of(GROUPS[group]).items()]


@pytest.fixture(scope="module", autouse=True)
def theme(qapp):
    apply_theme(qapp, "dark")


@pytest.fixture
def inspector(qtbot):
    widget = LiveInspector()
    qtbot.addWidget(widget)
    widget.resize(300, 560)
    widget.show()
    return widget


@pytest.fixture
def said(inspector):
    """Everything the inspector announces."""
    told = []
    inspector.changed.connect(lambda *change: told.append(change))
    return told


def unlike_default(kind, default):
    """Another value that the setting accepts and its control can show."""
    if isinstance(kind, Number):
        return kind.low + kind.step if default != kind.low + kind.step else kind.high
    if isinstance(kind, Choice):
        return next(value for value in kind.options if value != default)
    return not default if isinstance(kind, Toggle) else "/somewhere/else"


def drag(slider, ticks):
    """Move a slider by the mouse's way: down, some moves, up."""
    slider.setSliderDown(True)
    for tick in ticks:
        slider.setSliderPosition(tick)
    slider.setSliderDown(False)


def wheel(widget, notches=-3):
    """Turn the wheel over a widget; says whether it took it. What it leaves, Qt gives to the page."""
    centre = QPointF(widget.rect().center())
    event = QWheelEvent(
        centre,
        QPointF(widget.mapToGlobal(centre.toPoint())),
        QPoint(),
        QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, event)
    return event.isAccepted()


def test_every_setting_of_every_group_has_a_control(inspector):
    for group, name, kind in ALL:
        control = inspector.control(group, name)
        assert control.kind is kind
        assert control.value == getattr(GROUPS[group](), name)
        assert control.toolTip() == kind.hint


def test_every_control_is_named_and_described_and_reached_by_the_keyboard(inspector):
    parts = {NumberControl: ("field", "slider"), ToggleControl: ("box",)}
    for group, name, kind in ALL:
        control = inspector.control(group, name)
        for part in parts.get(type(control), ("button",) if name == "folder" else ("combo",)):
            widget = getattr(control, part)
            assert widget.accessibleName().startswith(kind.label), (group, name)
            assert widget.accessibleDescription() == kind.hint
            assert widget.focusPolicy() == Qt.FocusPolicy.StrongFocus


def test_showing_settings_says_nothing_and_shows_everything(inspector, said):
    settings = Settings()
    for group, name, kind in ALL:
        settings = settings.with_value(group, name, unlike_default(kind, getattr(GROUPS[group](), name)))
    inspector.show_settings(settings)
    assert said == []
    for group, name, _kind in ALL:
        control = inspector.control(group, name)
        assert control.value == getattr(getattr(settings, group), name)
        assert not control.reset.isHidden(), (group, name)


def test_what_was_announced_makes_the_same_settings(inspector):
    settings = Settings()

    def keep(group, name, value, _is_dragging):
        nonlocal settings
        settings = settings.with_value(group, name, value)

    inspector.changed.connect(keep)
    inspector.control("person", "threshold").slider.setValue(0)
    inspector.control("person", "fine_edges").box.click()
    choose(inspector.control("match", "subject").combo, "Food")
    for group in fields(Settings)[1:]:
        for name in kinds_of(GROUPS[group.name]):
            assert inspector.control(group.name, name).value == getattr(getattr(settings, group.name), name)
    assert (settings.person.threshold, settings.person.fine_edges, settings.match.subject) == (0.05, False, "food")


def choose(combo, word):
    index = combo.findText(word)
    assert index >= 0
    combo.setCurrentIndex(index)
    combo.activated.emit(index)


def test_a_drag_is_many_changes_on_the_way_and_one_at_the_end(inspector, said):
    drag(inspector.control("match", "strength").slider, [80, 60, 55])
    assert said == [
        ("match", "strength", 0.8, True),
        ("match", "strength", 0.6, True),
        ("match", "strength", 0.55, True),
        ("match", "strength", 0.55, False),
    ]
    said.clear()
    inspector.control("match", "strength").slider.setValue(40)
    assert said == [("match", "strength", 0.4, False)]


def test_a_number_can_be_typed_in_its_unit(inspector, said):
    field = inspector.control("person", "light_wrap").field
    assert field.text() == "0 %"
    field.setFocus()
    field.selectAll()
    QTest.keyClicks(field, "35")
    assert said == []  # not before it is finished
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert said == [("person", "light_wrap", 0.35, False)]
    assert inspector.control("person", "light_wrap").slider.value() == 7
    inspector.control("camera", "analyse_every").slider.setValue(1)
    assert inspector.control("camera", "analyse_every").field.text() == "2 frames"
    inspector.control("camera", "analyse_every").slider.setValue(0)
    assert inspector.control("camera", "analyse_every").field.text() == "1 frame"


def test_typing_beyond_the_limits_stays_within_them(inspector, said):
    field = inspector.control("person", "feather_px").field
    field.setFocus()
    field.selectAll()
    QTest.keyClicks(field, "999")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert all(0 <= value <= 20 for _group, _name, value, _dragging in said)


def test_showing_the_same_value_does_not_disturb_who_is_typing(inspector):
    field = inspector.control("person", "light_wrap").field
    field.setFocus()
    field.selectAll()
    QTest.keyClicks(field, "3")
    inspector.show_settings(Settings())
    assert field.text().startswith("3")


@pytest.mark.parametrize("way", ["button", "double click"])
def test_the_way_back_to_the_default(inspector, said, way):
    control = inspector.control("person", "threshold")
    inspector.show_page("person")
    control.slider.setValue(0)
    assert control.reset.isVisible()
    said.clear()
    if way == "button":
        QTest.mouseClick(control.reset, Qt.MouseButton.LeftButton)
    else:
        QTest.mouseDClick(control.name, Qt.MouseButton.LeftButton)
    assert said == [("person", "threshold", 0.5, False)]
    assert (control.field.text(), control.reset.isHidden()) == ("50 %", True)


def test_the_wheel_is_the_pages_until_a_control_has_the_focus(inspector, said):
    inspector.show_page("person")
    threshold, model = inspector.control("person", "threshold"), inspector.control("person", "model")
    for widget in (model.combo, threshold.slider, threshold.field):
        widget.clearFocus()
        assert not wheel(widget)
    assert said == []
    for count, widget in enumerate((threshold.slider, threshold.field, model.combo), 1):
        widget.setFocus()
        assert wheel(widget)
        assert len(said) == count
    assert [name for _group, name, _value, _is_dragging in said] == ["threshold", "threshold", "model"]


def test_pages_are_turned_by_arrow_keys_and_by_code(inspector):
    turned = []
    inspector.page_changed.connect(turned.append)
    bar = inspector.findChild(QTabBar)
    assert [bar.tabText(i) for i in range(bar.count())] == ["Camera", "Person", "Match", "Placement", "Output"]
    bar.setFocus()
    QTest.keyClick(bar, Qt.Key.Key_Right)
    QTest.keyClick(bar, Qt.Key.Key_Right)
    assert (inspector.current_page, turned) == ("match", ["person", "match"])
    inspector.show_page("output")
    assert inspector.page("output").isVisible()
    assert not inspector.page("match").isVisible()


@pytest.mark.parametrize("group", GROUPS)
def test_tabs_and_controls_fit_the_column(inspector, group):
    bar = inspector.findChild(QTabBar)
    assert bar.tabRect(bar.count() - 1).right() < inspector.width()
    inspector.show_page(group)
    page = inspector.page(group)
    assert page.widget().minimumSizeHint().width() <= page.viewport().width()


def test_what_is_rarely_needed_is_folded_away(inspector):
    inspector.show_page("output")
    control, more = inspector.control("output", "split_min"), inspector.page("output").more
    assert not control.isVisible()
    more.button.setFocus()
    QTest.keyClick(more.button, Qt.Key.Key_Space)
    assert control.isVisible()
    assert inspector.control("output", "folder").isVisible()


def test_only_the_rate_that_counts_can_be_set(inspector, said):
    crf, bitrate = inspector.control("output", "crf"), inspector.control("output", "bitrate_kbps")
    assert (crf.isEnabled(), bitrate.isEnabled()) == (True, False)
    choose(inspector.control("output", "rate_control").combo, "Bitrate")
    assert (crf.isEnabled(), bitrate.isEnabled()) == (False, True)
    inspector.show_settings(Settings())
    assert (crf.isEnabled(), bitrate.isEnabled()) == (True, False)


def test_webm_takes_its_own_codecs_only(inspector, said):
    codec = inspector.control("output", "codec")

    def enabled():
        model = codec.combo.model()
        return [codec.combo.itemData(row) for row in range(model.rowCount()) if model.item(row).isEnabled()]

    assert enabled() == ["h264", "hevc", "av1", "vp9"]
    choose(inspector.control("output", "container").combo, "WebM")
    assert said == [("output", "container", "webm", False), ("output", "codec", "vp9", False)]
    assert (codec.combo.currentText(), enabled()) == ("VP9", ["av1", "vp9"])
    inspector.allow("output", "codec", ["vp9"])
    assert enabled() == ["vp9"]


def test_lists_come_from_the_machine_and_keep_what_is_chosen(inspector, said):
    microphone = inspector.control("output", "microphone")
    inspector.set_options("output", "microphone", [("default", "System default"), ("hw:1", "USB microphone")])
    choose(microphone.combo, "USB microphone")
    assert said == [("output", "microphone", "hw:1", False)]
    inspector.set_options("output", "microphone", [("default", "System default")])  # it was pulled out
    assert (microphone.value, microphone.combo.currentText()) == ("hw:1", "hw:1")
    assert len(said) == 1
    with pytest.raises(TypeError, match=r"camera\.size"):
        inspector.set_options("camera", "size", [])
    with pytest.raises(TypeError, match=r"output\.microphone"):
        inspector.allow("output", "microphone", [])


def test_a_source_can_be_typed_and_is_known_by_its_name(inspector, said):
    inspector.set_options("camera", "source", [("", "First camera"), ("/dev/video2", "Desk camera")])
    line = inspector.control("camera", "source").combo.lineEdit()
    for words, value in (("Desk camera", "/dev/video2"), ("rtsp://camera.local/1", "rtsp://camera.local/1")):
        line.setFocus()
        line.selectAll()
        QTest.keyClicks(line, words)
        QTest.keyClick(line, Qt.Key.Key_Return)
        assert said[-1] == ("camera", "source", value, False)
        assert line.text() == words
    assert len(said) == 2


def test_a_folder_is_asked_for_without_waiting(inspector, said, qtbot):
    control = inspector.control("output", "folder")
    inspector.show_page("output")
    assert control.button.text() == "Films folder"
    QTest.mouseClick(control.button, Qt.MouseButton.LeftButton)
    dialog = control.findChild(QFileDialog)
    dialog.fileSelected.emit("/films/calls")
    dialog.close()
    assert said == [("output", "folder", "/films/calls", False)]
    assert control.button.text() == "calls"
    assert control.button.accessibleName() == "Folder: calls"


def test_other_widgets_find_a_place_on_a_page(inspector, qtbot):
    above, below = QLabel("above"), QLabel("below")
    inspector.add_to_page("match", above, top=True)
    inspector.add_to_page("match", below)
    inspector.show_page("match")
    QTest.qWait(0)

    def top(widget):
        return widget.mapTo(inspector, QPoint(0, 0)).y()

    strength, more = inspector.control("match", "strength"), inspector.page("match").more
    qtbot.waitUntil(lambda: top(above) < top(strength) < top(below) < top(more))
