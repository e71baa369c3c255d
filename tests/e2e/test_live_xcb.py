import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from app.domain.settings import CameraOptions, OutputOptions, Settings
from app.pipeline.control_client import call, token_path
from app.pipeline.images import load_image
from app.pipeline.presets import Preset, PresetStore
from app.pipeline.settings_store import save_settings
from tests.support.media import write_clip
from tests.ui.helpers import GREEN, GREEN_SPEC, WALL, portrait

ROOT = Path(__file__).parents[2]
SIZE = (640, 360)
BLUE, BLUE_SPEC = (32, 64, 255), "#2040ff"
pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(shutil.which("Xvfb") is None, reason="Xvfb is not installed"),
]

DRIVER = """
import json, os, sys, time, traceback

from PyQt6.QtCore import QTimer, Qt
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QAbstractButton, QCheckBox, QComboBox, QListWidget, QSlider, QTabBar

from app.cli import main
from app.ui.choices import View
from app.ui.main_window import MainWindow

clip, screenshot, facts_file, by_hand, all_done = sys.argv[1:]
facts = {"recorded": [], "pages": []}


def click(widget, place=None):
    assert widget.isVisible() and widget.isEnabled(), (widget, widget.accessibleName())
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton, pos=place or widget.rect().center())


def is_matched(window):
    latest = window.live.desk.runner.latest
    return bool(latest and latest.rendered and latest.rendered.table is not None
                and window.workspace.preview.has_picture)


def turn_to(window, index):
    bar = window.workspace.inspector.findChild(QTabBar)
    click(bar, bar.tabRect(index).center())
    facts["pages"].append(window.workspace.inspector.current_page)


def use(window):
    # Every kind of control of the page, and back again.
    page = window.workspace.inspector.page(window.workspace.inspector.current_page)
    for box in page.findChildren(QCheckBox):
        if box.isVisible() and "outside" not in box.text() and "Mirror" not in box.text():
            for _ in range(2):
                QTest.keyClick(box, Qt.Key.Key_Space)
    for slider in page.findChildren(QSlider):
        if slider.isVisible():
            QTest.keyClick(slider, Qt.Key.Key_Right)
            QTest.keyClick(slider, Qt.Key.Key_Left)


def tile(window, spec):
    tiles = window.workspace.plates.findChild(QListWidget)
    item = tiles.item(window.workspace.plates.specs().index(spec))
    tiles.scrollToItem(item)
    click(tiles.viewport(), tiles.visualItemRect(item).center())


def record(window):
    desk, controls = window.live.desk, window.workspace.controls
    click(controls.record)
    yield lambda: desk.is_recording
    began_s = time.monotonic()
    for index in range(5):
        turn_to(window, index)
        use(window)
        before = desk.outputs.recording.frames
        yield lambda: desk.outputs.recording.frames >= before + 8
    click(controls.record)
    facts["took_s"] = time.monotonic() - began_s
    yield lambda: "Recorded" in window.messages.message


def script(window):
    desk = window.live.desk
    window.live.desk.outputs.recorded.connect(
        lambda status: facts["recorded"].append({"s": status.recorded_s, "files": [str(f) for f in status.files]})
    )
    yield lambda: is_matched(window)
    for index in range(5):
        turn_to(window, index)
        use(window)
        yield lambda: is_matched(window)
    for view in View:
        click(next(b for b in window.header.findChildren(QAbstractButton) if b.text() == view.value))
        yield lambda: window.workspace.preview.has_picture
    window.header.choose_view(View.MATCHED)
    for spec in ("transparent", "blur", "sunset"):
        tile(window, spec)
        yield lambda: window.model.settings.plate == spec
    tile(window, window.workspace.plates.colour)
    yield lambda: is_matched(window)
    # The room is still in pictures that are under way: what is recorded now is on the plate alone.
    shown = []
    window.workspace.preview.painted.connect(lambda: shown.append(1))
    yield lambda: len(shown) > 10
    yield from record(window)
    click(window.workspace.controls.snapshot)
    yield lambda: "Saved" in window.messages.message
    click(window.workspace.controls.cover)
    shown.clear()
    yield lambda: "Covered" in window.workspace.preview.note and len(shown) > 8
    preview = window.workspace.preview
    area = preview.picture_rect().translated(preview.mapTo(window, preview.rect().topLeft()).toPointF())
    facts["area"] = [round(v) for v in (area.left(), area.top(), area.right(), area.bottom())]
    window.screen().grabWindow(window.winId()).save(screenshot)
    click(window.workspace.controls.cover)
    yield lambda: is_matched(window)
    open(by_hand, "w").close()
    yield lambda: os.path.exists(all_done)
    yield lambda: len(facts["recorded"]) >= 2  # What was recorded from outside is told of, too.
    facts["platform"] = QGuiApplication.platformName()
    facts["plate"] = window.model.settings.plate


def play(window, steps, timer, state):
    try:
        while state[0]():
            state[0] = next(steps)
    except StopIteration:
        end(window, timer)
    except Exception:
        facts["error"] = traceback.format_exc()
        end(window, timer)


def end(window, timer):
    timer.stop()
    window.close()
    with open(facts_file, "w") as file:
        json.dump(facts, file)


begin = MainWindow.showEvent


def show(window, event):
    begin(window, event)
    if not hasattr(window, "steps"):
        window.steps = script(window)
        timer, state = QTimer(window), [lambda: True]
        timer.timeout.connect(lambda: play(window, window.steps, timer, state))
        timer.start(30)


MainWindow.showEvent = show
sys.exit(main(["gui", "--source", clip]))
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home of its own, with settings, a preset and a folder for films."""
    home, films = tmp_path / "home", tmp_path / "films"
    films.mkdir()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    output = OutputOptions(folder=str(films), microphone="", control=True)
    settings = Settings(plate=GREEN_SPEC, camera=CameraOptions(source="sample"), output=output)
    folder = home / "config" / "PlateMatch"
    save_settings(folder / "settings.json", settings)
    PresetStore(folder / "presets").save(Preset("Blue", replace(settings, plate=BLUE_SPEC, camera=CameraOptions()), 1))
    env = {name: value for name, value in os.environ.items() if not name.startswith(("QT_", "WAYLAND"))}
    return {**env, "HOME": str(home), "XDG_CONFIG_HOME": str(home / "config"), "PYTHONPATH": str(ROOT)}


def test_a_live_session_on_x11_by_mouse_and_from_outside(display, home, tmp_path):
    clip = write_clip(tmp_path / "talk.mp4", frames=25, size=SIZE, draw=portrait)
    names = ("driver.py", "window.png", "facts.json", "by-hand", "all-done")
    driver, screenshot, facts_file, by_hand, all_done = (tmp_path / name for name in names)
    driver.write_text(DRIVER)
    env = {**home, "DISPLAY": display, "QT_QPA_PLATFORM": "xcb"}
    arguments = [str(path) for path in (driver, clip, screenshot, facts_file, by_hand, all_done)]
    with subprocess.Popen([sys.executable, *arguments], env=env, stderr=subprocess.PIPE, text=True) as window:
        try:
            wait_for(lambda: by_hand.exists() or window.poll() is not None)
            if by_hand.exists():
                from_outside(env)
            all_done.touch()
            _, errors = window.communicate(timeout=120)
        finally:
            window.kill()
    facts = json.loads(facts_file.read_text()) if facts_file.exists() else {}
    assert "error" not in facts, facts["error"]
    assert window.returncode == 0, errors
    assert "Traceback" not in errors
    assert facts["platform"] == "xcb"
    assert set(facts["pages"]) == {"camera", "person", "match", "placement", "output"}
    assert facts["plate"] == BLUE_SPEC
    first, second = (one["files"] for one in facts["recorded"])
    check_recording(first, GREEN, length_s=facts["recorded"][0]["s"], took_s=facts["took_s"])
    check_recording(second, BLUE, length_s=facts["recorded"][1]["s"])
    [snapshot] = (tmp_path / "films").glob("*.png")
    assert has(load_image(snapshot).pixels, WALL, 24) < 0.002
    left, top, right, bottom = facts["area"]
    covered = load_image(screenshot).pixels[top + 40 : bottom - 1, left + 1 : right - 1]  # the note above left out
    assert covered.size > 500_000
    assert has(covered, GREEN, 2) == 1
    assert not list((tmp_path / "films").glob("*.part*"))


def wait_for(is_so, timeout_s=120):
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def from_outside(env):
    """What a stream deck's script does: another process, through `ctl`."""

    def ctl(*words):
        command = [sys.executable, str(ROOT / "main.py"), "ctl", *words, "--json"]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    assert [preset["name"] for preset in ctl("presets")["presets"]] == ["Blue"]
    ctl("preset", "Blue")
    stats = ctl("stats")
    assert stats["source_state"] == "live"
    assert stats["recording_s"] is None
    ctl("record", "start")
    wait_for(lambda: (call("stats", {}, token_path())["recording_s"] or 0) > 0.8)
    ctl("record", "stop")
    wait_for(lambda: call("stats", {}, token_path())["recording_s"] is None)


def check_recording(files, plate, *, length_s, took_s=None):
    """pts rise, size and length are right, the plate is where the room was, and the room nowhere."""
    [path] = files
    with av.open(path) as source:
        frames = list(source.decode(video=0))
    times = [float(frame.pts * frame.time_base) for frame in frames]
    pixels = [frame.to_ndarray(format="rgb24") for frame in frames]
    assert len(frames) >= 10
    assert all(earlier < later for earlier, later in pairwise(times))
    assert times[-1] - times[0] == pytest.approx(length_s, abs=0.6)
    if took_s is not None:
        assert times[-1] - times[0] == pytest.approx(took_s, abs=1.0)
    assert {picture.shape for picture in pixels} == {(SIZE[1], SIZE[0], 3)}
    for picture in pixels[3:]:
        assert has(picture[20:200, -160:-10], plate, 10) > 0.98
    assert max(has(picture, WALL, 30) for picture in pixels) < 0.002
    assert max(1 - has(picture, plate, 40) for picture in pixels) > 0.2


def has(pixels, colour, within):
    """How much of a picture has a colour, 0..1."""
    return float((np.abs(pixels.astype(int) - colour).max(axis=-1) <= within).mean())
