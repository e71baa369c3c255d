"""`train`: train the colour network on picture folders."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from app.cli.console import Console
from app.domain.errors import ExitCode, UserError
from app.pipeline.training import TrainingJob, run_training
from harmonizer import SemanticClass, WeightsError
from harmonizer.heads import HeadName
from harmonizer.training.loop import Progress, TrainingError, TrainSettings
from harmonizer.training.pictures import Collection, NothingUsableError

_HEADS: dict[str, HeadName] = {"published": "published", "monotone": "monotone"}


def run(args: argparse.Namespace, console: Console) -> ExitCode:
    """Train to the last step and print how the result compares."""
    torch.set_num_threads(args.threads or torch.get_num_threads())
    job = TrainingJob(
        collections=tuple(parse_collection(text) for text in args.data),
        folder=Path(args.out),
        settings=_settings(args),
        backbone=Path(args.backbone) if args.backbone else None,
        init=Path(args.init) if args.init else None,
    )
    try:
        with console.progress("training", job.settings.steps) as ticker:

            def report(progress: Progress) -> None:
                ticker.tick(f"loss {progress.loss:.3f}")

            rows = run_training(job, report=report, notice=console.notice)
    except KeyboardInterrupt:
        raise UserError(
            "Training was interrupted.", "The same command goes on at its last checkpoint.", code=ExitCode.INTERRUPTED
        ) from None
    except (TrainingError, WeightsError, NothingUsableError) as error:
        code = ExitCode.FAILED if isinstance(error, TrainingError) else ExitCode.BAD_INPUT
        raise UserError(f"Training stopped: {error}.", "The last good checkpoint is kept.", code=code) from error
    except OSError as error:
        raise UserError(
            f"Training stopped: {error.strerror or error}.",
            "The last good checkpoint is kept.",
            code=ExitCode.OUTPUT,
        ) from error
    if console.is_json:
        console.result({"output": args.out, "scores": [vars(row) for row in rows]})
    else:
        console.table("fMSE on unseen pictures", _HEADER, [row.cells() for row in rows])
    return ExitCode.OK


_HEADER = ["split", "method", "mean", "median", "worse than untouched"]


def _settings(args: argparse.Namespace) -> TrainSettings:
    names = tuple(name for name in args.heads.split(",") if name)
    unknown = [name for name in names if name not in _HEADS]
    if unknown or not names:
        raise UserError(f"Unknown heads: {', '.join(unknown) or 'none given'}.", "Known: published, monotone.")
    return TrainSettings(
        steps=args.steps,
        batch=args.batch,
        learning_rate=args.learning_rate,
        thumbnail_px=args.thumbnail_px,
        heads=tuple(_HEADS[name] for name in names),
        seed=args.seed,
        save_every_steps=args.save_every,
    )


def parse_collection(text: str) -> Collection:
    """`DIR` or `DIR=CLASS`; UserError for a missing folder or an unknown class."""
    folder_text, _, label = text.partition("=")
    classes = {c.name.lower(): c for c in SemanticClass}
    if label and label not in classes:
        raise UserError(f"Unknown class {label!r}.", f"Known: {', '.join(classes)}.")
    folder = Path(folder_text)
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}.", "Give a folder with images/ and, if known, masks/.")
    return Collection(folder, classes.get(label, SemanticClass.OTHER))
