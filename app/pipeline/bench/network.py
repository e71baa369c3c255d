"""The colour network's time: ours against the published one as it runs by default, in one run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from app.pipeline.engine_loading import load_engine, load_reference
from app.pipeline.stats import median
from harmonizer import NetworkConfig, S2CRNet
from harmonizer.config import PUBLISHED_THUMBNAIL_PX, SemanticClass, one_hot

_WARM_UP = 3


@dataclass(frozen=True)
class NetworkTime:
    """Median milliseconds of one frame: `call` says what of the network ran."""

    network: str
    call: str
    ms: float
    ratio: float

    def cells(self) -> list[str]:
        """The row as text."""
        return [self.network, self.call, f"{self.ms:.2f}", f"{self.ratio:.1f}x"]


@torch.inference_mode()
def bench_network(weights: str | None, *, rounds: int) -> list[NetworkTime]:
    """Published S2CRNet-S and ours, each two ways, taken in turn.

    The published one (2 x 256 px) in torch's default layout and channels-last, ours in torch and as `load_engine`
    gives it. Times depend on layout and size alone, so the published network has random weights.
    """
    engine, reference = load_engine(weights), load_reference(weights)
    default = S2CRNet(NetworkConfig()).eval()
    turned = S2CRNet(NetworkConfig()).eval()
    turned.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    looks = torch.rand(2, 3, PUBLISHED_THUMBNAIL_PX, PUBLISHED_THUMBNAIL_PX)
    looks_last = looks.contiguous(memory_format=torch.channels_last)
    side, label = engine.thumbnail_px, torch.from_numpy(one_hot(SemanticClass.PERSON))
    rng = np.random.default_rng(1)
    plate, person = (rng.integers(0, 256, (side, side, 3), dtype=np.uint8) for _ in range(2))
    alpha = np.full((side, side), 255, np.uint8)
    known = engine.embed_plate(plate)  # the same for both engines

    def published(network: S2CRNet, both: torch.Tensor) -> torch.Tensor:
        embedded = network.embed(both)
        return network.knots(embedded[:1], embedded[1:], label)

    calls: dict[tuple[str, str], Callable[[], object]] = {
        ("S2CRNet-S as published", "both thumbnails, default layout"): lambda: published(default, looks),
        ("S2CRNet-S as published", "both thumbnails, channels last"): lambda: published(turned, looks_last),
        (engine.name, f"person, plate known, {reference.runs_on}"): lambda: reference.estimate(person, alpha, known),
        (engine.name, f"person and plate, {engine.runs_on}"): lambda: engine.estimate(
            person, alpha, engine.embed_plate(plate)
        ),
        (engine.name, f"person, plate known, {engine.runs_on}"): lambda: engine.estimate(person, alpha, known),
    }
    times = _in_turn(calls, rounds)
    slowest = next(iter(times.values()))
    return [NetworkTime(*key, ms, slowest / ms) for key, ms in times.items()]


def _in_turn(calls: dict[tuple[str, str], Callable[[], object]], rounds: int) -> dict[tuple[str, str], float]:
    taken: dict[tuple[str, str], list[float]] = {key: [] for key in calls}
    for number in range(rounds + _WARM_UP):
        for key, call in calls.items():
            started = time.perf_counter()
            call()
            if number >= _WARM_UP:
                taken[key].append(1000.0 * (time.perf_counter() - started))
    return {key: median(values) for key, values in taken.items()}
