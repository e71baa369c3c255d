"""Tests that keep time have the machine to themselves: the other workers' tests wait meanwhile.

A live window that is given no processor for half a second covers the picture, as it should; a test of what it shows
then fails for what ran beside it. pytest-xdist knows no such order, so its workers agree by two locked files.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

if sys.platform != "win32":
    import fcntl

ROOT = Path(__file__).parents[2]


class Turns:
    """One per worker. A turn taken alone lasts until it is given back; all others are shared.

    Who wants the machine alone shuts the gate behind which the others wait, so that they can't come before for ever.
    The files are some that every checkout has: nothing is written to them, and nothing is left to remove.
    """

    def __init__(self) -> None:
        self._gate = os.open(ROOT / "Makefile", os.O_RDONLY)
        self._machine = os.open(ROOT / "pyproject.toml", os.O_RDONLY)
        self._is_alone = False

    def take(self, *, alone: bool) -> None:
        """Wait for the turn; one held alone is kept when it is asked for again."""
        if self._is_alone and alone:
            return
        self.give_back()
        fcntl.flock(self._gate, fcntl.LOCK_EX)
        fcntl.flock(self._machine, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        self._is_alone = alone
        if not alone:
            fcntl.flock(self._gate, fcntl.LOCK_UN)

    def give_back(self) -> None:
        """Let the others go on."""
        self._is_alone = False
        fcntl.flock(self._machine, fcntl.LOCK_UN)
        fcntl.flock(self._gate, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give back, and let go of the files."""
        for handle in (self._gate, self._machine):
            os.close(handle)


def turns_of_this_worker() -> Turns | None:
    """None where no other worker runs tests, and on Windows, which has no such locks."""
    is_one_of_many = "PYTEST_XDIST_WORKER" in os.environ and sys.platform != "win32"
    return Turns() if is_one_of_many else None
