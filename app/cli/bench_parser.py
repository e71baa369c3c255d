"""The words of `bench`: one command a benchmark."""

from __future__ import annotations

import argparse
from typing import Final, TypeAlias

from app.cli import bench_gpu, bench_lookahead, bench_mask, options

EPILOG: Final = """\
examples:
  platematch bench stages --size 1920x1080 --plot stages.png
  platematch bench live --clip talk.mp4 --size 1920x1080 --seconds 60 --record out.mp4 --json
  platematch bench live --size 1920x1080 --unpaced
  platematch bench export --size 3840x2160 --preset superfast
  platematch bench reference
  platematch bench scale --plot scale.png
  platematch bench mask --json

--json prints one object, with these where they apply: fps, dropped_pct, latency_p95_ms, ratio, rss_mb (the peak),
cpu_cores (user and system seconds a second), stages_ms (medians), and machine (what it was measured on).
"""

_SIZES: Final = "clip's size; it is scaled first, unmeasured (default: its own, the sample's 1920x1080)"

Benches: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_benches(parser: argparse.ArgumentParser) -> None:
    """All benchmarks; `args.what` is the chosen one's name."""
    benches = parser.add_subparsers(title="benchmarks", metavar="BENCHMARK", dest="what", required=True)
    _stages(_bench(benches, "stages", "what each stage costs alone, on one thread"))
    _live(_bench(benches, "live", "the live picture's pipeline without a window"))
    _window(_bench(benches, "window", "the window, in a process of its own"))
    _export(_bench(benches, "export", "a real export with its encoding"))
    _reference(_bench(benches, "reference", "match and render against the published algorithm, in one run"))
    _scale(_bench(benches, "scale", "how the cost grows from 360p to 8K, on 1 to 8 threads"))
    bench_gpu.add_arguments(_bench(benches, "gpu", "what an NVIDIA card does with a frame"))
    _add_offline(_bench(benches, "offline", "deliveries: workers, segments, going on where it stopped"))
    bench_mask.add_arguments(_bench(benches, "mask", "Mask mode: brush, seeking, corrections carried on, projects"))
    bench_lookahead.add_arguments(_bench(benches, "lookahead", "what knowing the frames to come makes steadier"))
    _curves(_bench(benches, "curves", "rendering a curve against the published way, without the network"))
    _network(_bench(benches, "network", "estimating a curve against the published network"))
    _matte(_bench(benches, "matte", "quality and time of mattes whose truth is known"))


def _bench(benches: Benches, name: str, summary: str) -> argparse.ArgumentParser:
    parser = benches.add_parser(name, help=summary, description=f"Measure {summary}.")
    options.add_talk(parser)
    return parser


def _add_clip(parser: argparse.ArgumentParser, *, frames: str) -> None:
    parser.add_argument("--clip", metavar="F", help="video with a person (default: the built-in sample)")
    parser.add_argument("--size", type=options.size, metavar="WxH", help=_SIZES)
    parser.add_argument("--frames", type=options.positive_int, metavar="N", help=frames)


def _add_plate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--plate", default="sunset", help="background (default: %(default)s)")


def _add_plot(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--plot", metavar="PNG", help="also draw the figures there; needs matplotlib")
    parser.add_argument("--overwrite", action="store_true", help="replace a plot that exists")


def _stages(parser: argparse.ArgumentParser) -> None:
    _add_clip(parser, frames="frames to measure (default: 100)")
    _add_plate(parser)
    _add_plot(parser)


def _export(parser: argparse.ArgumentParser) -> None:
    _add_clip(parser, frames="frames to export (default: 300)")
    _add_plate(parser)
    parser.add_argument("--preset", default="superfast", help="x264 speed preset (default: %(default)s)")
    _add_plot(parser)


def _add_offline(parser: argparse.ArgumentParser) -> None:
    _add_clip(parser, frames="frames to deliver (default: 600)")
    _add_plate(parser)
    parser.add_argument("--workers", type=options.positive_int, default=2, help="against one (default: %(default)s)")


def _reference(parser: argparse.ArgumentParser) -> None:
    _add_clip(parser, frames="rounds, one frame each by the published algorithm (default: 5)")
    _add_plate(parser)


def _scale(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--size", type=options.size, metavar="WxH", help="largest size to try (default: 7680x4320)")
    parser.add_argument(
        "--threads", type=options.positive_int, default=8, metavar="N", help="at most so many (default: %(default)s)"
    )
    parser.add_argument("--frames", type=options.positive_int, metavar="N", help="frames of each size (default: 8)")
    _add_plate(parser)
    _add_plot(parser)


def _curves(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--size", type=options.size, metavar="WxH", help="of the frame (default: 1920x1080)")
    parser.add_argument("--frames", type=options.positive_int, metavar="N", help="rounds (default: 3)")


def _network(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--weights", help="(default: the shipped default)")
    parser.add_argument("--frames", type=options.positive_int, metavar="N", help="rounds (default: 30)")


def _matte(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", required=True, metavar="DIR", help="with train/people and backgrounds")
    parser.add_argument("--size", type=options.size, metavar="WxH", help="of the frames (default: 1920x1080)")
    parser.add_argument("--frames", type=options.positive_int, metavar="N", help="of each clip (default: 30)")


def _live(parser: argparse.ArgumentParser) -> None:
    _add_played(parser)
    parser.add_argument(
        "--record", nargs="?", const="", metavar="F", help="also record, into F or into a folder that is removed"
    )
    parser.add_argument(
        "--unpaced", action="store_true", help="as fast as the pipeline takes frames, instead of at the clip's rate"
    )
    parser.add_argument("--preview", type=options.size, metavar="WxH", help="room on the screen")


def _window(parser: argparse.ArgumentParser) -> None:
    _add_played(parser)
    parser.add_argument("--record", action="store_true", help="also record, into a folder that is removed")
    parser.add_argument("--platform", choices=("xcb", "offscreen"), default="xcb", help="Qt's (default: %(default)s)")
    parser.add_argument("--exercise", action="store_true", help="turn pages, change backgrounds and views meanwhile")
    parser.add_argument("--events", action="store_true", help="name the events that took longest")


def _add_played(parser: argparse.ArgumentParser) -> None:
    _add_clip(parser, frames="length of a clip that is made, in frames; it is looped (default: 300)")
    parser.add_argument("--source", help="instead of a clip: sample, pattern, a camera or a video, as `gui` takes it")
    parser.add_argument(
        "--seconds", type=options.positive_float, default=30.0, metavar="S", help="measured, after the start (30)"
    )
    parser.add_argument(
        "--set", action="append", metavar="GROUP.NAME=VALUE", help="change a setting, or plate=NAME; repeatable"
    )
