import cv2
import numpy as np
import pytest
from PyQt6.QtCore import QPointF, Qt

from app.domain.governor import LEVELS, Governor
from app.pipeline.images import save_image
from app.ui.choices import View
from tests.ui.helpers import GREEN, WALL, color_at, picture, portrait, wait_until
from tests.ui.live_helpers import (
    FACE,
    ROOM,
    await_new_picture,
    button,
    has,
    near,
    person_centre,
    person_share,
    room_share,
    set_value,
    shown_table,
    until_shown,
    wheel,
)

pytestmark = pytest.mark.alone


@pytest.fixture(autouse=True)
def no_leaked_threads():
    """Another source is another thread of the one window here; `shown_window` looks when that is closed."""


def view(window, wanted):
    """By its button; waits for its picture."""
    button(window.header, wanted.value).click()
    wait_until(lambda: window.workspace.preview.has_picture)


def test_the_person_stands_before_the_plate_and_the_room_is_nowhere(live):
    assert has(picture(live), GREEN, 3) > 0.4
    assert 0.2 < person_share(live) < 0.7
    assert room_share(live) < 0.002
    assert live.workspace.preview.note == ""


def test_every_view_shows_what_it_says(live):
    seen = {}
    for wanted in View:
        view(live, wanted)
        assert live.workspace.preview.view is wanted
        seen[wanted] = color_at(live, *ROOM), color_at(live, *FACE)
    for wanted in (View.SPLIT, View.MATCHED, View.PASTED):
        assert near(seen[wanted][0], GREEN), wanted
    assert near(seen[View.ORIGINAL][0], WALL, 8)
    assert near(seen[View.SIDE_BY_SIDE][0], GREEN)
    assert seen[View.MATTE][0].max() <= 2
    assert seen[View.MATTE][1].min() >= 250
    assert near(seen[View.EDGES][0], np.array(WALL) * 0.35, 8)


def test_side_by_side_has_the_room_at_the_left_only(live):
    view(live, View.SIDE_BY_SIDE)
    shown = picture(live)
    half = shown.shape[1] // 2
    assert has(shown[:, :half], WALL, 10) > 0.15
    assert has(shown[:, half + 8 :], WALL, 24) < 0.002


def test_the_divider_parts_two_pictures_of_the_same_moment(live, qtbot):
    view(live, View.SPLIT)
    preview = live.workspace.preview
    area = preview.picture_rect()
    grip, goal = (QPointF(area.left() + x * area.width(), area.center().y()).toPoint() for x in (0.5, 0.2))
    qtbot.mousePress(preview, Qt.MouseButton.LeftButton, pos=grip)
    qtbot.mouseMove(preview, goal)
    qtbot.mouseRelease(preview, Qt.MouseButton.LeftButton, pos=goal)
    assert preview.divider == pytest.approx(0.2, abs=0.01)
    assert live.model.settings.placement.offset_x == 0
    pasted, matched = both_sides(live)
    assert np.abs(pasted.astype(int) - matched).mean() > 0.3


def both_sides(window):
    """(pasted, matched) of one moment: nothing new can arrive between two paints in a row."""
    preview = window.workspace.preview
    preview.set_divider(1.0)
    pasted = picture(window)
    preview.set_divider(0.0)
    return pasted, picture(window)


def without_names(pixels):
    """The picture above the names in its lower corners, and right of the divider's line."""
    return pixels[:-60, 20:-20].astype(int)


def test_no_strength_is_the_pasted_picture(live):
    view(live, View.SPLIT)
    pasted, matched = both_sides(live)
    assert np.abs(without_names(pasted) - without_names(matched)).mean() > 0.3
    set_value(live, "match", "strength", 0.0)

    def is_same(window):
        one, other = both_sides(window)
        return np.array_equal(without_names(one), without_names(other))

    until_shown(live, is_same)


def face(pixels):
    """Mean colour of the face, which is far larger than what the person moves by."""
    height, width = pixels.shape[:2]
    return pixels[int(0.25 * height) : int(0.45 * height), int(0.15 * width) : int(0.25 * width)].mean(axis=(0, 1))


def test_b_shows_the_picture_before_the_match_while_it_is_held(live, qtbot):
    live.workspace.plates.set_colour("#101080")  # changes a face by much more than what moves there
    view(live, View.SPLIT)
    until_shown(live, lambda w: near(color_at(w, *ROOM), (16, 16, 128)))
    until_shown(live, lambda w: np.abs(np.subtract(*map(face, both_sides(w)))).max() > 40)
    pasted, matched = map(face, both_sides(live))
    view(live, View.MATCHED)
    qtbot.keyPress(live, Qt.Key.Key_B)
    assert live.workspace.preview.shown_view is View.PASTED
    until_shown(live, lambda w: np.abs(face(picture(w)) - pasted).max() < 15)
    qtbot.keyRelease(live, Qt.Key.Key_B)
    assert live.workspace.preview.shown_view is View.MATCHED
    until_shown(live, lambda w: np.abs(face(picture(w)) - matched).max() < 15)


def test_the_edge_moves_outward_and_inward(live):
    before = person_share(live)
    set_value(live, "person", "grow_px", 10.0)
    until_shown(live, lambda w: person_share(w) > before + 0.02)
    set_value(live, "person", "grow_px", -10.0)
    until_shown(live, lambda w: person_share(w) < before - 0.02)


def test_a_feather_softens_the_matte(live):
    view(live, View.MATTE)

    def soft_share(window):
        shown = picture(window)[..., 0]
        return float(((shown > 20) & (shown < 235)).mean())

    before = soft_share(live)
    set_value(live, "person", "feather_px", 12.0)
    until_shown(live, lambda w: soft_share(w) > 1.5 * before)


def test_a_higher_threshold_takes_less_for_the_person(live):
    view(live, View.MATTE)
    set_value(live, "person", "threshold", 0.05)
    until_shown(live, lambda w: w.live.desk.runner.latest.rendered is not None)
    low = picture(live).mean()
    set_value(live, "person", "threshold", 0.95)
    until_shown(live, lambda w: picture(w).mean() < low - 0.5)


def test_light_wrap_brings_the_plate_onto_the_person(live):
    live.workspace.plates.set_colour("#ffffff")
    until_shown(live, lambda w: near(color_at(w, *ROOM), (255, 255, 255)))
    view(live, View.SPLIT)
    wrapped = 0.0
    set_value(live, "match", "strength", 0.0)
    set_value(live, "person", "light_wrap", 1.0)

    def is_brighter(window):
        nonlocal wrapped
        pasted, matched = both_sides(window)
        wrapped = without_names(matched).mean() - without_names(pasted).mean()
        return wrapped > 0.5

    until_shown(live, is_brighter)


def test_mirror_puts_the_person_at_the_other_side(live):
    assert person_centre(live)[0] < 0.4
    set_value(live, "placement", "mirror", True)
    until_shown(live, lambda w: person_centre(w)[0] > 0.6)


def test_the_wheel_makes_the_person_smaller_and_larger(live):
    before = person_share(live)
    wheel(live.workspace.preview, -6)
    assert live.model.settings.placement.scale < 0.8
    assert live.workspace.inspector.control("placement", "scale").value == live.model.settings.placement.scale
    until_shown(live, lambda w: person_share(w) < 0.75 * before)
    wheel(live.workspace.preview, 12)
    until_shown(live, lambda w: person_share(w) > 1.1 * before)


def test_dragging_the_picture_moves_the_person_as_one_step_of_undo(live, qtbot):
    preview, before = live.workspace.preview, person_centre(live)
    start = preview.picture_rect().center().toPoint()
    qtbot.mousePress(preview, Qt.MouseButton.LeftButton, pos=start)
    for step in range(1, 6):
        qtbot.mouseMove(preview, start + QPointF(30 * step, 6 * step).toPoint())
    end = start + QPointF(150, 30).toPoint()
    qtbot.mouseRelease(preview, Qt.MouseButton.LeftButton, pos=end)
    area = preview.picture_rect()
    assert live.model.settings.placement.offset_x == pytest.approx(150 / area.width(), abs=0.01)
    assert live.model.settings.placement.offset_y == pytest.approx(30 / area.height(), abs=0.01)
    until_shown(live, lambda w: person_centre(w)[0] > before[0] + 0.08)
    qtbot.keyClick(live, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert live.model.settings.placement == type(live.model.settings.placement)()
    until_shown(live, lambda w: abs(person_centre(w)[0] - before[0]) < 0.04)


def test_a_crop_leaves_that_side_out(live):
    view(live, View.ORIGINAL)
    until_shown(live, lambda w: room_share(w) > 0.3)
    set_value(live, "placement", "crop_right", 0.45)
    until_shown(live, lambda w: room_share(w) < 0.15)


def test_low_light_lifts_a_dark_picture(live, plain, tmp_path):
    dark = tmp_path / "dark.png"
    save_image(dark, cv2.convertScaleAbs(portrait(320, 180, 0), alpha=0.25))
    live.live.set_source(str(dark))
    view(live, View.ORIGINAL)
    until_shown(live, lambda w: near(color_at(w, *ROOM), np.array(WALL) * 0.25, 8))
    before = picture(live).mean()
    set_value(live, "camera", "low_light", 1.0)
    until_shown(live, lambda w: picture(w).mean() > before + 20)


def test_a_green_screen_is_keyed_by_its_colour(live, tmp_path):
    screen = np.full((180, 320, 3), (30, 200, 60), np.uint8)
    cv2.circle(screen, (80, 90), 50, (200, 120, 90), -1)
    save_image(tmp_path / "screen.png", screen)
    set_value(live, "person", "model", "key")
    live.workspace.plates.set_colour("#101080")
    live.live.set_source(str(tmp_path / "screen.png"))
    view(live, View.PASTED)
    until_shown(live, lambda w: near(color_at(w, *ROOM), (16, 16, 128)))
    until_shown(live, lambda w: near(color_at(w, 0.25, 0.5), (200, 120, 90), 8))
    assert has(picture(live), (30, 200, 60), 40) < 0.002


def test_a_fixed_size_of_the_output_is_the_picture_s_size(live):
    set_value(live, "output", "size", "640x480")

    def is_made(window):
        composite = window.live.desk.runner.latest.finished.composite
        area = window.workspace.preview.picture_rect()
        return composite.shape == (480, 640, 3) and area.width() / area.height() == pytest.approx(4 / 3, abs=0.01)

    until_shown(live, is_made)
    assert room_share(live) < 0.002


def test_the_match_panel_draws_the_curves(live):
    plot = live.workspace.match_panel.plot
    live.workspace.inspector.show_page("match")
    until_shown(live, lambda w: "at mid-grey" in plot.accessibleDescription())
    seen = []
    for name in ("sunset", "night-street"):
        live.workspace.plates.choose(name)
        before = plot.accessibleDescription()
        until_shown(live, lambda w, before=before: plot.accessibleDescription() != before)
        seen.append(plot.accessibleDescription())
    assert len(set(seen)) == 2
    image = plot.grab().toImage()
    colours = {image.pixelColor(x, y).name() for x in range(0, image.width(), 2) for y in range(0, image.height(), 2)}
    assert len(colours) > 20


def test_a_frozen_curve_stays_until_it_is_let_go(live):
    live.workspace.inspector.show_page("match")
    panel, runner = live.workspace.match_panel, live.live.desk.runner
    panel.freeze.click()
    assert live.live.desk.is_frozen
    live.workspace.plates.set_colour("#2040ff")
    until_shown(live, lambda w: near(color_at(w, *ROOM), (32, 64, 255)))
    held = shown_table(runner).copy()
    shown = []
    live.workspace.preview.painted.connect(lambda: shown.append(runner.latest))
    wait_until(lambda: len(shown) > 12)
    assert np.array_equal(shown_table(runner), held)
    panel.freeze.click()
    assert not live.live.desk.is_frozen
    until_shown(live, lambda w: np.abs(shown_table(runner).astype(int) - held).max() > 2)


def test_match_anew_comes_at_once_to_what_else_takes_its_time(live):
    runner = live.live.desk.runner
    live.workspace.inspector.show_page("match")
    set_value(live, "match", "smoothing_s", 2.0)
    live.workspace.plates.set_colour("#2040ff")
    until_shown(live, lambda w: near(color_at(w, *ROOM), (32, 64, 255)))
    live.workspace.match_panel.rematch.click()
    settled = []

    def is_settled(_window):
        settled.append(shown_table(runner).astype(int))
        return len(settled) > 3 and all(np.abs(settled[-1] - one).max() <= 3 for one in settled[-4:])

    until_shown(live, is_settled)


def test_reduced_quality_is_said_and_shown_and_switched_off_by_hand(live, monkeypatch):
    monkeypatch.setattr(Governor, "follow", lambda self, reading, *, useful: 5)
    line, preview = live.workspace.status, live.workspace.preview
    whole = preview.picture_rect()
    wait_until(lambda: "Quality reduced: smaller preview" in line.shown)
    assert live.live.desk.facts().reduced == LEVELS[5].words
    assert "smaller preview" in line.accessibleDescription()
    await_new_picture(live)
    assert preview.picture_rect() == whole
    assert near(color_at(live, *ROOM), GREEN)
    set_value(live, "camera", "keep_up", False)
    wait_until(lambda: not any("reduced" in words for words in line.shown))
    assert live.live.desk.facts().level == 0


def test_the_status_line_says_how_it_runs(live):
    status = live.workspace.status
    # What a busy machine does with less is said in the place of what matters less.
    set_value(live, "camera", "keep_up", False)

    def is_told(_window):
        words = " ".join(status.shown)
        return all(part in words for part in ("fps", "ms", "dropped", "spared", "320 \u00d7 180", "Virtual camera off"))

    until_shown(live, is_told)
    facts = live.live.desk.facts()
    assert facts.frames > 0
    assert facts.latency_p50_ms is not None
    assert facts.latency_p50_ms <= facts.latency_p95_ms
    assert 0 < facts.fps < 60
