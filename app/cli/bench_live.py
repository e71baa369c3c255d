"""`bench live` and `bench window`: the live picture, without a window and with one."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from app.cli.bench import Answer, kernels, measured_clip
from app.cli.console import Console
from app.cli.ctl import request_of
from app.domain.errors import ExitCode, UserError
from app.domain.settings import Settings
from app.pipeline.virtual_screen import virtual_screen

_START_AND_END_S: Final = 120.0
"""What a window may take beyond the time it is measured for."""

_SCREEN: Final = (1920, 1080)


def live(args: argparse.Namespace, console: Console) -> Answer:
    """The live pipeline without a window."""
    from app.pipeline.bench.live import Wish, bench_live
    from app.pipeline.bench.preview import WINDOW_PREVIEW_PX
    from app.pipeline.bench.recordings import RecordWish

    if args.unpaced and (args.source or args.record is not None):
        raise UserError(
            "An unpaced run plays a clip and records nothing.",
            "Leave out --source and --record.",
            code=ExitCode.USAGE,
        )
    record = None if args.record is None else RecordWish(Path(args.record) if args.record else None)
    extra = kernels()
    with _source(args, console) as source:
        preview = args.preview or WINDOW_PREVIEW_PX
        wish = Wish(_settings(args, source), args.seconds, preview, record=record, unpaced=args.unpaced)
        report, notices = bench_live(wish)
    console.tell(notices)
    return _answer(args, report.as_dict() | extra, "The live pipeline without a window")


def window(args: argparse.Namespace, console: Console) -> Answer:
    """The window, in a process of its own: the start is to be a cold one."""
    from app.pipeline.settings_store import save_settings

    if not sys.platform.startswith("linux"):
        raise UserError("The window is measured on Linux only.", code=ExitCode.FAILED)
    extra = kernels()
    with _source(args, console) as source, ExitStack() as held:
        settings = _settings(args, source)
        home = Path(held.enter_context(tempfile.TemporaryDirectory()))
        output = replace(settings.output, folder=str(home), microphone="")
        save_settings(home / "PlateMatch" / "settings.json", replace(settings, output=output))
        env = os.environ | {"XDG_CONFIG_HOME": str(home), "QT_QPA_PLATFORM": args.platform}
        if args.platform == "xcb":
            env["DISPLAY"] = held.enter_context(_display())
        report = _measured_window(args, source, env)
    return _answer(args, report | extra, f"The window on {args.platform}")


@contextmanager
def _source(args: argparse.Namespace, console: Console) -> Iterator[str]:
    """What is shown: a source as it is, or a clip at the size that was asked for."""
    if args.source and args.clip:
        raise UserError("Give --source or --clip, not both.", code=ExitCode.USAGE)
    if args.source:
        yield args.source
        return
    with measured_clip(args, console) as clip:
        yield str(clip)


def _settings(args: argparse.Namespace, source: str) -> Settings:
    """The default settings, whatever is set in the window, with what the options change."""
    from app.pipeline.control_commands import changed_setting

    settings = Settings().with_value("camera", "source", source)
    wanted = [word.partition("=")[::2] for word in args.set or []]
    if args.size and args.source:
        wanted += [(f"{group}.size", "{}x{}".format(*args.size)) for group in ("camera", "output")]
    for name, value in wanted:
        _, setting = request_of(["set", name, value])
        settings = changed_setting(settings, str(setting["group"]), str(setting["name"]), value=setting["value"])
    return settings


def _measured_window(args: argparse.Namespace, source: str, env: Mapping[str, str]) -> dict[str, Any]:
    """What the window's process says of itself; its error is ours."""
    wishes = [f"--{name}" for name in ("record", "exercise", "events") if getattr(args, name)]
    command = [sys.executable, "-m", "app.ui.window_bench", "--source", source, "--seconds", str(args.seconds)]
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


def _answer(args: argparse.Namespace, found: Mapping[str, Any], title: str) -> Answer:
    """With what was shown by the name the user knows, and its size as `1280x720`."""
    size = found["granted"].partition(",")[0].replace(" \u00d7 ", "x")
    report = {**found, "source": args.source or args.clip or "sample", "size": size}
    return Answer(
        report, f"{title}: {report['source']}", ("figure", "value"), [[n, _text(v)] for n, v in report.items()]
    )


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {part}" for name, part in value.items()) or "-"
    if isinstance(value, list):
        return "\n".join(_text(part) for part in value) or "-"
    return "-" if value is None else str(value)
