"""The training loop: heads of several kinds over one shared encoder, weights averaged, resumable exactly."""

from __future__ import annotations

import copy
import csv
import io
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from harmonizer.heads import HeadName
from harmonizer.network import NetworkConfig, S2CRNet
from harmonizer.training.evaluate import EvalSet, mean_fmse
from harmonizer.training.loss import cascade_loss
from harmonizer.training.pictures import Pictures
from harmonizer.training.views import Batch, draw_batch
from harmonizer.weights import WeightsError, read_bounded, save_network, write_beside

_PLAIN_BRANCH_EVERY = 5


class TrainingError(Exception):
    """Training stopped; the last good checkpoint is kept. The message says why."""


@dataclass(frozen=True)
class TrainSettings:
    """One run. Rates per step; `bf16` autocasts the encoder (2.4x on a CPU with AVX512-BF16)."""

    steps: int = 6000
    batch: int = 48
    learning_rate: float = 4e-4
    warmup_steps: int = 200
    weight_decay: float = 0.01
    average_decay: float = 0.998
    clip_norm: float = 1.0
    thumbnail_px: int = 128
    heads: tuple[HeadName, ...] = ("published", "monotone")
    seed: int = 2333
    bf16: bool = True
    save_every_steps: int = 250


@dataclass(frozen=True)
class Progress:
    """What a run reports: step of steps, smoothed loss, seconds left, validation fMSE by head if due."""

    step: int
    steps: int
    loss: float
    eta_s: float
    validation: dict[str, float]


def learning_rate_at(step: int, settings: TrainSettings) -> float:
    """Linear warm-up, then a cosine to 1 % of the peak."""
    if step < settings.warmup_steps:
        return settings.learning_rate * (step + 1) / settings.warmup_steps
    done = (step - settings.warmup_steps) / max(1, settings.steps - settings.warmup_steps)
    return settings.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


def build_networks(settings: TrainSettings, encoder: nn.Module | None = None) -> nn.ModuleDict:
    """One network a head; all share the first one's encoder module."""
    networks = nn.ModuleDict()
    for head in settings.heads:
        network = S2CRNet(NetworkConfig(head=head, thumbnail_px=settings.thumbnail_px))
        encoder = encoder if encoder is not None else network.encoder
        network.add_module(network.config.backbone, encoder)
        networks[head] = network
    return networks.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


class Trainer:
    """State of a run: networks, their average, optimiser, random streams, step."""

    def __init__(self, settings: TrainSettings, encoder: nn.Module | None = None) -> None:
        torch.manual_seed(settings.seed)
        self.settings = settings
        self.step = 0
        self.networks = build_networks(settings, encoder)
        self.generator = torch.Generator().manual_seed(settings.seed)
        self.average = AveragedModel(
            self.networks,
            multi_avg_fn=get_ema_multi_avg_fn(settings.average_decay),  # type: ignore[no-untyped-call]
            use_buffers=False,
        )
        self.optimizer = torch.optim.AdamW(
            self.networks.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )

    def train_step(self, data: Pictures) -> float:
        """One step on a fresh batch; the loss. TrainingError when it is not finite (nothing is updated)."""
        pick = torch.randint(0, len(data), (self.settings.batch,), generator=self.generator)
        batch = draw_batch(data, pick, side_px=self.settings.thumbnail_px, generator=self.generator)
        loss = self._loss(batch, use_class=self.step % _PLAIN_BRANCH_EVERY != 0)
        if not math.isfinite(loss.item()):
            raise TrainingError(f"the loss became {loss.item()} at step {self.step}")
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate_at(self.step, self.settings)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.networks.parameters(), self.settings.clip_norm)
        self.optimizer.step()
        self.average.update_parameters(self.networks)
        self.step += 1
        return loss.item()

    def _loss(self, batch: Batch, *, use_class: bool) -> Tensor:
        both = torch.cat((batch.foreground, batch.background)).contiguous(memory_format=torch.channels_last)
        first = next(iter(self.networks.values()))
        with torch.autocast("cpu", torch.bfloat16, enabled=self.settings.bf16):
            embedded = first.embed(both)  # type: ignore[operator]
        foreground, background = embedded.float().chunk(2)
        label = batch.label if use_class else None
        losses = [self._head_loss(net, foreground, background, label, batch) for net in self.networks.values()]
        return torch.stack(losses).mean()

    def _head_loss(
        self, network: nn.Module, foreground: Tensor, background: Tensor, label: Tensor | None, batch: Batch
    ) -> Tensor:
        knots: Tensor = network.knots(foreground, background, label)  # type: ignore[operator]
        if not bool(torch.isfinite(knots).all()):
            raise TrainingError(f"a curve became nan or infinite at step {self.step}")
        return cascade_loss(knots, batch)

    def averaged(self) -> dict[str, S2CRNet]:
        """The averaged networks by head, detached from training."""
        networks = copy.deepcopy(self.average.module)
        assert isinstance(networks, nn.ModuleDict)  # noqa: S101  (narrowing for the type checker)
        return {head: net.eval() for head, net in networks.items() if isinstance(net, S2CRNet)}

    def restart_average(self) -> None:
        """Let the average start at the present weights, after they were set from outside."""
        self.average.module.load_state_dict(self.networks.state_dict())

    def start_from(self, networks: Mapping[str, S2CRNet]) -> None:
        """Take the weights of trained networks by head (their encoders are one and the same)."""
        try:
            for head, network in networks.items():
                self.networks[head].load_state_dict(network.state_dict())
        except (KeyError, RuntimeError) as error:
            raise WeightsError(f"the given weights do not fit this run: {str(error)[:120]}") from error
        self.restart_average()

    def save(self, path: Path) -> None:
        """Everything needed to go on exactly, written beside and renamed."""
        buffer = io.BytesIO()
        torch.save(self._state(), buffer)
        write_beside(path, buffer.getvalue())

    def _state(self) -> dict[str, Any]:
        return {
            "settings": asdict(self.settings),
            "step": self.step,
            "networks": self.networks.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
        }

    def resume(self, path: Path) -> None:
        """Continue a saved run. WeightsError when the file is not a checkpoint of this architecture."""
        try:
            state = torch.load(io.BytesIO(read_bounded(path)), weights_only=True)
            self.networks.load_state_dict(state["networks"])
            self.average.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.generator.set_state(state["generator"])
            self.step = int(state["step"])
        except (KeyError, TypeError, RuntimeError, ValueError, EOFError) as error:
            raise WeightsError(f"{path} is no checkpoint of this run: {str(error)[:120]}") from error

    def export(self, folder: Path) -> dict[str, str]:
        """Averaged weights as `<head>.safetensors`; SHA-256 by head."""
        notes = {"trained_steps": str(self.step)}
        return {
            head: save_network(net, folder / f"{head}.safetensors", notes=notes)
            for head, net in self.averaged().items()
        }


def run(
    trainer: Trainer, data: Pictures, validation: EvalSet, folder: Path, report: Callable[[Progress], None]
) -> None:
    """Train to the last step, saving and validating as set; `log.csv`, `last.pt` and weights land in folder.

    On a non-finite loss or an interrupt the last good checkpoint stays and the error goes on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings, smoothed, started, first = trainer.settings, 0.0, time.monotonic(), trainer.step
    while trainer.step < settings.steps:
        loss = trainer.train_step(data)
        smoothed = loss if smoothed == 0.0 else 0.98 * smoothed + 0.02 * loss
        due = trainer.step % settings.save_every_steps == 0 or trainer.step == settings.steps
        scores = _checkpoint(trainer, validation, folder, smoothed) if due else {}
        per_step = (time.monotonic() - started) / (trainer.step - first)
        report(Progress(trainer.step, settings.steps, smoothed, per_step * (settings.steps - trainer.step), scores))


def _checkpoint(trainer: Trainer, validation: EvalSet, folder: Path, loss: float) -> dict[str, float]:
    trainer.save(folder / "last.pt")
    trainer.export(folder)
    scores = {head: mean_fmse(net, validation) for head, net in trainer.averaged().items()}
    log = folder / "log.csv"
    is_new = not log.exists()
    with log.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if is_new:
            writer.writerow(["step", "loss", *(f"val_fmse_{head}" for head in scores)])
        writer.writerow([trainer.step, f"{loss:.5f}", *(f"{s:.1f}" for s in scores.values())])
    return scores
