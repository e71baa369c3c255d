"""What each stage costs by itself: one after the other, on one thread, frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import cv2
import numpy as np

from app.domain.cells import shrink
from app.domain.compositing import Size, as_uint8
from app.domain.frame import Frame, Pixels
from app.pipeline.analyser import FrameAnalyser
from app.pipeline.bench.figures import StageTimes
from app.pipeline.bench.machine import limited_threads
from app.pipeline.bench.preview import WINDOW_PREVIEW_PX, to_bgra
from app.pipeline.encode_settings import EncodeSettings
from app.pipeline.engine_loading import load_engine
from app.pipeline.looks import Analysed, Look
from app.pipeline.matching import Matcher, coarse_box
from app.pipeline.media_safety import MEDIA_ERRORS, damaged, open_media, picture_stream
from app.pipeline.plates import OpenPlate, open_plate
from app.pipeline.segmentation import LiteRtSelfieSegmenter
from app.pipeline.segmenter_choice import model_for
from app.pipeline.selfie_networks import LiteRtNetwork
from app.pipeline.stages import Compositor
from app.pipeline.video_info import VideoInfo
from app.pipeline.video_reader import VideoReader
from app.pipeline.video_writer import FrameConverter
from app.pipeline.yuv import RgbConverter

ENCODER_PRESETS: Final = ("ultrafast", "superfast", "veryfast")
YARDSTICK: Final = "copy of a frame"
"""The least that touching every pixel once costs here."""

_LOOKAHEAD: Final = 24
"""x264 collects a dozen pictures before it begins: until then its calls cost next to nothing."""


def bench_stages(
    clip: Path, plate_name: str, *, frames: int, notice: Callable[[str], None], tick: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """Median and 95th percentile, wall and CPU time, of every stage over `frames` frames of a clip, the default look.

    "segment", "refine", "clean edge", "match" and "composite" are the app's own; "match: table" and the like are parts
    of them, run a second time. UserError as for a render.
    """
    with VideoReader(clip, max_frames=1) as reader:
        info = reader.info
    times = StageTimes()
    with ExitStack() as held:
        held.enter_context(limited_threads(1))
        plate = held.enter_context(open_plate(plate_name))
        line = _Line(info, plate, times, held, notice)
        count = 0
        for picture in _decoded(clip, times, frames):
            line.run(picture, count)
            count += 1
            tick()
    by_kind = {kind: _parts_below(stages) for kind, stages in times.as_dict().items()}
    return {"clip": clip.name, "size": f"{info.width}x{info.height}", "frames": count, "threads": 1, **by_kind}


def _parts_below(stages: Mapping[str, float]) -> dict[str, float]:
    """Each part behind the stage it is a part of."""
    wholes = [stage for stage in stages if stage.partition(":")[0] not in stages or ":" not in stage]
    order = [name for whole in wholes for name in (whole, *(s for s in stages if s.startswith(f"{whole}:")))]
    return {stage: stages[stage] for stage in order}


def _decoded(clip: Path, times: StageTimes, frames: int) -> Iterator[av.VideoFrame]:
    """The first frames as the decoder gives them, decoding timed."""
    with closing(open_media(clip)) as container:
        stream = picture_stream(container, clip)
        stream.thread_type = "NONE"
        stream.codec_context.thread_count = 1
        pictures = container.decode(stream)
        for _ in range(frames):
            try:
                with times.time("decode"):
                    picture = next(pictures, None)
            except MEDIA_ERRORS as error:
                raise damaged(clip, "is damaged: not all of its pictures can be decoded") from error
            if picture is None:
                return
            yield picture


class _Line:
    """All stages, from a decoded picture to encoded ones."""

    def __init__(
        self, info: VideoInfo, plate: OpenPlate, times: StageTimes, held: ExitStack, notice: Callable[[str], None]
    ) -> None:
        self._times, self._plate, self._look = times, plate, Look()
        self._rate = info.average_rate or Fraction(30)
        self._to_rgb = RgbConverter(info.color)
        model = model_for("auto", info.size)
        segmenter = held.enter_context(closing(LiteRtSelfieSegmenter(model, threads=1, on_notice=notice)))
        self._network = held.enter_context(closing(LiteRtNetwork(model, threads=1)))
        self._engine = load_engine()
        matcher = Matcher(self._engine, self._look.match) if self._look.match else None
        self._analyser = FrameAnalyser(segmenter=segmenter, plate=plate, look=self._look, matcher=matcher, clock=times)
        self._compositor = Compositor()
        self._out: _Out | None = None

    def run(self, picture: av.VideoFrame, index: int) -> None:
        """One frame through everything."""
        with self._times.time("YUV to RGB"):
            pixels = self._to_rgb(picture)
        self._look_at(pixels)
        frame = Frame(pixels, pts=index, time_base=1 / self._rate, index=index)
        analysed = self._analyser.analyse(frame, frame.size)
        self._match_in_parts(analysed)
        with self._times.time("composite"):
            composite = self._compositor.compose(analysed, self._look).composite
        if self._out is None:
            self._out = _Out(frame.size, self._rate, self._times)
        self._out.run(composite, index)
        with self._times.time("for the screen"):
            to_bgra(composite, WINDOW_PREVIEW_PX)
        with self._times.time(YARDSTICK):
            composite.copy()

    def _look_at(self, pixels: Pixels) -> None:
        """The parts of "segment"."""
        with self._times.time("segment: thumbnail"):
            small = shrink(pixels, self._network.size)
        with self._times.time("segment: network"):
            self._network.infer(small)

    def _match_in_parts(self, analysed: Analysed) -> None:
        side = (self._engine.thumbnail_px,) * 2
        plate = _thumbnail(analysed.plate, side)
        with self._times.time("match: plate embedding"):
            known = self._engine.embed_plate(plate)
        box = coarse_box(analysed.alpha) or (0, 0, *analysed.frame.size)
        inside = np.s_[box[1] : box[3], box[0] : box[2]]
        foreground = _thumbnail(analysed.foreground[inside], side)
        coverage, standing = _thumbnail(analysed.alpha[inside], side), _thumbnail(analysed.alpha, side)
        with self._times.time("match: estimate"):
            knots = self._engine.estimate(foreground, coverage, known, standing=standing)
        if self._analyser.matcher is not None:
            with self._times.time("match: table"):
                self._analyser.matcher.settle(knots, analysed.frame.time_s)


class _Out:
    """Conversion and encoders for frames of one size."""

    def __init__(self, size: Size, rate: Fraction, times: StageTimes) -> None:
        padded = EncodeSettings().padding_for("libx264", width=size[0], height=size[1])
        self._converter = FrameConverter("yuv420p", padded=padded)
        self._times, self._rate = times, rate
        coded = size[0] + padded[0], size[1] + padded[1]
        self._encoders = {preset: _encoder(coded, rate, preset) for preset in ENCODER_PRESETS}

    def run(self, composite: Pixels, index: int) -> None:
        """Convert a picture and encode it once for each preset."""
        with self._times.time("RGB to YUV"):
            coded = self._converter.frame(composite, "rgb24")
        coded.time_base = 1 / self._rate
        if index == 0:
            self._fill(coded)
        coded.pts = _LOOKAHEAD + index
        for preset, encoder in self._encoders.items():
            with self._times.time(f"encode, {preset}"):
                encoder.encode(coded)

    def _fill(self, picture: av.VideoFrame) -> None:
        """Have the encoders look ahead at copies of the first picture, so that each call encodes one from then on."""
        for encoder in self._encoders.values():
            for pts in range(_LOOKAHEAD):
                picture.pts = pts
                encoder.encode(picture)


def _encoder(size: Size, rate: Fraction, preset: str) -> Any:
    context: Any = av.CodecContext.create("libx264", "w")
    context.width, context.height = size
    context.pix_fmt, context.time_base, context.framerate = "yuv420p", 1 / rate, rate
    context.options = EncodeSettings(preset=preset).options_for("libx264") | {"threads": "1"}
    context.thread_count = 1
    context.open()
    return context


def _thumbnail(picture: Pixels, size: Size) -> Pixels:
    return as_uint8(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
