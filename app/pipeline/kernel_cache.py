"""Has the compiled kernels ready without anybody waiting for a compiler.

`python -m app.pipeline.kernel_cache` compiles them into Numba's cache, as `make` does once; a stamp beside the cache
says for which source, Numba, Python and processor. With the stamp, loading takes a third of a second. Without it a
child process of low priority compiles while the plain twins do the work.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import logging
import os
import platform
import subprocess
import sys
import threading
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import platformdirs

from app.domain import compiled

log = logging.getLogger(__name__)

_KERNELS: Final = "app.domain.kernels"
_NICE: Final = 10
_GIVES_WAY: Final = 5
_COMPILE_LIMIT_S: Final = 300.0
_lock = threading.Lock()


def ensure_kernels() -> bool:
    """Use the compiled kernels from now on, compiling them first if need be: up to half a minute, once.

    False where Numba is missing or fails; the plain twins stay in use then.
    """
    with _lock:
        if compiled.kernels() is not None:
            return True
        return (is_compiled() or _compiled_by_child()) and _load()


def prepare_kernels() -> None:
    """`ensure_kernels` on a thread that gives way to others, unless they are in use already."""
    if compiled.kernels() is None:
        threading.Thread(target=_ensure_quietly, name="kernels", daemon=True).start()


def _ensure_quietly() -> None:
    if sys.platform.startswith("linux"):  # where threads have priorities of their own
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _GIVES_WAY)
    ensure_kernels()


def is_preparing() -> bool:
    """Whether they are being compiled or loaded now."""
    return _lock.locked()


def is_compiled() -> bool:
    """Whether the cache holds what this program, Numba, Python and processor need."""
    return _stamp().exists()


def compile_kernels() -> None:
    """Compile what is not in the cache yet, and set the stamp."""
    importlib.import_module(_KERNELS)
    stamp = _stamp()
    with contextlib.suppress(OSError):
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.touch()


def _load() -> bool:
    try:
        compiled.use(importlib.import_module(_KERNELS))
    except Exception as error:  # a damaged cache or a Numba that doesn't fit: slower, but nobody is held up
        log.warning("the compiled kernels can't be used: %s", error)
        return False
    return True


def _compiled_by_child() -> bool:
    if find_spec("numba") is None:
        return False
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        command = [sys.executable, "-m", __name__]
        result = subprocess.run(  # noqa: S603  (our own interpreter and module)
            command, check=False, timeout=_COMPILE_LIMIT_S, capture_output=True, cwd=_root()
        )
        if result.returncode == 0 and is_compiled():
            return True
        log.warning("the kernels could not be compiled: %s", result.stderr[-500:].decode(errors="replace"))
    return False


def _root() -> Path:
    return Path(__file__).parents[2]


def _stamp() -> Path:
    """A file whose name says what was compiled for what; it lies where Numba puts its cache."""
    folder = _root().joinpath(*_KERNELS.split("."))
    sources = sorted(folder.glob("*.py"))
    facts = [(source.name, source.read_bytes(), source.stat().st_mtime_ns) for source in sources]
    machine = _numba_version(), platform.python_version(), _processor()
    digest = hashlib.sha256(repr((facts, machine)).encode()).hexdigest()[:16]
    return _cache_folder(folder) / f"kernels-{digest}.ready"


def _cache_folder(folder: Path) -> Path:
    """`__pycache__` beside the sources where that can be written, as Numba chooses."""
    beside = folder / "__pycache__"
    if os.access(beside if beside.exists() else folder, os.W_OK):
        return beside
    return Path(platformdirs.user_cache_dir("platematch", appauthor=False))


def _numba_version() -> str:
    try:
        return version("numba")
    except PackageNotFoundError:
        return "none"


def _processor() -> str:
    """What the machine code depends on, as far as can be told without loading a compiler."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            if line.startswith(("flags", "Features")):
                return line
    return f"{platform.machine()} {platform.processor()}"


if __name__ == "__main__":
    with contextlib.suppress(AttributeError, OSError):
        os.nice(_NICE)
    compile_kernels()
