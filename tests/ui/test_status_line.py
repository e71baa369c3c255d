from dataclasses import replace

import pytest
from PyQt6.QtCore import QPoint
from PyQt6.QtGui import QHelpEvent
from PyQt6.QtWidgets import QApplication, QToolTip

from app.domain.governor import LEVELS
from app.ui.live.live_facts import LiveFacts, size_words
from app.ui.live.status_line import StatusLine
from app.ui.theme import apply_theme

GOOD = LiveFacts(
    fps=29.9,
    latency_p50_ms=31.2,
    latency_p95_ms=48.0,
    drops={"display": 2, "analysis": 1},
    frames=5400,
    compute="CPU, 2 threads",
    skipped_share=0.35,
    source_text="1280 \u00d7 720, 30 fps, MJPG",
    recording_s=724.5,
    disk_left_bytes=41_200_000_000,
    virtual_camera="on: /dev/video10",
)


@pytest.fixture
def line(qapp, qtbot):
    apply_theme(qapp, "dark")
    widget = StatusLine()
    qtbot.addWidget(widget)
    widget.resize(1280, 28)
    widget.show()
    return widget


def colourful(line):
    """How many pixels have a colour: amber and red do, greys do not."""
    image = line.grab().toImage()
    colours = (image.pixelColor(x, y) for x in range(image.width()) for y in range(image.height()))
    return sum(max(c.getRgb()[:3]) - min(c.getRgb()[:3]) > 70 for c in colours)


def test_everything_is_shown_where_there_is_room(line):
    line.show_facts(GOOD)
    assert line.shown == (
        "29.9 / 30 fps",
        "31 / 48 ms",
        "3 dropped (0.1 %)",
        "35 % spared",
        "CPU, 2 threads",
        "1280 \u00d7 720, 30 fps, MJPG",
        "12:04",
        "41 GB free",
        "/dev/video10",
    )
    assert "29.9 / 30 fps. 31 / 48 ms. 3 dropped" in line.accessibleDescription()


def test_what_nobody_knows_yet_is_not_made_up(line):
    line.show_facts(LiveFacts())
    assert line.shown == ("\u2013 / 30 fps", "\u2013 / \u2013 ms", "0 dropped", "0 % spared", "Virtual camera off")


@pytest.mark.parametrize("width", [1280, 900, 640, 400, 200])
def test_where_it_is_narrow_the_most_important_stays_and_nothing_overlaps(line, width):
    line.resize(width, 28)
    line.show_facts(GOOD)
    assert line.shown[0] == "29.9 / 30 fps"
    assert len(line.shown) >= {1280: 9, 900: 7, 640: 5}.get(width, 1)
    starts, said = [], ""
    for x in range(width):
        here = line.explanation_at(QPoint(x, 14)).partition("\n")[0]
        if here in line.shown and here != said:
            starts.append(here)
        said = here
    assert tuple(starts) == line.shown


def test_what_has_no_room_is_told_between_the_others(line):
    line.resize(640, 28)
    line.show_facts(GOOD)
    assert "CPU, 2 threads" in line.explanation_at(QPoint(2, 14))


def test_trouble_is_shown_before_anything_else(line):
    line.resize(400, 28)
    line.show_facts(replace(GOOD, virtual_camera="failed"))
    assert "Virtual camera failed" in line.shown


@pytest.mark.parametrize(
    "facts",
    [
        replace(GOOD, drops={"display": 60}),
        replace(GOOD, drops={"display": 300}),
        replace(GOOD, fps=28.0),
        replace(GOOD, fps=20.0),
        replace(GOOD, disk_left_bytes=4_000_000_000),
        replace(GOOD, virtual_camera="failed"),
    ],
)
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_only_trouble_has_a_colour(line, qapp, facts, theme):
    apply_theme(qapp, theme)
    line.show_facts(GOOD)
    assert colourful(line) == 0
    line.show_facts(facts)
    assert colourful(line) > 20


def test_some_trouble_is_amber_and_much_is_red(line):
    def hue(**changes):
        line.show_facts(replace(GOOD, **changes))
        image = line.grab().toImage()
        colours = [image.pixelColor(x, y) for x in range(image.width()) for y in range(image.height())]
        return max(colours, key=lambda c: c.saturation() * (c.lightness() > 80)).hue()

    assert 30 < hue(drops={"display": 60}) < 60
    assert hue(drops={"display": 300}) < 15
    assert 30 < hue(fps=28.0) < 60
    assert hue(fps=20.0) < 15


def test_places_stay_where_they_are_while_numbers_change(line):
    def left_of(words):
        return next(x for x in range(1280) if line.explanation_at(QPoint(x, 14)).startswith(words))

    line.show_facts(GOOD)
    before = left_of("CPU")
    line.show_facts(replace(GOOD, fps=9.9, latency_p50_ms=5, latency_p95_ms=9, drops={}, skipped_share=1.0))
    assert left_of("CPU") == before


def test_every_fact_is_explained_and_drops_by_cause(line):
    line.show_facts(GOOD)
    said = {line.explanation_at(QPoint(x, 14)) for x in range(1280)}
    explained = {words.partition("\n")[0]: words.partition("\n")[2] for words in said if words}
    assert set(explained) == set(line.shown)
    assert all(explained.values())
    assert "display: 2\nanalysis: 1" in explained["3 dropped (0.1 %)"]


def test_the_explanation_comes_as_a_tool_tip(line, qtbot):
    line.show_facts(GOOD)
    place = QPoint(20, 14)
    QApplication.sendEvent(line, QHelpEvent(QHelpEvent.Type.ToolTip, place, line.mapToGlobal(place)))
    assert "Frames shown in a second" in QToolTip.text()
    QToolTip.hideText()
    qtbot.waitUntil(lambda: not QToolTip.isVisible())


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("off", "Virtual camera off"),
        ("on", "Virtual camera on"),
        ("on: OBS Virtual Camera", "OBS Virtual Camera"),
        ("waiting", "Virtual camera waits"),
        ("failed", "Virtual camera failed"),
    ],
)
def test_the_virtual_camera_in_words(line, state, words):
    line.show_facts(replace(GOOD, virtual_camera=state))
    assert line.shown[-1] == words


def test_a_recording_in_words(line):
    line.show_facts(replace(GOOD, recording_s=4724.0, recording_paused=True))
    assert "1:18:44 paused" in line.shown
    line.show_facts(replace(GOOD, recording_s=None, disk_left_bytes=None))
    assert line.shown[-2:] == ("1280 \u00d7 720, 30 fps, MJPG", "/dev/video10")


@pytest.mark.parametrize("level", range(1, len(LEVELS)))
def test_reduced_quality_in_words_with_the_reason_and_what_comes_next(line, level):
    reduced = LEVELS[level].words
    line.show_facts(replace(GOOD, level=level, reduced=reduced))
    said = f"Quality reduced: {reduced[-1]}"
    assert said in line.shown
    explained = next(
        words for words in (line.explanation_at(QPoint(x, 14)) for x in range(1280)) if words.startswith(said)
    )
    assert "can't hold the frame rate" in explained
    assert all(what in explained for what in reduced)
    assert ("next: " in explained) == (level + 1 < len(LEVELS))
    assert level + 1 == len(LEVELS) or LEVELS[level + 1].words[-1] in explained
    line.show_facts(GOOD)
    assert said not in line.shown


def test_reduced_quality_has_a_colour_and_room_where_it_is_narrow(line):
    line.resize(560, 28)
    line.show_facts(replace(GOOD, level=1, reduced=LEVELS[1].words))
    assert "Quality reduced: mask every 2nd frame" in line.shown
    assert colourful(line) > 20


def test_sizes_are_written_as_people_read_them():
    sizes = (41_200_000_000, 5_240_000_000, 980_000_000, 0)
    assert [size_words(size) for size in sizes] == ["41 GB", "5.2 GB", "980 MB", "0 MB"]
