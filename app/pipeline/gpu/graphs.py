"""Work captured once as a CUDA graph and replayed with one launch; branches of it that run side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

import torch

T = TypeVar("T")

_WARM_UP_CALLS = 3


class Replay(Generic[T]):
    """A call that needs no host in its middle, as a graph on a CUDA device, else as it is.

    `failure` says why it could not be captured, empty where it was or where the device has no graphs. The result's
    memory is written again by every further call.
    """

    def __init__(self, call: Callable[[], T], device: torch.device) -> None:
        self.failure = ""
        self._call = call
        if device.type != "cuda":
            return
        try:
            with torch.cuda.device(device):
                self._call = _captured(call)
        except RuntimeError as error:
            self.failure = str(error).splitlines()[0]
        if self.failure:
            torch.cuda.synchronize(device)

    def __call__(self) -> T:
        """Run it in the current stream."""
        return self._call()


class Aside:
    """A second stream for work that nothing waits for until `join`; on a CPU the work is done at once.

    Each `beside` begins after all that was asked for before it, so memory given back earlier is not written too soon.
    """

    def __init__(self, device: torch.device) -> None:
        self._stream: torch.cuda.Stream | None = None
        if device.type == "cuda":
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    @contextmanager
    def beside(self) -> Iterator[None]:
        """What is asked of torch inside runs beside what is asked for after it."""
        if self._stream is None:
            yield
            return
        self._stream.wait_stream(torch.cuda.current_stream(self._stream.device))
        with torch.cuda.stream(self._stream):
            yield

    def join(self) -> None:
        """Let the current stream go on only after the work beside it."""
        if self._stream is not None:
            torch.cuda.current_stream(self._stream.device).wait_stream(self._stream)


def _captured(call: Callable[[], T]) -> Callable[[], T]:
    aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(_WARM_UP_CALLS):
            call()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = call()

    def replay() -> T:
        graph.replay()
        return out

    return replay
