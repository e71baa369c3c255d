"""The training loop: heads of several kinds over one shared encoder, weights averaged, resumable exactly."""

from __future__ import annotations

import copy
import io
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from harmonizer.config import BackboneName, HeadName, NetworkConfig
from harmonizer.network import CurveNet, build_network, embedded
from harmonizer.torch_curves import apply_cascade
from harmonizer.training.checkpoints import CHECKPOINT_FILE, LOG_FILE, add_to_log, first_line, read_checkpoint
from harmonizer.training.evaluate import EvalSet, network_outputs, per_picture_fmse
from harmonizer.training.loss import Discriminator, LossWeights, cascade_loss, generator_term, judge_loss
from harmonizer.training.pictures import Pictures
from harmonizer.training.views import Batch, Points, draw_batch
from harmonizer.weights import WeightsError, save_network, write_beside

MIN_THUMBNAIL_PX: Final = 32
MIN_JUDGED_PX: Final = 80
_PLAIN_BRANCH_EVERY = 5
_LOSS_MEMORY = 0.98


class TrainingError(Exception):
    """Training stopped; the last good checkpoint is kept. The message says why."""


@dataclass(frozen=True)
class TrainSettings:
    """One run. Rates per step; `bf16` autocasts the encoder (2.4x on a CPU with AVX512-BF16).

    batch: samples a step, scenes times recolourings. small_first: part of the steps that sees thumbnails of half
    the side, four times as fast. device: a torch device; data and training live there.
    """

    steps: int = 6000
    batch: int = 48
    recolourings: int = 2
    learning_rate: float = 4e-4
    warmup_steps: int = 200
    weight_decay: float = 0.05
    average_decay: float = 0.998
    clip_norm: float = 1.0
    thumbnail_px: int = 128
    small_first: float = 0.0
    backbone: BackboneName = "squeezenet1_1"
    heads: tuple[HeadName, ...] = ("published", "fused")
    losses: LossWeights = field(default_factory=LossWeights)
    seed: int = 2333
    bf16: bool = True
    device: str = "cpu"
    save_every_steps: int = 250


@dataclass(frozen=True)
class Progress:
    """What a run reports: step of steps, smoothed loss, seconds left, validation fMSE by head if just saved."""

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


def side_px_at(step: int, settings: TrainSettings) -> int:
    """Side of the thumbnails at a step: half of the final one at first, where the run is set so."""
    is_small = step < settings.small_first * settings.steps
    return max(MIN_THUMBNAIL_PX, settings.thumbnail_px // 2) if is_small else settings.thumbnail_px


def build_networks(settings: TrainSettings, encoder: nn.Module | None = None) -> nn.ModuleDict:
    """One network a head; all share the first one's encoder module."""
    networks = nn.ModuleDict()
    for head in settings.heads:
        config = NetworkConfig(backbone=settings.backbone, head=head, thumbnail_px=settings.thumbnail_px)
        network = build_network(config)
        encoder = encoder if encoder is not None else network.encoder
        network.add_module(network.config.backbone, encoder)
        networks[head] = network
    return networks.to(settings.device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def decayed_apart(networks: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Parameter groups: weights decay, biases and normalisation don't."""
    parameters = [p for p in networks.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


class Trainer:
    """State of a run: networks, their average, optimiser, random streams, step."""

    def __init__(self, settings: TrainSettings, encoder: nn.Module | None = None) -> None:
        torch.manual_seed(settings.seed)
        self.settings = settings
        self.step = 0
        self.smoothed_loss = math.nan
        self.networks = build_networks(settings, encoder)
        self.generator = torch.Generator(settings.device).manual_seed(settings.seed)
        self.average = AveragedModel(
            self.networks,
            multi_avg_fn=get_ema_multi_avg_fn(settings.average_decay),  # type: ignore[no-untyped-call]
            use_buffers=False,
        )
        self.optimizer = torch.optim.AdamW(
            decayed_apart(self.networks, settings.weight_decay), lr=settings.learning_rate
        )
        self.judge = Discriminator().to(settings.device) if settings.losses.adversarial else None
        self.judge_optimizer = (
            torch.optim.RMSprop(self.judge.parameters(), lr=settings.learning_rate) if self.judge else None
        )

    def train_step(self, data: Pictures) -> float:
        """One step on a fresh batch; the loss.

        TrainingError when it or its gradient is not finite; weights and average are then as they were.
        """
        self.networks.train()
        loss = self._next_loss(data)
        value = loss.item()
        if not math.isfinite(value):
            raise TrainingError(f"the loss became {value} at step {self.step}")
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate_at(self.step, self.settings)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.networks.parameters(), self.settings.clip_norm)
        if not math.isfinite(norm.item()):
            raise TrainingError(f"the gradient became {norm.item()} at step {self.step}")
        self.optimizer.step()
        self.average.update_parameters(self.networks)
        self.step += 1
        is_first = math.isnan(self.smoothed_loss)
        self.smoothed_loss = value if is_first else _LOSS_MEMORY * self.smoothed_loss + (1 - _LOSS_MEMORY) * value
        return value

    def _next_loss(self, data: Pictures) -> Tensor:
        return self._loss(self._batch(data))

    def _batch(self, data: Pictures) -> Batch:
        s = self.settings
        scenes = max(1, s.batch // s.recolourings)
        pick = torch.randint(0, len(data), (scenes,), generator=self.generator, device=s.device)
        side_px = side_px_at(self.step, s)
        return draw_batch(data, pick, side_px=side_px, generator=self.generator, recolourings=s.recolourings)

    def _loss(self, batch: Batch) -> Tensor:
        encoder = next(iter(self.networks.values())).encoder
        assert isinstance(encoder, nn.Module)  # noqa: S101  (narrowing for the type checker)
        with torch.autocast(torch.device(self.settings.device).type, torch.bfloat16, enabled=self.settings.bf16):
            features = encoder(batch.views.looks())
        label = batch.label if self.step % _PLAIN_BRANCH_EVERY != 0 else None
        losses = [self._head_loss(net, features.float(), label, batch) for net in self.networks.values()]
        return torch.stack(losses).mean()

    def _head_loss(self, network: nn.Module, features: Tensor, label: Tensor | None, batch: Batch) -> Tensor:
        net = cast("CurveNet", network)
        foreground, background, around = embedded(net, features, batch.views)
        knots = net.read(foreground, background, label, around)
        loss = self._curve_loss(knots, batch.points)
        return loss if self.judge is None else loss + self._adversarial(knots, batch)

    def _curve_loss(self, knots: Tensor, points: Points) -> Tensor:
        if not bool(torch.isfinite(knots).all()):
            raise TrainingError(f"a curve became nan or infinite at step {self.step}")
        return cascade_loss(knots, points, self.settings.losses)

    def _adversarial(self, knots: Tensor, batch: Batch) -> Tensor:
        """The generator's term; the judge itself takes its step on the way, as in the published code."""
        assert self.judge is not None and self.judge_optimizer is not None  # noqa: S101, PT018  (narrowing)
        shown = batch.views.foreground
        fake = apply_cascade(shown.flatten(2), knots)[-1].view_as(shown) * batch.views.alpha
        self.judge_optimizer.zero_grad(set_to_none=True)
        judge_loss(self.judge, fake, batch.real).backward()  # type: ignore[no-untyped-call]
        self.judge_optimizer.step()
        return self.settings.losses.adversarial * generator_term(self.judge, fake)

    def averaged(self) -> dict[str, CurveNet]:
        """The averaged networks by head, detached from training."""
        networks = copy.deepcopy(self.average.module)
        assert isinstance(networks, nn.ModuleDict)  # noqa: S101  (narrowing for the type checker)
        return {head: cast("CurveNet", net.eval()) for head, net in networks.items()}

    def restart_average(self) -> None:
        """Let the average start at the present weights, after they were set from outside."""
        self.average.module.load_state_dict(self.networks.state_dict())

    def start_from(self, networks: Mapping[str, CurveNet]) -> None:
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
        state = {
            "settings": asdict(self.settings),
            "step": self.step,
            "smoothed_loss": self.smoothed_loss,
            "networks": self.networks.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "torch_random": torch.get_rng_state(),
        }
        if self._is_cuda:
            state["device_random"] = torch.cuda.get_rng_state(self.settings.device)
        if self.judge is not None and self.judge_optimizer is not None:
            state["judge"] = self.judge.state_dict()
            state["judge_optimizer"] = self.judge_optimizer.state_dict()
        return state

    @property
    def _is_cuda(self) -> bool:
        return torch.device(self.settings.device).type == "cuda"

    def resume(self, path: Path) -> None:
        """Continue a saved run; on the device it was saved on, to the bit.

        WeightsError when the file can't be read or is no checkpoint of this architecture.
        """
        state = read_checkpoint(path, like=asdict(self.settings))
        if self.judge is not None and "judge" not in state:
            raise WeightsError(f"{path} is no checkpoint of this run: it has no adversarial judge")
        try:
            self._set_state(state)
        except Exception as error:  # a damaged state fails in a dozen ways; all mean the same here
            raise WeightsError(f"{path} is no checkpoint of this run ({first_line(error)})") from error

    def _set_state(self, state: dict[str, Any]) -> None:
        self.networks.load_state_dict(state["networks"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.judge is not None and self.judge_optimizer is not None:
            self.judge.load_state_dict(state["judge"])
            self.judge_optimizer.load_state_dict(state["judge_optimizer"])
        saved_on = torch.device(state["settings"]["device"]).type
        if saved_on == torch.device(self.settings.device).type:
            self.generator.set_state(state["generator"])
        torch.set_rng_state(state["torch_random"])
        if self._is_cuda and "device_random" in state:
            torch.cuda.set_rng_state(state["device_random"], self.settings.device)
        self.smoothed_loss = float(state["smoothed_loss"])
        self.step = int(state["step"])

    def export(self, folder: Path) -> dict[str, str]:
        """Averaged weights as `<head>.safetensors`; SHA-256 by head."""
        return self._export(self.averaged(), folder)

    def _export(self, networks: Mapping[str, CurveNet], folder: Path) -> dict[str, str]:
        notes = {"trained_steps": str(self.step)}
        return {head: save_network(net, folder / f"{head}.safetensors", notes=notes) for head, net in networks.items()}

    def checkpoint(self, folder: Path, validation: EvalSet) -> Saved:
        """Save everything, weights and a line of `log.csv`. OSError when the folder can't take it."""
        self.save(folder / CHECKPOINT_FILE)
        networks = self.averaged()
        self._export(networks, folder)
        outputs = {head: network_outputs(net, validation) for head, net in networks.items()}
        scores = {head: float(per_picture_fmse(o, validation).mean()) for head, o in outputs.items()}
        add_to_log(folder / LOG_FILE, self.step, loss=self.smoothed_loss, scores=scores)
        return Saved(self.step, scores, outputs)


@dataclass(frozen=True)
class Saved:
    """What was just saved: the step, and by head the validation set's fMSE and outputs (N, 3, P, P) uint8."""

    step: int
    scores: dict[str, float]
    outputs: dict[str, Tensor]


def run(
    trainer: Trainer,
    data: Pictures,
    validation: EvalSet,
    folder: Path,
    report: Callable[[Progress], None],
    *,
    on_save: Callable[[Saved], None] = lambda saved: None,
) -> None:
    """Train to the last step, saving and validating as set; `log.csv`, `last.pt` and weights land in folder.

    On a non-finite loss or an interrupt the last good checkpoint stays and the error goes on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings, started, first = trainer.settings, time.monotonic(), trainer.step
    while trainer.step < settings.steps:
        trainer.train_step(data)
        scores = {}
        if trainer.step % settings.save_every_steps == 0 or trainer.step == settings.steps:
            saved = trainer.checkpoint(folder, validation)
            on_save(saved)
            scores = saved.scores
        per_step = (time.monotonic() - started) / (trainer.step - first)
        eta_s = per_step * (settings.steps - trainer.step)
        report(Progress(trainer.step, settings.steps, trainer.smoothed_loss, eta_s, scores))
