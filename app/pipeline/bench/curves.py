"""Rendering a curve: the published way against the table, on the same frame in one run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from app.domain.compositing import Size, apply_table
from app.pipeline.stats import median
from harmonizer.curves import fold, lut8
from harmonizer.reference import cascade
from harmonizer.torch_curves import knots_from_slopes

_STAGES, _PIECES = 2, 64


@torch.inference_mode()
def bench_curves(size: Size, *, rounds: int) -> dict[str, Any]:
    """Median ms of both on a noise frame that is all foreground, their ratio and largest difference.

    The published renderer gets its picture as float planes, ours as 8-bit RGB; each includes making its
    8-bit result, neither the network.
    """
    width, height = size
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    alpha = np.full((height, width), 255, np.uint8)
    slopes = 0.2 + torch.rand(1, _STAGES, 3, _PIECES, generator=torch.Generator().manual_seed(1))
    planes = torch.from_numpy(pixels).permute(2, 0, 1).unsqueeze(0).float() / 255.0

    def published() -> torch.Tensor:
        return (cascade(planes, slopes).clamp(0, 1) * 255.0).round().byte()

    def ours() -> np.ndarray[Any, np.dtype[np.uint8]]:
        knots = knots_from_slopes(slopes)[0].double().numpy()
        return apply_table(pixels, alpha, lut8(fold(knots)))

    long_way = published()[0].permute(1, 2, 0).numpy().astype(int)
    difference = np.abs(long_way - ours().astype(int)).max()
    published_ms, ours_ms = _paired(published, ours, rounds)
    return {
        "size": f"{width}x{height}",
        "published_ms": published_ms,
        "ours_ms": ours_ms,
        "ratio": published_ms / ours_ms,
        "max_difference_levels": float(difference),
        "threads": torch.get_num_threads(),
    }


def _paired(slow: Callable[[], object], fast: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Median ms of both, taken in turn; the fast one five times a round."""
    slow_ms, fast_ms = [], []
    for _ in range(rounds):
        slow_ms.append(_timed_ms(slow))
        fast_ms += [_timed_ms(fast) for _ in range(5)]
    return median(slow_ms), median(fast_ms)


def _timed_ms(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return 1000.0 * (time.perf_counter() - started)
