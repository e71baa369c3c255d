"""`bench lookahead`: what knowing the frames to come is worth."""

from __future__ import annotations

import argparse
import statistics
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app.cli import options
from app.cli.bench import DEFAULT_FRAMES, Answer, kernels
from app.cli.console import Console

if TYPE_CHECKING:
    from app.pipeline.bench.lookahead import ClipFigures, Pair

_PAIRS: Final = {
    "curve_flicker": "curve flicker",
    "settling_s": "settling, s",
    "lag_s": "lag, s",
    "edge_flicker": "matte flicker",
    "still_flicker": "matte at rest",
    "cell_flicker": "its cells",
    "matte_ms": "matte, ms",
}
_RATIOS: Final = ("curve_flicker", "edge_flicker", "still_flicker", "cell_flicker")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `bench lookahead` can be told."""
    parser.add_argument("clips", nargs="+", metavar="CLIP", help="video with a person")
    parser.add_argument("--plate", default="sunset", help="background (default: %(default)s)")
    parser.add_argument(
        "--frames",
        type=options.positive_int,
        metavar="N",
        help=f"of each clip, at most (default: {DEFAULT_FRAMES['lookahead']})",
    )


def run(args: argparse.Namespace, console: Console) -> Answer:
    """Measure both ways on every clip."""
    from app.pipeline.bench.lookahead import bench_lookahead

    extra, frames = kernels(), args.frames or DEFAULT_FRAMES["lookahead"]
    with console.progress("measuring", len(args.clips)) as ticker:
        figures = bench_lookahead(
            [Path(clip) for clip in args.clips],
            args.plate,
            max_frames=frames,
            notice=console.notice,
            tick=ticker.tick,
        )
    ratios = {
        f"{name}_ratio": statistics.geometric_mean(getattr(one, name).ratio for one in figures) for name in _RATIOS
    }
    report: dict[str, Any] = {"clips": [_as_dict(one) for one in figures]} | ratios | extra
    rows = [[one.clip, str(one.frames), *(_text(getattr(one, name)) for name in _PAIRS)] for one in figures]
    title = f"Looking ahead against the causal path: curves {ratios['curve_flicker_ratio']:.1f} times as steady"
    return Answer(report, title, ("clip", "frames", *_PAIRS.values()), rows)


def _as_dict(figures: ClipFigures) -> dict[str, Any]:
    return asdict(figures) | {f"{name}_ratio": getattr(figures, name).ratio for name in _RATIOS}


def _text(pair: Pair) -> str:
    return f"{pair.causal:.3g} > {pair.ahead:.3g}"
