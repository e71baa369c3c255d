"""`models`: where the segmentation models are, and fetching them where the wheel can't bring them."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from app.cli.console import Console
from app.domain.errors import ExitCode, UserError
from app.pipeline.model_files import MODEL_NAMES, ModelName, fetch, list_models


def run(args: argparse.Namespace, console: Console) -> ExitCode:
    """List or fetch; listing ends with MODEL when one is missing or altered."""
    if args.action == "fetch":
        return _fetch(args, console)
    statuses = list_models()
    if console.is_json:
        console.result({"models": [asdict(s) for s in statuses]})
    elif not args.quiet:
        rows = [[s.name, s.origin, str(s.path or "-"), "yes" if s.sha256_ok else "NO"] for s in statuses]
        console.table("Segmentation models", ["name", "from", "file", "intact"], rows)
    return ExitCode.OK if all(s.sha256_ok for s in statuses) else ExitCode.MODEL


def _fetch(args: argparse.Namespace, console: Console) -> ExitCode:
    names = [name for name in MODEL_NAMES if args.name in (None, name)]
    if not names:
        raise UserError(f"Unknown model {args.name!r}.", "Known: landscape, square.", code=ExitCode.USAGE)
    source = Path(args.from_file) if args.from_file else None
    if source is not None and len(names) != 1:
        raise UserError("Say which model the file is: landscape or square.", code=ExitCode.USAGE)
    fetched: dict[ModelName, Path] = {name: fetch(name, from_file=source) for name in names}
    if console.is_json:
        console.result({"fetched": {name: str(path) for name, path in fetched.items()}})
    for name, path in fetched.items():
        console.say(f"{name}: {path}")
    return ExitCode.OK
