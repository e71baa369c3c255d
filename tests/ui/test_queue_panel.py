"""The queue's panel: what it shows, its keys, and what its buttons do to the queue."""

import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from PyQt6.QtCore import QMimeData, QModelIndex, Qt, QUrl
from PyQt6.QtTest import QAbstractItemModelTester, QTest
from PyQt6.QtWidgets import QApplication, QMessageBox, QPushButton, QToolButton, QWidget

from app.domain.errors import UserError
from app.domain.settings import Settings
from app.pipeline.offline.queue_file import load_queue, queue_path, save_queue
from app.ui.message_bar import MessageBar
from app.ui.queue.panel_actions import ACTIONS
from app.ui.queue.queue_model import QueueModel
from app.ui.queue.queue_side import QueueSide, delivery_text
from app.ui.theme import apply_theme
from tests.ui.helpers import drop_deleted, wait_until
from tests.ui.queue_helpers import FakeServices, item, made_control, states, until_states


class Shown:
    """A panel on a window, over a queue with services of the test's own."""

    def __init__(self, control, services, window):
        self.control, self.services, self.window = control, services, window
        self.messages = MessageBar(window)
        self.side = QueueSide(window, control, self.messages, settings=Settings, clip=lambda: None)
        self.panel, self.model = self.side.panel, self.side.model
        self.panel.setParent(window)
        self.panel.resize(372, 600)
        self.panel.show()

    def choose(self, *ids):
        self.panel.choose(ids)

    def press(self, key, modifier=Qt.KeyboardModifier.NoModifier):
        QTest.keyClick(self.panel.view, key, modifier)
        QTest.qWait(20)

    def click(self, name):
        QTest.mouseClick(self.panel.button(name), Qt.MouseButton.LeftButton)
        QTest.qWait(20)

    def order(self):
        return [one.id for one in self.model.items]


@pytest.fixture
def services():
    return FakeServices()


@pytest.fixture
def shown(qapp, services):
    """Three that wait."""
    with panel_with(qapp, services, item("a"), item("b"), item("c")) as made:
        yield made


@contextmanager
def panel_with(qapp, services, *items):
    apply_theme(qapp, "dark")
    window = QWidget()
    window.resize(900, 640)
    window.show()
    with made_control(services, *items) as control:
        made = Shown(control, services, window)
        QTest.qWait(20)
        yield made
        made.side.close()
        window.close()
        window.deleteLater()
        drop_deleted()


def test_an_empty_queue_says_what_to_do_and_can_do_nothing(qapp, services):
    with panel_with(qapp, services) as made:
        words = " ".join(
            label.text() for label in made.panel.findChildren(QWidget) if hasattr(label, "text") and label.isVisible()
        )
        assert "Drop videos or folders here" in words
        assert not made.panel.run.isEnabled()
        assert not made.panel.view.isVisible()


def test_starting_renders_all_and_says_so(shown):
    assert shown.panel.run.text() == "Start"
    assert shown.panel.summary.startswith("3 to render")
    QTest.mouseClick(shown.panel.run, Qt.MouseButton.LeftButton)
    until_states(shown.control, a="done", b="done", c="done")
    assert [one.id for one in shown.services.begun] == ["a", "b", "c"]
    assert shown.panel.summary == "3 done"
    assert not shown.panel.run.isEnabled()
    assert shown.services.rests == 1


def test_pausing_holds_the_render_where_it_is_and_going_on_goes_on(shown):
    gate = shown.services.keep("a.mp4")
    shown.panel.run.click()
    wait_until(lambda: states(shown.control)["a"] == "running" and shown.panel.run.text() == "Pause")
    shown.panel.run.click()
    until_states(shown.control, a="paused", b="waiting", c="waiting")
    assert shown.panel.run.text() == "Go on"
    shown.panel.run.click()
    gate.set()
    until_states(shown.control, a="done", b="done", c="done")


def test_one_bad_clip_is_said_in_its_row_and_stops_no_other(shown):
    shown.services.errors["a.mp4"] = UserError("“a.mp4” is no video.", "Choose another file.")
    shown.panel.run.click()
    until_states(shown.control, a="failed", b="done", c="done")
    index = shown.model.index(0)
    spoken = index.data(Qt.ItemDataRole.AccessibleTextRole)
    assert "is no video" in spoken
    assert "Choose another file." in spoken
    assert "is no video" in index.data(Qt.ItemDataRole.ToolTipRole)
    heights = [shown.panel.view.visualRect(shown.model.index(row)).height() for row in (0, 1)]
    assert heights[0] > heights[1], "the sentence has no room"


def test_del_removes_and_space_pauses_and_goes_on(shown):
    shown.choose("b")
    shown.press(Qt.Key.Key_Space)
    assert states(shown.control) == {"a": "waiting", "b": "paused", "c": "waiting"}
    shown.press(Qt.Key.Key_Space)
    assert states(shown.control)["b"] == "waiting"
    shown.press(Qt.Key.Key_Delete)
    assert shown.order() == ["a", "c"]


def test_ctrl_and_arrows_reorder_and_keep_what_is_chosen(shown):
    ctrl = Qt.KeyboardModifier.ControlModifier
    shown.choose("c")
    shown.press(Qt.Key.Key_Up, ctrl)
    assert shown.order() == ["a", "c", "b"]
    shown.press(Qt.Key.Key_Up, ctrl)
    shown.press(Qt.Key.Key_Up, ctrl)
    assert shown.order() == ["c", "a", "b"]
    assert [one.id for one in shown.panel.chosen] == ["c"]
    shown.press(Qt.Key.Key_Down, ctrl)
    assert shown.order() == ["a", "c", "b"]
    shown.choose("a", "c")
    shown.click("down")
    assert shown.order() == ["b", "a", "c"]
    shown.click("down")
    assert shown.order() == ["b", "a", "c"]


def test_rows_are_dragged_to_another_place_and_files_are_left_to_the_window(shown):
    data = shown.model.mimeData([shown.model.index(2)])
    assert shown.model.dropMimeData(data, Qt.DropAction.MoveAction, 0, 0, QModelIndex())
    QTest.qWait(20)
    assert shown.order() == ["c", "a", "b"]
    data = shown.model.mimeData([shown.model.index(0), shown.model.index(1)])
    assert shown.model.dropMimeData(data, Qt.DropAction.MoveAction, -1, -1, QModelIndex())
    QTest.qWait(20)
    assert shown.order() == ["b", "c", "a"]
    files = QMimeData()
    files.setUrls([QUrl.fromLocalFile("/clips/x.mp4")])
    assert not shown.model.canDropMimeData(files, Qt.DropAction.CopyAction, 0, 0, QModelIndex())
    assert not shown.model.dropMimeData(files, Qt.DropAction.CopyAction, 0, 0, QModelIndex())


def test_cancelling_and_trying_again(shown):
    shown.services.keep("a.mp4")
    shown.panel.run.click()
    wait_until(lambda: states(shown.control)["a"] == "running")
    shown.choose("a")
    wait_until(lambda: shown.panel.button("cancel").isEnabled())
    shown.click("cancel")
    until_states(shown.control, a="cancelled", b="done", c="done")
    assert shown.services.discarded == ["a.mp4"]
    shown.services.keep("a.mp4").set()
    assert shown.panel.button("retry").isVisible()
    shown.click("retry")
    until_states(shown.control, a="done", b="done", c="done")


def test_removing_what_is_half_done_asks_first(qapp, services):
    with panel_with(qapp, services, item("a", has_begun=True), item("b")) as made:
        made.choose("a", "b")
        made.press(Qt.Key.Key_Delete)
        box = made.window.findChild(QMessageBox)
        assert "a.mp4" in box.text()
        assert made.order() == ["a", "b"]
        box.reject()
        QTest.qWait(20)
        assert made.order() == ["a", "b"]
        drop_deleted()
        made.press(Qt.Key.Key_Delete)
        box = made.window.findChild(QMessageBox)
        next(b for b in box.buttons() if b.text() == "Remove").click()
        wait_until(lambda: made.order() == [])
        wait_until(lambda: services.discarded == ["a.mp4"])


def test_what_is_done_is_played_and_its_folder_opened(qapp, services, monkeypatch):
    opened = []
    monkeypatch.setattr("app.ui.queue.queue_side.open_file", lambda path, _: opened.append(str(path)))
    with panel_with(qapp, services, item("a", state="done"), item("b")) as made:
        made.choose("a")
        made.press(Qt.Key.Key_Return)
        made.click("folder")
        made.click("play")
        made.choose("b")
        made.press(Qt.Key.Key_Return)
        assert opened == ["/out/a.mp4", "/out", "/out/a.mp4"]


def test_buttons_are_for_what_is_chosen(qapp, services):
    rows = {
        "waiting": {"pause", "cancel"},
        "paused": {"resume", "cancel"},
        "failed": {"retry"},
        "cancelled": {"retry"},
        "done": {"play"},
    }
    items = [item(state, state=state) for state in rows]
    with panel_with(qapp, services, *items) as made:
        always = {"up", "down", "folder", "remove"}
        names = [action.name for action in ACTIONS if action.has_button]
        assert not any(made.panel.button(name).isEnabled() for name in names)
        for state, wanted in rows.items():
            made.choose(state)
            enabled = {name for name in names if made.panel.button(name).isEnabled()}
            assert enabled == wanted | always, state
            seen = {name for name in names if made.panel.button(name).isVisible()}
            assert wanted <= seen
            assert len(seen & {"pause", "resume", "play"}) == 1
            assert len(seen & {"cancel", "retry"}) == 1


def test_everything_has_a_name_and_a_tool_tip_and_can_be_reached_by_keyboard(shown):
    shown.choose("a")
    buttons = [b for kind in (QToolButton, QPushButton) for b in shown.panel.findChildren(kind) if b.isVisible()]
    assert len(buttons) >= 9
    for button in buttons:
        assert button.accessibleName() or button.text(), button.toolTip()
        assert button.focusPolicy() & Qt.FocusPolicy.TabFocus
        if isinstance(button, QToolButton):
            assert button.toolTip()
    assert shown.panel.view.accessibleName() == "Queue"


def test_finished_ones_are_cleared_and_failures_stay(qapp, services):
    with panel_with(qapp, services, item("a", state="done"), item("b", state="failed"), item("c")) as made:
        made.panel.clear_wanted.emit()
        wait_until(lambda: made.order() == ["b", "c"])


def test_a_disk_that_is_full_is_said_in_the_row(shown):
    shown.services.step = replace(shown.services.step, waits_for_bytes=3_400_000_000)
    gate = shown.services.keep("a.mp4")
    shown.panel.run.click()
    wait_until(lambda: "free 3.4 GB" in shown.model.index(0).data(Qt.ItemDataRole.AccessibleTextRole))
    gate.set()
    until_states(shown.control, a="done", b="done", c="done")


def test_forecasts_are_made_while_somebody_looks_and_nothing_is_rendered(shown):
    assert shown.services.forecasts_asked == []
    shown.control.wants_forecasts = True
    shown.control.ask_forecast()
    wait_until(lambda: "about 12 min" in shown.panel.summary)
    assert shown.services.forecasts_asked == ["a.mp4", "b.mp4", "c.mp4"]
    assert "320 MB" in shown.model.index(0).data(Qt.ItemDataRole.AccessibleTextRole)


def test_a_forecast_that_fails_is_none_and_the_next_is_made(shown, caplog):
    def forecast(one):
        shown.services.forecasts_asked.append(one.clip.name)
        raise UserError("It is no video.") if one.id == "a" else RuntimeError("odd")

    shown.services.forecast = forecast
    shown.control.wants_forecasts = True
    shown.control.ask_forecast()
    wait_until(lambda: shown.services.forecasts_asked == ["a.mp4", "b.mp4", "c.mp4"])
    QTest.qWait(50)
    assert shown.services.forecasts_asked == ["a.mp4", "b.mp4", "c.mp4"]
    caplog.clear()


def test_the_queue_is_on_the_disk_after_each_change_and_comes_back(qapp, services):
    with panel_with(qapp, services, item("a"), item("b")) as made:
        wait_until(lambda: [one.id for one in load_queue(queue_path())[0]] == ["a", "b"])
        made.choose("a")
        made.press(Qt.Key.Key_Delete)
        wait_until(lambda: [one.id for one in load_queue(queue_path())[0]] == ["b"])
        services.keep("b.mp4")
        made.panel.run.click()
        wait_until(lambda: made.control.items[0].has_begun)
    (found,), notes = load_queue(queue_path())
    assert (found.state, found.has_begun) == ("waiting", True)
    assert notes == ()
    with made_control(FakeServices()) as again:
        assert [one.id for one in again.interrupted] == ["b"]


def test_a_second_window_has_a_queue_of_its_own_and_writes_nothing(qapp, services):
    save_queue(queue_path(), [item("a")])
    with made_control(services) as first, made_control(FakeServices(), item("mine")) as second:
        assert [one.id for one in first.items] == ["a"]
        assert [one.id for one in second.items] == ["mine"]
        QTest.qWait(50)
        assert [one.id for one in load_queue(queue_path())[0]] == ["a"]
    with made_control(FakeServices()) as later:
        assert [one.id for one in later.items] == ["a"]


def test_a_queue_that_cant_be_kept_is_said_once(qapp, services, monkeypatch):
    def save(*_):
        raise UserError("The disk is full.")

    monkeypatch.setattr("app.ui.queue.keeper.save_queue", save)
    said = []
    with made_control(services) as control:
        control.failed.connect(lambda failure: said.append(failure.message))
        for name in "abc":
            control.queue.add([item(name)])
            QTest.qWait(20)
        wait_until(lambda: said == ["The disk is full."])


def test_closing_in_the_middle_leaves_no_thread_and_no_wait(qapp, services):
    before = set(threading.enumerate())
    services.keep("a.mp4")
    with made_control(services, item("a")) as control:
        control.queue.release()
        wait_until(lambda: states(control) == {"a": "running"})
    assert set(threading.enumerate()) == before
    assert services.rests == 1


def test_the_model_keeps_qts_rules_whatever_becomes_of_the_queue(qapp):
    model = QueueModel(delivery_text)
    tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    orders = ["abcd", "dcba", "bd", "", "xabyz", "zyx", "zyxw", "w"]
    for order in orders:
        model.show_items([item(name) for name in order], {}, {})
        assert [one.id for one in model.items] == list(order)
    del tester


def test_a_clip_has_its_picture_and_one_that_is_none_has_not(qapp, services, portrait_clip, tmp_path):
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    good = replace(item("good"), clip=portrait_clip)
    with made_control(services, good, replace(item("bad"), clip=bad)) as control:
        wait_until(lambda: str(portrait_clip) in control.pictures)
        picture = control.pictures[str(portrait_clip)]
        assert picture.width() <= 96
        assert picture.height() <= 54
        QTest.qWait(50)
        assert list(control.pictures) == [str(portrait_clip)]


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_rows_are_painted_in_both_themes(qapp, services, theme, portrait_clip):
    items = [item(state, state=state, message="Bad. " * 60) for state in ("done", "failed", "cancelled", "paused")]
    with panel_with(qapp, services, *items, replace(item("w"), clip=portrait_clip)) as made:
        apply_theme(QApplication.instance(), theme)
        wait_until(lambda: bool(made.control.pictures))
        made.choose("failed")
        image = made.panel.grab().toImage()
        colours = {
            image.pixelColor(x, y).rgb() for x in range(0, image.width(), 3) for y in range(0, image.height(), 3)
        }
        assert len(colours) > 40


def test_paths_with_strange_names_are_shown(qapp, services):
    strange = replace(item("a"), clip=Path("/clips/%s <b>&amp; 日本 \u202e.mp4"))
    with panel_with(qapp, services, strange) as made:
        assert made.model.index(0).data() == strange.clip.name
        made.panel.grab()
