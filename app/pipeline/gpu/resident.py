"""From a frame that lies on the device to its finished pixels there, without a word to the host in between."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from app.domain.compositing import Size
from app.pipeline.gpu.encoder import fuse_where_possible, merged
from app.pipeline.gpu.graphs import Aside, Replay
from app.pipeline.gpu.kernels import ChosenKernel, FrameBatch
from app.pipeline.gpu.thumbnails import Region, area_average, foreground_box, region_of
from harmonizer.config import SemanticClass, one_hot
from harmonizer.network import CurveNet

HALF = torch.float16
"""Of the encoder alone: its convolutions take the time, all that is cheap stays in float32.

Curves move by less than half a level by it; by bfloat16 they move by 0.75 (both measured against float32 on a CPU)."""


class DeviceNetwork:
    """A curve network on a device: encoder in half precision, thumbnails in, table out, all of it tensors there.

    encoder_type: float32 for the reference. is_fused: whether cuDNN does each convolution with its ReLU at once.
    """

    def __init__(self, network: CurveNet, device: torch.device, *, encoder_type: torch.dtype = HALF) -> None:
        self.thumbnail_px: int = network.config.thumbnail_px
        self._network = copy.deepcopy(network).eval().to(device)
        self._encoder = merged(self._network.encoder).to(encoder_type)
        self._encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._type = encoder_type
        self._constants = _ConstantsOnce()
        with torch.inference_mode():
            example = torch.rand(1, 3, self.thumbnail_px, self.thumbnail_px, device=device)
            self.is_fused = fuse_where_possible(self._encoder, self._shown(example))

    def embed(self, levels: Tensor, coverage: Tensor) -> Tensor:
        """Embedding (1, E) of a thumbnail (1, 3, S, S) in [0, 1], times its coverage (1, 1, S, S)."""
        with self._constants:
            return self._network.pooled(self._encoder(self._shown(levels)).float(), levels, coverage)

    def _shown(self, levels: Tensor) -> Tensor:
        return levels.to(self._type).contiguous(memory_format=torch.channels_last)

    def knots(self, foreground: Tensor, plate: Tensor, label: Tensor | None, around: Tensor) -> Tensor:
        """Curves (1, S, 3, K+1) from embeddings, as the network gives them."""
        with self._constants:
            return self._network.knots(foreground, plate, label, around)

    def around(self, plate: Tensor, hole: Tensor) -> Tensor:
        """What the network reads of the plate (1, 3, S, S) round the hole (1, 1, S, S) that the foreground fills."""
        with self._constants:
            return self._network.around(plate, hole)


class ResidentRenderer:
    """One size, one plate: `render` turns what lies in `frame` and `alpha` into the composite, on the device.

    frame (H, W, 3) and alpha (H, W) uint8 are written by the caller, in the same stream. The whole way (box,
    thumbnails, network, table, blend) is one CUDA graph where that can be captured: `capture_failure` says why not.
    Curves are not smoothed over time. size: (width, height); plate (H, W, 3) uint8 on the device.
    """

    def __init__(
        self,
        network: DeviceNetwork,
        plate: Tensor,
        kernel: ChosenKernel,
        *,
        label: SemanticClass | None = SemanticClass.PERSON,
        strength: float = 1.0,
    ) -> None:
        self.frame = torch.zeros_like(plate)
        self.alpha = torch.zeros_like(plate[..., 0]).contiguous()
        self._network, self._plate, self._kernel, self._strength = network, plate, kernel, strength
        self._aside = Aside(plate.device)
        with torch.inference_mode():
            self._label = None if label is None else torch.from_numpy(one_hot(label)).to(plate.device)
            whole_box = torch.tensor((0, 0, *self.size), dtype=torch.float32, device=plate.device)
            self._whole = self._region(whole_box)
            self._plate_levels = self._thumbnail(plate, self._whole)
            whole = torch.ones_like(self._plate_levels[:, :1])
            self._plate_embedding = network.embed(self._plate_levels, whole)
            self._replay = Replay(self._composed, plate.device)

    @property
    def capture_failure(self) -> str:
        """Why the way is not a CUDA graph; empty where it is, and on devices that have none."""
        return self._replay.failure

    @property
    def size(self) -> Size:
        """(width, height) of the frame."""
        return self.alpha.shape[1], self.alpha.shape[0]

    def table(self) -> Tensor:
        """The table (256, 3) uint8 for what lies in `frame` and `alpha`; nothing is waited for."""
        with self._aside.beside():
            hole = self._thumbnail(self.alpha.unsqueeze(2), self._whole)
            around = self._network.around(self._plate_levels, hole)
        person = self._region(foreground_box(self.alpha))
        coverage = self._thumbnail(self.alpha.unsqueeze(2), person)
        levels = self._thumbnail(self.frame, person) * coverage
        embedding = self._network.embed(levels, coverage)
        self._aside.join()
        knots = self._network.knots(embedding, self._plate_embedding, self._label, around)
        return self._kernel.fold(knots[0], self._strength)

    def render(self) -> Tensor:
        """The composite (H, W, 3) uint8, in the current stream; the next call may write the same memory."""
        with torch.inference_mode():
            return self._replay()

    def _composed(self) -> Tensor:
        tables = self.table().unsqueeze(0)
        return self._kernel.render(FrameBatch(self.frame[None], self._plate, self.alpha[None], tables))[0]

    def _region(self, box: Tensor) -> Region:
        return region_of(box, self.size[0], self._network.thumbnail_px)

    def _thumbnail(self, picture: Tensor, region: Region) -> Tensor:
        """(1, C, S, S) in [0, 1]."""
        return area_average(picture, region, rows=self._kernel.average_rows).unsqueeze(0) / 255


class _ConstantsOnce(TorchFunctionMode):
    """Keeps the small tensors that the network makes of Python numbers: each would be a copy from the host.

    Such a copy makes the host wait, and can't be part of a CUDA graph.
    """

    def __init__(self) -> None:
        super().__init__()
        self._kept: dict[Any, Tensor] = {}

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run the call, or answer it from what is kept."""
        if func is not Tensor.new_tensor:
            return func(*args, **(kwargs or {}))
        like, values = args[:2]
        key = (tuple(values), like.dtype, like.device)
        if key not in self._kept:
            self._kept[key] = func(*args, **(kwargs or {}))
        return self._kept[key]
