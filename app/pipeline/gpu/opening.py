"""Which compositor does the work. Importing this module does not import torch."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Final

from app.domain.errors import ExitCode, UserError
from app.pipeline.stages import Compositor

_DRIVERS: Final = ("nvcuda.dll",) if sys.platform == "win32" else ("libcuda.so.1",)


def open_compositor(device: str, on_notice: Callable[[str], None]) -> Compositor:
    """What composes on "cpu", "cuda", "cuda:N" or "auto", which is CUDA where that can be used, else the CPU.

    The picture is the same. A device that fails later is left for the CPU, and on_notice is told. For "cpu" torch is
    never imported, nor for "auto" where no NVIDIA driver is installed. UserError (USAGE) for a device that can't be
    used.
    """
    kind = device.partition(":")[0]
    if kind not in ("auto", "cpu", "cuda"):
        raise UserError(f"There is no device “{device}”.", "Give auto, cpu, cuda or cuda:N.", code=ExitCode.USAGE)
    if kind == "cpu" or (kind == "auto" and not has_cuda()):
        return Compositor()
    try:
        return _on_device("cuda" if kind == "auto" else device, on_notice)
    except UserError as refused:
        if kind != "auto":
            raise
        on_notice(f"{refused.message} The picture is put together by the CPU.")
        return Compositor()


def compositing_device(device: str) -> str:
    """Where a command that was given this device for its network puts frames together."""
    return device if device.startswith(("auto", "cuda")) else "cpu"


def _on_device(device: str, on_notice: Callable[[str], None]) -> Compositor:
    from app.pipeline.gpu.device_compositor import DeviceCompositor
    from app.pipeline.gpu.devices import cuda_device, usable
    from app.pipeline.gpu.falling_back import FallingBackCompositor

    place = cuda_device(device)
    with usable(device):
        return FallingBackCompositor(DeviceCompositor(place), on_notice)


def has_cuda() -> bool:
    """Whether torch can compute on an NVIDIA card here."""
    if find_spec("torch") is None or not any(map(_is_loadable, _DRIVERS)):
        return False
    import torch

    return torch.cuda.is_available()


def _is_loadable(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
