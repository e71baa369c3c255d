"""Matte quality on moving people with known alpha, before and after refinement."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.alpha import edge_band, from_u8, levels, to_u8
from app.domain.frame import Alpha, Alpha8, Frame, Pixels
from app.pipeline.matte import MatteRefiner
from app.pipeline.moving_people import Split, render_clip, scenes
from app.pipeline.segmentation import LiteRtSelfieSegmenter, Segmenter

BAND_PX_AT_1080P: Final = 12
"""Half width of the edge band, scaled with the frame's height: within this of the true 0.5 contour."""

GUIDED_LEVELS: Final = (0.2, 0.8)
GUIDED_RADIUS: Final = 8
GUIDED_EPS: Final = 1e-4 * 255 * 255

HALF_COVERAGE: Final = 128


@dataclass(frozen=True, slots=True)
class MethodScore:
    """Means over all frames of all clips.

    iou: at alpha 0.5. mad: mean absolute difference of alpha over the frame. edge_mad: the same within the
    edge band. flicker: mean absolute change, frame to frame, of (alpha - truth), over the frame. refine_ms:
    median time from the segmenter's alpha to the full-size matte. segment_ms: median time of the segmenter.
    """

    name: str
    iou: float
    mad: float
    edge_mad: float
    flicker: float
    segment_ms: float
    refine_ms: float


@dataclass(frozen=True, slots=True)
class MatteReport:
    """What `bench matte` prints.

    resize_ms, copy_ms: medians, in the same run, of a plain cv2.resize of the coarse alpha to full size and
    of a copy of the frame, for judging the other times on a busy machine. inferences: network runs a frame
    of "ours".
    """

    methods: tuple[MethodScore, ...]
    split: Split
    clips: int
    frames: int
    size: tuple[int, int]
    band_px: int
    resize_ms: float
    copy_ms: float
    inferences: float

    def headers(self) -> list[str]:
        """Column titles of `rows`."""
        return ["method", "IoU", "MAD", "edge MAD", "flicker", "segment ms", "refine ms"]

    def rows(self) -> list[list[str]]:
        """One row a method, as text."""
        return [_texts(score) for score in self.methods]

    def as_dict(self) -> dict[str, object]:
        """Everything, for JSON."""
        return asdict(self)


@dataclass(slots=True)
class _Method:
    """One way from frame to matte, and what it scored so far."""

    name: str
    segmenter: Segmenter
    refine: Callable[[Frame, Alpha], Alpha8]
    restart: Callable[[], None]
    iou: list[float] = field(default_factory=list)
    mad: list[float] = field(default_factory=list)
    edge_mad: list[float] = field(default_factory=list)
    flicker: list[float] = field(default_factory=list)
    segment_ms: list[float] = field(default_factory=list)
    refine_ms: list[float] = field(default_factory=list)
    last_error: npt.NDArray[np.int16] | None = None

    def run(self, frame: Frame) -> Alpha8:
        """The matte of a frame, timed."""
        start = time.perf_counter()
        alpha = self.segmenter.segment(frame)
        middle = time.perf_counter()
        matte = self.refine(frame, alpha)
        self.segment_ms.append((middle - start) * 1e3)
        self.refine_ms.append((time.perf_counter() - middle) * 1e3)
        return matte

    def score(self, matte: Alpha8, truth: Alpha8, band: npt.NDArray[np.bool_]) -> None:
        """Compare with the truth."""
        error = matte.astype(np.int16) - truth
        off = np.abs(error)
        mine, true = matte >= HALF_COVERAGE, truth >= HALF_COVERAGE
        self.iou.append(np.count_nonzero(mine & true) / max(1, np.count_nonzero(mine | true)))
        self.mad.append(float(off.mean()) / 255)
        self.edge_mad.append(float(off[band].mean()) / 255 if band.any() else 0.0)
        if self.last_error is not None:
            self.flicker.append(float(np.abs(error - self.last_error).mean()) / 255)
        self.last_error = error

    def next_clip(self) -> None:
        """Forget the last clip."""
        self.segmenter.reset()
        self.restart()
        self.last_error = None

    def result(self) -> MethodScore:
        """Means and medians so far."""
        means = (statistics.fmean(v or [0.0]) for v in (self.iou, self.mad, self.edge_mad, self.flicker))
        times = (statistics.median(v or [0.0]) for v in (self.segment_ms, self.refine_ms))
        return MethodScore(self.name, *means, *times)


def bench_matte(
    shared_data: Path,
    *,
    clips: int = 8,
    frames: int = 24,
    size: tuple[int, int] = (1920, 1080),
    split: Split = "held-out",
) -> MatteReport:
    """Measure bilinear, guided and our mattes on moving people; the same each run but for the times.

    shared_data: the folder with train/people and backgrounds. The defaults of `MatteSettings` were chosen on
    the "tuning" half. UserError when the pictures or the model are missing.
    """
    following = LiteRtSelfieSegmenter()
    methods = _methods(following)
    band_px = max(1, round(BAND_PX_AT_1080P * size[1] / 1080))
    resize_ms: list[float] = []
    copy_ms: list[float] = []
    coarse = np.zeros((144, 256), np.float32)
    for scene in scenes(shared_data, split=split, count=clips, size=size):
        for method in methods:
            method.next_clip()
        for frame, truth, _foreground in render_clip(scene, frames):
            band = edge_band(from_u8(truth), band_px)
            for method in methods:
                method.score(method.run(frame), truth, band)
            copy_ms.append(_timed(frame.pixels.copy))
            resize_ms.append(_timed(partial(_bilinear, frame, coarse)))
    return MatteReport(
        methods=tuple(method.result() for method in methods),
        split=split,
        clips=clips,
        frames=frames,
        size=size,
        band_px=band_px,
        resize_ms=statistics.median(resize_ms or [0.0]),
        copy_ms=statistics.median(copy_ms or [0.0]),
        inferences=following.inferences / max(1, clips * frames),
    )


def _methods(following: LiteRtSelfieSegmenter) -> list[_Method]:
    whole = LiteRtSelfieSegmenter(follow=False)
    on_whole, on_followed = MatteRefiner(), MatteRefiner()
    return [
        _Method("bilinear", whole, lambda f, a: to_u8(_bilinear(f, a)), _nothing),
        _Method("guided filter, quarter size, levels 0.2-0.8", whole, _guided_quarter, _nothing),
        _Method("ours, whole frame", whole, on_whole.refine, on_whole.reset),
        _Method("ours, following the person", following, on_followed.refine, on_followed.reset),
    ]


def _bilinear(frame: Frame, alpha: Alpha) -> Alpha:
    return np.asarray(cv2.resize(alpha, frame.size, interpolation=cv2.INTER_LINEAR), np.float32)


def _guided_quarter(frame: Frame, alpha: Alpha) -> Alpha8:
    """The usual recipe, by opencv-contrib's guided filter with a colour guide."""
    width, height = frame.size
    quarter = (max(1, width // 4), max(1, height // 4))
    guide: Pixels = np.asarray(cv2.resize(frame.pixels, quarter, interpolation=cv2.INTER_AREA), np.uint8)
    filtered = cv2.ximgproc.guidedFilter(guide, cv2.resize(alpha, quarter), GUIDED_RADIUS, GUIDED_EPS)
    return to_u8(_bilinear(frame, levels(np.asarray(filtered, np.float32), *GUIDED_LEVELS)))


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


def _nothing() -> None:
    """These methods remember no frames."""


def _texts(score: MethodScore) -> list[str]:
    return [
        score.name,
        f"{score.iou:.4f}",
        f"{score.mad:.4f}",
        f"{score.edge_mad:.4f}",
        f"{score.flicker:.5f}",
        f"{score.segment_ms:.1f}",
        f"{score.refine_ms:.1f}",
    ]
