"""Who else has a camera device open, so that the real camera can be let go while nobody watches."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_LOOPBACK_USES: Final = Path("/sys/module/v4l2loopback/refcnt")
"""How many times devices of the module are open, ours and everybody's; the kernel counts it."""


class UserCount:
    """How many other processes have a device node open, asked again and again.

    Linux: counts the processes that we may look into. 0 only when it is certain: nobody was hidden from us, or the
    kernel counts no opening of the driver beyond our own. None when it can't be told, and on other systems. While
    the kernel's count stays the same, the last answer stands: looking through every process takes milliseconds.
    """

    def __init__(self, device: str, *, proc: Path = Path("/proc"), uses: Path = _LOOPBACK_USES) -> None:
        self._device, self._proc, self._uses = device, proc, uses
        self._opened: int | None = None
        self._answer: int | None = None

    def now(self) -> int | None:
        """How many there are; None: unknown."""
        opened = _number_in(self._uses)
        if opened is None or opened != self._opened:
            self._opened, self._answer = opened, users_of(self._device, proc=self._proc, uses=self._uses)
        return self._answer


def users_of(device: str, *, proc: Path = Path("/proc"), uses: Path = _LOOPBACK_USES) -> int | None:
    """How many other processes have this device node open, once; see `UserCount`."""
    if not (proc / "self" / "fd").is_dir():
        return None
    wanted = os.path.realpath(device)
    found, hidden = 0, False
    for folder in _other_processes(proc):
        held = _open_files(folder)
        hidden |= held is None
        found += held is not None and wanted in held
    if found or not hidden:
        return found
    opened = _number_in(uses)
    # Only our openings of this very device are taken off: with another one open, the answer is "unknown", never 0.
    return 0 if opened is not None and opened <= own_openings(device, proc=proc) else None


def own_openings(device: str, *, proc: Path = Path("/proc")) -> int:
    """How often this process has the device open."""
    wanted = os.path.realpath(device)
    return sum(name == wanted for name in _open_files(proc / "self") or [])


def _other_processes(proc: Path) -> Iterator[Path]:
    own = str(os.getpid())
    with os.scandir(proc) as entries:
        for entry in entries:
            if entry.name.isdecimal() and entry.name != own:
                yield Path(entry.path)


def _open_files(process: Path) -> list[str] | None:
    """What its descriptors name; None without permission, nothing for a process that has just ended."""
    folder = process / "fd"
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    except OSError:
        return None
    held = []
    for name in names:
        with contextlib.suppress(OSError):
            held.append(os.readlink(f"{folder}/{name}"))
    return held


def _number_in(path: Path) -> int | None:
    try:
        return int(path.read_text("ascii"))
    except (OSError, ValueError):
        return None
