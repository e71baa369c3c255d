"""A mask project's matched composite, through the same code as any other render."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path

from app.domain.frame import Frame
from app.domain.mask.document import MaskDocument, Span
from app.pipeline.encode_settings import EncodeSettings
from app.pipeline.engine_loading import load_engine
from app.pipeline.gpu.opening import compositing_device, open_compositor
from app.pipeline.kernel_cache import ensure_kernels
from app.pipeline.look_settings import look_of
from app.pipeline.looks import Analysed, Rendered
from app.pipeline.mask.looking import follow
from app.pipeline.mask.masks_in import ProjectMedia, opened_clip
from app.pipeline.matching import Matcher
from app.pipeline.plates import open_plate
from app.pipeline.render import RenderOutputs, RenderResult, Timing, render_video
from app.pipeline.render_notices import notices_of
from app.pipeline.stages import FrameProcessor

Report = Callable[[int], None]
"""Told how many frames of the clip have been gone through; may raise to stop."""


def nobody(_: int) -> None:
    """A report that nobody wants."""


@dataclass(frozen=True, slots=True)
class RenderWish:
    """whole: the clip from end to end, instead of the project's in-out range. device: as `render --device` takes it.

    encoding: what of a part of the clip follows from its being a part is added.
    """

    whole: bool = False
    overwrite: bool = False
    device: str = "cpu"
    encoding: EncodeSettings = field(default_factory=EncodeSettings)


def span_of(document: MaskDocument, *, whole: bool) -> Span:
    """The frames to write."""
    return Span() if whole else document.meta.span


def until_end(frames: Iterable[Frame], span: Span) -> Iterator[Frame]:
    """Frames from the clip's first to the span's last: what is remembered from frame to frame begins at the first."""
    return takewhile(lambda frame: span.last_pts is None or frame.pts <= span.last_pts, frames)


def render_project(
    document: MaskDocument,
    media: ProjectMedia,
    output: Path,
    wish: RenderWish = RenderWish(),
    *,
    on_notice: Callable[[str], None],
    report: Report = nobody,
) -> RenderResult:
    """Render the project's composite to `output`.

    Frames before the in-out range are looked at, so that those in it come out as in a render of the whole clip, but not
    put together nor written. The first one written is at time zero then, the sound begins and ends with the picture and
    stays in step. report is called on this thread. UserError as the parts raise it; whatever is raised, no unfinished
    file is left.
    """
    ensure_kernels()  # Opening a clip decodes its first frame: by the same loops as the others.
    settings, span = document.meta.settings, span_of(document, whole=wish.whole)
    look = look_of(settings)
    with open_plate(settings.plate) as plate, opened_clip(document, media, on_notice=on_notice) as (reader, segmenter):
        for note in plate.notes:
            on_notice(note)
        processor = _SpanProcessor(
            segmenter=segmenter,
            plate=plate,
            look=look,
            matcher=Matcher(load_engine(settings.match.model, device=wish.device), look.match) if look.match else None,
            compositor=open_compositor(compositing_device(wish.device), on_notice),
        )
        processor.span, processor.report = span, report
        follow(document, processor)
        info = reader.info
        outputs = RenderOutputs(
            video=output,
            audio_from=media.clip,
            inputs=media.inputs(document),
            settings=encoding_of(wish.encoding, span),
            overwrite=wish.overwrite,
        )
        timing = Timing(info.size, info.size, info.time_base, info.average_rate)
        result = render_video(until_end(reader, span), processor, outputs, timing)
    for note in notices_of(result, reader):
        on_notice(note)
    return result


def encoding_of(encoding: EncodeSettings, span: Span) -> EncodeSettings:
    """The same for a part of a clip: it begins at zero, and its sound ends with it."""
    return replace(
        encoding,
        from_first=span.first_pts is not None,
        audio_until_end=encoding.audio_until_end and span.last_pts is None,
    )


class _SpanProcessor(FrameProcessor):
    """The chain, but only the span's frames are put together; `report` is told of all."""

    span = Span()
    report: Report = staticmethod(nobody)

    def compose_all(self, frames: Iterable[Analysed]) -> Iterator[Rendered]:
        """Put the span's frames together, in order."""
        return super().compose_all(self._kept(frames))

    def _kept(self, frames: Iterable[Analysed]) -> Iterator[Analysed]:
        for count, analysed in enumerate(frames, 1):
            self.report(count)
            if analysed.frame.pts in self.span:
                yield analysed
