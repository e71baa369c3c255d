"""Lanes: queues of uploads, work and downloads on a device, each in order, several of them at once.

On a CPU device a lane does everything at once, in the caller's thread: the same code runs in the tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Bytes = npt.NDArray[np.uint8]


class Mark:
    """A point in a lane's work; `wait` returns once all before it is done and raises what went wrong there."""

    def __init__(self, stream: torch.cuda.Stream | None) -> None:
        self._event: torch.cuda.Event | None = None
        if stream is not None:
            self._event = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
            self._event.record(stream)

    def wait(self) -> None:
        """Let the caller's thread sleep until then. RuntimeError as the device raises it."""
        if self._event is not None:
            self._event.synchronize()

    def holds(self, stream: torch.cuda.Stream | None) -> None:
        """Make the stream's further work wait for this point, without waiting here."""
        if stream is not None and self._event is not None:
            stream.wait_event(self._event)


class Lane:
    """One queue of work on a device. Not thread-safe."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.stream: torch.cuda.Stream | None = None
        if device.type == "cuda":
            self.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def working(self) -> AbstractContextManager[Any]:
        """Everything asked of torch inside runs in this lane."""
        return nullcontext() if self.stream is None else torch.cuda.stream(self.stream)

    def upload(self, pictures: Sequence[Bytes]) -> Tensor:
        """Pictures of one shape, (h, w, ...) each, as one tensor (B, h, w, ...) on the device; returns at once.

        They are copied into page-locked memory first: what the caller does to them afterwards changes nothing. That
        memory is torch's to reuse once the upload is over.
        """
        shape = (len(pictures), *pictures[0].shape)
        staged = torch.empty(shape, dtype=torch.uint8, pin_memory=self.stream is not None)
        for place, picture in zip(staged, pictures, strict=True):
            place.copy_(torch.from_numpy(_writable(np.ascontiguousarray(picture))))
        with self.working():
            return staged.to(self.device, non_blocking=True)

    def download(self, tensor: Tensor) -> Tensor:
        """The tensor on its way to page-locked memory of its own; to be read after a later mark's `wait`."""
        with self.working():
            here = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=self.stream is not None)
            return here.copy_(tensor, non_blocking=True)

    def mark(self) -> Mark:
        """This point in the lane's work."""
        return Mark(self.stream)

    def after(self, mark: Mark, *read: Tensor) -> None:
        """Go on only once another lane has got to its mark, whose tensors are read here from now on."""
        mark.holds(self.stream)
        if self.stream is not None:
            for tensor in read:
                tensor.record_stream(self.stream)


class _SameMemory:
    """An array's memory without its write protection, of which torch would warn; `array` is held for its life."""

    def __init__(self, array: Bytes) -> None:
        self.array = array
        self.__array_interface__ = {**array.__array_interface__, "data": (array.ctypes.data, False)}


def _writable(array: Bytes) -> Bytes:
    """The array under a view that torch takes; it is only read."""
    return array if array.flags.writeable else np.asarray(_SameMemory(array))
