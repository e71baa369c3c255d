"""Mask mode in a real window on X11, by mouse: what was painted is what is exported, and what a kill leaves."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.cli import main
from app.domain.interface_state import Interface
from app.domain.mask.document import Origin
from app.domain.settings import CameraOptions, Settings
from app.pipeline.mask.looking import final_alpha
from app.pipeline.mask.project_store import ProjectStore
from app.pipeline.mask.recovery import unsaved_projects
from app.pipeline.settings_store import interface_path, save_interface, save_settings, settings_path
from app.pipeline.video_reader import VideoReader
from tests.support.mask_driver import ADDED, ADDED_AT, AWAY, cell
from tests.support.media import write_clip
from tests.ui.helpers import GREEN, GREEN_SPEC, portrait

ROOT = Path(__file__).parents[2]
SIZE, FRAMES = (320, 180), 24
BRUSH_PX = 40
CODEC_LEVELS = 4
LOST_S = 5
CARRIED_LEVELS = 8
"""What is carried on fades at its rim, and follows a person who moves."""
pytestmark = pytest.mark.skipif(shutil.which("Xvfb") is None, reason="Xvfb is not installed")
DRIVER = ROOT / "tests" / "support" / "mask_driver.py"


@pytest.fixture
def env(display):
    """A home of its own in which the window opens in Mask mode."""
    save_settings(settings_path(), Settings(plate=GREEN_SPEC, camera=CameraOptions(source="sample")))
    save_interface(interface_path(), Interface(mode="Mask"))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("QT_", "WAYLAND", "XDG_CURRENT"))}
    return {**kept, "DISPLAY": display, "QT_QPA_PLATFORM": "xcb", "PYTHONPATH": str(ROOT)}


def start(script, folder, env):
    argv = [sys.executable, str(DRIVER), script, str(folder)]
    return subprocess.Popen(argv, env=env, stderr=subprocess.PIPE, text=True)


def run_script(script, folder, env):
    """Have a script done in a window; returns its facts."""
    with start(script, folder, env) as window:
        try:
            _, errors = window.communicate(timeout=150)
        finally:
            window.kill()
    told = folder / "facts.json"
    facts = json.loads(told.read_text()) if told.exists() else {}
    assert "error" not in facts, facts["error"]
    assert (window.returncode, "Traceback" in errors) == (0, False), errors
    assert facts["platform"] == "xcb"
    return facts


def decoded(path):
    with VideoReader(path) as reader:
        return [frame.pixels for frame in reader]


def test_a_mask_is_corrected_in_the_window_and_exported(env, tmp_path):
    clip = write_clip(tmp_path / "talk.mp4", frames=FRAMES, size=SIZE, draw=portrait)
    facts = run_script("edit", tmp_path, env)
    assert facts["brush_px"] == pytest.approx(BRUSH_PX, abs=1)
    assert facts["carried"] == ["23 frames done.", FRAMES]
    assert (facts["playhead"], facts["is_in_focus"]) == (0, True)  # Back where the run began, for hand and eye.
    assert (facts["undone"], facts["redone"]) == (1, FRAMES)
    assert facts["seen"] == facts["plate"]
    assert [re.sub(" in .*", "", said) for said in facts["exported"]] == [
        f"Saved “composite.mp4”: {FRAMES} frames",
        f"Saved “matte.mkv”: {FRAMES} frames",
    ]
    document = saved_document(tmp_path / "talk.platematch")
    model, plain = untouched(clip, tmp_path)
    mattes = decoded(tmp_path / "matte.mkv")
    check_matte(document, model, mattes)
    again = tmp_path / "again.mp4"
    assert main(["project", "render", str(tmp_path / "talk.platematch"), "-o", str(again)]) == 0
    composites = decoded(tmp_path / "composite.mp4")
    for one, other in zip(composites, decoded(again), strict=True):
        assert np.array_equal(one, other)  # What the window exports is what the command makes of what it saved.
    check_composite(composites, plain, model, mattes)


def saved_document(folder):
    """As the next session opens it."""
    opened = ProjectStore.open(folder)
    opened.store.close()
    assert (opened.recovered, opened.notes, opened.missing) == (None, (), {})
    return opened.document


def untouched(clip, tmp_path):
    """The clip's matte and composite from a project in which nothing was done."""
    project = tmp_path / "untouched.platematch"
    for argv in (
        ("project", "new", clip, "--plate", GREEN_SPEC, "-o", project),
        ("project", "export-matte", project, "-o", tmp_path / "model.mkv"),
        ("project", "render", project, "-o", tmp_path / "plain.mp4"),
    ):
        assert main([str(word) for word in argv]) == 0
    return decoded(tmp_path / "model.mkv"), decoded(tmp_path / "plain.mp4")


def check_matte(document, model, mattes):
    """Every frame is the model's alpha corrected as the project says, to the bit."""
    frames = sorted(document.frames.items())
    assert [edit.origin for _, edit in frames] == [
        Origin.HAND if number in (0, ADDED_AT) else Origin.PROPAGATED for number in range(FRAMES)
    ]
    for number, ((pts, _), one, other) in enumerate(zip(frames, model, mattes, strict=True)):
        assert np.array_equal(other[..., 0], final_alpha(document, pts, one[..., 0]))
        away = at(followed(AWAY[1], number))
        assert one[away].max() == 255
        assert other[away].max() <= CARRIED_LEVELS
        assert one[at(ADDED[1])].max() == 0
        assert other[at(ADDED[1])].max() == (255 if number == ADDED_AT else 0)
        far = np.ones(SIZE[::-1], bool)
        for points in (AWAY, ADDED):
            (left, top), *_, (right, bottom) = points
            far[top - BRUSH_PX : bottom + BRUSH_PX, left - BRUSH_PX : right + BRUSH_PX] = False
        assert np.array_equal(one[far], other[far])


def check_composite(composites, plain, model, mattes):
    """The plate where the person was taken away, the person where they were added, and the same plate around."""
    for number, (now, before, alpha, matte) in enumerate(zip(composites, plain, model, mattes, strict=True)):
        away = at(followed(AWAY[1], number))
        assert np.abs(now[away] - np.array(GREEN)).max() <= CODEC_LEVELS + CARRIED_LEVELS
        assert np.abs(before[away] - np.array(GREEN)).max() > 60
        assert np.abs(before[at(ADDED[1])] - np.array(GREEN)).max() <= CODEC_LEVELS
        is_added = np.abs(now[at(ADDED[1])] - np.array(GREEN)).max(axis=-1).min() > 40
        assert is_added == (number == ADDED_AT)
        nobody = np.maximum(alpha, matte)[..., 0] == 0
        far = cv2.erode(nobody.astype(np.uint8), np.ones((25, 25))) > 0  # The codec's blocks reach so far.
        assert far.mean() > 0.3
        assert difference(now, before)[far].max() <= CODEC_LEVELS


def followed(point, number):
    """Where a point of the person is on a frame, as `portrait` moves them."""
    x, y = point
    return x + number % 8, y


def at(point, reach_px=5):
    """The square around a point of the picture."""
    x, y = point
    return slice(y - reach_px, y + reach_px + 1), slice(x - reach_px, x + reach_px + 1)


def difference(one, other):
    """Levels, the largest channel's, (h, w)."""
    return np.abs(one.astype(int) - other).max(axis=2)


def test_a_window_killed_while_painting_loses_at_most_the_last_seconds(env, tmp_path):
    write_clip(tmp_path / "talk.mp4", frames=FRAMES, size=SIZE, draw=portrait)
    log = tmp_path / "strokes.log"
    with start("paint", tmp_path, env) as window:
        try:
            wait_for(lambda: window.poll() is not None or painted_s(log) > LOST_S + 1.5)
            wait_for(lambda: window.poll() is not None or log.read_text().splitlines()[-1].startswith("began"))
            assert window.poll() is None, window.stderr.read()
            killed_s = time.monotonic()
        finally:
            window.send_signal(signal.SIGKILL)
    ended = ended_s(log)
    [left] = unsaved_projects()
    assert (left.clip_name, left.problem) == ("talk.mp4", "")
    facts = run_script("recover", tmp_path, env)
    assert facts["unsaved"]
    document = saved_document(tmp_path / "back.platematch")
    assert unsaved_projects() == []
    kept = [number for number in range(len(ended) + 1) if is_painted(document, number)]
    assert kept == list(range(len(kept)))  # All up to one of them, and none after it.
    [told] = re.findall(r"(\d+) steps", facts["asked"])
    assert int(told) == len(kept)
    due = [number for number, at_s in ended.items() if at_s < killed_s - LOST_S]
    assert len(due) > 3
    assert set(due) <= set(kept)


def wait_for(is_so, timeout_s=120):
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def ended_s(log):
    """When each stroke was finished, by its number."""
    lines = log.read_text().split("\n")[:-1] if log.exists() else []
    words = [line.split() for line in lines]
    return {int(number): float(at_s) for word, number, at_s in words if word == "ended"}


def painted_s(log):
    """How long it has been painting, from the end of the first stroke to that of the last."""
    ended = list(ended_s(log).values())
    return ended[-1] - ended[0] if ended else 0.0


def is_painted(document, number):
    """Whether a stroke of the driver's is in the project."""
    frame, (x, y) = cell(number)
    edit = document.frames.get(frame * (document.meta.clip.time_base.denominator // 25))
    return edit is not None and edit.correction.planes().weight[y, x] == 255
