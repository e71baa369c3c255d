"""Training on what a frozen trunk saw once: on a CPU, four times the samples in the same time.

The first layers of the encoder and the drawing of samples are most of a step's work. Here both are done once for
a fixed number of samples, kept as half-precision maps, and the encoder's last layers and the head are trained on
them for several rounds. The trunk must come from an earlier run: ImageNet's own sees no light.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harmonizer.fused import FusedNet, masked_mean
from harmonizer.training.loop import Trainer, TrainSettings
from harmonizer.training.pictures import Pictures
from harmonizer.training.views import Batch, Points, draw_batch
from harmonizer.weights import WeightsError

TRUNK = 9
SCENES = 32
_KEPT_POINTS = 8


@dataclass(frozen=True)
class Look:
    """One side as the trunk saw it: maps (N, C, h, w) float16, cells (N, 1, h, w), statistics (N, 67) float32."""

    maps: Tensor
    cells: Tensor
    statistics: Tensor

    def at(self, pick: Tensor) -> Look:
        """These rows."""
        return Look(self.maps[pick], self.cells[pick], self.statistics[pick])


@dataclass(frozen=True)
class Shard:
    """B scenes with R recolourings each: R * B foregrounds, in the order of `draw_batch`, and B backgrounds.

    around (B, 67), label (R * B, 5), levels (R * B, 7, M) uint8: composite, truth, weight of sampled points.
    """

    foreground: Look
    background: Look
    around: Tensor
    label: Tensor
    levels: Tensor


@torch.no_grad()
def precompute(
    network: FusedNet,
    data: Pictures,
    *,
    samples: int,
    settings: TrainSettings,
    generator: torch.Generator,
    tick: Callable[[int], None] = lambda done: None,
) -> list[Shard]:
    """Draw this many samples and keep what the trunk makes of them, about 38 kB a sample at 128 px.

    tick: told how many are drawn, shard by shard. The same for the same generator state.
    """
    network.to(settings.device).eval()
    shards: list[Shard] = []
    for done in range(0, samples, SCENES * settings.recolourings):
        pick = torch.randint(0, len(data), (SCENES,), generator=generator, device=settings.device)
        batch = draw_batch(
            data, pick, side_px=settings.thumbnail_px, generator=generator, recolourings=settings.recolourings
        )
        shards.append(_seen(network, batch, settings))
        tick(min(samples, done + SCENES * settings.recolourings))
    return shards


def _seen(network: FusedNet, batch: Batch, settings: TrainSettings) -> Shard:
    views, encoder = batch.views, cast("nn.Sequential", network.encoder)
    with torch.autocast(torch.device(settings.device).type, torch.bfloat16, enabled=settings.bf16):
        maps = encoder[:TRUNK](views.looks()).half()
    count, size = len(views.foreground), maps.shape[2:]
    points = batch.points
    levels = torch.cat((points.composite, points.truth, points.weight), dim=1)[:, :, ::_KEPT_POINTS]
    return Shard(
        foreground=Look(maps[:count], _cells(views.alpha, size), network.statistics(views.foreground, views.alpha)),
        background=Look(maps[count:], _cells(views.keep, size), network.statistics(views.background, views.keep)),
        around=network.around(views.background, views.hole),
        label=batch.label,
        levels=(levels * 255.0).round().byte(),
    )


def _cells(coverage: Tensor, size: Sequence[int]) -> Tensor:
    return F.interpolate(coverage, size=tuple(size), mode="area")


class PrecomputedTrainer(Trainer):
    """Trains the encoder's last layers and the fused head on shards; the trunk stays as it is.

    Its steps mix whole shards, so a batch is `batch / (32 * recolourings)` of them, at least one.
    """

    def __init__(self, settings: TrainSettings, shards: list[Shard], start: FusedNet) -> None:
        super().__init__(settings)
        self.start_from({"fused": start})
        self.shards = shards
        self._trunk().requires_grad_(False)

    def resume(self, path: Path) -> None:
        """As `Trainer.resume`; WeightsError too where the checkpoint's trunk is not the one that made the shards."""
        before = [p.clone() for p in self._trunk().parameters()]
        super().resume(path)
        if not all(torch.equal(a, b) for a, b in zip(before, self._trunk().parameters(), strict=True)):
            raise WeightsError(f"{path} is no checkpoint of this run: it began with other weights")

    def _trunk(self) -> nn.Module:
        return cast("nn.Sequential", self._fused.encoder)[:TRUNK]

    @property
    def _fused(self) -> FusedNet:
        return cast("FusedNet", self.networks["fused"])

    def _next_loss(self, data: Pictures) -> Tensor:
        count = max(1, self.settings.batch // len(self.shards[0].label))
        picks = torch.randint(0, len(self.shards), (count,), generator=self.generator, device=self.settings.device)
        return torch.stack([self._shard_loss(self.shards[int(i)]) for i in picks]).mean()

    def _shard_loss(self, shard: Shard) -> Tensor:
        foreground, background = self._embedded(shard.foreground), self._embedded(shard.background)
        shared = len(foreground) // len(background)
        around = shard.around.repeat(shared, 1)
        knots = self._fused.read(foreground, background.repeat(shared, 1), shard.label, around)
        levels = shard.levels.float() / 255.0
        return self._curve_loss(knots, Points(levels[:, :3], levels[:, 3:6], levels[:, 6:]))

    def _embedded(self, look: Look) -> Tensor:
        encoder = cast("nn.Sequential", self._fused.encoder)
        with torch.autocast(torch.device(self.settings.device).type, torch.bfloat16, enabled=self.settings.bf16):
            features = encoder[TRUNK:](look.maps.to(memory_format=torch.channels_last).float())
        return torch.cat((masked_mean(features.float(), look.cells), look.statistics), dim=1)
