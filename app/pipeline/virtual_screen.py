"""A screen where there is none: Xvfb, for what opens a window unattended."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from app.domain.compositing import Size
from app.domain.errors import ExitCode, UserError

_HINT = "Install Xvfb, or set QT_QPA_PLATFORM=offscreen."


def has_virtual_screens() -> bool:
    """Whether Xvfb is installed."""
    return shutil.which("Xvfb") is not None


@contextmanager
def virtual_screen(size: Size) -> Iterator[str]:
    """A private X server for the time of the block; gives its name, such as `:1`, and changes no environment.

    size: (width, height) px. UserError (FAILED) when Xvfb is missing or does not start.
    """
    program = shutil.which("Xvfb")
    if program is None:
        raise UserError("There is no display to open a window on.", _HINT, code=ExitCode.FAILED)
    read_end, write_end = os.pipe()
    screen = f"{size[0]}x{size[1]}x24"
    server = subprocess.Popen(  # noqa: S603  (nothing of it comes from outside)
        [program, "-displayfd", str(write_end), "-screen", "0", screen, "-nolisten", "tcp"],
        pass_fds=(write_end,),
        stderr=subprocess.DEVNULL,
    )
    os.close(write_end)
    try:
        with os.fdopen(read_end) as answer:
            number = answer.readline().strip()
        if not number:
            raise UserError("Xvfb did not start.", _HINT, code=ExitCode.FAILED)
        yield f":{number}"
    finally:
        server.terminate()
        server.wait()
