"""`bench`: speed and quality, measured on this machine, ratios in one run."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from app.cli.console import Console
from app.cli.ctl import request_of
from app.domain.errors import ExitCode, UserError
from app.domain.settings import Settings
from app.pipeline.virtual_screen import virtual_screen

_START_AND_END_S: Final = 120.0
"""What a window may take beyond the time it is measured for."""

_SCREEN: Final = (1920, 1080)


def run(args: argparse.Namespace, console: Console) -> ExitCode:
    """Run one benchmark and print its table or its JSON object."""
    benches: dict[str, Callable[[argparse.Namespace, Console], ExitCode]] = {
        "render": _render,
        "curves": _curves,
        "matte": _matte,
        "network": _network,
        "live": _live,
        "window": _window,
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


def _live(args: argparse.Namespace, console: Console) -> ExitCode:
    from app.pipeline.live.live_bench import WINDOW_PREVIEW_PX, Wish, bench_live

    wish = Wish(_live_settings(args), args.seconds, args.preview or WINDOW_PREVIEW_PX, record=args.record)
    report, notices = bench_live(wish)
    console.tell(notices)
    _show(console, report.as_dict(), f"The live pipeline without a window: {args.source}")
    return ExitCode.OK


def _live_settings(args: argparse.Namespace) -> Settings:
    """The default settings, whatever is set in the window, with what the options change."""
    from app.pipeline.control_commands import changed_setting

    if not args.source:
        raise UserError(f"bench {args.what} needs --source: a video, sample or pattern.", code=ExitCode.USAGE)
    settings = Settings().with_value("camera", "source", args.source)
    wanted = [word.partition("=")[::2] for word in args.set or []]
    if args.size:
        wanted += [(f"{group}.size", "{}x{}".format(*args.size)) for group in ("camera", "output")]
    for name, value in wanted:
        _, setting = request_of(["set", name, value])
        settings = changed_setting(settings, str(setting["group"]), str(setting["name"]), value=setting["value"])
    return settings


def _window(args: argparse.Namespace, console: Console) -> ExitCode:
    """Measure the window in a process of its own: the start is to be a cold one."""
    from app.pipeline.settings_store import save_settings

    if not sys.platform.startswith("linux"):
        raise UserError("The window is measured on Linux only.", code=ExitCode.FAILED)
    settings = _live_settings(args)
    with ExitStack() as held:
        home = Path(held.enter_context(tempfile.TemporaryDirectory()))
        output = replace(settings.output, folder=str(home), microphone="")
        save_settings(home / "PlateMatch" / "settings.json", replace(settings, output=output))
        env = os.environ | {"XDG_CONFIG_HOME": str(home), "QT_QPA_PLATFORM": args.platform}
        if args.platform == "xcb":
            env["DISPLAY"] = held.enter_context(_display())
        report = _measured_window(args, env)
    _show(console, report, f"The window on {args.platform}: {args.source}")
    return ExitCode.OK


def _measured_window(args: argparse.Namespace, env: Mapping[str, str]) -> dict[str, Any]:
    """What the window's process says of itself; its error is ours."""
    wishes = [f"--{name}" for name in ("record", "exercise", "events") if getattr(args, name)]
    command = [sys.executable, "-m", "app.ui.window_bench", "--source", args.source, "--seconds", str(args.seconds)]
    limit_s = args.seconds + _START_AND_END_S
    command += [*wishes, "--born", repr(time.monotonic())]
    try:
        # A fixed command: this Python, our own module, the user's own words as arguments.
        done = subprocess.run(  # noqa: S603
            command, env=env, stdout=subprocess.PIPE, text=True, timeout=limit_s, check=False
        )
        report: dict[str, Any] = json.loads(done.stdout.strip().rpartition("\n")[2])
    except subprocess.TimeoutExpired as error:
        raise UserError("The window did not end and was killed.", code=ExitCode.FAILED) from error
    except json.JSONDecodeError as error:
        raise UserError(f"The window's process failed (exit code {done.returncode}).", code=ExitCode.FAILED) from error
    if "error" in report:
        raise UserError(report["error"], report["hint"], code=ExitCode(report["code"]))
    return report


@contextmanager
def _display() -> Iterator[str]:
    """The X display there is, or a private one. UserError (FAILED) where there is none to be had."""
    if os.environ.get("DISPLAY"):
        yield os.environ["DISPLAY"]
        return
    with virtual_screen(_SCREEN) as name:
        yield name


def _show(console: Console, report: Mapping[str, Any], title: str) -> None:
    """The figures as JSON or as a table."""
    if console.is_json:
        console.result({**report, **machine()})
    else:
        console.table(title, ["figure", "value"], [[name, _text(value)] for name, value in report.items()])


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {part}" for name, part in value.items()) or "-"
    if isinstance(value, list):
        return "\n".join(_text(part) for part in value) or "-"
    return "-" if value is None else str(value)
