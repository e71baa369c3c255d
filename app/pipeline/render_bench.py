"""Frames per second of a real render with encoding, split by stage."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from app.pipeline.engine_loading import load_engine
from app.pipeline.matching import Matcher
from app.pipeline.plates import open_plate
from app.pipeline.render import RenderOutputs, Timing, render_video
from app.pipeline.segmenter_choice import SegmenterChoice, open_segmenter
from app.pipeline.stages import FrameProcessor, Look
from app.pipeline.video_reader import VideoReader


def bench_render(clip: Path, plate_name: str, *, frames: int | None, notice: Callable[[str], None]) -> dict[str, Any]:
    """Render a clip with the default look into a folder that is removed; the figures of `RenderResult`.

    fps counts everything from the first decoded frame to the renamed file. UserError as for a render.
    """
    look = Look()
    with (
        tempfile.TemporaryDirectory() as folder,
        VideoReader(clip, max_frames=frames) as reader,
        open_plate(plate_name) as plate,
        closing(open_segmenter(SegmenterChoice(), reader.info.size, on_notice=notice)) as segmenter,
    ):
        info = reader.info
        processor = FrameProcessor(
            segmenter=segmenter,
            plate=plate,
            look=look,
            matcher=Matcher(load_engine(), look.match) if look.match else None,
        )
        outputs = RenderOutputs(video=Path(folder) / "bench.mp4", audio_from=clip)
        timing = Timing(info.size, info.size, info.time_base, info.average_rate)
        result = render_video(reader, processor, outputs, timing)
    return {
        "clip": clip.name,
        "size": f"{info.width}x{info.height}",
        "frames": result.frames,
        "fps": round(result.fps, 2),
        "stages_ms": result.stages_ms,
        "peak_rss_mb": result.peak_rss_mb,
    }
