import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from app.pipeline.images import load_image
from tests.support.media import write_clip
from tests.ui.helpers import GREEN, GREEN_SPEC, portrait

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(shutil.which("Xvfb") is None, reason="Xvfb is not installed"),
]

DRIVER = """
import json, os, sys

import cv2  # first of all: what it does to the environment must not break Qt

assert "cv2" in os.environ["QT_QPA_PLATFORM_PLUGIN_PATH"]

from PyQt6.QtCore import QTimer
from PyQt6.QtGui import QGuiApplication

from app.cli import main
from app.ui.choices import View
from app.ui.main_window import MainWindow

clip, colour, screenshot, facts = sys.argv[1:]
begin = MainWindow.showEvent


def is_finished(window):
    shown = window.render_desk.shown
    return bool(
        shown and shown.has_person and shown.request.settings == window.model.settings
        and shown.request.size_px == window.workspace.preview.area_px()
    )


def step(window, timer):
    if not is_finished(window):
        return
    preview = window.workspace.preview
    if window.model.settings.plate != colour:
        window.header.choose_view(View.MATCHED)
        window.workspace.plates.set_colour(colour)
        return
    area = preview.picture_rect().translated(preview.mapTo(window, preview.rect().topLeft()).toPointF())
    scale = window.devicePixelRatioF()
    # The X server shows a picture some time after Qt has it: up to 5 s are given, then what is there is judged.
    grabbed = window.screen().grabWindow(window.winId())
    seen = grabbed.toImage().pixelColor(int(scale * (area.right() - 20)), int(scale * area.center().y())).name()
    window.looks_left = getattr(window, "looks_left", 100) - 1
    if seen != colour and window.looks_left > 0:
        return
    timer.stop()
    grabbed.save(screenshot)
    with open(facts, "w") as file:
        json.dump(
            {
                "platform": QGuiApplication.platformName(),
                "scale": scale,
                "area": [round(scale * v) for v in (area.left(), area.top(), area.right(), area.bottom())],
                "picture": window.render_desk.shown.images[View.MATCHED].width(),
                "environment": {name: value for name, value in os.environ.items() if cv2.__path__[0] in value},
            },
            file,
        )
    window.close()


def show(window, event):
    begin(window, event)
    timer = QTimer(window)
    timer.timeout.connect(lambda: step(window, timer))
    timer.start(50)


MainWindow.showEvent = show
sys.exit(main(["gui", clip]))
"""


def test_the_window_opens_on_x11_after_cv2_and_shows_the_plate(display, tmp_path):
    clip = write_clip(tmp_path / "talk.mp4", frames=10, size=(640, 360), draw=portrait)
    driver, screenshot, facts_file = (tmp_path / name for name in ("driver.py", "window.png", "facts.json"))
    driver.write_text(DRIVER)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("QT_", "WAYLAND"))}
    env |= {"DISPLAY": display, "QT_QPA_PLATFORM": "xcb", "QT_SCALE_FACTOR": "2", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(driver), str(clip), GREEN_SPEC, str(screenshot), str(facts_file)],
        env=env,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    facts = json.loads(facts_file.read_text())
    assert facts["platform"] == "xcb"
    assert facts["scale"] == 2
    assert facts["environment"] == {}
    pixels = load_image(screenshot).pixels
    assert pixels.shape == (1440, 2560, 3)
    left, top, right, bottom = facts["area"]
    shown = pixels[top:bottom, left:right].astype(int)
    assert shown.shape[0] > 700
    is_plate = np.abs(shown - GREEN).max(axis=2) <= 2
    assert 0.3 < is_plate.mean() < 0.8
    assert is_plate[:, -shown.shape[1] // 4 :].mean() > 0.99
    assert len(np.unique(shown.reshape(-1, 3), axis=0)) > 5000
    header = pixels[: top // 2].reshape(-1, 3)
    assert len(np.unique(header, axis=0)) > 20
