"""A training run from folders to weights, and the table that says how good they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from harmonizer.network import S2CRNet
from harmonizer.training.evaluate import (
    BASELINES,
    EvalSet,
    baseline_fmse,
    build_eval_set,
    network_outputs,
    per_picture_fmse,
)
from harmonizer.training.loop import Progress, Trainer, TrainSettings, run
from harmonizer.training.pictures import Collection, Pictures, load_pictures, split_pictures
from harmonizer.weights import load_network, load_onnx_backbone, write_beside

EVALUATION_SEED = 7
PICTURE_PER_THUMBNAIL = 1.5


@dataclass(frozen=True)
class TrainingJob:
    """What to train on, where to, from what."""

    collections: tuple[Collection, ...]
    folder: Path
    settings: TrainSettings
    backbone: Path | None = None
    init: Path | None = None


@dataclass(frozen=True)
class Score:
    """One row of the comparison: fMSE (peak 255) over a split, share of pictures made worse."""

    split: str
    method: str
    mean: float
    median: float
    worse: float

    def cells(self) -> list[str]:
        """The row as text."""
        return [
            self.split,
            self.method,
            f"{self.mean:.0f}",
            f"{self.median:.0f}",
            f"{100 * self.worse:.1f} %",
        ]


def run_training(job: TrainingJob, *, report: Callable[[Progress], None], notice: Callable[[str], None]) -> list[Score]:
    """Train or go on, then compare on the val and test splits; writes `scores.json` beside the weights.

    NothingUsableError, WeightsError, TrainingError, OSError as the parts raise them.
    """
    side_px = round(job.settings.thumbnail_px * PICTURE_PER_THUMBNAIL)
    pictures = load_pictures(job.collections, side_px=side_px)
    if pictures.broken:
        notice(f"{len(pictures.broken)} files left out, first: {pictures.broken[0]}")
    parts = split_pictures(pictures)
    trainer = start_trainer(job, notice)
    validation = build_eval_set(parts["val"], seed=EVALUATION_SEED)
    run(trainer, parts["train"], validation, job.folder, report)
    networks: dict[str, S2CRNet] = dict(trainer.averaged())
    rows = [row for split in ("val", "test") for row in compare(parts[split], networks, split)]
    scores = json.dumps([vars(row) for row in rows], indent=1)
    write_beside(job.folder / "scores.json", scores.encode())
    return rows


def start_trainer(job: TrainingJob, notice: Callable[[str], None]) -> Trainer:
    """A trainer at its last checkpoint, at given weights, or at the ImageNet encoder."""
    trainer = Trainer(job.settings)
    checkpoint = job.folder / "last.pt"
    if checkpoint.is_file():
        trainer.resume(checkpoint)
        notice(f"going on at step {trainer.step}")
    elif job.init is not None:
        trainer.start_from({head: load_network(job.init / f"{head}.safetensors") for head in job.settings.heads})
    elif job.backbone is not None:
        first = trainer.networks[job.settings.heads[0]]
        assert isinstance(first, S2CRNet)  # noqa: S101  (narrowing for the type checker)
        load_onnx_backbone(first, job.backbone)
        trainer.restart_average()
    else:
        notice("the encoder starts untrained; --backbone learns about twice as fast")
    return trainer


def compare(data: Pictures, networks: dict[str, S2CRNet], split: str) -> list[Score]:
    """Untouched, Reinhard, histogram matching and the networks on one recolouring a picture."""
    evaluation = build_eval_set(data, seed=EVALUATION_SEED)
    untouched = per_picture_fmse(evaluation.composites, evaluation)
    results = {"untouched": untouched}
    results |= {name: baseline_fmse(method, evaluation) for name, method in BASELINES.items()}
    results |= {name: _network_fmse(network, evaluation) for name, network in networks.items()}
    return [_score(split, name, errors, untouched) for name, errors in results.items()]


def _network_fmse(network: S2CRNet, evaluation: EvalSet) -> npt.NDArray[np.float64]:
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return per_picture_fmse(network_outputs(network, evaluation), evaluation)


def _score(split: str, method: str, errors: npt.NDArray[np.float64], untouched: npt.NDArray[np.float64]) -> Score:
    worse = float((errors > untouched + 1.0).mean())
    return Score(split, method, float(errors.mean()), float(np.median(errors)), worse)
