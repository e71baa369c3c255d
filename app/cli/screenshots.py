"""`screenshots`: pictures of the window, as in the README."""

from __future__ import annotations

import argparse
from pathlib import Path

from app.cli.console import Console
from app.domain.errors import ExitCode


def run(args: argparse.Namespace, console: Console) -> ExitCode:
    """Make the pictures and say where they are."""
    from app.ui.screenshots import README_SHOTS, SIZE_PX, all_shots, run_screenshots

    shots = all_shots() if args.all else README_SHOTS
    paths = run_screenshots(Path(args.out), shots=shots, size_px=args.size or SIZE_PX)
    if console.is_json:
        console.result({"files": [str(path) for path in paths]})
    console.say(f"{len(paths)} pictures are in {args.out}.")
    return ExitCode.OK
