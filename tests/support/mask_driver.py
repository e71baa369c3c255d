"""Somebody at work in Mask mode, as a program: `python mask_driver.py SCRIPT FOLDER`, on the display there is.

The real window, by mouse and keyboard alone, on FOLDER/talk.mp4. `facts.json` says afterwards what was to be seen; its
"error" what went wrong. "edit" corrects, saves and exports; "paint" paints until it is killed and tells `strokes.log`
of every stroke; "recover" takes up what was offered at the start, and saves it.
"""

import json
import sys
import time
import traceback
from itertools import count
from pathlib import Path

from PyQt6.QtCore import QPoint, Qt, QTimer
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QAbstractButton, QFileDialog, QLineEdit, QMessageBox, QTabBar

from app.cli import main
from app.domain.mask.views import MaskView
from app.ui.choices import Mode
from app.ui.main_window import MainWindow
from app.ui.mask.export_dialog import ExportDialog
from app.ui.mask.export_job import ExportKind
from app.ui.mask.propagate_panel import Way
from app.ui.mask.timeline_painting import MARGIN_PX, ROWS

LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
CTRL, PLAIN = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.NoModifier
EVERY_MS = 15

AWAY = [(60, 90), (72, 96), (84, 102)]
"""A stroke over the person that takes away, on the clip's first frame."""
ADDED_AT = 15
ADDED = [(240, 60), (255, 75), (270, 90)]
"""A stroke over the bare wall that adds, on this frame."""

FRAME_STROKES = 48
"""So many strokes "paint" makes on a frame before it goes to the next."""

facts = {}


def cell(number):
    """Where "paint" makes a stroke: the frame, and the middle of the place on it."""
    frame, place = divmod(number, FRAME_STROKES)
    row, column = divmod(place, 12)
    return frame, (26 + 24 * column, 36 + 32 * row)


def click(widget, place=None):
    is_ready = widget.isVisible() and widget.isEnabled()
    assert is_ready, (widget, widget.accessibleName())
    QTest.mouseClick(widget, LEFT, PLAIN, place or widget.rect().center())


def button(parent, words):
    """The button that is to be seen whose words begin so."""
    buttons = parent.findChildren(QAbstractButton)
    return next(one for one in buttons if one.isVisible() and one.text().replace("&", "").startswith(words))


def is_open(window, kind):
    return any(one.isVisible() for one in window.findChildren(kind))


def dialog_of(window, kind):
    return next(one for one in window.findChildren(kind) if one.isVisible())


def answer_file(window, path):
    """Name a file in the dialog that is open."""
    dialog = dialog_of(window, QFileDialog)
    dialog.findChild(QLineEdit).setText(str(path))
    QTest.keyClick(dialog.findChild(QLineEdit), Qt.Key.Key_Return)


def is_shown(window):
    desk = window.masking.mode.desk
    return desk is not None and desk.shown is not None and desk.shown.wanted.pts == desk.state.pts


def drag(window, points, mouse=LEFT):
    """Drag over points of the picture, the window working in between."""
    canvas = window.masking.mode.page.canvas
    places = [canvas.widget_point(*point).toPoint() for point in points]
    QTest.mousePress(canvas, mouse, PLAIN, places[0])
    for place in places[1:]:
        yield lambda: True
        QTest.mouseMove(canvas, place)
    yield lambda: True
    QTest.mouseRelease(canvas, mouse, PLAIN, places[-1])


def go(window, number):
    """Click the timeline where a frame is."""
    desk = window.masking.mode.desk
    timeline, pts = desk.page.timeline, desk.session.index.pts_at(number)
    middle = (timeline.scale.x_of(pts) + timeline.scale.x_of(desk.session.index.pts_at(number + 1))) / 2
    click(timeline, QPoint(round(MARGIN_PX + middle), ROWS.thumbnails[0] + 4))
    assert desk.state.pts == pts
    yield lambda: is_shown(window)


def resize_brush(window, times):
    """Press [ so often; keys reach a window only while it is the active one, and nobody manages windows here."""
    window.activateWindow()
    yield window.isActiveWindow
    for _ in range(times):
        QTest.keyClick(window.masking.mode.page.canvas, Qt.Key.Key_BracketLeft)
    tools = window.masking.mode.desk.tools
    facts["brush_px"] = window.masking.mode._options.of(tools.kind).size_px


def open_clip(window, folder):
    click(button(window.header, "Open"))
    yield lambda: is_open(window, QFileDialog)
    answer_file(window, folder / "talk.mp4")
    yield lambda: is_shown(window)


def save_as(window, path):
    click(button(window.header, "Save"))
    yield lambda: is_open(window, QFileDialog)
    answer_file(window, path)
    yield lambda: "Saved" in window.masking.mode.page.canvas.note


def carry_on(window):
    """Carry the frame's correction to the clip's end, take that back, and do it again."""
    desk = window.masking.mode.desk
    tabs = desk.page.inspector.findChild(QTabBar)
    click(tabs, tabs.tabRect(1).center())
    click(desk.page.inspector.time.button(Way.TO_OUT))
    yield lambda: not desk.state.is_busy and "done" in desk.page.inspector.time.result
    facts["carried"] = [desk.page.inspector.time.result, len(desk.state.document.frames)]
    facts["playhead"] = desk.page.timeline.position - desk.session.index.pts_at(0)
    facts["is_in_focus"] = desk.page.inspector.time.button(Way.TO_OUT).hasFocus()
    click(desk.page.bar.undo)
    facts["undone"] = len(desk.state.document.frames)
    yield lambda: is_shown(window)
    click(desk.page.bar.redo)
    facts["redone"] = len(desk.state.document.frames)
    yield lambda: is_shown(window)


def export(window, kind, path):
    window.messages.hide()
    click(button(window.header, "Export"))
    yield lambda: is_open(window, ExportDialog)
    dialog = dialog_of(window, ExportDialog)
    click(button(dialog, kind.value))
    dialog.findChild(QLineEdit).setText(str(path))
    click(button(dialog, "Export"))
    yield lambda: window.messages.message != ""
    facts.setdefault("exported", []).append(window.messages.message)


def show_matched(window):
    """The matched view as the screen has it: the colour at the middle of the stroke that took away."""
    desk = window.masking.mode.desk
    canvas = desk.page.canvas
    click(button(desk.page.bar, MaskView.MATCHED.label))
    yield lambda: canvas.shown_view is MaskView.MATCHED and desk.shown.layers.table is not None
    at, seen = canvas.mapTo(window, canvas.widget_point(*AWAY[1]).toPoint()), []

    def is_there():
        # The X server shows a picture some time after Qt has it.
        colour = window.screen().grabWindow(window.winId()).toImage().pixelColor(at)
        seen.append([colour.red(), colour.green(), colour.blue()])
        return seen[-1] == facts["plate"] or len(seen) > 200

    facts["plate"] = [int(level) for level in desk.shown.layers.plate[5, 5]]
    yield is_there
    facts["seen"] = seen[-1]


def edit(window, folder):
    yield from open_clip(window, folder)
    yield from resize_brush(window, 5)
    yield from drag(window, AWAY, RIGHT)
    yield from carry_on(window)
    yield from go(window, ADDED_AT)
    yield from drag(window, ADDED)
    yield from show_matched(window)
    yield from save_as(window, folder / "talk")
    yield from export(window, ExportKind.COMPOSITE, folder / "composite.mp4")
    yield from export(window, ExportKind.MATTE_VIDEO, folder / "matte.mkv")


def paint(window, folder):
    yield from open_clip(window, folder)
    yield from resize_brush(window, 12)
    with open(folder / "strokes.log", "w", buffering=1) as log:
        for number in count():
            frame, (x, y) = cell(number)
            if number and not number % FRAME_STROKES:
                yield from go(window, frame)
            log.write(f"began {number} {time.monotonic()}\n")
            yield from drag(window, [(x - 4, y - 4), (x, y), (x + 4, y + 4), (x, y)])
            log.write(f"ended {number} {time.monotonic()}\n")


def recover(window, folder):
    yield lambda: "not saved" in window.messages.message
    click(button(window.messages, "Open it"))
    yield lambda: is_open(window, QMessageBox)
    facts["asked"] = dialog_of(window, QMessageBox).informativeText()
    click(button(dialog_of(window, QMessageBox), "Bring them back"))
    yield lambda: is_shown(window)
    facts["unsaved"] = not window.masking.is_saved
    yield from save_as(window, folder / "back")


def play(window, script, folder):
    """Let a script go on, one step a turn, whenever what it waits for is so; then close the window."""
    steps, timer, is_so = script(window, folder), QTimer(window), [lambda: window.mode is Mode.MASK]

    def turn():
        try:
            if is_so[0]():
                is_so[0] = next(steps)
        except StopIteration:
            end()
        except Exception:
            facts["error"] = f"{traceback.format_exc()}\n{window.messages.message} {window.messages.hint}"
            end()

    def end():
        timer.stop()
        facts["platform"] = QGuiApplication.platformName()
        (folder / "facts.json").write_text(json.dumps(facts))
        window.quit()

    timer.setObjectName("script")
    timer.timeout.connect(turn)
    timer.start(EVERY_MS)


if __name__ == "__main__":
    begin = MainWindow.showEvent

    def show(window, event):
        begin(window, event)
        if not window.findChildren(QTimer, "script"):
            play(window, {"edit": edit, "paint": paint, "recover": recover}[sys.argv[1]], Path(sys.argv[2]))

    MainWindow.showEvent = show
    sys.exit(main(["gui"]))
