import threading

import numpy as np
import pytest
from PyQt6.QtCore import Qt, QTimer
from PyQt6.QtWidgets import QAbstractButton, QFileDialog, QLineEdit, QMessageBox

from app.cli import main
from app.pipeline.offline.queue_items import QueueItem
from app.pipeline.video_reader import VideoReader
from tests.support.media import audio_packets, write_clip
from tests.ui.helpers import GREEN, GREEN_SPEC, portrait, settle, shown_window, wait_until


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory):
    """Long enough that nobody finishes rendering it while a test looks on."""
    path = tmp_path_factory.mktemp("long") / "long.mp4"
    return write_clip(path, frames=500, size=(320, 180), draw=portrait)


def button(parent, text):
    return next(b for b in parent.findChildren(QAbstractButton) if b.text() == text)


def start_render_by_hand(qtbot, window, output):
    """Press the button, type the name, press Return."""
    qtbot.mouseClick(window.header.render_button, Qt.MouseButton.LeftButton)
    dialog = window.findChild(QFileDialog)
    name = dialog.findChild(QLineEdit)
    name.setText(str(output))
    qtbot.keyClick(name, Qt.Key.Key_Return)
    return dialog


def is_under_way(window):
    return "fps" in window.render_control.line.words


def test_a_render_becomes_a_video_on_the_chosen_plate_with_its_sound(window, qtbot, tmp_path):
    clip = write_clip(tmp_path / "talk.mp4", frames=12, size=(320, 180), draw=portrait, audio="aac")
    window.open_clip(clip)
    window.workspace.plates.set_colour("#20a040")
    settle(window)
    output = tmp_path / "out.mp4"
    start_render_by_hand(qtbot, window, output)
    wait_until(lambda: "Saved" in window.messages.message)
    assert "1 done" in window.render_control.line.words
    assert window.header.render_button.isEnabled()
    with VideoReader(output) as reader:
        frames = list(reader)
    assert len(frames) == 12
    assert np.abs(frames[6].pixels[20:100, -40:].astype(int) - GREEN).max() <= 4
    assert [p.data for p in audio_packets(output)] == [p.data for p in audio_packets(clip)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.mp4", "talk.mp4"]


def test_the_window_and_the_command_line_make_the_same_bytes(opened, qtbot, portrait_clip, tmp_path):
    opened.model.set_values("placement", {"mirror": True, "scale": 1.25})
    opened.model.set_value("match", "strength", 0.5)
    opened.render_control.start(str(tmp_path / "window.mp4"))
    wait_until(lambda: "Saved" in opened.messages.message)
    command = ["render", str(portrait_clip), "--plate", GREEN_SPEC, "--mirror", "--scale", "1.25", "--strength", "0.5"]
    assert main([*command, "-o", str(tmp_path / "command.mp4"), "-q"]) == 0
    assert (tmp_path / "window.mp4").read_bytes() == (tmp_path / "command.mp4").read_bytes()


def test_a_queue_of_presets_makes_what_they_say_and_one_bad_clip_stops_no_other(opened, portrait_clip, tmp_path):
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video at all")
    settings = opened.model.settings
    wanted = (("prores-4444-alpha", "a.mov"), ("web-transparent", "b.webm"), ("archive-ffv1", "c.mkv"))
    items = [QueueItem(portrait_clip, tmp_path / name, settings, preset=slug) for slug, name in wanted]
    queue = opened.render_control.queue.queue
    queue.add([items[0], QueueItem(bad, tmp_path / "bad-out.mp4", settings), *items[1:]])
    queue.release()
    wait_until(lambda: "1 of 4 videos could not be rendered" in opened.messages.message)
    assert "bad.mp4" in opened.messages.hint
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mov", "b.webm", "bad.mp4", "c.mkv"]
    queue.remove(items[0].id)


def test_a_render_with_all_settings_differs_from_the_plain_one(opened, qtbot, tmp_path):
    outputs = []
    for name, mirror in (("plain.mp4", False), ("mirrored.mp4", True)):
        opened.model.set_value("placement", "mirror", mirror)
        opened.messages.hide()
        opened.render_control.start(str(tmp_path / name))
        wait_until(lambda: "Saved" in opened.messages.message)
        with VideoReader(tmp_path / name) as reader:
            outputs.append(next(reader).pixels.astype(int))
    assert np.abs(outputs[0][:, ::-1] - outputs[1]).mean() < 3
    assert np.abs(outputs[0] - outputs[1]).mean() > 10


def test_a_cancelled_render_leaves_nothing(window, qtbot, long_clip, tmp_path):
    window.open_clip(long_clip)
    wait_until(lambda: window.session.clip is not None)
    window.render_control.start(str(tmp_path / "out.mp4"))
    wait_until(lambda: is_under_way(window))
    assert window.header.render_button.isEnabled()
    window.render_control.show_panel(shown=True)
    panel = window.render_control.side.panel
    panel.choose([window.render_control.queue.items[0].id])
    wait_until(lambda: panel.button("cancel").isEnabled())
    qtbot.mouseClick(panel.button("cancel"), Qt.MouseButton.LeftButton)
    wait_until(lambda: "cancelled" in window.messages.message)
    wait_until(lambda: list(tmp_path.iterdir()) == [])
    wait_until(lambda: not window.render_control.is_busy)
    wait_until(lambda: [thread.name for thread in threading.enumerate() if thread.name == "render queue"] == [])


def test_closing_during_a_render_leaves_no_thread_and_the_next_window_goes_on(qapp, qtbot, long_clip, tmp_path):
    before = set(threading.enumerate())
    output = tmp_path / "out.mp4"
    with shown_window(qapp) as window:
        window.open_clip(long_clip)
        wait_until(lambda: window.session.clip is not None)
        window.render_control.start(str(output))
        wait_until(lambda: is_under_way(window))
        window.close()
        assert {path.name for path in tmp_path.iterdir()} <= {".out.mp4.rendering"}
        assert set(threading.enumerate()) == before
    with shown_window(qapp) as window:
        qtbot.mouseClick(button(window.messages, "Go on"), Qt.MouseButton.LeftButton)
        wait_until(lambda: is_under_way(window))
        window.render_control.queue.queue.cancel(window.render_control.queue.items[0].id)
        wait_until(lambda: list(tmp_path.iterdir()) == [])


def test_closing_while_a_render_begins_leaves_nothing_either(qapp, long_clip, tmp_path):
    with shown_window(qapp) as window:
        window.open_clip(long_clip)
        wait_until(lambda: window.session.clip is not None)
        window.render_control.start(str(tmp_path / "out.mp4"))
        window.close()
        assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == []


def test_a_render_over_its_own_source_is_refused_and_the_source_kept(opened, qtbot, portrait_clip):
    before = portrait_clip.read_bytes()
    opened.render_control.start(str(portrait_clip))
    wait_until(lambda: opened.messages.message != "")
    assert "overwrite" in opened.messages.message
    assert portrait_clip.read_bytes() == before
    assert opened.header.render_button.isEnabled()


def test_a_name_no_video_can_have_is_refused_with_a_hint(opened, qtbot, tmp_path):
    opened.render_control.start(str(tmp_path / "out.txt"))
    wait_until(lambda: "out.txt" in opened.messages.message)
    assert ".mp4" in opened.messages.hint
    assert list(tmp_path.iterdir()) == []


def test_a_source_that_vanished_is_said_and_leaves_nothing(window, qtbot, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    clip = write_clip(tmp_path / "gone.mp4", frames=5, size=(320, 180), draw=portrait)
    window.open_clip(clip)
    wait_until(lambda: window.session.clip is not None)
    clip.unlink()
    window.render_control.start(str(folder / "out.mp4"))
    wait_until(lambda: "gone.mp4" in window.messages.message)
    assert list(folder.iterdir()) == []


def test_the_dialog_asks_before_a_file_is_replaced(opened, qtbot, tmp_path, qapp):
    taken = tmp_path / "taken.mp4"
    taken.write_bytes(b"mine")
    asked = []

    def answer():
        box = qapp.activeModalWidget()
        if isinstance(box, QMessageBox):
            asked.append(box.text())
            box.reject()

    timer = QTimer()
    timer.timeout.connect(answer)
    timer.start(20)
    dialog = start_render_by_hand(qtbot, opened, taken)
    timer.stop()
    assert asked
    assert "taken.mp4" in asked[0]
    assert taken.read_bytes() == b"mine"
    assert not opened.render_control.is_busy
    dialog.reject()
