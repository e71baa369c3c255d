"""`train`: train the colour network, or pack its data for another machine."""

from __future__ import annotations

import argparse
import math
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from threading import Event
from types import FrameType
from typing import get_args

import torch

from app.cli.console import Console
from app.domain.errors import ExitCode, UserError
from app.pipeline.training import Prepared, TrainingJob, carry_out, pack, prepare
from app.pipeline.training_scores import HEADERS, Score
from harmonizer import SemanticClass
from harmonizer.config import HeadName
from harmonizer.training.loop import MIN_JUDGED_PX, Progress, TrainSettings
from harmonizer.training.loss import LossWeights
from harmonizer.training.pictures import Collection

_HEADS: dict[str, HeadName] = {name: name for name in get_args(HeadName)}


def run(args: argparse.Namespace, console: Console) -> ExitCode:
    """Train to the last step and print how the result compares, or pack the data and stop."""
    torch.set_num_threads(args.threads or torch.get_num_threads())
    collections = tuple(parse_collection(text) for text in args.data)
    if args.pack:
        return _pack(args, collections, console)
    job = TrainingJob(
        collections=collections,
        folder=Path(args.out),
        settings=_settings(args),
        backbone=_existing(args.backbone),
        init=_existing(args.init),
        precompute=args.precompute or 0,
    )
    _check(job)
    prepared = _prepared(job, console)
    console.tell_left_out(prepared.left_out)
    rows = _trained(prepared, console)
    if console.is_json:
        console.result(
            {
                "output": args.out,
                "steps": prepared.trainer.step,
                "pictures": {part: len(data) for part, data in prepared.parts.items()},
                "scores": [vars(row) for row in rows],
                "left_out": prepared.left_out,
                "notices": console.notices,
            }
        )
    elif rows:
        console.table("fMSE on unseen pictures", HEADERS, [row.cells() for row in rows])
    return ExitCode.OK


def _pack(args: argparse.Namespace, collections: tuple[Collection, ...], console: Console) -> ExitCode:
    packed, pictures = pack(collections, Path(args.pack), thumbnail_px=args.thumbnail_px)
    console.tell_left_out(pictures.broken)
    told = f"{len(pictures)} pictures of {pictures.side_px} px in {packed.files} files"
    console.say(f"{args.pack}: {told}, {packed.total_bytes / 1e6:.0f} MB")
    if console.is_json:
        result = {"output": args.pack, "pictures": len(pictures), "side_px": pictures.side_px}
        console.result(result | vars(packed) | {"left_out": pictures.broken, "notices": console.notices})
    return ExitCode.OK


def _prepared(job: TrainingJob, console: Console) -> Prepared:
    if not job.precompute:
        return prepare(job, notice=console.notice)
    with console.progress("precomputing", job.shards) as ticker:
        return prepare(job, notice=console.notice, tick=ticker.tick)


def _trained(prepared: Prepared, console: Console) -> list[Score]:
    """Train with a bar, and a line for every save: long runs are watched by their log."""
    first, steps = prepared.trainer.step, prepared.job.settings.steps
    title = f"training from step {first}" if first else "training"
    with console.progress(title, max(0, steps - first)) as ticker, _between_steps() as interrupted:

        def report(progress: Progress) -> None:
            ticker.tick(f"loss {progress.loss:.3f}")
            if progress.validation:
                console.notice(saved_line(progress))
            if interrupted.is_set():
                raise KeyboardInterrupt

        return carry_out(prepared, report=report, notice=console.notice)


@contextmanager
def _between_steps() -> Iterator[Event]:
    """Ctrl-C waits for the end of the step; a second one does not.

    An interrupt inside torch's backward pass leaves its threads holding Python objects, and the interpreter then
    aborts instead of ending with 130 (seen once in some twenty runs).
    """
    asked = Event()

    def note(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        asked.set()

    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:  # ignored, or not ours to take: a background job, a test run
        yield asked
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def saved_line(progress: Progress) -> str:
    """What a long run tells at every save."""
    scores = ", ".join(f"{head} {score:.0f}" for head, score in progress.validation.items())
    left = f", {duration(progress.eta_s)} left" if progress.step < progress.steps else ""
    return f"step {progress.step} of {progress.steps} saved: loss {progress.loss:.3f}, fMSE {scores}{left}"


def duration(seconds: float) -> str:
    """`45 s`, `12 min` or `3 h 20 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def _settings(args: argparse.Namespace) -> TrainSettings:
    return TrainSettings(
        steps=args.steps,
        batch=args.batch,
        recolourings=args.recolourings,
        learning_rate=args.learning_rate,
        warmup_steps=args.warmup,
        thumbnail_px=args.thumbnail_px,
        small_first=args.small_first,
        backbone=args.encoder,
        heads=parse_heads(args.heads),
        losses=parse_losses(args.loss or ""),
        seed=args.seed,
        bf16=args.precision == "bf16",
        device=args.device,
        save_every_steps=args.save_every,
    )


def _check(job: TrainingJob) -> None:
    """UserError (USAGE) for options that don't go together."""
    settings = job.settings
    is_frozen = job.precompute > 0
    refused = {
        "--backbone fills a SqueezeNet encoder, not vgg16.": job.backbone and settings.backbone != "squeezenet1_1",
        "--backbone and --init exclude each other.": job.backbone and job.init,
        "--precompute trains the fused head on squeezenet1_1 alone.": is_frozen
        and (settings.heads != ("fused",) or settings.backbone != "squeezenet1_1"),
        "--precompute keeps no whole pictures for an adversarial loss.": is_frozen and settings.losses.adversarial,
        "--precompute draws thumbnails of one size: no --small-first.": is_frozen and settings.small_first,
        f"An adversarial loss needs thumbnails of {MIN_JUDGED_PX} px or more.": settings.losses.adversarial
        and settings.thumbnail_px < MIN_JUDGED_PX,
        f"With an adversarial loss --small-first needs thumbnails of {2 * MIN_JUDGED_PX} px or more.": (
            settings.losses.adversarial and settings.small_first and settings.thumbnail_px < 2 * MIN_JUDGED_PX
        ),
    }
    for message, applies in refused.items():
        if applies:
            raise UserError(message, "`platematch train --help` tells the options.", code=ExitCode.USAGE)


def _existing(text: str | None) -> Path | None:
    if text is not None and not Path(text).exists():
        raise UserError(f"There is no {text}.", "Give a file or folder that exists.", code=ExitCode.MODEL)
    return Path(text) if text is not None else None


def parse_heads(text: str) -> tuple[HeadName, ...]:
    """Heads joined by commas, each once. UserError (USAGE) for unknown ones."""
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    unknown = [name for name in names if name not in _HEADS]
    if unknown or not names:
        raise UserError(
            f"Unknown heads: {', '.join(unknown) or 'none given'}.", f"Known: {', '.join(_HEADS)}.", code=ExitCode.USAGE
        )
    return tuple(_HEADS[name] for name in names)


def parse_losses(text: str) -> LossWeights:
    """`TERM=WEIGHT,...`; terms that are not named keep their default. UserError (USAGE)."""
    known = [field.name for field in fields(LossWeights)]
    given: dict[str, float] = {}
    for part in (part.strip() for part in text.split(",") if part.strip()):
        name, _, value = part.partition("=")
        weight = _number(value)
        if name not in known or weight is None:
            raise UserError(
                f"--loss can't take {part!r}.", f"Give TERM=WEIGHT; terms: {', '.join(known)}.", code=ExitCode.USAGE
            )
        given[name] = weight
    losses = replace(LossWeights(), **given)
    if not any((losses.l1, losses.squared, losses.relative, losses.lab)):
        raise UserError("No loss term compares with the truth.", "Give l1 or squared a weight.", code=ExitCode.USAGE)
    return losses


def _number(text: str) -> float | None:
    """A finite number of at least 0."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def parse_collection(text: str) -> Collection:
    """`DIR` or `DIR=CLASS`; UserError for a missing folder or an unknown class."""
    classes = {c.name.lower(): c for c in SemanticClass}
    if Path(text).is_dir():
        return Collection(Path(text))
    folder_text, _, label = text.rpartition("=")
    if folder_text and Path(folder_text).is_dir():
        if label not in classes:
            raise UserError(f"Unknown class {label!r}.", f"Known: {', '.join(classes)}.")
        return Collection(Path(folder_text), classes[label])
    raise UserError(f"There is no folder {folder_text or text}.", "Give a folder; --help describes the layouts.")
