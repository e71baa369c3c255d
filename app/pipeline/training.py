"""A training run from data to weights, with everything that can go wrong told as a sentence.

`prepare` reads data and weights, `carry_out` trains and compares; `pack` only packs the data.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
import torch

from app.domain.errors import ExitCode, UserError
from app.pipeline.engine_loading import check_device
from app.pipeline.training_scores import EVALUATION_SEED, Score, compare
from harmonizer.fused import FusedNet
from harmonizer.network import CurveNet
from harmonizer.training.checkpoints import CHECKPOINT_FILE, LOG_FILE
from harmonizer.training.datasets import PICTURE_PER_THUMBNAIL, load_data
from harmonizer.training.evaluate import EvalSet, build_eval_set
from harmonizer.training.loop import Progress, Saved, Trainer, TrainingError, TrainSettings, run
from harmonizer.training.pictures import Collection, Pictures, Split, split_pictures
from harmonizer.training.plots import plot_log
from harmonizer.training.precomputed import SCENES, PrecomputedTrainer, precompute
from harmonizer.training.shards import Packed, save_shards
from harmonizer.training.sheets import evenly, png_bytes, training_sheet
from harmonizer.weights import WeightsError, load_network, load_onnx_backbone, write_beside

SCORES_FILE: Final = "scores.json"
CURVES_FILE: Final = "curves.png"
SHEET_FILE: Final = "sheet.png"
MAX_VALIDATED: Final = 1000
"""Pictures looked at after every save; the comparison at the end takes all."""

_SAMPLE_BYTES_AT_128_PX = 38e3
_KEPT = "The last good checkpoint is kept, and the same command goes on from it."

Notice = Callable[[str], None]


@dataclass(frozen=True)
class TrainingJob:
    """What to train on, where to, from what. precompute: samples drawn once for a frozen trunk; 0: fresh ones."""

    collections: tuple[Collection, ...]
    folder: Path
    settings: TrainSettings
    backbone: Path | None = None
    init: Path | None = None
    precompute: int = 0

    @property
    def shards(self) -> int:
        """How often `prepare` ticks: once a precomputed shard."""
        return -(-self.precompute // (SCENES * self.settings.recolourings))


@dataclass(frozen=True)
class Prepared:
    """A run that can begin. left_out: `name: reason` of every file that could not be used."""

    job: TrainingJob
    trainer: Trainer
    parts: Mapping[Split, Pictures]
    validation: EvalSet
    left_out: tuple[str, ...]


def pack(collections: tuple[Collection, ...], folder: Path, *, thumbnail_px: int) -> tuple[Packed, Pictures]:
    """Write the data as shards that `--data` takes. UserError (BAD_INPUT) or (OUTPUT)."""
    _refuse_data_folder(collections, folder)
    pictures = _load(collections, thumbnail_px)
    try:
        return save_shards(pictures, folder), pictures
    except (OSError, ValueError) as error:
        raise UserError(
            f"The packed data can't be written: {_reason(error)}.", "Choose another folder.", code=ExitCode.OUTPUT
        ) from error


def prepare(job: TrainingJob, *, notice: Notice, tick: Callable[[], None] = lambda: None) -> Prepared:
    """Read everything a run needs; what can be refused early is. UserError as the parts fail.

    tick: told of every precomputed shard.
    """
    check_device(job.settings.device)
    _check_folder(job)
    with _told(job.folder):
        start = _frozen_start(job) if job.precompute else None
        trainer = None if start else start_trainer(job, notice)
    parts, left_out = _split(_load(job.collections, job.settings.thumbnail_px), notice)
    data = parts["train"].to(job.settings.device)
    with _told(job.folder):
        trainer = trainer or _precomputed(job, start, data, tick=tick, notice=notice)
    if trainer.step >= job.settings.steps:
        notice(f"all {job.settings.steps} steps were done before; only the comparison is made anew")
    validation = build_eval_set(_validated(parts, notice), seed=EVALUATION_SEED)
    return Prepared(job, trainer, {**parts, "train": data}, validation, left_out)


def carry_out(prepared: Prepared, *, report: Callable[[Progress], None], notice: Notice) -> list[Score]:
    """Train to the last step, then compare on the val and test parts; writes `scores.json` beside the weights.

    UserError: FAILED when training went wrong, OUTPUT when the folder can't take more, INTERRUPTED.
    """
    folder = prepared.job.folder

    def on_save(saved: Saved) -> None:
        draw(folder, saved, prepared.validation, notice)

    with _told(folder):
        run(prepared.trainer, prepared.parts["train"], prepared.validation, folder, report, on_save=on_save)
        networks = prepared.trainer.averaged()
        parts = ((part, prepared.parts[part]) for part in ("val", "test"))
        rows = [row for part, data in parts if len(data) for row in compare(data, networks, part)]
        write_beside(folder / SCORES_FILE, json.dumps([vars(row) for row in rows], indent=1).encode())
    return rows


def draw(folder: Path, saved: Saved, validation: EvalSet, notice: Notice) -> None:
    """`curves.png` and `sheet.png` of the last head; a failure is a notice, for nothing of the run depends on them."""
    try:
        plot_log(folder / LOG_FILE, folder / CURVES_FILE)
        sheet = training_sheet(list(saved.outputs.values())[-1], validation)
        write_beside(folder / SHEET_FILE, png_bytes(sheet))
    except Exception as error:  # matplotlib is an extra, and fonts, disks and pictures fail in many ways
        notice(f"the pictures of step {saved.step} were not drawn: {_reason(error)}")


def start_trainer(job: TrainingJob, notice: Notice) -> Trainer:
    """A trainer at its last checkpoint, at given weights, or at the ImageNet encoder. WeightsError."""
    trainer = Trainer(job.settings)
    checkpoint = job.folder / CHECKPOINT_FILE
    if checkpoint.is_file():
        trainer.resume(checkpoint)
        notice(f"going on at step {trainer.step}")
    elif job.init is not None:
        trainer.start_from(_initial(job.init, job.settings, notice))
    elif job.backbone is not None:
        _fill_encoder(trainer, job.backbone)
    else:
        notice("the encoder starts untrained; --backbone learns about twice as fast")
    return trainer


def _fill_encoder(trainer: Trainer, path: Path) -> None:
    """Put ImageNet's weights into the shared encoder. WeightsError when the file is no such network."""
    network = next(iter(trainer.networks.values()))
    assert isinstance(network, CurveNet)  # noqa: S101  (narrowing for the type checker)
    try:
        load_onnx_backbone(network, path)
    except WeightsError:
        raise
    except ImportError as error:
        raise WeightsError("--backbone needs the package onnx, which the extra `train` brings") from error
    except Exception as error:  # protobuf's own errors share no base with anything
        raise WeightsError(f"{path} is no ONNX file ({_reason(error)})") from error
    trainer.restart_average()


def _initial(source: Path, settings: TrainSettings, notice: Notice) -> dict[str, CurveNet]:
    """Networks by head: of one weights file, or of a folder's files of this run's heads."""
    if source.is_file():
        network = load_network(source)
        if network.config.head not in settings.heads:
            raise WeightsError(f"{source} has the head {network.config.head!r}, which is not among --heads")
        return {network.config.head: network}
    files = {head: source / f"{head}.safetensors" for head in settings.heads}
    found: dict[str, CurveNet] = {head: load_network(path) for head, path in files.items() if path.is_file()}
    if not found:
        raise WeightsError(f"{source} holds none of {', '.join(path.name for path in files.values())}")
    for head, path in files.items():
        if head not in found:
            notice(f"the head {head} starts untrained: {path} is not there")
    return found


def _frozen_start(job: TrainingJob) -> FusedNet:
    if job.init is None:
        raise UserError("--precompute needs weights to start from.", "Give --init.", code=ExitCode.USAGE)
    network = _initial(job.init, job.settings, lambda text: None)["fused"]
    if not isinstance(network, FusedNet) or network.config.backbone != job.settings.backbone:
        raise WeightsError(f"{job.init} holds no fused head on {job.settings.backbone}")
    return network


def _precomputed(
    job: TrainingJob, start: FusedNet | None, data: Pictures, *, tick: Callable[[], None], notice: Notice
) -> Trainer:
    """A trainer on what the frozen trunk sees in a fixed number of samples, the same for the same seed."""
    assert start is not None  # noqa: S101  (narrowing for the type checker)
    _check_memory(job)
    generator = torch.Generator(job.settings.device).manual_seed(job.settings.seed)
    shards = precompute(
        start, data, samples=job.precompute, settings=job.settings, generator=generator, tick=lambda done: tick()
    )
    trainer = PrecomputedTrainer(job.settings, shards, start)
    checkpoint = job.folder / CHECKPOINT_FILE
    if checkpoint.is_file():
        trainer.resume(checkpoint)
        notice(f"going on at step {trainer.step}")
    return trainer


def _check_memory(job: TrainingJob) -> None:
    needed = job.precompute * _SAMPLE_BYTES_AT_128_PX * (job.settings.thumbnail_px / 128) ** 2
    free = psutil.virtual_memory().available
    if job.settings.device == "cpu" and needed > free:
        raise UserError(
            f"{job.precompute} samples need about {needed / 2**30:.0f} GiB of memory; {free / 2**30:.0f} are free.",
            "Precompute fewer, or smaller thumbnails.",
        )


def _load(collections: tuple[Collection, ...], thumbnail_px: int) -> Pictures:
    try:
        pictures = load_data(collections, side_px=round(thumbnail_px * PICTURE_PER_THUMBNAIL))
    except (OSError, ValueError) as error:
        raise UserError(
            f"The data can't be used: {_reason(error)}.", "`platematch train --help` describes the layouts."
        ) from error
    if pictures.side_px < thumbnail_px:
        raise UserError(
            f"The data was packed at {pictures.side_px} px, too small for thumbnails of {thumbnail_px} px.",
            f"Pack it anew, or train with --thumbnail-px {round(pictures.side_px / PICTURE_PER_THUMBNAIL)}.",
        )
    return pictures


def _split(pictures: Pictures, notice: Notice) -> tuple[dict[Split, Pictures], tuple[str, ...]]:
    """The parts, and what could not be read; the whole is not kept, for it may fill half the memory."""
    parts = split_pictures(pictures)
    kept = sum(len(part) for part in parts.values())
    if kept < len(pictures):
        notice(f"{len(pictures) - kept} pictures stay out of training: they look like published test pictures")
    if not len(parts["train"]):
        raise UserError(
            f"Nothing to train on: all {kept} pictures fall into the parts that are only looked at.",
            "Give more pictures; four in five are trained on.",
        )
    return parts, pictures.broken


def _validated(parts: Mapping[Split, Pictures], notice: Notice) -> Pictures:
    if not len(parts["val"]):
        notice("too few pictures for a validation part: validated on training pictures")
    chosen = parts["val"] if len(parts["val"]) else parts["train"]
    return chosen.subset(evenly(len(chosen), MAX_VALIDATED))


def _check_folder(job: TrainingJob) -> None:
    """UserError (OUTPUT) unless the folder is new, empty of results, or holds a run to go on with."""
    folder = job.folder
    _refuse_data_folder(job.collections, folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"The folder {folder} can't be made: {_reason(error)}.", "Choose another --out.", code=ExitCode.OUTPUT
        ) from error
    if not os.access(folder, os.W_OK):
        raise UserError(f"The folder {folder} can't be written.", "Choose another --out.", code=ExitCode.OUTPUT)
    names = [LOG_FILE, SCORES_FILE, CURVES_FILE, SHEET_FILE, *(f"{head}.safetensors" for head in job.settings.heads)]
    lying = [name for name in names if (folder / name).exists()]
    if lying and not (folder / CHECKPOINT_FILE).exists():
        raise UserError(
            f"{folder} holds {', '.join(lying)}, but no {CHECKPOINT_FILE} to go on from.",
            "Choose another --out, or move these away: training would replace them.",
            code=ExitCode.OUTPUT,
        )


def _refuse_data_folder(collections: tuple[Collection, ...], folder: Path) -> None:
    if any(c.folder.resolve() == folder.resolve() for c in collections):
        raise UserError(f"{folder} holds the data.", "Choose another folder to write to.", code=ExitCode.OUTPUT)


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Errors of a run as the user reads them."""
    try:
        yield
    except KeyboardInterrupt:
        raise UserError("Training was interrupted.", _hint(folder), code=ExitCode.INTERRUPTED) from None
    except WeightsError as error:
        raise UserError(
            f"Training can't start: {error}.",
            "Choose another --out or other weights; nothing was changed.",
            code=ExitCode.MODEL,
        ) from error
    except TrainingError as error:
        hint = f"A lower --learning-rate may help. {_hint(folder)}"
        raise UserError(f"Training stopped: {error}.", hint, code=ExitCode.FAILED) from error
    except (MemoryError, torch.OutOfMemoryError) as error:
        hint = f"A smaller --batch needs less. {_hint(folder)}"
        raise UserError("Training stopped: the memory is full.", hint, code=ExitCode.FAILED) from error
    except OSError as error:
        reason = _reason(error)
        raise UserError(f"Training stopped: {reason}.", _hint(folder), code=ExitCode.OUTPUT) from error


def _hint(folder: Path) -> str:
    return _KEPT if (folder / CHECKPOINT_FILE).exists() else "Nothing was saved yet."


def _reason(error: Exception) -> str:
    """What an error says, with the file where it names one."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror} ({error.filename})" if error.filename else error.strerror
    return str(error) or type(error).__name__
