import numpy as np
import pytest
from PyQt6.QtCore import QPoint
from PyQt6.QtTest import QTest

from app.domain.histograms import histogram
from app.ui.live.curve_plot import CurvePlot, curve_words
from app.ui.theme import apply_theme

LEVELS = np.arange(256)


def table(*gammas):
    return np.stack([255 * (LEVELS / 255) ** gamma for gamma in gammas], 1).round().astype(np.uint8)


WARM = table(0.75, 1.0, 1.35)
DARK_PERSON = histogram(np.full((40, 40, 3), 40, np.uint8))
BRIGHT_PLATE = histogram(np.full((40, 40, 3), 215, np.uint8))


@pytest.fixture
def plot(qapp, qtbot):
    apply_theme(qapp, "dark")
    widget = CurvePlot()
    qtbot.addWidget(widget)
    widget.resize(280, 200)
    widget.show()
    return widget


def pixels(widget):
    image = widget.grab().toImage().convertToFormat(widget.grab().toImage().Format.Format_RGB32)
    rows = np.frombuffer(image.constBits().asarray(image.sizeInBytes()), np.uint8)
    return rows.reshape(image.height(), image.width(), 4)[..., 2::-1].astype(int)


def height_of(widget, channel, level):
    """Where a colour's line crosses a column: 0 (bottom) to 255 (top)."""
    shown = pixels(widget)
    column = shown[8:170, round(10 + level / 255 * 260)]
    others = [other for other in range(3) if other != channel]
    strength = column[:, channel] - column[:, others].max(axis=1)
    return (1 - (int(np.argmax(strength)) + 8 - 10) / 158) * 255


def test_each_colours_line_goes_where_its_table_says(plot):
    plot.show_match(WARM, None, None)
    for channel in range(3):
        for level in (80, 128, 200):
            assert height_of(plot, channel, level) == pytest.approx(int(WARM[level, channel]), abs=5)


def test_lines_that_change_nothing_lie_on_each_other_in_no_colour(plot):
    plot.show_match(table(1, 1, 1), None, None)
    shown = pixels(plot)[8:170, 10:270]
    strongest = shown[shown.sum(axis=2) > 600]
    assert len(strongest) > 200
    assert np.ptp(strongest, axis=1).max() < 60


def test_histograms_stand_where_their_levels_are(plot):
    plot.show_match(None, None, None)
    empty = pixels(plot)[:165]
    plot.show_match(None, DARK_PERSON, BRIGHT_PLATE)
    changed = np.abs(pixels(plot)[:165] - empty).sum(axis=(0, 2))
    columns = np.flatnonzero(changed > 300)
    person, plate = round(10 + 40 / 255 * 260), round(10 + 215 / 255 * 260)
    assert set(columns) <= {*range(person - 8, person + 9), *range(plate - 8, plate + 9)}
    assert changed[person] > 1000
    assert changed[plate] > 1000


def test_pointing_reads_out_and_leaving_takes_it_away(plot):
    plot.show_match(WARM, DARK_PERSON, BRIGHT_PLATE)
    plain = pixels(plot)
    QTest.mouseMove(plot, QPoint(140, 60))
    assert plot.hovered == 128
    assert np.abs(pixels(plot) - plain).sum() > 0
    for x, level in ((0, 0), (279, 255)):
        QTest.mouseMove(plot, QPoint(x, 60))
        assert plot.hovered == level
    plot.leaveEvent(None)
    assert plot.hovered is None
    assert np.array_equal(pixels(plot), plain)


def test_it_is_said_in_words_too(plot):
    assert plot.accessibleDescription() == "Nothing is matched"
    plot.show_match(WARM, None, None)
    assert plot.accessibleDescription() == "Reds +24, greens 0, blues -27 at mid-grey"
    shifted = np.stack([LEVELS] * 3, 1)
    shifted[128] += (12, 0, -9)
    assert curve_words(shifted.astype(np.uint8)) == "Reds +12, greens 0, blues -9 at mid-grey"
    plot.show_match(None, None, None)
    assert plot.accessibleDescription() == "Nothing is matched"


def test_another_theme_is_followed(plot, qapp):
    plot.show_match(WARM, DARK_PERSON, BRIGHT_PLATE)
    dark = pixels(plot)[4, 140]
    apply_theme(qapp, "light")
    light = pixels(plot)[4, 140]
    assert dark.sum() < 200 < 600 < light.sum()


@pytest.mark.parametrize("size", [(280, 200), (200, 150), (20, 150), (600, 400)])
def test_any_size_and_empty_histograms_paint(plot, size):
    plot.resize(*size)
    plot.show_match(WARM, np.zeros((256, 3), np.float32), BRIGHT_PLATE)
    assert pixels(plot).shape[:2] == (size[1], size[0])
