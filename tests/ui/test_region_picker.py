from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtGui import QGuiApplication

from app.ui.live.region_picker import RegionPicker, pick_region


def drag(qtbot, picker, start, end):
    qtbot.mousePress(picker, Qt.MouseButton.LeftButton, pos=QPoint(*start))
    qtbot.mouseMove(picker, QPoint(*end))
    qtbot.mouseRelease(picker, Qt.MouseButton.LeftButton, pos=QPoint(*end))


def test_a_drawn_box_becomes_a_source_in_the_screens_pixels(qtbot):
    picker = pick_region()
    assert isinstance(picker, RegionPicker)
    specs = []
    picker.picked.connect(specs.append)
    scale = QGuiApplication.primaryScreen().devicePixelRatio()
    drag(qtbot, picker, (300, 200), (100, 80))
    left, top, width, height = (int(part) for part in specs[0].removeprefix("screen:0:").split(","))
    assert abs(left - 100 * scale) <= scale
    assert abs(top - 80 * scale) <= scale
    assert abs(width - 200 * scale) <= 2 * scale
    assert abs(height - 120 * scale) <= 2 * scale
    assert not picker.isVisible()


def test_a_click_is_no_box_and_escape_gives_up(qtbot):
    picker = pick_region()
    specs = []
    picker.picked.connect(specs.append)
    drag(qtbot, picker, (50, 50), (55, 52))
    assert picker.isVisible()
    qtbot.keyClick(picker, Qt.Key.Key_Escape)
    assert not picker.isVisible()
    assert specs == []
