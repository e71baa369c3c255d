"""`demo`: the main job on an embedded sample, with pasted and matched in one picture."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from contextlib import closing
from fractions import Fraction
from pathlib import Path

from app.cli.console import Console
from app.cli.looks import look_from, match_summary, matcher_from
from app.cli.paths import check_output
from app.domain.errors import ExitCode
from app.pipeline.demo_reel import DEMO_PLATES, PlateReel, wipe
from app.pipeline.demo_source import demo_frames
from app.pipeline.looks import Rendered
from app.pipeline.render import RenderOutputs, Timing, render_video
from app.pipeline.segmenter_choice import SegmenterChoice, open_segmenter
from app.pipeline.stages import FrameProcessor
from app.pipeline.threads import share_cores

SIZE = (1280, 720)
RATE = Fraction(25)


def run(args: argparse.Namespace, console: Console) -> ExitCode:
    """Render the sample over the built-in plates."""
    output = Path(args.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    sheet = output.with_name(f"{output.stem}-sheet.png")
    check_output(output)
    look = look_from(args)
    share_cores()
    matcher = matcher_from(args, look)
    segmenting = closing(open_segmenter(SegmenterChoice(), SIZE, on_notice=console.notice))
    with PlateReel(DEMO_PLATES, seconds=args.seconds) as reel, segmenting as segmenter:
        processor = FrameProcessor(segmenter=segmenter, plate=reel, look=look, matcher=matcher)
        with console.progress("demo", round(args.seconds * RATE)) as ticker:

            def report(_: Rendered) -> None:
                ticker.tick()

            result = render_video(
                demo_frames(size=SIZE, rate=RATE, seconds=args.seconds),
                processor,
                RenderOutputs(video=output, sheet=sheet),
                Timing(SIZE, SIZE, 1 / RATE, RATE),
                view=lambda rendered: wipe(rendered, plate_seconds=reel.plate_seconds),
                report=report,
            )
    console.say(f"{output}: {result.frames} frames, {result.fps:.1f} frames/s; stills in {sheet}")
    if console.is_json:
        console.result(
            {
                "output": str(output),
                "sheet": str(sheet),
                "frames": result.frames,
                "fps": round(result.fps, 2),
                "stages_ms": result.stages_ms,
                "peak_rss_mb": result.peak_rss_mb,
                "match": match_summary(matcher.engine if matcher else None),
            }
        )
    if args.open:
        show(output)
    return ExitCode.OK


def show(path: Path) -> None:
    """Open a file in the system's own player; nothing happens where there is no screen or no opener."""
    if sys.platform == "win32":
        os.startfile(path)  # noqa: S606  (a file we have just written)
        return
    opener = "open" if sys.platform == "darwin" else "xdg-open"
    if sys.platform != "darwin" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return
    try:
        nothing = subprocess.DEVNULL
        # cv2 points these into its own folder at import; a Qt player would look for its plugins there.
        clean = {k: v for k, v in os.environ.items() if k not in ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR")}
        subprocess.Popen([opener, str(path)], stdin=nothing, stdout=nothing, stderr=nothing, env=clean)  # noqa: S603
    except OSError:
        return
