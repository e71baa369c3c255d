"""How the cost grows with the picture and shrinks with threads: from 360p to 8K, from one thread to eight."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, Final

import av
import cv2
import psutil

from app.domain.compositing import Size, as_uint8
from app.domain.frame import Frame, Pixels
from app.pipeline.analyser import FrameAnalyser
from app.pipeline.bench.figures import StageFigures, StageTimes, line_fit
from app.pipeline.bench.machine import limited_threads, usable_cores
from app.pipeline.color_tags import ColorTags
from app.pipeline.demo_source import demo_frames
from app.pipeline.engine_loading import load_engine
from app.pipeline.looks import Look
from app.pipeline.matching import Matcher
from app.pipeline.plates import OpenPlate, open_plate
from app.pipeline.segmentation import LiteRtSelfieSegmenter
from app.pipeline.stages import Compositor
from app.pipeline.video_writer import FrameConverter
from app.pipeline.yuv import RgbConverter

LADDER: Final[tuple[Size, ...]] = (
    (640, 360),
    (960, 540),
    (1280, 720),
    (1920, 1080),
    (2560, 1440),
    (3840, 2160),
    (7680, 4320),
)
"""All 16:9, so that the same model finds the person in each."""

LEAST_SIZES: Final = 3
"""A line through two points explains everything."""

THREADS: Final = (1, 2, 4, 8)

_LOOKS_ONCE: Final = ("segment", "match")
"""Stages that see thumbnails, whatever the size; "plate" is fitted once; all others touch the pixels."""

_ONCE_A_PLATE: Final = "plate"
_BYTES_A_PX: Final = 60
"""What a frame takes with all that is made of it, generously: a dozen pictures."""

_RATE: Final = Fraction(30)
_HD: Final = ColorTags("bt709", "limited", "bt709", "bt709", guessed=False)


@dataclass(frozen=True, slots=True)
class ScalePoint:
    """One size on so many threads: medians, ms a frame, of wall time (_ms) and of CPU time (_cpu_ms)."""

    size: str
    px: int
    threads: int
    matte_match_ms: float
    matte_match_cpu_ms: float
    pixel_ms: float
    pixel_cpu_ms: float
    stages_ms: dict[str, float]


def sizes_up_to(largest: Size | None, *, free_bytes: int | None = None) -> tuple[Size, ...]:
    """The steps of the ladder that fit into `largest` (None: all) and into half the memory that is free.

    At least the LEAST_SIZES smallest ones.
    """
    free = psutil.virtual_memory().available if free_bytes is None else free_bytes
    width, height = largest or LADDER[-1]
    fits = [(w, h) for w, h in LADDER if w <= width and h <= height and w * h * _BYTES_A_PX <= free / 2]
    return LADDER[: max(LEAST_SIZES, len(fits))]


def threads_up_to(most: int, *, cores: int) -> tuple[int, ...]:
    """Of THREADS, those that are at most `most` and that the machine has cores for; at least one."""
    return tuple(n for n in THREADS if n <= min(most, cores)) or (1,)


def bench_scale(
    sizes: Sequence[Size],
    threads: Sequence[int],
    plate_name: str,
    *,
    rounds: int,
    notice: Callable[[str], None],
    tick: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Every size on every number of threads; the line through the pixel stages' CPU time on the smallest number.

    r2_linear, slope_ns_px, fixed_ms: of that line. matte_match_ratio: CPU time at the largest size over that at the
    smallest; matte_match_slope_ns_px: by how much it grows. Pictures are the sample's, enlarged, in memory. The number
    of threads is OpenCV's and LiteRT's; the colour network keeps its own.
    """
    points = [_measured(size, count, plate_name, rounds, notice, tick) for size in sizes for count in threads]
    single = [point for point in points if point.threads == min(threads)]
    px = [float(point.px) for point in single]
    pixel = line_fit(px, [point.pixel_cpu_ms for point in single])
    looks = line_fit(px, [point.matte_match_cpu_ms for point in single])
    return {
        "sizes": [point.size for point in single],
        "threads": list(threads),
        "threads_left_out": [n for n in THREADS if n > usable_cores()],
        "rounds": rounds,
        "r2_linear": round(pixel.r2, 5),
        "slope_ns_px": round(1e6 * pixel.slope, 4),
        "fixed_ms": round(pixel.offset, 3),
        "matte_match_slope_ns_px": round(1e6 * looks.slope, 4),
        "matte_match_ratio": round(single[-1].matte_match_cpu_ms / max(1e-6, single[0].matte_match_cpu_ms), 2),
        "points": [asdict(point) for point in points],
    }


def _measured(
    size: Size,
    threads: int,
    plate_name: str,
    rounds: int,
    notice: Callable[[str], None],
    tick: Callable[[], None],
) -> ScalePoint:
    times = StageTimes()
    with limited_threads(threads), ExitStack() as held:
        plate = held.enter_context(open_plate(plate_name))
        segmenter = held.enter_context(closing(LiteRtSelfieSegmenter(threads=threads, on_notice=notice)))
        line = _Line(size, times, segmenter, plate)
        for index in range(rounds):
            line.run(index)
            tick()
    return _point(size, threads, times)


def _point(size: Size, threads: int, times: StageTimes) -> ScalePoint:
    stages = times.figures()
    looks = [figures for stage, figures in stages.items() if stage in _LOOKS_ONCE]
    pixel = [figures for stage, figures in stages.items() if stage not in (*_LOOKS_ONCE, _ONCE_A_PLATE)]
    return ScalePoint(
        f"{size[0]}x{size[1]}",
        size[0] * size[1],
        threads,
        *_sums(looks),
        *_sums(pixel),
        {stage: figures.ms for stage, figures in stages.items()},
    )


def _sums(stages: Sequence[StageFigures]) -> tuple[float, float]:
    """(wall, CPU) ms of all together."""
    return round(sum(stage.ms for stage in stages), 3), round(sum(stage.cpu_ms for stage in stages), 3)


class _Line:
    """Everything between the decoder and the encoder, at one size."""

    def __init__(self, size: Size, times: StageTimes, segmenter: LiteRtSelfieSegmenter, plate: OpenPlate) -> None:
        self._size, self._times, self._look = size, times, Look()
        self._converter = FrameConverter("yuv420p")
        self._to_rgb = RgbConverter(_HD)
        self._pictures = [self._converter.frame(pixels, "rgb24") for pixels in _pictures(size)]
        matcher = Matcher(load_engine(), self._look.match) if self._look.match else None
        self._analyser = FrameAnalyser(segmenter=segmenter, plate=plate, look=self._look, matcher=matcher, clock=times)
        self._compositor = Compositor()

    def run(self, index: int) -> None:
        """One frame, timed."""
        decoded: av.VideoFrame = self._pictures[index % len(self._pictures)]
        with self._times.time("YUV to RGB"):
            pixels = self._to_rgb(decoded)
        frame = Frame(pixels, pts=index, time_base=1 / _RATE, index=index)
        analysed = self._analyser.analyse(frame, self._size)
        with self._times.time("composite"):
            composite = self._compositor.compose(analysed, self._look).composite
        with self._times.time("RGB to YUV"):
            self._converter.frame(composite, "rgb24")


def _pictures(size: Size) -> list[Pixels]:
    """Two neighbouring frames of the sample, enlarged where they are to be larger than it is sharp."""
    small = min(size, (1280, 720))
    frames = demo_frames(size=small, rate=_RATE, seconds=2 / float(_RATE))
    return [as_uint8(cv2.resize(frame.pixels, size, interpolation=cv2.INTER_LINEAR)) for frame in frames]
