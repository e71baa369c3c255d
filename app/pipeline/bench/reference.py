"""Match and render of one frame: this program against the published algorithm as described, in one run.

Theirs, written by us from the paper (arXiv 2109.05750): both thumbnails through the encoder in torch's default memory
layout on torch's default threads, two 64-step curves summed over every pixel of the frame, then blended by the mask.
Ours: the curve estimated with the plate's embedding known, folded into a table, looked up and blended as the app does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch

from app.domain.frame import Frame, Pixels
from app.pipeline.analyser import FrameAnalyser
from app.pipeline.bench.figures import percentiles
from app.pipeline.bench.machine import limited_threads
from app.pipeline.engine_loading import load_engine
from app.pipeline.looks import Analysed, Look
from app.pipeline.matching import Matcher, coarse_box
from app.pipeline.plates import OpenPlate, open_plate
from app.pipeline.segmenter_choice import SegmenterChoice, open_segmenter
from app.pipeline.stages import Compositor
from app.pipeline.stats import StageClock, median
from app.pipeline.threads import share_cores
from app.pipeline.video_reader import VideoReader
from harmonizer import NetworkConfig, S2CRNet
from harmonizer.config import PUBLISHED_THUMBNAIL_PX, SemanticClass, one_hot
from harmonizer.reference import cascade

OURS_A_ROUND: Final = 5


def bench_reference(
    clip: Path, plate_name: str, *, rounds: int, notice: Callable[[str], None], tick: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """Median ms of both on one frame of a clip, taken in turn after a warm-up, and theirs / ours as `ratio`.

    The published network's time depends on sizes alone, so it has random weights; it is given its full-size picture
    as float planes, which ours is not. UserError as for a render.
    """
    default_threads = torch.get_num_threads()
    share_cores()
    with ExitStack() as held:
        plate = held.enter_context(open_plate(plate_name))
        scene = _scene(clip, plate, held, notice)
        ours, theirs = _Ours(scene), _Published(scene)
        ours_ms: list[float] = []
        theirs_ms: list[float] = []
        for number in range(1 + rounds):
            with limited_threads(default_threads):
                theirs_ms.append(_timed_ms(theirs.frame))
            ours_ms += [_timed_ms(ours.frame) for _ in range(OURS_A_ROUND)]
            if number == 0:  # the warm-up
                theirs_ms.clear()
                ours_ms.clear()
            tick()
    width, height = scene.frame.size
    return {
        "clip": clip.name,
        "size": f"{width}x{height}",
        "rounds": rounds,
        "ratio": round(median(theirs_ms) / median(ours_ms), 1),
        "published_ms": round(median(theirs_ms), 2),
        "published_p95_ms": percentiles(theirs_ms, (95,))[0],
        "published_threads": default_threads,
        "ours_ms": round(median(ours_ms), 3),
        "ours_p95_ms": percentiles(ours_ms, (95,))[0],
        "foreground_share": round(float(np.count_nonzero(scene.alpha)) / scene.alpha.size, 3),
    }


def _scene(clip: Path, plate: OpenPlate, held: ExitStack, notice: Callable[[str], None]) -> Analysed:
    """A frame of the clip with its matte, the same for both."""
    with VideoReader(clip, max_frames=1) as reader:
        frame = next(reader)
    segmenter = held.enter_context(closing(open_segmenter(SegmenterChoice(), frame.size, on_notice=notice)))
    analyser = FrameAnalyser(segmenter=segmenter, plate=plate, look=Look(), matcher=None, clock=StageClock())
    return analyser.analyse(Frame(frame.pixels, 0, Fraction(1, 30), 0), frame.size)


class _Ours:
    """The app's own way: `Matcher` and `Compositor`."""

    def __init__(self, scene: Analysed) -> None:
        self._scene, self._look = scene, Look()
        match = self._look.match
        assert match is not None  # noqa: S101  (the default look matches)
        self._matcher = Matcher(load_engine(), match)
        self._compositor = Compositor()
        self._frames = 0

    def frame(self) -> Pixels:
        """One frame: a new estimate each time."""
        scene, self._frames = self._scene, self._frames + 1
        table = self._matcher.table(
            scene.foreground,
            scene.alpha,
            scene.plate,
            plate_key=scene.plate_key,
            is_static=True,
            time_s=self._frames / 30,
        )
        return self._compositor.compose(replace(scene, table=table), self._look).composite


class _Published:
    """The algorithm as published."""

    def __init__(self, scene: Analysed) -> None:
        self._scene = scene
        self._network = S2CRNet(NetworkConfig()).eval()
        self._label = torch.from_numpy(one_hot(SemanticClass.PERSON))
        self._planes = _planes(scene.foreground)
        self._plate = _planes(scene.plate)
        self._mask = torch.from_numpy(scene.alpha)[None, None].float() / 255.0
        self._box = coarse_box(scene.alpha) or (0, 0, *scene.frame.size)

    @torch.inference_mode()
    def frame(self) -> torch.Tensor:
        """One frame: (1, 3, H, W) uint8."""
        left, top, right, bottom = self._box
        looks = torch.cat([_look(self._scene.foreground[top:bottom, left:right]), _look(self._scene.plate)])
        embedded = self._network.embed(looks)
        knots = self._network.knots(embedded[:1], embedded[1:], self._label)
        matched = cascade(self._planes, knots.diff(dim=-1)).clamp(0, 1)
        return ((self._mask * matched + (1 - self._mask) * self._plate) * 255.0).round().byte()


def _look(pixels: Pixels) -> torch.Tensor:
    return _planes(np.asarray(cv2.resize(pixels, (PUBLISHED_THUMBNAIL_PX,) * 2, interpolation=cv2.INTER_LINEAR)))


def _planes(pixels: np.ndarray[Any, Any]) -> torch.Tensor:
    """(H, W, 3) uint8 -> (1, 3, H, W) float32 in [0, 1], in torch's default layout."""
    return (torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None].float() / 255.0).contiguous()


def _timed_ms(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return 1000.0 * (time.perf_counter() - started)
