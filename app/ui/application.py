"""Starting and ending the window. Qt is imported only once it is known that it can start."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from app.domain.errors import ExitCode, UserError
from app.pipeline.flat_memory import share_memory_pools
from app.ui.qt_environment import display_checked, import_cv2

if TYPE_CHECKING:
    from PyQt6.QtWidgets import QApplication


def run_window(clip: str | None, *, source: str | None = None) -> int:
    """Open the window and stay until it is closed; returns the exit code.

    clip: a video to render, or a mask project. source: what to show live instead of the camera chosen last.
    UserError (FAILED) when no window can be opened here. Ctrl-C and SIGTERM close it: INTERRUPTED.
    """
    share_memory_pools()
    app = prepared_application()
    from app.ui.choices import Mode
    from app.ui.faults import faults_shown
    from app.ui.main_window import MainWindow
    from app.ui.memory import Memory
    from app.ui.theme import follow_system, use_theme

    follow_system(app)
    memory = Memory()
    use_theme(app, memory.interface.theme)
    is_project = clip is not None and Path(clip).is_dir()
    wanted = Mode.MASK if is_project else Mode.RENDER
    window = MainWindow(
        wanted if clip is not None else Mode.LIVE if source is not None else None,
        source=source if clip is None else None,
        memory=memory,
    )
    code = ExitCode.OK

    def interrupted() -> None:
        nonlocal code
        code = ExitCode.INTERRUPTED
        window.quit()

    with faults_shown(window.show_failure, interrupted), _signals_noticed():
        window.show()
        if clip is not None:
            (window.open_mask if is_project else window.open_clip)(Path(clip))
        app.exec()
    return code


def prepared_application() -> QApplication:
    """Return the application, with all a window needs. UserError (FAILED) when no window can be opened here."""
    import_cv2()
    with display_checked():
        app = _application()
    from app.ui.resources import load_resources

    load_resources()
    return app


def _application() -> QApplication:
    """Return the one application there may be in a process."""
    try:
        from PyQt6.QtWidgets import QApplication
    except ImportError as error:
        raise UserError(
            f"The window can't open: {error}.",
            "On Debian and Ubuntu: sudo apt install libegl1 libgl1 libdbus-1-3 libfontconfig1 libxkbcommon0",
            code=ExitCode.FAILED,
        ) from error
    app = QApplication.instance()
    if not isinstance(app, QApplication):
        app = QApplication(sys.argv[:1])
    app.setApplicationName("PlateMatch")
    app.setDesktopFileName("platematch")
    return app


@contextmanager
def _signals_noticed() -> Iterator[None]:
    """Let Python see signals while Qt waits: its handlers run only when some Python code does.

    The interpreter writes a byte to a socket at every signal; Qt watches the other end and calls us, and on
    the way into that call the handler runs. A timer would do too, at the price of waking up for ever.
    """
    from PyQt6 import sip
    from PyQt6.QtCore import QSocketNotifier

    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)
    try:
        previous = signal.set_wakeup_fd(theirs.fileno())
    except ValueError:  # not the main thread: nothing can be interrupted there
        previous = None
    notifier = QSocketNotifier(sip.voidptr(ours.fileno()), QSocketNotifier.Type.Read)
    notifier.activated.connect(lambda: ours.recv(64))
    try:
        yield
    finally:
        notifier.setEnabled(False)
        if previous is not None:
            signal.set_wakeup_fd(previous)
        ours.close()
        theirs.close()
