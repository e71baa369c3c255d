"""The queue in the window: the quick render, dropping, other modes, closing and coming back; deliveries are made up."""

import threading
from dataclasses import replace

import pytest
from PyQt6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PyQt6.QtGui import QDragEnterEvent, QDropEvent
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QFileDialog, QPushButton

from app.domain.errors import UserError
from app.pipeline.offline.queue_file import load_queue, queue_path, save_queue
from app.ui.choices import Mode, Sample
from app.ui.drops import Dropped
from tests.support.media import write_clip
from tests.ui.helpers import portrait, shown_window, wait_until
from tests.ui.queue_helpers import FakeServices, item, states

MIDDLE = QPoint(200, 300)


@pytest.fixture
def services(monkeypatch):
    made = FakeServices()
    monkeypatch.setattr("app.ui.queue.services.PipelineServices", lambda: made)
    return made


@pytest.fixture
def window(qapp, services):
    with shown_window(qapp) as window:
        yield window


@pytest.fixture
def clip(tmp_path):
    return write_clip(tmp_path / "talk.mp4", frames=3, size=(160, 90), draw=portrait)


@pytest.fixture
def opened(window, clip):
    window.open_clip(clip)
    wait_until(lambda: window.session.clip is not None)
    return window


def queued(window):
    return window.render_control.queue.items


def drop(window, *paths, at=MIDDLE):
    """Drag files over a place of the window and let go; what the window said meanwhile."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    window.dragEnterEvent(QDragEnterEvent(at, Qt.DropAction.CopyAction, data, *keys))
    said = window._sign._text
    window.dropEvent(QDropEvent(QPointF(at), Qt.DropAction.CopyAction, data, *keys))
    return said


def answer(window, words="Add"):
    """Press a button of the question about clips."""
    wait_until(lambda: window.render_control.side.dialog is not None)
    dialog = window.render_control.side.dialog
    button = next(b for b in dialog.findChildren(QPushButton) if b.text() == words)
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    QTest.qWait(20)


def test_the_quick_render_goes_first_and_leaves_what_waits_alone(opened, services, tmp_path):
    opened.render_control.queue.queue.add([item("later")])
    opened.render_control.start(str(tmp_path / "out.mp4"))
    wait_until(lambda: "Saved “out.mp4”" in opened.messages.message)
    assert states(opened.render_control.queue) == {"talk": "done", "later": "waiting"}
    (job,) = services.begun
    assert (job.output, job.overwrite, job.preset) == (tmp_path / "out.mp4", True, "")
    assert job.settings.plate == opened.model.settings.plate


def test_each_has_the_settings_of_the_moment_it_was_added(opened, services, tmp_path):
    gate = services.keep("talk.mp4")
    plates = ["#102030", "#405060"]
    for plate in plates:
        opened.model.set_value("", "plate", plate)
        opened.render_control.start(str(tmp_path / f"{plate[1:]}.mp4"))
    opened.model.set_value("", "plate", "sunset")
    wait_until(lambda: len(queued(opened)) == 2)
    gate.set()
    wait_until(lambda: len(services.begun) == 2 and not opened.render_control.is_busy)
    assert [job.settings.plate for job in services.begun] == plates


def test_the_sample_is_rendered_from_a_file_of_its_own(window, services, tmp_path, monkeypatch):
    monkeypatch.setattr("app.ui.mask.project_worker.sample_file", lambda: tmp_path / "sample.mp4")
    window.open_clip(Sample.SAMPLE)
    wait_until(lambda: window.session.clip is not None)
    window.render_control.start(str(tmp_path / "out.mp4"))
    wait_until(lambda: [job.clip.name for job in services.begun] == ["sample.mp4"])


def test_several_clips_dropped_are_asked_about_and_added(window, services, clip, tmp_path):
    other = write_clip(tmp_path / "walk.mp4", frames=3, size=(160, 90))
    assert drop(window, clip, other) == "Drop to add all to the queue"
    answer(window)
    wait_until(lambda: [one.clip.name for one in queued(window)] == ["talk.mp4", "walk.mp4"])
    assert {one.preset for one in queued(window)} == {"youtube-1080p"}
    assert [one.output.parent for one in queued(window)] == [tmp_path, tmp_path]
    assert services.begun == []
    assert window.session.clip is None
    assert window.render_control.side.panel.isVisible()


def test_a_folder_is_added_and_one_of_neither_videos_nor_pictures_is_said(window, services, tmp_path):
    folder, empty = tmp_path / "day", tmp_path / "empty"
    folder.mkdir()
    empty.mkdir()
    write_clip(folder / "b.mp4", frames=2)
    write_clip(folder / "a.mp4", frames=2)
    assert drop(window, folder) == "Drop to add it to the queue"
    answer(window, "Add and start")
    wait_until(lambda: [job.clip.name for job in services.begun] == ["a.mp4", "b.mp4"])
    drop(window, empty)
    wait_until(lambda: "numbered pictures" in window.messages.message)


def test_one_clip_is_opened_unless_it_falls_onto_the_queue(window, services, clip):
    assert drop(window, clip) == "Drop to open the video"
    wait_until(lambda: window.session.clip is not None)
    window.render_control.show_panel(shown=True)
    QTest.qWait(50)
    panel = window.render_control.side.panel
    place = panel.mapTo(window, panel.rect().center())
    assert drop(window, clip, at=place) == "Drop to add it to the queue"
    answer(window)
    wait_until(lambda: len(queued(window)) == 1)


def test_in_other_modes_files_mean_what_they_meant(window, services, clip):
    files = Dropped((clip, clip.with_name("b.mp4")), ())
    assert window.render_control.takes(files)
    window.set_mode(Mode.MASK)
    assert not window.render_control.takes(files)
    assert window.render_control.drop_text(files) == ""


def test_the_panel_comes_and_goes_by_its_button_and_key(window, services):
    line, side = window.render_control.line, window.render_control.side
    assert not side.panel.isVisible()
    QTest.mouseClick(line.button, Qt.MouseButton.LeftButton)
    assert side.panel.isVisible()
    side.closed.emit()
    assert not side.panel.isVisible()
    assert not line.button.isChecked()
    window.activateWindow()
    QTest.keyClick(window, Qt.Key.Key_J, Qt.KeyboardModifier.ControlModifier)
    assert side.panel.isVisible()
    window.set_mode(Mode.MASK)
    assert not side.panel.isVisible()
    assert not line.isVisible()
    window.set_mode(Mode.RENDER)
    assert side.panel.isVisible()


def test_a_render_goes_on_in_other_modes_and_can_be_cancelled_there(opened, services, tmp_path):
    services.keep("talk.mp4")
    control = opened.render_control
    control.start(str(tmp_path / "out.mp4"))
    wait_until(lambda: "%" in control.line.words)
    assert not control.bar.isVisible()
    opened.set_mode(Mode.MASK)
    wait_until(lambda: control.bar.isVisible() and "%" in control.bar.state)
    cancel = next(b for b in control.bar.findChildren(QPushButton) if b.text() == "Cancel")
    QTest.mouseClick(cancel, Qt.MouseButton.LeftButton)
    wait_until(lambda: "cancelled" in opened.messages.message)
    wait_until(lambda: services.discarded == ["talk.mp4"])
    assert not control.bar.isVisible()


def test_the_end_of_many_is_said_once_with_what_failed(window, services):
    services.errors["b.mp4"] = UserError("“b.mp4” is no video.", "Choose another.")
    queue = window.render_control.queue.queue
    queue.add([item("a"), item("b"), item("c")])
    queue.release()
    wait_until(lambda: "1 of 3 videos could not be rendered" in window.messages.message)
    assert "“b.mp4” is no video. Choose another." in window.messages.hint
    services.errors.clear()
    window.messages.hide()
    queue.add([item("d"), item("e")])
    queue.release()
    wait_until(lambda: window.messages.message == "All 2 videos are rendered.")


def test_the_end_of_one_offers_to_play_it(window, services):
    queue = window.render_control.queue.queue
    queue.add([item("a")])
    queue.release()
    wait_until(lambda: "Saved “a.mp4”: 12 frames in 2 s" in window.messages.message)
    assert "/out" in window.messages.hint


def test_the_tray_tells_it_while_nobody_looks(window, services, monkeypatch):
    said = []
    monkeypatch.setattr(type(window.tray), "is_there", property(lambda _: True))
    monkeypatch.setattr(window.tray, "say", lambda *words: said.append(words))
    monkeypatch.setattr(window, "isActiveWindow", lambda: False)
    queue = window.render_control.queue.queue
    queue.add([item("a"), item("b")])
    queue.release()
    wait_until(lambda: said == [("All 2 videos are rendered.", "It is in /out.")])


def test_what_was_under_way_when_the_window_closed_is_offered_again(qapp, services, clip, tmp_path):
    before = set(threading.enumerate())
    services.keep("talk.mp4")
    with shown_window(qapp) as window:
        window.open_clip(clip)
        wait_until(lambda: window.session.clip is not None)
        window.render_control.start(str(tmp_path / "out.mp4"))
        wait_until(lambda: queued(window) and queued(window)[0].has_begun)
    assert set(threading.enumerate()) == before
    assert services.discarded == []
    (kept,), _ = load_queue(queue_path())
    assert (kept.state, kept.has_begun) == ("waiting", True)
    services.keep("talk.mp4").set()
    with shown_window(qapp) as window:
        assert "“talk.mp4” was not finished" in window.messages.message
        assert window.render_control.side.panel.isVisible()
        assert services.begun == [services.begun[0]]
        action = next(b for b in window.messages.findChildren(QPushButton) if b.text() == "Go on")
        QTest.mouseClick(action, Qt.MouseButton.LeftButton)
        wait_until(lambda: states(window.render_control.queue) == {"talk": "done"})


def test_a_queue_that_only_waits_is_there_again_without_a_word(qapp, services):
    save_queue(queue_path(), [item("a"), item("b", state="done")])
    with shown_window(qapp) as window:
        assert window.messages.message == ""
        assert "1 to render" in window.render_control.line.words
        assert services.begun == []


def test_a_damaged_queue_is_said_and_the_window_opens(qapp, services):
    queue_path().parent.mkdir(parents=True)
    queue_path().write_bytes(b"{")
    with shown_window(qapp) as window:
        assert "queue could not be read" in window.messages.message
        assert queued(window) == ()


def test_live_mode_makes_no_queue(qapp, services):
    with shown_window(qapp, mode=Mode.LIVE, source="sample") as window:
        assert window.render_control._made is None
        assert not window.render_control.line.isVisible()
        assert "queue" not in " ".join(thread.name for thread in threading.enumerate())


def test_a_failed_one_is_tried_again_under_another_name(window, services, tmp_path):
    control = window.render_control.queue
    control.queue.add([replace(item("a"), state="failed", message="It exists.")])
    side = window.render_control.side
    wait_until(lambda: len(side.model.items) == 1)
    side.panel.choose(["a"])
    side.panel.wanted.emit("rename", ["a"])
    dialog = window.findChild(QFileDialog)
    dialog.fileSelected.emit(str(tmp_path / "new.mp4"))
    dialog.reject()
    wait_until(lambda: states(control) == {"a": "waiting"})
    assert control.items[0].output == tmp_path / "new.mp4"


@pytest.mark.parametrize("size", [(1120, 640), (1280, 800)])
def test_everything_has_room_at_the_smallest_window_too(opened, services, size):
    opened.resize(*size)
    opened.render_control.show_panel(shown=True)
    opened.render_control.queue.queue.add([item(f"clip-{number}") for number in range(30)])
    QTest.qWait(100)
    panel = opened.render_control.side.panel
    assert (opened.width(), opened.height()) == size
    assert opened.workspace.preview.width() >= 400
    for button in panel.findChildren(QPushButton):
        if button.isVisible():
            assert button.width() >= button.sizeHint().width(), button.text()
    assert panel.mapTo(opened, panel.rect().topRight()).x() < size[0]
    assert panel.view.height() > 200
