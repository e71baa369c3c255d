"""One program at a time in a project."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

from app.domain.errors import ExitCode, UserError
from app.pipeline.mask.checked import UnusableProject
from app.pipeline.mask.inside import refuse_link
from app.pipeline.recording.file_lock import WriterLock, is_being_written

NAME: Final = "lock"


class ProjectLock:
    """Marks a project as open until `release`; the system takes the mark away with the process, however it ends.

    UserError when the project is open elsewhere (here too, in another store), or its folder may not be written.
    UnusableProject when the lock is a link.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / NAME
        refuse_link(path)
        try:
            path.touch()
            if is_being_written(path):
                raise UserError(
                    f"“{folder.name}” is open already.", "Close it there first, or copy its folder and open the copy."
                )
            with contextlib.ExitStack() as undo:
                # On Windows an open file can't be renamed, which is how it is told there.
                undo.enter_context(path.open("rb"))
                undo.callback(WriterLock(path).release)
                self._held = undo.pop_all()
        except OSError as error:
            raise UserError(
                f"“{folder.name}” may not be written ({error.strerror}).",
                "Copy it to a folder of your own and open the copy.",
                code=ExitCode.OUTPUT,
            ) from error

    def release(self) -> None:
        """Let others open it."""
        self._held.close()


def is_open_elsewhere(folder: Path) -> bool:
    """Whether a living process has the project open."""
    path = folder / NAME
    try:
        refuse_link(path)
        return is_being_written(path)
    except (OSError, UnusableProject):
        return False
