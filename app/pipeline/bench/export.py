"""A real export with its encoding: frames a second, time by stage, cores, and memory along its length."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from app.pipeline.bench.machine import CpuMeter, rss_mb
from app.pipeline.encode_settings import EncodeSettings
from app.pipeline.engine_loading import load_engine
from app.pipeline.looks import Look, Rendered
from app.pipeline.matching import Matcher
from app.pipeline.plates import open_plate
from app.pipeline.render import RenderOutputs, Timing, render_video
from app.pipeline.segmenter_choice import SegmenterChoice, open_segmenter
from app.pipeline.stages import FrameProcessor
from app.pipeline.threads import share_cores
from app.pipeline.video_reader import VideoReader


def bench_export(
    clip: Path,
    plate_name: str,
    *,
    preset: str,
    frames: int | None,
    notice: Callable[[str], None],
    tick: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Render a clip with the default look into a folder that is removed.

    fps counts everything from the first decoded frame to the renamed file. rss_mb: the peak while rendering;
    rss_third_mb, rss_end_mb: after a third of the frames and after the last. UserError as for a render.
    """
    look, settings, rss = Look(), EncodeSettings(preset=preset), [rss_mb()]

    def report(_: Rendered) -> None:
        rss.append(rss_mb())
        tick()

    share_cores()
    with (
        tempfile.TemporaryDirectory(prefix="platematch-bench-") as folder,
        VideoReader(clip, max_frames=frames) as reader,
        open_plate(plate_name) as plate,
        closing(open_segmenter(SegmenterChoice(), reader.info.size, on_notice=notice)) as segmenter,
    ):
        info = reader.info
        matcher = Matcher(load_engine(), look.match) if look.match else None
        processor = FrameProcessor(segmenter=segmenter, plate=plate, look=look, matcher=matcher)
        outputs = RenderOutputs(video=Path(folder) / "bench.mp4", audio_from=clip, settings=settings)
        timing = Timing(info.size, info.size, info.time_base, info.average_rate)
        cpu = CpuMeter()
        result = render_video(reader, processor, outputs, timing, report=report)
    return {
        "clip": clip.name,
        "size": f"{info.width}x{info.height}",
        "preset": preset,
        "frames": result.frames,
        "seconds": round(result.seconds, 3),
        "fps": round(result.fps, 2),
        "stages_ms": result.stages_ms,
        **cpu.facts(),
        "rss_mb": max(rss),
        "rss_third_mb": rss[max(1, result.frames // 3)],
        "rss_end_mb": rss[-1],
    }
