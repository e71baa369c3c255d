"""What has to be right before Qt starts: a display, its plugin's libraries, no paths of cv2's."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from app.domain.errors import ExitCode, UserError

XCB_PACKAGES: Final = {
    "libxcb.so.1": "libxcb1",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
}
"""Libraries that Qt's xcb plugin links and a Debian desktop may lack, by the package that has them. When one
is missing Qt ends the process with abort(): nothing can be caught afterwards, so it is looked for before."""

_CV2_SETS: Final = ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR", "LD_LIBRARY_PATH")


def import_cv2() -> None:
    """Import cv2 and undo what that does to the environment; before QApplication, and once for all.

    Measured with opencv-contrib-python 4.11.0.86 on Linux: `import cv2` sets QT_QPA_PLATFORM_PLUGIN_PATH and
    QT_QPA_FONTDIR to folders inside the wheel, replacing a user's own, and puts `cv2/../../lib64` in front
    of LD_LIBRARY_PATH. PyQt6 6.11 found its own xcb plugin all the same (it looks in both places), but only
    by its order of search, and every program started later (a player, a file manager) inherits a folder
    that holds a Qt 5 plugin.
    """
    before = {name: os.environ.get(name) for name in _CV2_SETS}
    was_imported = "cv2" in sys.modules
    import cv2

    inside = Path(cv2.__file__).parent
    for name in _CV2_SETS:
        value = os.environ.get(name) if was_imported else before[name]
        kept = _without(value or "", inside)
        if kept:
            os.environ[name] = kept
        else:
            os.environ.pop(name, None)


def _without(value: str, folder: Path) -> str:
    """Drop a path list's entries that start at `folder`, and empty ones, which mean the current folder."""
    entries = value.split(os.pathsep)
    return os.pathsep.join(entry for entry in entries if entry and not entry.startswith(str(folder)))


@contextmanager
def display_checked() -> Iterator[None]:
    """Make sure that Qt can open a window here; QApplication is made inside the block.

    UserError (FAILED) where Qt would end the process with abort() instead.
    """
    with ExitStack() as held:
        if sys.platform.startswith("linux"):
            _check_display(held)
        yield


def _check_display(held: ExitStack) -> None:
    platform = first_platform()
    has_x11, has_wayland = bool(os.environ.get("DISPLAY")), bool(os.environ.get("WAYLAND_DISPLAY"))
    if platform in ("xcb", "wayland") and not (has_x11 or has_wayland):
        raise _no_display("There is no display to open a window on.")
    if platform == "xcb" and has_x11:
        _check_xcb_libraries()
        held.enter_context(_x11_connection())


def first_platform() -> str:
    """Name the platform plugin that Qt tries first on Linux, by its own rules."""
    asked = os.environ.get("QT_QPA_PLATFORM", "")
    if asked:
        return asked.split(";")[0].split(":")[0]
    return "wayland" if os.environ.get("WAYLAND_DISPLAY") else "xcb"


def missing_libraries(sonames: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of the shared libraries that the loader does not find."""
    return tuple(name for name in sonames if not _loads(name))


def _loads(soname: str) -> bool:
    try:
        ctypes.CDLL(soname)
    except OSError:
        return False
    return True


def _check_xcb_libraries() -> None:
    packages = [XCB_PACKAGES[name] for name in missing_libraries(tuple(XCB_PACKAGES))]
    if packages:
        raise UserError(
            "The window can't open: libraries that Qt needs are not installed.",
            f"On Debian and Ubuntu: sudo apt install {' '.join(packages)}",
            code=ExitCode.FAILED,
        )


@contextmanager
def _x11_connection() -> Iterator[None]:
    """Connect as Qt will, and stay connected for the block.

    An X server that loses its last client starts itself over and refuses everybody for that moment: seen
    with Xvfb, where a probe that had hung up made Qt abort.
    """
    xcb = ctypes.CDLL("libxcb.so.1")
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connection_has_error.argtypes = xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(None, None)
    try:
        if xcb.xcb_connection_has_error(connection):
            raise _no_display(f"The display {os.environ['DISPLAY']!r} can't be opened.")
        yield
    finally:
        xcb.xcb_disconnect(connection)


def _no_display(message: str) -> UserError:
    return UserError(
        message,
        "Start it in a desktop session; `platematch render` works without one.",
        code=ExitCode.FAILED,
    )
