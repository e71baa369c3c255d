"""The network in torch: the reference, the trainer's own, and what runs on GPUs and on weights of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from harmonizer.config import one_hot
from harmonizer.engine import Seen, ThumbnailEngine
from harmonizer.manifest import is_weights_file, shipped_entry
from harmonizer.network import CurveNet
from harmonizer.statistics import Levels, Plane
from harmonizer.weights import load_network, load_shipped


class Harmonizer(ThumbnailEngine):
    """One loaded network on one torch device."""

    def __init__(self, network: CurveNet, *, device: str = "cpu", name: str = "custom") -> None:
        self._place = torch.device(device)
        super().__init__(
            name=name,
            device=str(self._place),
            runs_on=_in_words(self._place),
            thumbnail_px=network.config.thumbnail_px,
        )
        self.network = network.eval().to(self._place)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @classmethod
    def load(cls, which: str | Path | None = None, *, device: str = "cpu") -> Harmonizer:
        """By shipped name, by safetensors file, or the default. WeightsError when it can't be had."""
        if which is not None and is_weights_file(which):
            return cls(load_network(Path(which)), device=device, name=Path(which).stem)
        name = shipped_entry(None if which is None else str(which)).name
        return cls(load_shipped(name), device=device, name=name)

    @torch.inference_mode()
    def _embed(self, levels: Levels, coverage: Plane) -> npt.NDArray[np.float32]:
        embedded: npt.NDArray[np.float32] = self.network.embed(*self._look(levels, coverage))[0].cpu().numpy()
        return embedded

    @torch.inference_mode()
    def _read(self, seen: Seen) -> npt.NDArray[np.floating[Any]]:
        embedded = self.network.embed(*self._look(seen.levels, seen.coverage))
        around = self.network.around(*self._look(seen.plate.thumbnail, seen.hole))
        hot = None if seen.label is None else self._tensor(one_hot(seen.label))
        knots = self.network.knots(embedded, self._tensor(seen.plate.vector[None]), hot, around)
        read: npt.NDArray[np.floating[Any]] = knots[0].double().cpu().numpy()
        return read

    def _look(self, levels: Levels, plane: Plane) -> tuple[Tensor, Tensor]:
        shown = self._tensor(levels[None]).contiguous(memory_format=torch.channels_last)
        return shown, self._tensor(plane[None, None])

    def _tensor(self, array: npt.NDArray[np.float32]) -> Tensor:
        return torch.from_numpy(array).to(self._place)


def _in_words(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)} (torch)"
    words = {"cpu": "CPU", "mps": "Apple GPU"}.get(device.type, str(device))
    return f"{words} (torch)"
