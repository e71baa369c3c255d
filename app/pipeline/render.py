"""A whole video through the chain, in bounded memory.

While frame n is put together, the matte of n + 1 is finished, the person in n + 2 looked for, those after it are
decoded and those before it encoded, each on a thread of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Final

from app.domain.compositing import Size
from app.domain.frame import Frame, Pixels
from app.pipeline.analyser import ESTIMATE_EVERY_S
from app.pipeline.contact_sheet import ContactSheet
from app.pipeline.encode_settings import EncodeSettings
from app.pipeline.handover import WriteBehind, read_ahead
from app.pipeline.kernel_cache import ensure_kernels
from app.pipeline.looks import Rendered
from app.pipeline.stages import FrameProcessor
from app.pipeline.stats import StageClock, peak_rss_mb
from app.pipeline.video_time import rescaled
from app.pipeline.video_writer import VideoWriter

DECODE_AHEAD_FRAMES: Final = 4
FIND_AHEAD: Final = 2
ANALYSE_AHEAD: Final = 2
ENCODE_BEHIND_FRAMES: Final = 4


@dataclass(frozen=True)
class RenderOutputs:
    """Where results go. audio_from: file whose sound is copied. inputs: files no output may replace."""

    video: Path
    matte: Path | None = None
    sheet: Path | None = None
    audio_from: Path | None = None
    inputs: tuple[Path, ...] = ()
    settings: EncodeSettings = field(default_factory=EncodeSettings)
    overwrite: bool = True


@dataclass(frozen=True)
class Timing:
    """Sizes (width, height) and clock of a stream. size: of the composite; source_size: of the frames."""

    size: Size
    source_size: Size
    time_base: Fraction
    average_rate: Fraction | None


@dataclass(frozen=True)
class RenderResult:
    """What was done. frames_without_person: plate only. padded: (right, bottom) px added by the codec."""

    frames: int
    frames_without_person: int
    seconds: float
    stages_ms: dict[str, float]
    peak_rss_mb: float
    padded: tuple[int, int]
    audio_packets: int
    audio_cut_short: bool

    @property
    def fps(self) -> float:
        """Frames per second of wall time."""
        return self.frames / self.seconds if self.seconds > 0 else 0.0


def composite_of(rendered: Rendered) -> Pixels:
    """Return the finished picture: what a video shows unless asked otherwise."""
    return rendered.composite


def render_video(
    frames: Iterable[Frame],
    processor: FrameProcessor,
    outputs: RenderOutputs,
    timing: Timing,
    *,
    view: Callable[[Rendered], Pixels] = composite_of,
    report: Callable[[Rendered], None] = lambda _: None,
) -> RenderResult:
    """Process every frame and write the results; nothing gets its final name unless all went well.

    frames: in presentation order. view: what of a finished frame goes into the video. report: called for every
    finished frame on this thread. UserError as the writers raise it; on any exception, an interrupt included,
    part files are removed and earlier files of the same names are kept.
    """
    ensure_kernels()
    processor.analyser.estimate_every_s = ESTIMATE_EVERY_S
    clock, started = processor.clock, time.perf_counter()
    sheet = ContactSheet() if outputs.sheet else None
    count = empty = 0
    with ExitStack() as stack:
        writers = _Writers(stack, outputs, timing)

        def write(rendered: Rendered) -> None:
            with clock.time("encode"):
                writers.append(rendered, view(rendered))

        behind = stack.enter_context(WriteBehind(write, depth=ENCODE_BEHIND_FRAMES))
        ahead = stack.enter_context(closing(read_ahead(_timed(frames, clock), depth=DECODE_AHEAD_FRAMES)))
        analyser = processor.analyser
        found = stack.enter_context(closing(read_ahead(map(analyser.find, ahead), depth=FIND_AHEAD)))
        completed = (analyser.complete(item, timing.size) for item in found)
        analysed = stack.enter_context(closing(read_ahead(completed, depth=ANALYSE_AHEAD)))
        for rendered in processor.compose_all(analysed):
            behind.put(rendered)
            if sheet is not None:
                sheet.add(rendered)
            count += 1
            empty += not rendered.has_person
            report(rendered)
    if sheet is not None and outputs.sheet is not None:
        sheet.save(outputs.sheet)
    return RenderResult(
        frames=count,
        frames_without_person=empty,
        seconds=time.perf_counter() - started,
        stages_ms=clock.medians_ms(),
        peak_rss_mb=round(peak_rss_mb(), 1),
        padded=writers.video.padded,
        audio_packets=writers.video.audio_packets,
        audio_cut_short=writers.video.audio_cut_short,
    )


def _timed(frames: Iterable[Frame], clock: StageClock) -> Iterator[Frame]:
    iterator = iter(frames)
    while True:
        with clock.time("decode"):
            frame = next(iterator, None)
        if frame is None:
            return
        yield frame


class _Writers:
    """The composite's writer and, if asked for, the matte's; both are finished, or both discarded."""

    def __init__(self, stack: ExitStack, outputs: RenderOutputs, timing: Timing) -> None:
        self.video = stack.enter_context(
            VideoWriter(
                outputs.video,
                width=timing.size[0],
                height=timing.size[1],
                time_base=timing.time_base,
                average_rate=timing.average_rate,
                settings=outputs.settings,
                source_audio=outputs.audio_from,
                inputs=outputs.inputs,
                overwrite=outputs.overwrite,
            )
        )
        self._matte = stack.enter_context(self._matte_writer(outputs, timing)) if outputs.matte else None

    @staticmethod
    def _matte_writer(outputs: RenderOutputs, timing: Timing) -> VideoWriter:
        assert outputs.matte is not None  # noqa: S101  (the caller looked)
        return VideoWriter(
            outputs.matte,
            width=timing.source_size[0],
            height=timing.source_size[1],
            time_base=timing.time_base,
            average_rate=timing.average_rate,
            settings=EncodeSettings(gray=True),
            inputs=(*outputs.inputs, outputs.video),
            overwrite=outputs.overwrite,
        )

    def append(self, rendered: Rendered, pixels: Pixels) -> None:
        """Encode one finished frame's view and its matte."""
        frame = rendered.frame
        self.video.append(Frame(pixels, frame.pts, frame.time_base, frame.index))
        if self._matte is not None:
            pts = rescaled(frame.pts, frame.time_base, self._matte.time_base)
            self._matte.append_alpha(rendered.alpha, pts=pts)
