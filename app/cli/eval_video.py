"""`eval-video`: how right and how steady the colour match is over time, by smoothing."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from app.cli.bench import machine
from app.cli.console import Console
from app.cli.paths import check_output
from app.domain.errors import ExitCode, UserError
from app.pipeline.threads import share_cores
from app.pipeline.video_evaluation import MIN_REST_S, SCENES_A_CLIP, Measurement, evaluate_video, smoothing_name
from app.pipeline.video_evaluation_report import HEADERS, LEGEND, as_csv, steadiest, summarize, tables
from app.pipeline.video_scenes import MIN_FRAMES
from harmonizer import SmoothingSettings
from harmonizer.weights import write_beside


def run(args: argparse.Namespace, console: Console) -> ExitCode:
    """Measure every clip; one table, or one JSON object."""
    clips = [Path(clip) for clip in args.clips]
    _check(args, clips)
    share_cores()
    weights: Sequence[str | None] = args.weights or [None]
    with console.progress("evaluating", SCENES_A_CLIP * len(clips) * len(weights)) as ticker:
        rows = evaluate_video(
            clips,
            weights,
            max_frames=args.frames,
            rest_s=args.rest,
            notice=console.notice,
            tick=ticker.tick,
        )
    if args.csv:
        _write_csv(Path(args.csv), rows)
    summaries = summarize(rows)
    chosen = {name: best.smoothing for name, best in steadiest(summaries).items()}
    if console.is_json:
        result = {"default": smoothing_name(SmoothingSettings()), "steadiest": chosen, "csv": args.csv}
        result |= {"methods": [s.as_dict() for s in summaries], "measurements": [row.as_dict() for row in rows]}
        console.result(result | {"notices": console.notices} | machine())
        return ExitCode.OK
    for name, lines in tables(summaries).items():
        console.table(f"{name} over time, {len(clips)} clips of at most {args.frames} frames", HEADERS, lines)
    console.say("\n".join(LEGEND))
    return ExitCode.OK


def _check(args: argparse.Namespace, clips: Sequence[Path]) -> None:
    if args.frames < MIN_FRAMES:
        raise UserError(f"{args.frames} frames are too few.", f"Give at least {MIN_FRAMES}.", code=ExitCode.USAGE)
    if args.rest < MIN_REST_S:
        raise UserError(f"{args.rest:g} s at rest is too short.", f"Give at least {MIN_REST_S:g}.", code=ExitCode.USAGE)
    if args.csv:
        inputs = (*clips, *(Path(name) for name in args.weights or ()))
        check_output(Path(args.csv), inputs=inputs, overwrite=args.overwrite)


def _write_csv(path: Path, rows: Sequence[Measurement]) -> None:
    try:
        write_beside(path, as_csv(rows).encode())
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{path} can't be written: {reason}.", "Choose another place.", code=ExitCode.OUTPUT) from error
