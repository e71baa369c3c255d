"""`bench`: speed and quality, measured on this machine, ratios in one run.

What measures is imported when it runs: `--help` reads this module too.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from app.cli.console import Console
from app.cli.paths import check_output
from app.domain.errors import ExitCode

DEFAULT_FRAMES: Final = {
    "stages": 100,
    "export": 300,
    "live": 300,
    "window": 300,
    "mask": 500,
    "lookahead": 300,
    "offline": 600,
}
"""Of the clip: measured, or played round and round."""

_STAGE_FIGURES: Final = ("stages_ms", "stages_p95_ms", "stages_mean_ms", "stages_cpu_ms", "stages_cpu_p95_ms")
_NETWORK_HEADERS: Final = ("network", "what runs", "median ms", "against the first")


@dataclass(frozen=True)
class Answer:
    """What a benchmark found: the figures for machines, and a table of them for people."""

    report: Mapping[str, Any]
    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]


Bench: TypeAlias = Callable[[argparse.Namespace, Console], Answer]


def run(args: argparse.Namespace, console: Console) -> ExitCode:
    """Run one benchmark and print its table or its JSON object."""
    from app.cli import bench_gpu, bench_live, bench_lookahead, bench_mask
    from app.pipeline.bench.machine import CpuMeter

    benches: dict[str, Bench] = {
        "stages": _stages,
        "export": _export,
        "reference": _reference,
        "scale": _scale,
        "curves": _curves,
        "matte": _matte,
        "network": _network,
        "gpu": bench_gpu.run,
        "live": bench_live.live,
        "window": bench_live.window,
        "mask": bench_mask.run,
        "lookahead": bench_lookahead.run,
        "offline": _offline,
    }
    cpu = CpuMeter()
    answer = benches[args.what](args, console)
    if console.is_json:
        load = {"others_cpu_percent": cpu.facts()["others_cpu_percent"]}
        console.result({"bench": args.what} | load | dict(answer.report) | {"notices": console.notices} | machine())
    else:
        console.table(f"{answer.title}\n{_machine_line()}", answer.headers, answer.rows)
    return ExitCode.OK


def machine() -> dict[str, Any]:
    """Facts that figures mean nothing without, as `machine`."""
    from app.pipeline.bench.machine import machine_facts

    return {"machine": machine_facts()}


@contextmanager
def measured_clip(args: argparse.Namespace, console: Console) -> Iterator[Path]:
    """The clip the options ask for, made first where it has to be."""
    from app.pipeline.bench.clips import ClipWish, clip_for

    wish = ClipWish(
        clip=Path(args.clip) if args.clip else None, size=args.size, frames=args.frames or DEFAULT_FRAMES[args.what]
    )
    with console.progress("making the clip", wish.frames) as ticker, clip_for(wish, tick=ticker.tick) as path:
        yield path


def kernels() -> dict[str, str]:
    """Have the compiled kernels ready, as the program has, and say which ones are in use."""
    from app.pipeline.kernel_cache import ensure_kernels

    return {"kernels": "compiled" if ensure_kernels() else "plain"}


def _machine_line() -> str:
    facts = machine()["machine"]
    return f"{facts['cpu']}, {facts['cores']} cores, {facts['ram_gb']:.0f} GB, {facts['os']}, Python {facts['python']}"


def _stages(args: argparse.Namespace, console: Console) -> Answer:
    from app.pipeline.bench.plots import plot_stages
    from app.pipeline.bench.stages import YARDSTICK, bench_stages

    plot = _plot(args, plot_stages)
    extra, frames = kernels(), args.frames or DEFAULT_FRAMES["stages"]
    with measured_clip(args, console) as clip, console.progress("measuring", frames) as ticker:
        report = bench_stages(clip, args.plate, frames=frames, notice=console.notice, tick=ticker.tick) | extra
    plot(report)
    copy_ms = max(1e-6, report["stages_ms"][YARDSTICK])
    columns = [report[key] for key in _STAGE_FIGURES]
    rows = [
        [stage, *(f"{column[stage]:.2f}" for column in columns), f"{ms / copy_ms:.1f}"]
        for stage, ms in report["stages_ms"].items()
    ]
    title = f"{report['clip']}, {report['size']}, {report['frames']} frames: every stage alone, on one thread"
    return Answer(report, title, ("stage", "ms", "p95", "mean", "CPU ms", "CPU p95", "copies of a frame"), rows)


def _offline(args: argparse.Namespace, console: Console) -> Answer:
    from app.pipeline.bench.offline import bench_offline

    extra = kernels()
    with measured_clip(args, console) as clip:
        report = bench_offline(clip, args.plate, workers=args.workers, frames=args.frames, notice=console.notice)
    rows = [(name, str(value)) for name, value in report.items() if name != "stages_ms"]
    return Answer(report | extra, "deliveries", ("figure", ""), rows)


def _export(args: argparse.Namespace, console: Console) -> Answer:
    from app.pipeline.bench.export import bench_export
    from app.pipeline.bench.plots import plot_stages

    plot = _plot(args, plot_stages)
    extra, frames = kernels(), args.frames or DEFAULT_FRAMES["export"]
    with measured_clip(args, console) as clip, console.progress("exporting", frames) as ticker:
        report = bench_export(
            clip, args.plate, preset=args.preset, frames=frames, notice=console.notice, tick=ticker.tick
        )
    plot(report)
    rows = [[stage, f"{ms:.2f}"] for stage, ms in report["stages_ms"].items()]
    title = (
        f"{report['clip']}, {report['size']}, {report['preset']}: {report['fps']:.1f} frames/s, "
        f"{report['cpu_cores']:.2f} cores, at most {report['rss_mb']:.0f} MB"
    )
    return Answer(report | extra, title, ("stage", "median ms a frame"), rows)


def _reference(args: argparse.Namespace, console: Console) -> Answer:
    from app.pipeline.bench.clips import ClipWish, clip_for
    from app.pipeline.bench.reference import bench_reference

    extra, rounds = kernels(), args.frames or 5
    wish = ClipWish(clip=Path(args.clip) if args.clip else None, size=args.size, frames=1)
    with clip_for(wish) as clip, console.progress("measuring", 1 + rounds) as ticker:
        report = bench_reference(clip, args.plate, rounds=rounds, notice=console.notice, tick=ticker.tick)
    rows = [
        ["as published, torch", f"{report['published_ms']:.1f}", f"{report['published_p95_ms']:.1f}"],
        ["ours", f"{report['ours_ms']:.2f}", f"{report['ours_p95_ms']:.2f}"],
        ["ratio", f"{report['ratio']:.0f}x", ""],
    ]
    return Answer(report | extra, f"Match and render, {report['size']}", ("method", "median ms", "p95"), rows)


def _scale(args: argparse.Namespace, console: Console) -> Answer:
    from app.pipeline.bench.machine import usable_cores
    from app.pipeline.bench.plots import plot_scale
    from app.pipeline.bench.scale import bench_scale, sizes_up_to, threads_up_to

    plot = _plot(args, plot_scale)
    extra, rounds = kernels(), args.frames or 8
    sizes, threads = sizes_up_to(args.size), threads_up_to(args.threads, cores=usable_cores())
    with console.progress("measuring", len(sizes) * len(threads) * rounds) as ticker:
        report = bench_scale(sizes, threads, args.plate, rounds=rounds, notice=console.notice, tick=ticker.tick)
    if report["threads_left_out"]:
        left_out = ", ".join(map(str, report["threads_left_out"]))
        console.notice(f"{left_out} threads are left out: this machine has {usable_cores()} cores")
    plot(report)
    keys = ("matte_match_ms", "matte_match_cpu_ms", "pixel_ms", "pixel_cpu_ms")
    rows = [
        [point["size"], str(point["threads"]), *(f"{point[key]:.2f}" for key in keys)] for point in report["points"]
    ]
    title = (
        f"Pixel stages: {report['slope_ns_px']:.2f} ns a pixel, R2 {report['r2_linear']:.4f}; "
        f"matte and match: {report['matte_match_ratio']:.2f} times from smallest to largest"
    )
    headers = ("size", "threads", "matte and match, ms", "CPU ms", "pixel stages, ms", "CPU ms")
    return Answer(report | extra, title, headers, rows)


def _curves(args: argparse.Namespace, _console: Console) -> Answer:
    from app.pipeline.bench.curves import bench_curves

    report = bench_curves(args.size or (1920, 1080), rounds=args.frames or 3)
    rows = [
        ["published: 2 stages x 64 steps a pixel, torch", f"{report['published_ms']:.1f}"],
        ["ours: fold and look up", f"{report['ours_ms']:.2f}"],
        ["ratio", f"{report['ratio']:.0f}x"],
        ["largest difference, levels of 255", f"{report['max_difference_levels']:.2f}"],
    ]
    return Answer(report, "Curve rendering of a whole frame", ("method", "median ms"), rows)


def _network(args: argparse.Namespace, _console: Console) -> Answer:
    import torch

    from app.pipeline.bench.network import bench_network

    rows = bench_network(args.weights, rounds=args.frames or 30)
    report = {
        "networks": [vars(row) for row in rows],
        "ratio": round(rows[-1].ratio, 1),
        "threads": torch.get_num_threads(),
    }
    return Answer(report, "Estimating one frame's curves", _NETWORK_HEADERS, [row.cells() for row in rows])


def _matte(args: argparse.Namespace, _console: Console) -> Answer:
    from app.pipeline.bench.matte import bench_matte

    report = bench_matte(Path(args.data), frames=args.frames or 30, size=args.size or (1920, 1080))
    return Answer(report.as_dict(), "Mattes of moving people with known alpha", report.headers(), report.rows())


def _plot(
    args: argparse.Namespace, draw: Callable[[Mapping[str, Any], Path], None]
) -> Callable[[Mapping[str, Any]], None]:
    """What draws the picture that was asked for; UserError now, before anything is measured, if it can't be."""
    if not args.plot:
        return lambda _: None
    from app.pipeline.bench.plots import check_matplotlib

    path = Path(args.plot)
    check_matplotlib()
    check_output(path, overwrite=args.overwrite)
    return lambda report: draw(report, path)
