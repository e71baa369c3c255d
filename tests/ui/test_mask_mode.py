import numpy as np
import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QMessageBox, QPushButton

from app.domain.mask.document import Origin, Span
from app.domain.mask.planes import corrected
from app.domain.mask.views import MaskView
from app.pipeline.mask.project_reading import read_project
from app.pipeline.mask.recovery import unsaved_projects
from app.ui.choices import Mode
from app.ui.mask.propagate_panel import Way
from app.ui.mask.tool_options import ToolKind
from tests.support.media import write_clip
from tests.ui.helpers import portrait, shown_window, wait_until
from tests.ui.mask_helpers import RIGHT, click, drag, go, is_analysed, is_open, is_shown, open_mask

WALL = [(250, 60), (270, 90), (290, 120)]
"""A stroke over the bare wall at the right of the portrait."""


@pytest.fixture(scope="module")
def mask_window(qapp, portrait_clip):
    """One window with a project for the whole module."""
    with shown_window(qapp, Mode.MASK) as window:
        desk = open_mask(window, portrait_clip)
        start_threads(desk, window.masking.mode.player)
        yield window
        window.masking.mode.desk.state.mark_saved()


def start_threads(desk, player):
    """Those that start with the first use, so that none of the tests seems to leave one behind."""
    desk.tools.choose(ToolKind.CLEAN_UP)
    player.play()
    player.pause()


@pytest.fixture
def desk(mask_window):
    """The project with nothing done to it, its first frame shown."""
    desk = mask_window.masking.mode.desk
    yield desk
    desk.tools.drop()
    while desk.state.undo_name is not None:
        desk.state.undo()
    desk.tools.choose(ToolKind.BRUSH)
    desk.page.bar.choose_view(MaskView.RUBYLITH)
    desk.page.bar.onion.setChecked(False)
    go(desk, 0)


def final(desk):
    return corrected(desk.shown.layers.alpha, desk.state.planes)


def test_a_clip_opens_with_the_models_mask_and_is_looked_through(desk, mask_window):
    assert mask_window.masking.mode.name == "portrait"
    alpha = desk.shown.layers.alpha
    assert alpha[:, 40:100].mean() > 128
    assert alpha[:, 250:].max() == 0
    wait_until(lambda: is_analysed(desk))
    wait_until(lambda: not_nan(desk))


def not_nan(desk):
    assert not np.isnan(desk.marks.confidence).any()


def test_a_stroke_adds_and_the_right_button_takes_away(desk):
    drag(desk, WALL)
    assert final(desk)[90, 270] == 255
    assert desk.state.undo_name == "Brush stroke"
    drag(desk, [(60, 90), (80, 90)], button=RIGHT)
    assert final(desk)[90, 70] == 0
    desk.state.undo()
    assert final(desk)[90, 70] == 255
    desk.state.undo()
    assert desk.state.planes.weight.max() == 0


def test_undo_goes_to_the_frame_it_changes(desk):
    drag(desk, WALL)
    go(desk, 10)
    QTest.keyClick(desk.page, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert desk.state.pts == desk.session.index.pts_at(0)
    assert desk.state.planes.weight.max() == 0


@pytest.mark.parametrize("view", list(MaskView))
def test_every_view_is_shown(desk, view):
    desk.page.bar.choose_view(view)

    def is_there():
        is_shown(desk)
        assert desk.page.canvas.shown_view is view

    wait_until(is_there)


def test_the_matched_view_shows_the_plate_where_nobody_is(desk):
    desk.page.bar.choose_view(MaskView.MATCHED)
    wait_until(lambda: has_table(desk))
    plate = desk.shown.layers.plate
    canvas = desk.page.canvas
    place = canvas.widget_point(300, 20).toPoint()
    colour = canvas.grab().toImage().pixelColor(place)
    wanted = plate[20, 300].astype(int)
    assert np.abs(np.array([colour.red(), colour.green(), colour.blue()]) - wanted).max() <= 12


def has_table(desk):
    is_shown(desk)
    assert desk.page.canvas.shown_view is MaskView.MATCHED
    assert desk.shown.layers.table is not None


def test_a_correction_is_carried_on_as_one_step_and_undone_whole(desk):
    drag(desk, [(60, 60), (80, 90)], button=RIGHT)
    desk.page.inspector.time.button(Way.TO_OUT).click()
    wait_until(lambda: is_idle(desk))
    frames = desk.state.document.frames
    assert len(frames) > 1
    carried = [edit for edit in frames.values() if edit.origin is Origin.PROPAGATED]
    assert len(carried) == len(frames) - 1
    assert desk.state.undo_name == "Carry on"
    desk.state.undo()
    assert len(desk.state.document.frames) == 1


def is_idle(desk):
    assert not desk.state.is_busy
    assert "done" in desk.page.inspector.time.result


def test_a_locked_frame_is_not_painted_on(desk, mask_window):
    desk.page.transport.lock.click()
    assert desk.state.edit.is_locked
    drag(desk, WALL)
    assert desk.state.planes.weight.max() == 0
    assert "locked" in desk.page.canvas.note


def test_in_and_out_are_set_at_the_frame_looked_at(desk):
    go(desk, 5)
    QTest.keyClick(desk.page, Qt.Key.Key_I)
    go(desk, 12)
    QTest.keyClick(desk.page, Qt.Key.Key_O)
    index = desk.session.index
    assert desk.state.meta.span == Span(index.pts_at(5), index.pts_at(12))
    assert (desk.marks.in_pts, desk.marks.out_pts) == (index.pts_at(5), index.pts_at(12))


def test_tools_are_taken_by_their_keys(desk):
    for kind in ToolKind:
        QTest.keyClick(desk.page, Qt.Key[f"Key_{kind.key}"])
        assert desk.tools.kind is kind
        assert desk.page.strip.button(kind).isChecked()


def test_a_lasso_adds_what_it_goes_around(desk):
    desk.tools.choose(ToolKind.LASSO)
    drag(desk, [(220, 40), (300, 40), (300, 120), (220, 120), (220, 40)])
    assert final(desk)[80, 260] == 255
    assert desk.state.undo_name == "Lasso"


def test_the_match_is_locked_at_a_frame(desk):
    desk.page.bar.choose_view(MaskView.MATCHED)
    wait_until(lambda: has_table(desk))
    desk.page.inspector.match.lock_wanted.emit(Span())
    wait_until(lambda: has_span(desk))
    span = desk.state.meta.match_spans[0]
    assert span.locked_pts == desk.state.pts
    assert len(span.knots) == 3


def has_span(desk):
    assert len(desk.state.meta.match_spans) == 1


def test_another_background_is_one_step(desk, mask_window):
    before = desk.state.meta.settings.plate
    mask_window.masking.mode.plates.chosen.emit("#123456")
    assert desk.state.meta.settings.plate == "#123456"
    desk.state.undo()
    assert desk.state.meta.settings.plate == before


def test_playing_goes_on_and_stops_at_the_frame_shown(desk, mask_window):
    wait_until(lambda: is_analysed(desk))
    desk.page.transport.play.click()
    wait_until(lambda: has_moved(desk))
    desk.page.transport.play.click()
    assert not desk.is_playing
    wait_until(lambda: is_shown(desk))
    assert desk.state.pts > desk.session.index.pts_at(0)


def has_moved(desk):
    assert desk.page.timeline.position > desk.session.index.pts_at(2)


def test_the_onion_skin_shows_the_edited_neighbours(desk):
    drag(desk, WALL)
    go(desk, 3)
    desk.page.bar.onion.setChecked(True)

    def has_ghost():
        is_shown(desk)
        before, after = desk.shown.layers.ghosts
        assert before is not None
        assert before[90, 270] == 255
        assert after is None

    wait_until(has_ghost)


def test_a_project_is_saved_opened_again_and_asked_about(qapp, portrait_clip, tmp_path):
    name = tmp_path / "talk.platematch"
    with shown_window(qapp, Mode.MASK) as window:
        desk = open_mask(window, portrait_clip)
        drag(desk, WALL)
        planes = desk.state.planes
        mode = window.masking.mode
        assert mode.name == "portrait •"
        mode._save(name)
        wait_until(lambda: is_named(mode, "talk"))
        drag(desk, [(220, 60), (230, 60)])
        assert not mode.is_saved
        window.close()
        box = window.findChild(QMessageBox)
        assert "talk" in box.text()
        button(box, QMessageBox.StandardButton.Discard).click()
    loaded = read_project(name).document
    assert np.array_equal(next(iter(loaded.frames.values())).correction.planes().weight, planes.weight)
    with shown_window(qapp, Mode.MASK) as window:
        desk = open_mask(window, name)
        assert np.array_equal(desk.state.planes.weight, planes.weight)
        assert window.masking.mode.is_saved


def button(box, which) -> QPushButton:
    found = box.button(which)
    assert found is not None
    return found


def is_named(mode, name):
    assert mode.name == name


def test_what_was_not_saved_survives_the_programs_end(qapp, portrait_clip):
    with shown_window(qapp, Mode.MASK) as window:
        desk = open_mask(window, portrait_clip)
        drag(desk, WALL)
        weight = desk.state.planes.weight
        window.quit()
    (left,) = unsaved_projects()
    assert left.frames == 1
    with shown_window(qapp, Mode.MASK) as window:
        wait_until(lambda: is_offered(window))
        window.messages._act()
        wait_until(lambda: is_asked(window))
        box = window.findChild(QMessageBox)
        next(one for one in box.buttons() if "back" in one.text()).click()
        wait_until(lambda: is_open(window))
        assert np.array_equal(window.masking.mode.desk.state.planes.weight, weight)
        assert not window.masking.mode.is_saved
        window.masking.mode.desk.state.mark_saved()


def is_offered(window):
    assert "not saved" in window.messages.message


def is_asked(window):
    assert window.findChild(QMessageBox) is not None


def test_a_recording_is_edited_from_its_original_and_starts_from_its_matte(qapp, tmp_path):
    def matte(width, height, _index):
        pixels = np.zeros((height, width, 3), np.uint8)
        pixels[:, width // 2 :] = 255
        return pixels

    sizes = {"frames": 8, "size": (320, 180)}
    write_clip(tmp_path / "talk.mp4", draw=matte, **sizes)
    write_clip(tmp_path / "talk matte.mp4", draw=matte, **sizes)
    write_clip(tmp_path / "talk original.mp4", draw=portrait, **sizes)
    with shown_window(qapp, Mode.MASK) as window:
        desk = open_mask(window, tmp_path / "talk.mp4")
        assert desk.session.media.clip.name == "talk original.mp4"
        assert desk.session.media.mask.name == "talk matte.mp4"
        alpha = desk.shown.layers.alpha
        assert alpha[:, :150].max() < 10
        assert alpha[:, 170:].min() > 245


def test_the_frame_looked_at_gets_its_matte_when_the_clip_is_looked_through(qapp, portrait_clip):
    with shown_window(qapp, Mode.MASK) as window:
        window.set_mode(Mode.MASK)
        window.open_mask(portrait_clip)
        wait_until(lambda: is_open(window))
        desk = window.masking.mode.desk
        desk.rest(resting=True)
        go(desk, 20)
        desk.rest(resting=False)
        wait_until(lambda: is_analysed(desk))
        wait_until(lambda: is_final(desk))


def is_final(desk):
    assert np.array_equal(desk.shown.layers.alpha, desk.cache.get(desk.state.pts))


def test_a_file_that_is_no_video_is_said(qapp, tmp_path):
    path = tmp_path / "notes.mp4"
    path.write_text("no video")
    with shown_window(qapp, Mode.MASK) as window:
        window.open_mask(path)
        wait_until(lambda: is_said(window, "notes.mp4"))
        assert window.masking.mode.desk is None


def is_said(window, words):
    assert words in window.messages.message


def test_the_edges_of_the_canvas_are_clicked_without_harm(desk):
    for kind in ToolKind:
        desk.tools.choose(kind)
        for point in ((-5, -5), (330, 190), (0, 0)):
            click(desk, point)
        desk.tools.drop()
