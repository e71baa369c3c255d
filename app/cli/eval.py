"""`eval`: methods compared on composites whose truth is known."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from app.cli.bench import machine
from app.cli.console import Console
from app.cli.looks import semantic_class
from app.cli.paths import check_output
from app.domain.errors import ExitCode, UserError
from app.pipeline.evaluation import Evaluation, evaluate, find
from app.pipeline.evaluation_methods import default_methods, open_methods
from app.pipeline.evaluation_report import HEADERS, LEGEND, Summary, as_csv, columns_that_fit, summarize, table_rows
from app.pipeline.evaluation_samples import SizeName
from app.pipeline.evaluation_sheet import SheetMaker
from app.pipeline.image_saving import check_output as check_picture_output
from harmonizer.metrics import PEAK
from harmonizer.weights import WeightsError, write_beside

_SIZES: Final[dict[str, tuple[SizeName, ...]]] = {"256": ("256",), "full": ("full",), "both": ("256", "full")}
_TITLES: Final[dict[SizeName, str]] = {"256": "256 x 256", "full": "full resolution"}
_PIPED_WIDTH = 140


def run(args: argparse.Namespace, console: Console) -> ExitCode:
    """Score every method on every picture; one table a size, or one JSON object."""
    _check_targets(args)
    methods = open_methods(_method_names(args.method), label=semantic_class(args.label), device=args.device)
    folders = [Path(folder) for folder in args.folders]
    found, notices = find(folders, part=args.split, only=Path(args.list) if args.list else None, limit=args.limit)
    console.tell(notices)
    sheet = SheetMaker(found.triples, args.sheet_count if args.sheet else 0)
    with console.progress("evaluating", len(found.triples)) as ticker:
        evaluation = evaluate(found, methods, sizes=_SIZES[args.size], seed=args.seed, tick=ticker.tick, show=sheet.add)
    console.tell_left_out(evaluation.left_out)
    if args.csv:
        _write_csv(Path(args.csv), evaluation)
    if args.sheet and not sheet.save(Path(args.sheet), size=_TITLES[_SIZES[args.size][0]]):
        console.notice("no sheet was written: none of the pictures chosen for it could be scored")
        args.sheet = None
    summaries = {size: summarize([row for row in evaluation.rows if row.size == size]) for size in _SIZES[args.size]}
    if console.is_json:
        console.result(_result(args, evaluation, summaries) | {"notices": console.notices} | machine())
        return ExitCode.OK
    for size, lines in summaries.items():
        title = f"{_TITLES[size]}, {lines[0].pictures} pictures, {len(evaluation.left_out)} left out, peak {PEAK:.0f}"
        rows = table_rows(lines)
        for columns in columns_that_fit(rows, _width()):
            console.table(title, [HEADERS[i] for i in columns], [[row[i] for i in columns] for row in rows])
    console.say(LEGEND)
    return ExitCode.OK


def _width() -> int:
    """Characters a line holds: the terminal's, else as many as `Console.table` takes."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else _PIPED_WIDTH


def _method_names(given: Sequence[str] | None) -> tuple[str, ...]:
    """Repeated options, and names joined by commas; the default set without any."""
    names = [part for text in given or () for part in ([text] if Path(text).is_file() else text.split(","))]
    if given:
        return tuple(name for name in names if name)
    try:
        return default_methods()
    except WeightsError as error:
        raise UserError(f"The default weights can't be told: {error}.", code=ExitCode.MODEL) from error


def _check_targets(args: argparse.Namespace) -> None:
    targets = [Path(target) for target in (args.csv, args.sheet) if target]
    for target in targets:
        _check_target(target, args)
    if args.sheet:
        check_picture_output(Path(args.sheet))
    if len({target.resolve() for target in targets}) < len(targets):
        raise UserError("The table and the sheet are one file.", "Give them two names.", code=ExitCode.OUTPUT)


def _check_target(path: Path, args: argparse.Namespace) -> None:
    """Refuse what is read: lists, weights, and anything that a data set's folder already holds."""
    inputs = tuple(Path(text) for text in (args.list, *(args.method or ())) if text)
    check_output(path, inputs=inputs, overwrite=args.overwrite)
    held = any(path.resolve().is_relative_to(Path(folder).resolve()) for folder in args.folders)
    if path.exists() and held:
        raise UserError(f"{path} belongs to the data set.", "Choose another name.", code=ExitCode.OUTPUT)


def _write_csv(path: Path, evaluation: Evaluation) -> None:
    try:
        write_beside(path, as_csv(evaluation.rows).encode())
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{path} can't be written: {reason}.", "Choose another place.", code=ExitCode.OUTPUT) from error


def _result(
    args: argparse.Namespace, evaluation: Evaluation, summaries: dict[SizeName, list[Summary]]
) -> dict[str, Any]:
    return {
        "peak": PEAK,
        "seed": args.seed,
        "split": args.split,
        "class": args.label,
        "left_out": evaluation.left_out,
        "csv": args.csv,
        "sheet": args.sheet,
        "sizes": {size: [line.as_dict() for line in lines] for size, lines in summaries.items()},
    }
