"""Rendering a whole clip. Imports the networks: for the render's thread only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from app.domain.frame import Frame
from app.domain.settings import Settings
from app.pipeline.engine_loading import load_engine
from app.pipeline.look_settings import look_of, segmenter_choice_of
from app.pipeline.matching import Matcher
from app.pipeline.plates import open_plate
from app.pipeline.render import RenderOutputs, Timing, render_video
from app.pipeline.render_notices import notices_of
from app.pipeline.segmenter_choice import open_segmenter
from app.pipeline.stages import FrameProcessor
from app.pipeline.threads import share_cores
from app.pipeline.video_reader import VideoReader
from app.ui.choices import ClipInfo, RenderReport
from app.ui.clips import sample_frames


def render_clip(clip: ClipInfo, settings: Settings, output: Path, *, report: Callable[[int], None]) -> RenderReport:
    """Render the clip to `output`; `report` is called with the number of frames done and may raise to stop.

    UserError as the parts raise it. Nothing unfinished is left behind, whatever is raised.
    """
    notices: list[str] = []
    done = 0

    def count(_: object) -> None:
        nonlocal done
        done += 1
        report(done)

    report(0)
    share_cores()
    look = look_of(settings)
    matcher = Matcher(load_engine(settings.match.model), look.match) if look.match else None
    segmenter = open_segmenter(segmenter_choice_of(settings.person), clip.size, on_notice=notices.append)
    try:
        with open_plate(settings.plate) as plate, _frames(clip) as frames:
            processor = FrameProcessor(segmenter=segmenter, plate=plate, look=look, matcher=matcher)
            outputs = _outputs(clip, settings, output)
            timing = Timing(clip.size, clip.size, clip.time_base, clip.average_rate)
            result = render_video(frames, processor, outputs, timing, report=count)
            notices += notices_of(result, frames if isinstance(frames, VideoReader) else None)
    finally:
        segmenter.close()
    return RenderReport(output, result.frames, result.seconds, tuple(notices))


def _outputs(clip: ClipInfo, settings: Settings, output: Path) -> RenderOutputs:
    read = [path for path in (clip.source, Path(settings.plate)) if isinstance(path, Path) and path.is_file()]
    audio_from = clip.source if isinstance(clip.source, Path) else None
    return RenderOutputs(video=output, audio_from=audio_from, inputs=tuple(read))


@contextmanager
def _frames(clip: ClipInfo) -> Iterator[Iterable[Frame]]:
    if not isinstance(clip.source, Path):
        yield sample_frames()
        return
    with VideoReader(clip.source) as reader:
        yield reader
