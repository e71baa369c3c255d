"""What the device does with a frame, measured against its own memory's speed and against the CPU in the same run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final

import cv2
import numpy as np
import torch
from torch import Tensor

from app.domain.compositing import Size
from app.domain.errors import ExitCode, UserError
from app.domain.frame import Frame, Pixels
from app.pipeline.engine_loading import load_reference
from app.pipeline.gpu import triton_kernels
from app.pipeline.gpu.device_compositor import DeviceCompositor
from app.pipeline.gpu.devices import cuda_device, usable
from app.pipeline.gpu.falling_back import FallingBackCompositor
from app.pipeline.gpu.graphs import Replay
from app.pipeline.gpu.kernels import ChosenKernel, FrameBatch, RenderKernel, choose_kernel
from app.pipeline.gpu.resident import DeviceNetwork, ResidentRenderer
from app.pipeline.looks import Analysed, Look
from app.pipeline.stages import Compositor
from app.pipeline.stats import median

WARM_UP_ROUNDS: Final = 5
CPU_ROUNDS: Final = 5

_COPY_BYTES: Final = {"cuda": 1 << 29, "cpu": 1 << 22}
_ROTATED_BYTES: Final = {"cuda": 400_000_000, "cpu": 1}
"""So much is touched before the same frame comes again: several times any cache, so that memory is measured."""

_BYTES_A_PIXEL: Final = 3 + 3 + 1 + 3
"""Foreground, plate and alpha read, composite written; the tables are nothing."""

_SHAPES: Final = tuple(
    triton_kernels.LaunchShape(words, warps) for words, warps in ((512, 4), (1024, 4), (1024, 8), (2048, 8), (4096, 8))
)


def bench_gpu(
    size: Size = (3840, 2160), *, frames: int = 60, device: str = "cuda", weights: str | None = None
) -> dict[str, Any]:
    """All figures of one frame size on a CUDA device, medians in ms; "cpu" runs the same code there, to test it.

    frames: rounds of each figure. UserError (USAGE) that says what is missing where there is no such device.
    """
    place = torch.device("cpu") if device == "cpu" else cuda_device(device)
    with usable(device):
        report = _measured(_Timer(place, frames), size, weights)
    return report | _in_short(report)


def _measured(timer: _Timer, size: Size, weights: str | None) -> dict[str, Any]:
    kernel = choose_kernel(timer.device)
    copy_gbps = _copy_gbps(timer)
    report: dict[str, Any] = {"size": f"{size[0]}x{size[1]}", "frames": timer.rounds, "device": _facts(timer.device)}
    report |= {"kernel": kernel.name, "kernel_notice": kernel.notice, "copy_gbps": round(copy_gbps, 1)}
    report["render"] = {
        content: _render_figures(timer, kernel.render, size, content=content, copy_gbps=copy_gbps)
        for content in ("smooth", "noise")
    }
    if kernel.name == "triton":
        report["launch_shapes_ms"] = _launch_shapes(timer, size)
    report["resident"] = _resident_figures(timer, kernel, size, weights)
    report["transfers"] = _transfer_figures(timer, kernel.render, size)
    report["compositor"] = _compositor_figures(timer.device, size, timer.rounds)
    return report


def _in_short(report: dict[str, Any]) -> dict[str, Any]:
    """The few figures that the rest explains."""
    compositor = report["compositor"]
    return {
        "fps": round(1000.0 / compositor["stream_ms"], 1),
        "ratio": compositor["ratio"],
        "stages_ms": {
            "render kernel": report["render"]["smooth"]["ms"],
            "resident, thumbnail to pixels": report["resident"]["ms"],
            "with transfers": report["transfers"]["frame_ms"],
            "export path, a frame": compositor["stream_ms"],
            "CPU, a frame": compositor["cpu_ms"],
        },
    }


@dataclass(frozen=True)
class _Timer:
    """Medians of calls on a device, by its own clock where it has one."""

    device: torch.device
    rounds: int

    def ms(self, call: Callable[[], object]) -> float:
        """Median time of a call, without what the host does before the device begins."""
        times = self._by_events(call) if self.device.type == "cuda" else self._by_clock(call)
        return median(times[WARM_UP_ROUNDS:])

    def host_ms(self, call: Callable[[], object]) -> float:
        """Median time of a call by the host's clock, until the device is done."""
        return median(self._by_clock(call)[WARM_UP_ROUNDS:])

    def _by_events(self, call: Callable[[], object]) -> list[float]:
        with torch.cuda.device(self.device):
            marks = [(_event(), _event()) for _ in range(self.rounds + WARM_UP_ROUNDS)]
            for start, end in marks:
                start.record()
                call()
                end.record()
            torch.cuda.synchronize()
        return [start.elapsed_time(end) for start, end in marks]

    def _by_clock(self, call: Callable[[], object]) -> list[float]:
        moments = [time.perf_counter()]
        for _ in range(self.rounds + WARM_UP_ROUNDS):
            call()
            self.wait()
            moments.append(time.perf_counter())
        return [1000.0 * (end - start) for start, end in pairwise(moments)]

    def wait(self) -> None:
        """Until the device has done all."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def _event() -> torch.cuda.Event:
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]


def _facts(device: torch.device) -> dict[str, Any]:
    facts: dict[str, Any] = {"torch": torch.__version__, "cuda": torch.version.cuda, "triton": None}
    if triton_kernels.IS_INSTALLED:
        facts["triton"] = triton_kernels.triton.__version__
    if device.type != "cuda":
        return facts | {"name": "CPU"}
    has = torch.cuda.get_device_properties(device)
    return facts | {
        "name": has.name,
        "memory_gb": round(has.total_memory / 1e9, 1),
        "multiprocessors": has.multi_processor_count,
        "compute_capability": f"{has.major}.{has.minor}",
    }


def _copy_gbps(timer: _Timer) -> float:
    """Bytes read and written a second by a plain copy on the device, in GB/s: what a pass over pixels can reach."""
    source = torch.zeros(_COPY_BYTES[timer.device.type], dtype=torch.uint8, device=timer.device)
    target = torch.empty_like(source)
    return 2e-6 * source.numel() / timer.ms(lambda: target.copy_(source))


def _render_figures(
    timer: _Timer, render: RenderKernel, size: Size, *, content: str, copy_gbps: float
) -> dict[str, Any]:
    """The render kernel over several frames in turn, as one graph: launches from Python would be what is measured."""
    pixels = size[0] * size[1]
    count = max(2, -(-_ROTATED_BYTES[timer.device.type] // (_BYTES_A_PIXEL * pixels)))
    batches = [_batch(timer.device, size, content=content, seed=i) for i in range(count)]
    replay = Replay(lambda: [render(batch) for batch in batches], timer.device)
    ms = timer.ms(replay) / count
    gbps = 1e-6 * _BYTES_A_PIXEL * pixels / ms
    return {
        "ms": round(ms, 4),
        "gbps": round(gbps, 1),
        "percent_of_copy": round(100 * gbps / copy_gbps, 1),
        "capture_failure": replay.failure,
    }


def _launch_shapes(timer: _Timer, size: Size) -> dict[str, float]:
    """The fused kernel cut up in other ways: ms by "words x warps", on noise."""
    figures = {}
    for shape in _SHAPES:

        def render(batch: FrameBatch, shape: triton_kernels.LaunchShape = shape) -> Tensor:
            return triton_kernels.render_by_triton(batch, shape)

        found = _render_figures(timer, render, size, content="noise", copy_gbps=1.0)
        figures[f"{shape.words}x{shape.warps}"] = found["ms"]
    return figures


def _resident_figures(timer: _Timer, kernel: ChosenKernel, size: Size, weights: str | None) -> dict[str, Any]:
    """A frame on the device to its composite there: one at a time, and many without a look at the clock between."""
    network = DeviceNetwork(load_reference(weights).network, timer.device)
    source = _batch(timer.device, size, content="smooth", seed=1)
    renderer = ResidentRenderer(network, source.plate, kernel)
    renderer.frame.copy_(source.foreground[0])
    renderer.alpha.copy_(source.alpha[0])
    return {
        "ms": round(timer.ms(renderer.render), 4),
        "host_ms": round(timer.host_ms(renderer.render), 4),
        "is_graph": timer.device.type == "cuda" and not renderer.capture_failure,
        "is_encoder_fused": network.is_fused,
        "capture_failure": renderer.capture_failure,
    }


def _transfer_figures(timer: _Timer, render: RenderKernel, size: Size) -> dict[str, Any]:
    """Page-locked memory to the device and back: a frame with its alpha up, its composite down."""
    on_cuda = timer.device.type == "cuda"
    pixels = size[0] * size[1]
    up = torch.zeros(4 * pixels, dtype=torch.uint8, pin_memory=on_cuda)
    down = torch.empty(3 * pixels, dtype=torch.uint8, pin_memory=on_cuda)
    there = torch.empty(4 * pixels, dtype=torch.uint8, device=timer.device)
    up_ms = timer.ms(lambda: there.copy_(up, non_blocking=True))
    down_ms = timer.ms(lambda: down.copy_(there[: 3 * pixels], non_blocking=True))
    batch = _batch(timer.device, size, content="smooth", seed=1)
    frame = there[: 3 * pixels].view(batch.foreground.shape)
    alpha = there[3 * pixels :].view(batch.alpha.shape)
    uploaded = FrameBatch(frame, batch.plate, alpha, batch.tables)

    def whole() -> None:
        there.copy_(up, non_blocking=True)
        down.copy_(render(uploaded).view(-1), non_blocking=True)

    return {
        "upload_gbps": round(4e-6 * pixels / up_ms, 1),
        "download_gbps": round(3e-6 * pixels / down_ms, 1),
        "frame_ms": round(timer.host_ms(whole), 3),
    }


def _compositor_figures(device: torch.device, size: Size, frames: int) -> dict[str, Any]:
    """The program's own compositor, from arrays to arrays: one frame at a time, a stream of them, and the CPU's."""
    notices: list[str] = []
    compositor, look = FallingBackCompositor(DeviceCompositor(device), notices.append), Look()
    sources = [_analysed(size, seed) for seed in range(4)]
    stream = [sources[i % len(sources)] for i in range(frames)]
    single = [_taken_ms(lambda a=a: compositor.compose(a, look)) for a in stream]  # type: ignore[misc]
    _consume(compositor, stream, look)
    stream_ms = _taken_ms(lambda: _consume(compositor, stream, look)) / frames
    cpu = Compositor()
    cpu_ms = median([_taken_ms(lambda i=i: cpu.compose(sources[i % 4], look)) for i in range(CPU_ROUNDS + 1)][1:])  # type: ignore[misc]
    same = np.array_equal(compositor.compose(sources[0], look).composite, cpu.compose(sources[0], look).composite)
    if notices and not compositor.is_on_device:
        raise UserError("The device failed while it was measured.", notices[-1], code=ExitCode.FAILED)
    return {
        "single_ms": round(median(single), 3),
        "stream_ms": round(stream_ms, 3),
        "cpu_ms": round(cpu_ms, 3),
        "ratio": round(cpu_ms / stream_ms, 2),
        "same_pixels_as_cpu": same,
    }


def _consume(compositor: FallingBackCompositor, stream: list[Analysed], look: Look) -> None:
    """As an encoder does: each frame is let go of before the next is asked for."""
    for _ in compositor.compose_all(stream, look):
        pass


def _taken_ms(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return 1000.0 * (time.perf_counter() - started)


def _batch(device: torch.device, size: Size, *, content: str, seed: int) -> FrameBatch:
    source = _analysed(size, seed)
    if content == "noise":
        rng = np.random.default_rng(seed)
        pictures = [rng.integers(0, 256, (size[1], size[0], depth), dtype=np.uint8) for depth in (3, 3, 1)]
        foreground, plate, alpha = pictures[0], pictures[1], pictures[2][..., 0]
    else:
        foreground, plate, alpha = source.foreground.copy(), source.plate, source.alpha
    parts = (foreground[None], plate, alpha[None], np.asarray(source.table)[None])
    return FrameBatch(*(torch.from_numpy(part.copy()).to(device) for part in parts))


def _analysed(size: Size, seed: int) -> Analysed:
    """A person-like shape over a third of a smooth picture; every frame's plate is the same."""
    pixels = _smooth(size, seed)
    alpha = np.zeros((size[1], size[0]), np.uint8)
    centre, axes = (size[0] // 2, size[1]), (size[0] // 4, size[1] * 5 // 6)
    cv2.ellipse(alpha, centre, axes, 0, 0, 360, (255,), -1)
    alpha = np.asarray(cv2.blur(alpha, (9, 9)), np.uint8)
    ramp = np.linspace(0, 1, 256)[:, None]
    table = np.rint(255 * ramp ** np.array([0.8, 0.9, 1.1])).astype(np.uint8)
    frame = Frame(pixels, pts=seed, time_base=Fraction(1, 60), index=seed)
    return Analysed(frame, alpha, lambda: pixels, _smooth(size, 99), "bench", table)


def _smooth(size: Size, seed: int) -> Pixels:
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 16, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC), np.uint8)
