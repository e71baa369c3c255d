"""Composing on a device: frames are uploaded once, looked up and blended in one pass, and come back once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from app.domain.compositing import IDENTITY_TABLE, Size
from app.domain.frame import Alpha8, Pixels
from app.domain.placement import IDENTITY, Placement, apply_placement
from app.pipeline.gpu.kernels import ChosenKernel, FrameBatch, choose_kernel
from app.pipeline.gpu.lanes import Bytes, Lane, Mark
from app.pipeline.looks import Analysed, Look, Rendered

LANES = 3
"""One batch being uploaded, one computed, one downloaded."""

BATCH_BYTES = 32_000_000
"""What goes up in one batch at most: one 4K frame, four of 1080p. Small frames cost more to launch than to blend."""

BATCH_FRAMES = 8


def runs_on_device(look: Look) -> bool:
    """Whether the device makes such pictures: a light wrap falls on matched colours, which only the CPU does."""
    return look.light_wrap == 0


def in_batches(frames: Iterable[Analysed]) -> Iterator[list[Analysed]]:
    """The same frames in order, those together that one launch can make: same plate, same size, up to BATCH_BYTES."""
    batch: list[Analysed] = []
    for frame in frames:
        if batch and not (_fits(batch[0], frame) and len(batch) < batch_length(frame.alpha.shape)):
            yield batch
            batch = []
        batch.append(frame)
    if batch:
        yield batch


def batch_length(shape: tuple[int, ...]) -> int:
    """How many frames of (height, width) make a batch."""
    return max(1, min(BATCH_FRAMES, BATCH_BYTES // (3 * shape[0] * shape[1])))


def _fits(first: Analysed, other: Analysed) -> bool:
    return (first.plate_key, first.plate.shape, first.alpha.shape) == (
        other.plate_key,
        other.plate.shape,
        other.alpha.shape,
    )


@dataclass(frozen=True)
class InFlight:
    """A batch on its way: `result` waits for it."""

    frames: Sequence[Analysed]
    placement: Placement
    composites: Tensor
    done: Mark

    def result(self) -> list[Rendered]:
        """The finished frames, in order; they own their pixels. RuntimeError when the device failed."""
        self.done.wait()
        # Page-locked memory that nobody else writes: it goes back to torch's pool with the last of these frames.
        pictures: npt.NDArray[np.uint8] = self.composites.numpy()
        return [
            Rendered(a.frame, a.alpha, a.foreground, a.plate, composite, self.placement, a.table)
            for a, composite in zip(self.frames, pictures, strict=True)
        ]


class DeviceCompositor:
    """Submits batches to a device; remembers the last plate there. Not thread-safe.

    kernel: what is launched, "triton" or "torch". Only for looks that `runs_on_device` says yes to.
    """

    def __init__(
        self,
        device: torch.device,
        *,
        choose: Callable[[torch.device], ChosenKernel] = choose_kernel,
        lanes: int = LANES,
    ) -> None:
        self.device = device
        self.kernel = choose(device)
        self._lanes = cycle([Lane(device) for _ in range(lanes)])
        self._plate: tuple[tuple[Hashable, Size], Tensor, Mark] | None = None

    def submit(self, batch: Sequence[Analysed], look: Look) -> InFlight:
        """Start composing frames of one `in_batches` batch. RuntimeError when the device can't."""
        lane = next(self._lanes)
        plate = self._plate_on_device(batch[0], lane)
        mirrored = _is_mirrored(batch[0], look.placement)
        placed = [_placed(a, IDENTITY if mirrored else look.placement) for a in batch]
        foreground = lane.upload([pixels for pixels, _ in placed])
        alpha = lane.upload([alpha for _, alpha in placed])
        with lane.working():
            if mirrored:
                foreground, alpha = foreground.flip(2), alpha.flip(2)
            tables = self._tables(batch, lane)
            composite = self.kernel.render(FrameBatch(foreground, plate, alpha, tables))
        here = lane.download(composite)
        return InFlight(batch, look.placement, here, lane.mark())

    def _tables(self, batch: Sequence[Analysed], lane: Lane) -> Tensor:
        tables: list[Bytes] = [IDENTITY_TABLE if a.table is None else a.table for a in batch]
        return lane.upload(tables)

    def _plate_on_device(self, analysed: Analysed, lane: Lane) -> Tensor:
        key = (analysed.plate_key, (analysed.plate.shape[1], analysed.plate.shape[0]))
        if self._plate is None or self._plate[0] != key:
            self._plate = (key, lane.upload([analysed.plate])[0], lane.mark())
        _, plate, ready = self._plate
        lane.after(ready, plate)
        return plate


def _is_mirrored(analysed: Analysed, placement: Placement) -> bool:
    """Whether all that is to be done is a flip, which costs the device nothing to speak of."""
    return placement == Placement(mirror=True) and analysed.alpha.shape == analysed.plate.shape[:2]


def _placed(analysed: Analysed, placement: Placement) -> tuple[Pixels, Alpha8]:
    """Foreground and alpha where they stand on the plate: on the CPU, which moves and scales them as ever."""
    size = (analysed.plate.shape[1], analysed.plate.shape[0])
    return apply_placement(analysed.foreground, analysed.alpha, placement, size)
