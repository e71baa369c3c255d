"""A compositor that prefers a device and goes on without it: no frame is lost, repeated or late to say so."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from app.domain.errors import ExitCode, UserError
from app.pipeline.gpu.device_compositor import LANES, DeviceCompositor, InFlight, in_batches, runs_on_device
from app.pipeline.looks import Analysed, Look, Rendered
from app.pipeline.stages import Compositor

log = logging.getLogger(__name__)

_TEXT_LIMIT = 200


class FallingBackCompositor(Compositor):
    """Composes on a device while that works, on the CPU from the first failure on; the pixels are the same.

    on_notice is told once, in a sentence. Not thread-safe.
    """

    def __init__(self, device: DeviceCompositor, on_notice: Callable[[str], None]) -> None:
        super().__init__()
        self._device: DeviceCompositor | None = device
        self._on_notice = on_notice
        if device.kernel.notice:
            on_notice(device.kernel.notice)

    @property
    def is_on_device(self) -> bool:
        """Whether the device still does the work."""
        return self._device is not None

    def compose(self, analysed: Analysed, look: Look) -> Rendered:
        """The finished frame, at the plate's size."""
        return self._finish([analysed], self._submit([analysed], look), look)[0]

    def compose_all(self, frames: Iterable[Analysed], look: Look) -> Iterator[Rendered]:
        """Every frame finished, in order: while one batch is computed the next goes up and the last comes down.

        Reads `frames` a few batches ahead of what it gives.
        """
        waiting: deque[tuple[list[Analysed], InFlight | None]] = deque()
        for batch in in_batches(frames):
            waiting.append((batch, self._submit(batch, look)))
            if len(waiting) == LANES:
                yield from self._finish(*waiting.popleft(), look)
        while waiting:
            yield from self._finish(*waiting.popleft(), look)

    def _submit(self, batch: Sequence[Analysed], look: Look) -> InFlight | None:
        """None when the CPU is to do it, at its turn."""
        if self._device is None or not runs_on_device(look):
            return None
        try:
            return self._device.submit(batch, look)
        except RuntimeError as error:
            failure = _in_words(error)
        self._go_on_without(failure)
        return None

    def _finish(self, batch: Sequence[Analysed], flight: InFlight | None, look: Look) -> list[Rendered]:
        if flight is not None:
            try:
                return flight.result()
            except RuntimeError as error:
                failure = _in_words(error)
            self._go_on_without(failure)
        return [super(FallingBackCompositor, self).compose(analysed, look) for analysed in batch]

    def _go_on_without(self, failure: str) -> None:
        """Outside the except block on purpose: a traceback would keep what fills the device's memory."""
        if self._device is None:
            return
        self._device = None
        log.info("the compute device failed: %s", failure)
        reason = "ran out of memory" if "out of memory" in failure else f"failed ({failure})"
        notice = UserError(
            f"The graphics card {reason}.",
            "The rest is done by the CPU, with the same picture.",
            code=ExitCode.FAILED,
        )
        self._on_notice(str(notice))


def _in_words(error: RuntimeError) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return next(islice(lines, 1))[:_TEXT_LIMIT]
