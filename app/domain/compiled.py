"""Which loops run: the compiled kernels once they are at hand, their numpy and OpenCV twins until then.

Compiling takes seconds, which nobody in a call should wait for; `app.pipeline.kernel_cache` does it beforehand or
aside and then calls `use`.
"""

from __future__ import annotations

from types import ModuleType

_kernels: ModuleType | None = None


def kernels() -> ModuleType | None:
    """`app.domain.kernels`, if it may be used."""
    return _kernels


def use(module: ModuleType | None) -> None:
    """Use these kernels from the next call on, process-wide; None for the twins."""
    global _kernels
    _kernels = module
