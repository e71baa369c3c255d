"""`bench`: speed and quality, measured on this machine, ratios in one run."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.cli.console import Console
from app.domain.errors import ExitCode, UserError


def run(args: argparse.Namespace, console: Console) -> ExitCode:
    """Run one benchmark and print its table or its JSON object."""
    benches: dict[str, Callable[[argparse.Namespace, Console], ExitCode]] = {
        "render": _render,
        "curves": _curves,
        "matte": _matte,
        "network": _network,
    }
    return benches[args.what](args, console)


def machine() -> dict[str, Any]:
    """Facts that figures mean nothing without."""
    return {"cpus": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}


def _render(args: argparse.Namespace, console: Console) -> ExitCode:
    from app.pipeline.render_bench import bench_render
    from app.pipeline.threads import share_cores

    if not args.clip:
        raise UserError("bench render needs --clip FILE.", code=ExitCode.USAGE)
    share_cores()
    report = bench_render(Path(args.clip), args.plate, frames=args.frames, notice=console.notice)
    if console.is_json:
        console.result(report | machine())
        return ExitCode.OK
    rows = [[stage, f"{ms:.2f}"] for stage, ms in report["stages_ms"].items()]
    title = f"{args.clip}: {report['fps']:.1f} frames/s, peak {report['peak_rss_mb']:.0f} MB"
    console.table(title, ["stage", "median ms a frame"], rows)
    return ExitCode.OK


def _curves(args: argparse.Namespace, console: Console) -> ExitCode:
    from app.pipeline.curve_bench import bench_curves

    report = bench_curves(args.size or (1920, 1080), rounds=args.frames or 3)
    if console.is_json:
        console.result(report | machine())
        return ExitCode.OK
    rows = [
        ["published: 2 stages x 64 steps a pixel, torch", f"{report['published_ms']:.1f}"],
        ["ours: fold and look up", f"{report['ours_ms']:.2f}"],
        ["ratio", f"{report['ratio']:.0f}x"],
        ["largest difference, levels of 255", f"{report['max_difference_levels']:.2f}"],
    ]
    console.table("Curve rendering of a whole frame", ["method", "median ms"], rows)
    return ExitCode.OK


def _network(args: argparse.Namespace, console: Console) -> ExitCode:
    import torch

    from app.pipeline.network_bench import bench_network

    rows = bench_network(args.weights, rounds=args.frames or 30)
    if console.is_json:
        console.result({"networks": [vars(row) for row in rows], "threads": torch.get_num_threads()} | machine())
        return ExitCode.OK
    console.table("Estimating one frame's curves", _NETWORK_HEADER, [row.cells() for row in rows])
    return ExitCode.OK


_NETWORK_HEADER = ["network", "what runs", "median ms", "against the first"]


def _matte(args: argparse.Namespace, console: Console) -> ExitCode:
    from app.pipeline.matte_bench import bench_matte

    if not args.data:
        raise UserError("bench matte needs --data FOLDER (with train/people and backgrounds).", code=ExitCode.USAGE)
    report = bench_matte(Path(args.data), frames=args.frames or 30, size=args.size or (1920, 1080))
    if console.is_json:
        console.result(report.as_dict() | machine())
        return ExitCode.OK
    console.table("Mattes of moving people with known alpha", report.headers(), report.rows())
    return ExitCode.OK
