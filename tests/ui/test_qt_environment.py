import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.domain.errors import ExitCode, UserError
from app.ui import qt_environment

ROOT = Path(__file__).parents[2]
linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux: X11 and its plugin")


def run(code, **changes):
    env = {name: value for name, value in os.environ.items() if not name.startswith(("QT_", "DISPLAY", "WAYLAND"))}
    env.pop("LD_LIBRARY_PATH", None)
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=env | changes, capture_output=True, text=True, timeout=120
    )


PRINT_PATHS = """
import os
{first}
from app.ui.qt_environment import import_cv2
import_cv2()
import cv2
print([os.environ.get(n) for n in ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR", "LD_LIBRARY_PATH")])
"""


@linux_only
@pytest.mark.parametrize("first", ["", "import cv2"])
def test_cv2_leaves_no_path_behind_whoever_imported_it_first(first):
    done = run(PRINT_PATHS.format(first=first))
    assert done.stdout.strip() == "[None, None, None]", done.stderr


@linux_only
def test_the_users_own_paths_are_kept():
    own = {"QT_QPA_PLATFORM_PLUGIN_PATH": "/mine", "QT_QPA_FONTDIR": "/fonts", "LD_LIBRARY_PATH": "/a:/b"}
    done = run(PRINT_PATHS.format(first=""), **own)
    assert done.stdout.strip() == "['/mine', '/fonts', '/a:/b']", done.stderr


@linux_only
def test_without_a_display_the_command_says_so_in_one_sentence():
    done = run("import sys; from app.cli import main; sys.exit(main(['gui']))")
    assert done.returncode == ExitCode.FAILED
    assert "no display" in done.stderr
    assert "Traceback" not in done.stderr


@linux_only
def test_a_display_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setenv("DISPLAY", ":9753")
    monkeypatch.setenv("QT_QPA_PLATFORM", "xcb")
    with pytest.raises(UserError, match=":9753") as caught, qt_environment.display_checked():
        pass
    assert caught.value.code == ExitCode.FAILED


@linux_only
def test_a_missing_library_is_named_by_its_package(monkeypatch):
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("QT_QPA_PLATFORM", "xcb")
    monkeypatch.setattr(qt_environment, "XCB_PACKAGES", {"libplatematch-test.so.9": "libplatematch-test9"})
    with pytest.raises(UserError) as caught, qt_environment.display_checked():
        pass
    assert "libplatematch-test9" in caught.value.hint


@linux_only
@pytest.mark.parametrize(
    ("changes", "platform"),
    [
        ({"QT_QPA_PLATFORM": "offscreen"}, "offscreen"),
        ({"QT_QPA_PLATFORM": "vnc:size=800x600"}, "vnc"),
        ({"QT_QPA_PLATFORM": "wayland;xcb", "DISPLAY": ":0"}, "wayland"),
        ({"WAYLAND_DISPLAY": "wayland-0", "DISPLAY": ":0"}, "wayland"),
        ({"DISPLAY": ":0"}, "xcb"),
    ],
)
def test_the_platform_is_the_one_qt_tries_first(monkeypatch, changes, platform):
    for name in ("QT_QPA_PLATFORM", "WAYLAND_DISPLAY", "DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    assert qt_environment.first_platform() == platform


@linux_only
def test_offscreen_needs_no_display(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    with qt_environment.display_checked():
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to send")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_closes_the_window_and_ends_with_its_code(number):
    code = (
        "import os, signal, sys\n"
        # A job started in the background inherits an ignored SIGINT, and so would this child.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from PyQt6.QtCore import QTimer\n"
        "from app.cli import main\n"
        "from app.ui.main_window import MainWindow\n"
        "shown = MainWindow.showEvent\n"
        "def show(window, event):\n"
        "    shown(window, event)\n"
        f"    QTimer.singleShot(0, lambda: os.kill(os.getpid(), {int(number)}))\n"
        "MainWindow.showEvent = show\n"
        "sys.exit(main(['gui']))\n"
    )
    done = run(code, QT_QPA_PLATFORM="offscreen")
    assert done.returncode == ExitCode.INTERRUPTED, done.stderr
    assert "Traceback" not in done.stderr
