"""What arrives late, comes twice or is closed in the middle."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from PyQt6.QtCore import QCoreApplication, Qt
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QMessageBox

from app.domain.errors import UserError
from app.domain.mask.adjusting import Adjustment
from app.pipeline.mask.masks_in import mask_ref
from app.pipeline.mask.project_reading import read_project
from app.pipeline.mask.project_store import ProjectStore
from app.pipeline.mask.recovery import unsaved_folder
from app.ui.choices import Mode
from app.ui.mask import mask_player
from app.ui.mask.propagate_panel import PropagateWish, Way
from tests.support.media import write_clip
from tests.ui.helpers import portrait, shown_window, wait_until
from tests.ui.mask_helpers import RIGHT, drag, is_open, is_shown, open_mask

SIZE = (320, 180)
WALL = [(250, 60), (270, 90), (290, 120)]
WAIT_S = 20


@pytest.fixture
def window(qapp):
    with shown_window(qapp, Mode.MASK) as window:
        yield window
        if window.masking.mode.desk is not None:
            window.masking.mode.desk.state.mark_saved()


@pytest.fixture
def desk(window, portrait_clip):
    return open_mask(window, portrait_clip)


@pytest.fixture
def given(tmp_path):
    """A mask for all frames that no model would find."""
    alpha = np.zeros(SIZE[::-1], np.uint8)
    alpha[:, 250:] = 255
    Image.fromarray(alpha).save(tmp_path / "mask.png")
    return tmp_path / "mask.png"


def unsaved():
    return list(unsaved_folder().iterdir()) if unsaved_folder().exists() else []


def say_something(desk):
    """The worker has answered, and the answer has not been heard."""
    said = threading.Event()
    desk._worker.shown.connect(lambda _: said.set(), Qt.ConnectionType.DirectConnection)
    desk.refresh()
    assert said.wait(WAIT_S)


def watched(desk):
    """All layers that are put on the canvas from now on."""
    shown, show = [], desk.page.canvas.show_layers
    desk.page.canvas.show_layers = lambda layers, planes: (shown.append(layers), show(layers, planes))
    return shown


def use_mask(desk, path):
    meta = desk.state.meta
    desk.use_mask(replace(meta, mask=mask_ref(path, desk.session.store.folder)), path)


def test_an_answer_about_mattes_that_are_gone_is_not_shown(desk, given):
    shown = watched(desk)
    say_something(desk)
    use_mask(desk, given)
    wait_until(lambda: desk.shown is not None)
    assert all(one.alpha[90, 300] == 255 for one in shown)
    assert all(one.alpha[90, 70] == 0 for one in shown)


def test_using_a_mask_is_taken_back_and_made_again(desk, given):
    before = desk.shown.layers.alpha.copy()
    use_mask(desk, given)
    wait_until(lambda: has_level(desk, 255))
    desk.state.undo()
    wait_until(lambda: has_level(desk, 0))
    assert np.abs(desk.shown.layers.alpha.astype(int) - before).max() <= 1
    desk.state.redo()
    wait_until(lambda: has_level(desk, 255))


def has_level(desk, level):
    """At a place of the wall."""
    is_shown(desk)
    assert desk.shown.layers.alpha[90, 300] == level


def test_an_answer_after_the_projects_end_leaves_the_canvas_empty(window, desk):
    say_something(desk)
    shown = watched(desk)
    window.masking.mode.let_go(lambda: None)
    QCoreApplication.processEvents()
    assert window.masking.mode.desk is None
    assert shown == []


def test_a_project_that_is_closed_while_it_plays_leaves_nothing_playing(window, desk):
    bar = desk.page.transport
    bar.play.click()
    position = desk.page.timeline.position
    wait_until(lambda: desk.page.timeline.position != position)
    assert bar.play.accessibleName() == "Pause"
    shown = watched(desk)
    window.masking.mode.let_go(lambda: None)
    QCoreApplication.processEvents()
    assert bar.play.accessibleName() == "Play"
    assert not desk.is_playing
    assert shown == []


def test_a_player_that_fails_says_so_and_can_be_tried_again(window, desk, monkeypatch):
    def broken(*_):
        raise UserError("It can't be played.", "Try again.")

    with monkeypatch.context() as patch:
        patch.setattr(mask_player, "_uncached_seeker", broken)
        desk.page.transport.play.click()
        wait_until(lambda: "can't be played" in window.messages.message)
    assert not desk.is_playing
    assert desk.page.transport.play.accessibleName() == "Play"
    desk.page.transport.play.click()
    wait_until(lambda: desk.page.timeline.position > desk.session.index.pts_at(2))
    desk.page.transport.play.click()


def test_a_propagation_that_is_closed_in_the_middle_is_forgotten(window, desk):
    drag(desk, [(60, 60), (80, 90)], button=RIGHT)
    mode = window.masking.mode
    mode.propagation.start(PropagateWish(Way.TO_OUT))
    assert desk.state.is_busy
    mode._drop(keep=False)
    QCoreApplication.processEvents()
    assert not [one for one in threading.enumerate() if one.name == "propagation"]
    assert not desk.page.inspector.time._is_running


def test_a_mask_that_comes_while_corrections_are_carried_on_has_to_wait(desk, given):
    drag(desk, [(60, 60), (80, 90)], button=RIGHT)
    desk.state.is_busy = True
    use_mask(desk, given)
    assert desk.state.meta.mask is None
    assert "Wait" in desk.page.canvas.note
    desk.state.is_busy = False


def test_of_two_projects_opened_at_once_the_second_stays(window, portrait_clip, tmp_path):
    other = write_clip(tmp_path / "other.mp4", frames=3, size=SIZE, draw=portrait)
    window.open_mask(portrait_clip)
    window.open_mask(other)
    mode = window.masking.mode
    wait_until(lambda: mode.desk is not None and mode.name == "other")
    wait_until(lambda: is_open(window))
    wait_until(lambda: len(unsaved()) == 1)
    assert unsaved() == [mode.desk.session.store.folder]


def test_the_window_is_closed_while_a_project_opens(qapp, portrait_clip):
    with shown_window(qapp, Mode.MASK) as window:
        window.open_mask(portrait_clip)
        mode = window.masking.mode
        window.close()
        QCoreApplication.processEvents()
        assert mode.desk is None
    assert unsaved() == []


def test_the_program_ends_while_a_project_is_saved(qapp, portrait_clip, tmp_path):
    with shown_window(qapp, Mode.MASK) as window:
        desk = open_mask(window, portrait_clip)
        drag(desk, WALL)
        weight = desk.state.planes.weight
        window.masking.mode._save(tmp_path / "talk.platematch")
        window.quit()
    (edit,) = read_project(tmp_path / "talk.platematch").document.frames.values()
    assert np.array_equal(edit.correction.planes().weight, weight)
    assert unsaved() == []


def test_a_project_nobody_touched_leaves_nothing_when_the_program_ends(qapp, portrait_clip):
    with shown_window(qapp, Mode.MASK) as window:
        open_mask(window, portrait_clip)
        window.quit()
    assert unsaved() == []


def test_many_edits_during_a_slow_save_are_kept_against_a_crash(window, desk, tmp_path):
    mode, held = window.masking.mode, threading.Event()
    drag(desk, WALL)
    mode.projects.worker._mailbox.errand(lambda: held.wait(WAIT_S))
    mode._save(tmp_path / "talk.platematch")
    for step in range(1, 40):
        meta = replace(desk.state.meta, adjustment=Adjustment(grow_px=step / 2))
        desk.state.set_meta(meta, "Grow")
    held.set()
    wait_until(lambda: mode.name == "talk •")
    assert not mode.is_saved
    assert desk.session.store.flush()
    mode._drop(keep=True)
    mode.projects.close()
    opened = ProjectStore.open(tmp_path / "talk.platematch")
    opened.store.close(discard_journal=False)
    assert opened.recovered.document.meta.adjustment.grow_px == 19.5


def test_two_backgrounds_from_the_menu_are_two_steps(window, desk):
    plates, before = window.masking.mode.plates, desk.state.meta.settings.plate
    for spec in ("#20a040", "#2040a0"):
        plates.aboutToShow.emit()
        plates.chosen.emit(spec)
    desk.state.undo()
    assert desk.state.meta.settings.plate == "#20a040"
    desk.state.undo()
    assert desk.state.meta.settings.plate == before


def test_esc_leaves_what_can_be_brought_back(qapp, portrait_clip, tmp_path):
    name = tmp_path / "talk.platematch"
    with shown_window(qapp, Mode.MASK) as window:
        desk = open_mask(window, portrait_clip)
        mode = window.masking.mode
        mode._save(name)
        wait_until(lambda: mode.name == "talk")
        drag(desk, WALL)
        window.quit()
    with shown_window(qapp, Mode.MASK) as window:
        window.open_mask(name)
        wait_until(lambda: window.findChild(QMessageBox) is not None)
        QTest.keyClick(window.findChild(QMessageBox), Qt.Key.Key_Escape)
        wait_until(lambda: window.findChild(QMessageBox) is None)
        assert window.masking.mode.desk is None
    opened = ProjectStore.open(name)
    opened.store.close(discard_journal=False)
    assert opened.recovered is not None
