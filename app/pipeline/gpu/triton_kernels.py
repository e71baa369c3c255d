"""The fused render kernel, the row averages of thumbnails and the folding of curves, in Triton.

Importing this module never fails: `IS_INSTALLED` says whether its kernels can be called.
"""

# Triton reads a kernel's annotations as its own types, so the kernels have none.
# ruff: noqa: ANN001, ANN202

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor

from app.pipeline.gpu.folding import TABLE_ENTRIES
from app.pipeline.gpu.kernels import ChosenKernel, FrameBatch
from harmonizer.curves import MAX_SANE_LEVEL

IS_INSTALLED: Final = find_spec("triton") is not None
"""Whether Triton can be imported; it comes with torch's CUDA builds."""

# By name, not by an import statement: Triton has no type stubs, and most machines don't have it.
triton: Any = import_module("triton") if IS_INSTALLED else None
tl: Any = import_module("triton.language") if IS_INSTALLED else None


@dataclass(frozen=True)
class LaunchShape:
    """How a launch is cut up: 32-bit words a program, warps a program."""

    words: int = 1024
    warps: int = 4


def fused_kernel() -> ChosenKernel:
    """All of this module's kernels together. Needs Triton."""
    return ChosenKernel(render_by_triton, "triton", average_rows=average_rows_by_triton, fold=fold_by_triton)


def render_by_triton(batch: FrameBatch, shape: LaunchShape = LaunchShape()) -> Tensor:
    """The fused pass; see `kernels.RenderKernel`. Needs Triton.

    It works in 32-bit words, so frames of a pixel count not divisible by 4 (no camera's and no 4:2:0 video's) and
    pictures that start off a word are copied to where they fit first.
    """
    frames, pixels = len(batch.alpha), batch.alpha[0].numel()
    padding = -pixels % 4
    words = 3 * (pixels + padding) // 4
    foreground = _words(batch.foreground.reshape(frames, -1), 3 * padding)
    plate = _words(batch.plate.reshape(1, -1), 3 * padding)
    alpha = _words(batch.alpha.reshape(frames, -1), padding)
    out = torch.empty_like(foreground)
    _launched(_render_words, (triton.cdiv(words, shape.words), frames), shape)(
        foreground, plate, alpha, batch.tables.contiguous(), out, words, words // 3, 3 * TABLE_ENTRIES, shape.words
    )
    composite = out.view(torch.uint8)[:, : 3 * pixels] if padding else out.view(torch.uint8)
    return composite.reshape(batch.foreground.shape)


def average_rows_by_triton(lines: Tensor, box: Tensor, cells: int) -> Tensor:
    """`thumbnails.RowAverage`, each byte read once, in float32. Needs Triton."""
    height, length = lines.shape
    out = torch.empty((cells, length), dtype=torch.float32, device=lines.device)
    shape = LaunchShape(words=512, warps=2)
    _launched(_average_rows, (triton.cdiv(length, shape.words), cells), shape)(
        lines.contiguous(), box.contiguous(), out, height, length, cells, shape.words
    )
    return out


def fold_by_triton(knots: Tensor, strength: float) -> Tensor:
    """`folding.Fold` in one launch. Needs Triton."""
    stages, _, points = knots.shape
    out = torch.empty((TABLE_ENTRIES, 3), dtype=torch.uint8, device=knots.device)
    read = triton.next_power_of_2(knots.numel())
    _launched(_fold, (3,), LaunchShape())(
        knots.float().contiguous(), out, float(strength), MAX_SANE_LEVEL, stages, points, read, TABLE_ENTRIES
    )
    return out


def _words(rows: Tensor, padding: int) -> Tensor:
    """Rows (B, bytes) of bytes as rows of int32, padded and aligned if they are not."""
    rows = F.pad(rows, (0, padding)) if padding else rows.contiguous()
    if rows.data_ptr() % 4 or rows.storage_offset() % 4:
        rows = rows.clone()
    return rows.view(torch.int32)


def _launched(kernel: Callable[..., None], grid: tuple[int, ...], shape: LaunchShape) -> Callable[..., None]:
    def launch(*arguments: object) -> None:
        kernel[grid](*arguments, num_warps=shape.warps)  # type: ignore[index]

    return launch


def _byte_of(word, byte: tl.constexpr):  # type: ignore[no-untyped-def]
    """Byte 0 (lowest) to 3 of a word."""
    return (word >> (8 * byte)) & 255


def _blended(level, channel, cover, behind, table, byte: tl.constexpr):  # type: ignore[no-untyped-def]
    """One byte of the composite, in its place in the word; the rounding is `kernels.rounded_255th`'s."""
    matched = tl.load(table + (level * 3 + channel)).to(tl.int32)
    total = cover * matched + (255 - cover) * behind
    return (((total + 128) * 257) >> 16) << (8 * byte)


def _render_words(  # type: ignore[no-untyped-def]
    foreground, plate, alpha, tables, out, words, alpha_words, table_bytes, block: tl.constexpr
):
    """One block of one frame, a word (4 bytes) a lane: 3 words are 4 pixels, whose alphas are one word.

    Every read but the table's is coalesced; the table's 768 bytes stay in the first-level cache. A word's place in
    its group of 3 says which channel it begins with and which two pixels it touches.
    """
    frame = tl.program_id(1).to(tl.int64)
    at = tl.program_id(0) * block + tl.arange(0, block)
    inside = at < words
    group = at // 3
    place = at - 3 * group
    source = tl.load(foreground + frame * words + at, mask=inside, other=0)
    behind = tl.load(plate + at, mask=inside, other=0)
    covers = tl.load(alpha + frame * alpha_words + group, mask=inside, other=0) >> (8 * place)
    cover, next_cover = covers & 255, (covers >> 8) & 255
    second = tl.where(place == 2, 0, place + 1)
    third = tl.where(place == 0, 2, place - 1)
    second_cover = tl.where(place == 2, next_cover, cover)
    third_cover = tl.where(place == 0, cover, next_cover)
    table = tables + frame * table_bytes
    mixed = _blended(_byte_of(source, 0), place, cover, _byte_of(behind, 0), table, 0)
    mixed |= _blended(_byte_of(source, 1), second, second_cover, _byte_of(behind, 1), table, 1)
    mixed |= _blended(_byte_of(source, 2), third, third_cover, _byte_of(behind, 2), table, 2)
    mixed |= _blended(_byte_of(source, 3), place, next_cover, _byte_of(behind, 3), table, 3)
    tl.store(out + frame * words + at, mixed, mask=inside)


def _average_rows(lines, box, out, height, length, cells, block: tl.constexpr):  # type: ignore[no-untyped-def]
    """One cell of one block of columns: its rows, each by the share of it that the cell covers."""
    cell = tl.program_id(1)
    at = tl.program_id(0) * block + tl.arange(0, block)
    inside = at < length
    top, bottom = tl.load(box + 1), tl.load(box + 3)
    size = (bottom - top) / cells
    first = top + cell * size
    last = first + size
    total = tl.zeros((block,), dtype=tl.float32)
    for row in range(tl.floor(first).to(tl.int32), tl.minimum(tl.ceil(last).to(tl.int32), height)):
        share = tl.minimum(row + 1.0, last) - tl.maximum(row + 0.0, first)
        level = tl.load(lines + row * length + at, mask=inside, other=0)
        total += share * level.to(tl.float32)
    tl.store(out + cell * length + at, total / size, mask=inside)


def _fold(  # type: ignore[no-untyped-def]
    knots, out, strength, limit, stages: tl.constexpr, points: tl.constexpr, read: tl.constexpr, entries: tl.constexpr
):
    """One channel: every entry through the stages in float64, unless any knot of any channel is no level."""
    channel = tl.program_id(0)
    place = tl.arange(0, read)
    known = tl.load(knots + place, mask=place < stages * 3 * points, other=0.0)
    # A comparison with NaN is false, so what is not finite counts as well.
    nonsense = tl.sum(tl.where(tl.abs(known) <= limit, 0, 1), axis=0)
    entry = tl.arange(0, entries)
    ramp = entry.to(tl.float64) / (entries - 1)
    level = ramp
    for stage in tl.static_range(stages):
        position = tl.minimum(tl.maximum(level, 0.0), 1.0) * (points - 1)
        segment = tl.minimum(tl.maximum(position.to(tl.int32), 0), points - 2)
        start = knots + (stage * 3 + channel) * points + segment
        low, high = tl.load(start).to(tl.float64), tl.load(start + 1).to(tl.float64)
        level = low + (high - low) * (position - segment.to(tl.float64))
    mixed = ramp + strength * (tl.minimum(tl.maximum(level, 0.0), 1.0) - ramp)
    mixed = tl.where(nonsense == 0, mixed, ramp)
    # Levels are not negative, so cutting off after adding a half rounds.
    tl.store(out + entry * 3 + channel, (mixed * (entries - 1) + 0.5).to(tl.int32).to(tl.uint8))


if IS_INSTALLED:
    _byte_of = triton.jit(_byte_of)
    _blended = triton.jit(_blended)
    _render_words = triton.jit(_render_words)
    _average_rows = triton.jit(_average_rows)
    _fold = triton.jit(_fold)
