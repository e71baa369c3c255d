"""From the options of `render` to a delivery's job."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.cli.looks import look_from
from app.domain.errors import ExitCode, UserError
from app.pipeline.encode_settings import PRESETS as SPEEDS
from app.pipeline.offline.encoder_options import SOFTWARE
from app.pipeline.offline.formats import Encoding, FormatName, format_for
from app.pipeline.offline.job import Extras, Job, Trim
from app.pipeline.offline.presets import DeliveryPreset, preset_named
from app.pipeline.offline.running import JobResult
from app.pipeline.plate_sync import PlateSync
from app.pipeline.segmenter_choice import SegmenterChoice


def job_from(args: argparse.Namespace, clip: Path, output: Path | None = None) -> Job:
    """The job of one clip. output: instead of the one named. UserError (USAGE) for values that can't be."""
    output = output or Path(args.output)
    preset = None if args.deliver is None else preset_named(args.deliver)
    return Job(
        clip=clip,
        plate=args.plate,
        output=output,
        look=look_from(args),
        person=SegmenterChoice(
            mask=Path(args.mask) if args.mask else None, key_color=args.key, model=args.model, engine=args.engine
        ),
        encoding=encoding_from(args, output, preset),
        content=args.content or (preset.content if preset else "composite"),
        extras=extras_from(args),
        fit=args.fit,
        sync=PlateSync(args.plate_sync, args.plate_offset),
        trim=Trim(args.from_s, args.to_s),
        size=args.size,
        max_size=preset.max_size if preset else None,
        rate=args.fps,
        sequence_rate=args.sequence_rate,
        max_frames=args.frames,
        weights=args.weights,
        device=args.device,
        hdr=args.hdr,
        has_sound=not args.no_sound,
        overwrite=args.overwrite,
    )


def extras_from(args: argparse.Namespace) -> Extras:
    """What else is to be written."""
    named = (args.matte_out, args.preview_sheet, args.cubes, args.curves)
    return Extras(*(Path(path) if path else None for path in named))


def _format_of(encoder: str | None) -> FormatName | None:
    """What an FFmpeg encoder makes, where that is plain; None leaves it to the output's ending."""
    return next((name for name, usual in SOFTWARE.items() if usual == encoder), None)


def encoding_from(args: argparse.Namespace, output: Path, preset: DeliveryPreset | None) -> Encoding:
    """The preset's encoding with what was said besides; by the output's ending without one."""
    start = preset.encoding if preset else Encoding(format=format_for(output, args.format or _format_of(args.codec)))
    if preset and args.format:
        start = replace(start, format=args.format)
    if args.preset is not None and args.preset not in SPEEDS:
        raise UserError(
            f"“{args.preset}” is no encoding speed.", f"Use one of {', '.join(SPEEDS)}.", code=ExitCode.USAGE
        )
    said = {"alpha": args.alpha, "depth": args.depth, "crf": args.crf, "preset": args.preset, "encoder": args.codec}
    given: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
    given |= {name: True for name in ("hardware", "full_range") if getattr(args, name)}
    return replace(start, **given)


def facts_of(result: JobResult, notices: list[str]) -> dict[str, object]:
    """A finished delivery for machines."""
    return {
        "output": str(result.output),
        "frames": result.frames,
        "fps": round(result.fps, 2),
        "seconds": round(result.seconds, 3),
        "cpu_s": result.cpu_s,
        "segments": result.segments,
        "reused": result.reused,
        "stages_ms": result.stages_ms,
        "peak_rss_mb": result.peak_rss_mb,
        "match": result.match,
        "frames_without_person": result.frames_without_person,
        "damaged_frames": result.damaged_frames,
        "lost_frames": result.lost_frames,
        "audio_packets": result.audio_packets,
        "verified": result.verified,
        "notices": notices,
    }
