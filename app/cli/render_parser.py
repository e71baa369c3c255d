"""The words of `render`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Final

from app.cli import options

DESCRIPTION = """\
Put the person of a video on a new plate, colours matched, everything else of the file carried over untouched.
The whole clip is looked at before anything is drawn, so that mattes and colours are steady in both directions.
The output appears under its name only when it is complete. Interrupted, the same command goes on where it stopped.
"""

EPILOG = """\
Several clips, a folder of clips, or --manifest: -o names a folder. A manifest is CSV with a header, or JSON lines:
clip, and where wanted plate, output, deliver, from, to, fps, size, content. One bad clip never stops the others.

examples:
  platematch render talk.mp4 --plate beach.jpg -o out.mp4
  platematch render talk.mp4 --plate loft -o talk.mov --deliver prores-4444-alpha --verify
  platematch render talk.mp4 --plate loft -o talk.exr.d --deliver exr-sequence --cubes luts --curves curves.json
  platematch render shot_0001.png-folder --plate loft --sequence-rate 24 -o shot.mp4
  platematch render day1/ --plate office -o finished/ --deliver youtube-1080p --cluster auto

--json ends with one object: frames, fps, segments, reused, cpu_s, stages_ms, peak_rss_mb, match, notices, ...
"""


_FORMATS: Final = "h264 hevc av1 vp9 prores422 prores4444 dnxhr ffv1 png tiff exr gif webp".split()  # noqa: SIM905


def rate(text: str) -> Fraction:
    """A frame rate: `25`, `29.97` or `30000/1001`; 29.97 and its like mean thousandths of 1001."""
    try:
        value = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise argparse.ArgumentTypeError(f"{text} is not a frame rate such as 25 or 30000/1001") from None
    whole = round(value)
    ntsc = Fraction(whole * 1000, 1001)
    if abs(value - ntsc) < Fraction(1, 100) and value != whole:
        value = ntsc
    if not 0 < value <= 1000:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1000")
    return value


def time_s(text: str) -> float:
    """A time from the clip's first frame: seconds, `M:S` or `H:M:S`."""
    try:
        parts = [float(part) for part in text.split(":")]
    except ValueError:
        parts = []
    if not 1 <= len(parts) <= 3 or not all(part >= 0 for part in parts):
        raise argparse.ArgumentTypeError(f"{text} is not a time such as 12.5 or 1:05")
    seconds = 0.0
    for part in parts:
        seconds = 60 * seconds + part
    if seconds == float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not finite")
    return seconds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Every option of `render`."""
    parser.add_argument("clips", nargs="*", metavar="clip", help="videos, folders of videos, or a folder of pictures")
    options.add_plate(parser)
    _add_plate_sync(parser.add_argument_group("plate"))
    parser.add_argument("-o", "--output", required=True, help="file to write; a folder for pictures and several clips")
    add_delivery(parser.add_argument_group("delivery"))
    _add_part(parser.add_argument_group("part and time"))
    add_extras(parser.add_argument_group("also write"))
    work = parser.add_argument_group("work")
    add_work(work)
    _add_many(work)
    options.add_matte(parser)
    options.add_placement(parser)
    options.add_match(parser)


def _add_plate_sync(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--plate-sync",
        choices=("loop", "ping-pong", "hold"),
        default="loop",
        help="what a video plate does at its end (default: %(default)s)",
    )
    group.add_argument(
        "--plate-offset", type=float, default=0.0, metavar="S", help="start so far into a video plate, in seconds"
    )


class _Deliver(argparse.Action):
    """`--deliver NAME`; `--deliver list` says what there is and ends, whatever else was given, like --help."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        if values == "list":
            # Read here: what encodes is not wanted by commands that only parse.
            from app.pipeline.offline.presets import PRESETS

            width = max(len(preset.slug) for preset in PRESETS)
            sys.stdout.writelines(f"{preset.slug:{width}}  {preset.sentence}\n" for preset in PRESETS)
            parser.exit()
        setattr(namespace, self.dest, values)


def add_delivery(group: argparse._ArgumentGroup) -> None:
    """What is made, and how it is encoded."""
    group.add_argument(
        "--deliver", metavar="PRESET", action=_Deliver, help="a named delivery; `--deliver list` says which there are"
    )
    group.add_argument(
        "--format",
        choices=_FORMATS,
        help="codec or picture format (default: by the output's ending)",
    )
    group.add_argument(
        "--content",
        choices=("composite", "foreground", "matte", "side-by-side"),
        help="what is shown (default: composite)",
    )
    group.add_argument(
        "--alpha", choices=("none", "straight", "premultiplied"), help="an alpha channel (default: none)"
    )
    group.add_argument(
        "--depth", type=int, choices=(8, 10, 16), help="bits a sample (default: the clip's, where it fits)"
    )
    group.add_argument("--crf", type=int, help="quality, smaller is better (default: the format's)")
    group.add_argument("--preset", help="x264 speed preset (default: veryfast)")
    group.add_argument("--codec", help="FFmpeg encoder to use instead of the format's own")
    group.add_argument("--hardware", action="store_true", help="try the graphics card's encoder first")
    group.add_argument("--full-range", action="store_true", help="all codes instead of 16..235; few players expect it")
    group.add_argument(
        "--hdr", choices=("refuse", "tone-map"), default="refuse", help="what to do with PQ and HLG clips"
    )
    group.add_argument("--size", type=options.size, metavar="WxH", help="output size (default: the clip's)")
    group.add_argument("--no-sound", action="store_true", help="leave sound, subtitles and chapters out")
    group.add_argument("--overwrite", action="store_true", help="replace outputs that exist")


def _add_part(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--from", dest="from_s", type=time_s, metavar="T", help="begin at this time (12.5 or 1:05)")
    group.add_argument("--to", dest="to_s", type=time_s, metavar="T", help="end before this time")
    group.add_argument("--frames", type=options.positive_int, help="stop after this many frames")
    group.add_argument("--fps", type=rate, help="convert to this frame rate (default: every frame at its own time)")
    group.add_argument(
        "--sequence-rate", type=rate, default=Fraction(24), metavar="FPS", help="of a folder of pictures (default: 24)"
    )


def add_extras(group: argparse._ArgumentGroup) -> None:
    """What is written besides."""
    group.add_argument("--matte-out", metavar="F", help="the matte used, as a grey video")
    group.add_argument("--preview-sheet", metavar="PNG", help="original, matte, pasted, matched, side by side")
    group.add_argument("--cubes", metavar="DIR", help="a 3D LUT (.cube) of the matched curve of each scene")
    group.add_argument("--curves", metavar="JSON", help="the curve over time, as keys")


def add_work(group: argparse._ArgumentGroup) -> None:
    """How one delivery is worked on."""
    group.add_argument("--workers", type=options.positive_int, help="processes (default: one a core, as memory allows)")
    group.add_argument("--fresh", action="store_true", help="start over instead of going on where it stopped")
    group.add_argument("--verify", action="store_true", help="decode the result and check it; a failed check fails")
    group.add_argument("--cluster", metavar="ADDRESS", help="have a Ray cluster do it: auto, local or ray://host:port")
    group.add_argument(
        "--transfer",
        choices=("shared", "object-store"),
        default="shared",
        help="how a cluster gets at files: under the same paths, or carried along (default: %(default)s)",
    )


def _add_many(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--estimate", action="store_true", help="say how large and how long it will be, and stop")
    group.add_argument("--manifest", metavar="FILE", help="clips to render, as CSV or JSON lines")
