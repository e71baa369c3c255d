"""`gui`: the window."""

from __future__ import annotations

import argparse

from app.cli.console import Console


def run(args: argparse.Namespace, console: Console) -> int:
    """Open the window and stay until it is closed."""
    from app.ui.application import run_window

    return run_window(args.clip, source=args.source)
