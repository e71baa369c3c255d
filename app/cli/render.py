"""`render`: the person of a video on a new plate."""

from __future__ import annotations

import argparse
from contextlib import ExitStack, closing
from pathlib import Path

from app.cli.console import Console
from app.cli.looks import look_from, match_summary, matcher_from, segmenter_from
from app.cli.paths import check_output
from app.domain.errors import ExitCode
from app.pipeline.encode_settings import EncodeSettings
from app.pipeline.gpu.opening import compositing_device, open_compositor
from app.pipeline.image_saving import check_output as check_picture_output
from app.pipeline.looks import Rendered
from app.pipeline.matching import Matcher
from app.pipeline.plates import open_plate
from app.pipeline.render import RenderOutputs, RenderResult, Timing, render_video
from app.pipeline.render_notices import notices_of
from app.pipeline.stages import FrameProcessor
from app.pipeline.threads import share_cores
from app.pipeline.video_reader import VideoReader


def run(args: argparse.Namespace, console: Console) -> ExitCode:
    """Render the clip; UserError as the parts raise it."""
    clip, outputs = Path(args.clip), _outputs(args)
    _check_outputs(args, outputs)
    look = look_from(args)
    share_cores()
    with ExitStack() as stack:
        reader = stack.enter_context(VideoReader(clip, max_frames=args.frames))
        plate = stack.enter_context(open_plate(args.plate, fit=args.fit))
        info = reader.info
        console.tell(plate.notes)
        segmenter = stack.enter_context(closing(segmenter_from(args, info.size, console)))
        matcher = matcher_from(args, look)
        compositor = open_compositor(compositing_device(args.device), console.notice)
        processor = FrameProcessor(segmenter=segmenter, plate=plate, look=look, matcher=matcher, compositor=compositor)
        timing = Timing(args.size or info.size, info.size, info.time_base, info.average_rate)
        total = min(filter(None, (info.frame_count_hint, args.frames)), default=None)
        with console.progress("rendering", total) as ticker:

            def report(_: Rendered) -> None:
                ticker.tick()

            result = render_video(reader, processor, outputs, timing, report=report)
    console.tell(notices_of(result, reader))
    _finish(args, result, reader, matcher, console)
    return ExitCode.OK


def _outputs(args: argparse.Namespace) -> RenderOutputs:
    clip = Path(args.clip)
    inputs = [clip] + [Path(p) for p in (args.plate, args.mask) if p and Path(p).is_file()]
    return RenderOutputs(
        video=Path(args.output),
        matte=Path(args.matte_out) if args.matte_out else None,
        sheet=Path(args.preview_sheet) if args.preview_sheet else None,
        audio_from=clip,
        inputs=tuple(inputs),
        settings=EncodeSettings(
            codec=args.codec, crf=args.crf, preset=args.preset, audio_until_end=args.frames is None
        ),
        overwrite=args.overwrite,
    )


def _check_outputs(args: argparse.Namespace, outputs: RenderOutputs) -> None:
    for path in (outputs.video, outputs.matte, outputs.sheet):
        if path is not None:
            check_output(path, inputs=outputs.inputs, overwrite=args.overwrite)
    if outputs.sheet is not None:
        check_picture_output(outputs.sheet)


def _finish(
    args: argparse.Namespace,
    result: RenderResult,
    reader: VideoReader,
    matcher: Matcher | None,
    console: Console,
) -> None:
    console.say(f"{args.output}: {result.frames} frames, {result.fps:.1f} frames/s")
    if console.is_json:
        console.result(
            {
                "output": args.output,
                "frames": result.frames,
                "fps": round(result.fps, 2),
                "stages_ms": result.stages_ms,
                "peak_rss_mb": result.peak_rss_mb,
                "match": match_summary(matcher.engine if matcher else None),
                "frames_without_person": result.frames_without_person,
                "damaged_frames": reader.damaged_frames,
                "audio_packets": result.audio_packets,
                "notices": console.notices,
            }
        )
