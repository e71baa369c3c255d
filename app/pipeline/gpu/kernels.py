"""The one pass over a frame's pixels: look up the curve, blend over the plate, bit-equal to the CPU's.

Two forms give the same pixels: a fused Triton kernel (`triton_kernels`) where Triton is installed beside CUDA,
and plain torch, which runs on every device and is what the fused one is held to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from app.domain.errors import UserError
from app.pipeline.gpu.folding import TABLE_ENTRIES, Fold, fold_by_torch
from app.pipeline.gpu.thumbnails import RowAverage, area_weights, average_rows_by_torch


@dataclass(frozen=True)
class FrameBatch:
    """B frames on one device, all uint8: what a render kernel reads.

    foreground (B, H, W, 3); alpha (B, H, W); plate (H, W, 3), shared by all; tables (B, 256, 3): one curve a
    frame. ValueError when shapes or types don't fit.
    """

    foreground: Tensor
    plate: Tensor
    alpha: Tensor
    tables: Tensor

    def __post_init__(self) -> None:
        """Refuse what a kernel would read past the end of."""
        frames, height, width = self.alpha.shape
        shapes = (self.foreground.shape, self.plate.shape, self.tables.shape)
        if shapes != ((frames, height, width, 3), (height, width, 3), (frames, TABLE_ENTRIES, 3)):
            raise ValueError(f"shapes differ: {[tuple(s) for s in shapes]}, alpha {tuple(self.alpha.shape)}")
        if any(t.dtype != torch.uint8 for t in (self.foreground, self.plate, self.alpha, self.tables)):
            raise ValueError("pictures, alpha and tables are 8-bit")


RenderKernel = Callable[[FrameBatch], Tensor]
"""FrameBatch -> composites (B, H, W, 3) uint8 on the same device, in its current stream."""


@dataclass(frozen=True)
class ChosenKernel:
    """Kernels that were tried on their device. name: "triton" or "torch". notice: why not the fused ones, or empty."""

    render: RenderKernel
    name: str
    notice: str = ""
    average_rows: RowAverage = average_rows_by_torch
    fold: Fold = fold_by_torch


def rounded_255th(total: Tensor) -> Tensor:
    """round(total / 255) for int32 totals 0..65025, which is every a * F + (255 - a) * P, by a multiply and a shift.

    Exact: 255 is odd, so nothing lies half-way, and 257 / 65536 is 1 / 255 less 1 / 16711680.
    """
    return ((total + 128) * 257) >> 16


def identity_tables(frames: int, device: torch.device) -> Tensor:
    """Tables (frames, 256, 3) uint8 that change nothing."""
    ramp = torch.arange(TABLE_ENTRIES, dtype=torch.uint8, device=device)
    return ramp.view(1, TABLE_ENTRIES, 1).expand(frames, TABLE_ENTRIES, 3).contiguous()


def render_by_torch(batch: FrameBatch) -> Tensor:
    """The pass in plain torch; see `RenderKernel`."""
    shape = batch.foreground.shape
    place = torch.arange(3, dtype=torch.int32, device=batch.alpha.device)
    place = place + 3 * TABLE_ENTRIES * torch.arange(shape[0], dtype=torch.int32, device=place.device).view(-1, 1, 1, 1)
    index = batch.foreground.to(torch.int32) * 3 + place
    matched = batch.tables.flatten().index_select(0, index.flatten()).view(shape).to(torch.int32)
    cover = batch.alpha.to(torch.int32).unsqueeze(3)
    total = cover * matched + (255 - cover) * batch.plate.to(torch.int32)
    return rounded_255th(total).to(torch.uint8)


def choose_kernel(device: torch.device) -> ChosenKernel:
    """The fused kernel if it can be built here and gives torch's pixels, else torch's own."""
    if device.type != "cuda":
        return ChosenKernel(render_by_torch, "torch")
    from app.pipeline.gpu import triton_kernels

    if not triton_kernels.IS_INSTALLED:
        return ChosenKernel(render_by_torch, "torch", _notice("Triton is not installed"))
    fused = triton_kernels.fused_kernel()
    try:
        with torch.cuda.device(device):
            is_right = gives_reference_pixels(fused, device)
    # Whatever a compiler, a driver or a missing header raises, plain torch gives the same picture.
    except Exception as error:
        return ChosenKernel(render_by_torch, "torch", _notice(f"the fused kernel can't be built ({_line(error)})"))
    if not is_right:
        return ChosenKernel(render_by_torch, "torch", _notice("the fused kernel gives other pixels"))
    return fused


def gives_reference_pixels(kernel: ChosenKernel, device: torch.device) -> bool:
    """Whether kernels give torch's results: pixels exactly, row averages to 0.01 levels, tables but for halves.

    On two frames of odd size, rows cut at fractions, and curves of two stages, one of them none.
    """
    draw = torch.Generator().manual_seed(1)

    def noise(*shape: int) -> Tensor:
        return torch.randint(0, 256, shape, dtype=torch.uint8, generator=draw).to(device)

    batch = FrameBatch(noise(2, 67, 129, 3), noise(67, 129, 3), noise(2, 67, 129), noise(2, TABLE_ENTRIES, 3))
    lines, box = noise(67, 387), torch.tensor((8.0, 4.0, 100.0, 67.0), device=device)
    exact = torch.matmul(area_weights(box[1], box[3], 67, 16), lines.float())
    knots = torch.rand(2, 3, 65, generator=draw).to(device) * 1.5 - 0.2
    return (
        torch.equal(kernel.render(batch), render_by_torch(batch))
        and torch.allclose(kernel.average_rows(lines, box, 16), exact, rtol=0, atol=0.01)
        and torch.allclose(kernel.fold(knots, 0.7).int(), fold_by_torch(knots, 0.7).int(), rtol=0, atol=1)
        and torch.equal(kernel.fold(knots / 0, 1.0), identity_tables(1, device)[0])
    )


def _line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _notice(reason: str) -> str:
    return str(UserError(f"The picture is put together without the fused kernel: {reason}."))
