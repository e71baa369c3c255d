import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QAbstractButton

from app.domain.mask.views import MaskView
from app.ui.mask.mask_bar import MaskBar
from app.ui.mask.plate_menu import PlateMenu
from app.ui.theme import apply_theme
from tests.ui.helpers import drop_deleted

CTRL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def bar(qapp):
    apply_theme(qapp, "dark")
    bar = MaskBar()
    bar.resize(1000, bar.sizeHint().height())
    bar.show()
    bar.activateWindow()
    QTest.qWaitForWindowActive(bar)
    yield bar
    bar.close()
    bar.deleteLater()
    drop_deleted()


def heard(signal):
    said = []
    signal.connect(lambda *values: said.append(values[0] if values else None))
    return said


def view_buttons(bar):
    return [one for one in bar.findChildren(QAbstractButton) if one.objectName() == "view"]


def checked(bar):
    return [one.text() for one in view_buttons(bar) if one.isChecked()]


@pytest.mark.parametrize(("number", "view"), list(enumerate(MaskView)))
def test_every_view_is_chosen_by_its_button_and_by_its_key(bar, number, view):
    said = heard(bar.view_chosen)
    QTest.mouseClick(view_buttons(bar)[number], Qt.MouseButton.LeftButton)
    QTest.keyClick(bar, Qt.Key(Qt.Key.Key_1 + number), CTRL)
    assert said == [view, view]
    assert checked(bar) == [view.label]


def test_showing_a_view_says_nothing(bar):
    said = heard(bar.view_chosen)
    bar.show_view(MaskView.MATTE)
    assert checked(bar) == ["Matte"]
    assert said == []


@pytest.mark.parametrize(
    ("key", "signal", "value"),
    [("+", "zoom_wanted", 2.0), ("-", "zoom_wanted", 0.5), ("0", "fit_wanted", None), ("1", "full_size_wanted", None)],
)
def test_zoom_has_keys_and_the_same_in_a_menu(bar, key, signal, value):
    said = heard(getattr(bar, signal))
    QTest.keyClick(bar, key)
    action = next(one for one in bar.zoom.menu().actions() if one.text().endswith(f"\t{key}"))
    action.trigger()
    assert said == [value, value]


@pytest.mark.parametrize(("percent", "text"), [(5.4, "5 %"), (100.0, "100 %"), (3200.0, "3200 %")])
def test_the_zoom_is_told(bar, percent, text):
    bar.show_zoom(percent)
    assert bar.zoom.text() == text


def test_steps_are_named_and_without_one_the_button_is_off(bar):
    bar.show_steps("Lasso", None)
    assert bar.undo.isEnabled()
    assert bar.undo.toolTip() == "Undo: Lasso"
    assert not bar.redo.isEnabled()
    assert bar.redo.toolTip() == "Redo"


def test_the_onion_skin_is_turned_on_and_off(bar):
    said = heard(bar.onion_chosen)
    QTest.keyClick(bar, Qt.Key.Key_U)
    QTest.mouseClick(bar.onion, Qt.MouseButton.LeftButton)
    assert said == [True, False]


def test_every_button_says_what_it_does_and_none_is_cut_off(bar):
    for button in bar.findChildren(QAbstractButton):
        assert button.toolTip()
        assert button.accessibleName() or button.text()
        assert button.width() >= button.minimumSizeHint().width()


@pytest.fixture
def menu(bar):
    menu = PlateMenu(bar)
    yield menu
    menu.close()


def opened(menu):
    menu.aboutToShow.emit()
    return {one.text(): one for one in menu.actions()}


def test_the_background_in_use_is_ticked(menu):
    menu.show_current("blur")
    assert [text for text, one in opened(menu).items() if one.isChecked()] == ["Blurred"]


def test_a_background_is_chosen_own_ones_too(menu):
    said = heard(menu.chosen)
    menu.own_plates.append("/somewhere/beach.jpg")
    opened(menu)["beach.jpg"].trigger()
    opened(menu)["Blurred"].trigger()
    assert said == ["/somewhere/beach.jpg", "blur"]
    texts = [one.text() for one in menu.actions() if one.text()]
    assert len(texts) == len(set(texts))
