"""`bench mask`: the brush, seeking, carrying corrections on, and projects, each measured by itself."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from app.cli import options
from app.cli.bench import DEFAULT_FRAMES, Answer, kernels
from app.cli.console import Console
from app.domain.errors import ExitCode, UserError

_EVENTS: Final = 150
_BRUSH_LIMIT_S: Final = 300.0
_SCREEN: Final = (1920, 1080)

_WORDS: Final = {
    "brush_p95_ms": "brush of 200 px at 1080p, mouse to painted pixel, p95 ms",
    "brush_4k_p95_ms": "the same at 4K, p95 ms",
    "scrub_median_ms": "to a frame anywhere in the clip, median ms",
    "scrub_p95_ms": "the same, p95 ms",
    "propagate_fps": "carrying an edit of 300 px on, 1080p frames a second",
    "iou_after_30": "worst overlap with the truth, 30 frames on",
    "cut_exact": "ends exactly on a cut, both ways",
    "occlusion_weight_left": "largest share of the edit on what covers it",
    "project_open_s": "opening the project, s",
    "project_save_s": "saving it, s",
    "rss_mb": "memory while seeking and carrying on, MB at the most",
}
"""The figures people read first."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `bench mask` can be told."""
    parser.add_argument(
        "--clip", metavar="F", help="video to seek in (default: the sample in one long GOP after another)"
    )
    parser.add_argument(
        "--frames",
        type=options.positive_int,
        metavar="N",
        help=f"of the clip that is made; fewer than {DEFAULT_FRAMES['mask']} shorten the other parts as well",
    )
    parser.add_argument("--platform", choices=("offscreen", "xcb"), default="offscreen", help="Qt's, for the brush")


def run(args: argparse.Namespace, console: Console) -> Answer:
    """Measure all parts, one after the other."""
    extra = kernels()
    with _clip(args, console) as clip:
        report = _measured(args, clip, console)
    rows = [[words, str(report[name])] for name, words in _WORDS.items()]
    title = (
        f"Mask mode: {report['scrub_clip']}, {report['scrub_frames']} frames; {report['project_frames']} edited ones"
    )
    return Answer(report | extra, title, ("figure", "value"), rows)


def _measured(args: argparse.Namespace, clip: Path, console: Console) -> dict[str, Any]:
    from app.pipeline.bench.mask_carrying import STEPS, bench_speed, bench_truth
    from app.pipeline.bench.mask_project import FRAMES, bench_project
    from app.pipeline.bench.mask_scrub import SEEKS, bench_scrub

    share = min(1.0, (args.frames or DEFAULT_FRAMES["mask"]) / DEFAULT_FRAMES["mask"])
    parts: tuple[Callable[[], dict[str, Any]], ...] = (
        lambda: bench_scrub(clip, seeks=_scaled(SEEKS, share)),
        lambda: bench_speed(steps=_scaled(STEPS, share)),
        bench_truth,
        lambda: bench_project(_scaled(FRAMES, share)),
        lambda: _brush(args.platform, _scaled(_EVENTS, share)),
    )
    report: dict[str, Any] = {"rss_mb": 0.0}
    with console.progress("measuring", len(parts)) as ticker:
        for part in parts:
            found = part()
            report |= found | {"rss_mb": max(report["rss_mb"], found.get("rss_mb", 0.0))}
            ticker.tick()
    return report


def _scaled(count: int, share: float) -> int:
    return max(5, round(count * share))


@contextmanager
def _clip(args: argparse.Namespace, console: Console) -> Iterator[Path]:
    """The clip to seek in: the user's own, or one that is made and removed again."""
    from app.pipeline.bench.mask_scrub import make_long_gop

    if args.clip:
        yield Path(args.clip)
        return
    frames = args.frames or DEFAULT_FRAMES["mask"]
    with tempfile.TemporaryDirectory(prefix="platematch-bench-") as folder:
        path = Path(folder) / "sample.mp4"
        with console.progress("making the clip", frames) as ticker:
            make_long_gop(path, frames, tick=ticker.tick)
        yield path


def _brush(platform: str, events: int) -> dict[str, Any]:
    """What the canvas's process says of itself; its error is ours."""
    from app.pipeline.virtual_screen import virtual_screen

    command = [sys.executable, "-m", "app.ui.mask.brush_bench", "--events", str(events), "--brush", "200"]
    with ExitStack() as held:
        env = os.environ | {"QT_QPA_PLATFORM": platform}
        if platform == "xcb" and not os.environ.get("DISPLAY"):
            env["DISPLAY"] = held.enter_context(virtual_screen(_SCREEN))
        found = _answer_of(command, env)
    full, large = found["1080p"], found["4k"]
    return {
        "brush_platform": platform,
        "brush_p95_ms": full["fit"]["wall_p95_ms"],
        "brush_cpu_p95_ms": full["fit"]["cpu_p95_ms"],
        "brush_4k_p95_ms": large["fit"]["wall_p95_ms"],
        "brush_4k_cpu_p95_ms": large["fit"]["cpu_p95_ms"],
        "brush_zooms": {name: {zoom: part[zoom] for zoom in ("fit", "100", "400")} for name, part in found.items()},
        "brush_rss_mb": large["rss_mb"],
    }


def _answer_of(command: list[str], env: Mapping[str, str]) -> dict[str, Any]:
    try:
        # A fixed command: this Python, our own module.
        done = subprocess.run(  # noqa: S603
            command, env=env, stdout=subprocess.PIPE, text=True, timeout=_BRUSH_LIMIT_S, check=False
        )
        report: dict[str, Any] = json.loads(done.stdout.strip().rpartition("\n")[2])
    except subprocess.TimeoutExpired as error:
        raise UserError("The brush's process did not end and was killed.", code=ExitCode.FAILED) from error
    except json.JSONDecodeError as error:
        raise UserError(f"The brush's process failed (exit code {done.returncode}).", code=ExitCode.FAILED) from error
    if "error" in report:
        raise UserError(report["error"], report["hint"], code=ExitCode(report["code"]))
    return report
