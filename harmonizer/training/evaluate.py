"""A fixed set of recoloured pictures, and how well a network, a baseline or nothing undoes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from harmonizer.baselines import match_histograms, reinhard
from harmonizer.metrics import fmse
from harmonizer.network import CurveNet, curves_of
from harmonizer.torch_curves import apply_cascade
from harmonizer.training.light import recolour, srgb_to_linear
from harmonizer.training.pictures import Pictures
from harmonizer.training.views import random_regions, views_of

_CHUNK = 32


@dataclass(frozen=True)
class EvalSet:
    """Composites and truth: (N, 3, P, P) uint8 each, masks (N, 1, P, P) float {0, 1}, labels (N, 5); on the CPU."""

    composites: Tensor
    truths: Tensor
    masks: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return self.composites.shape[0]


def build_eval_set(data: Pictures, *, seed: int, limit: int | None = None) -> EvalSet:
    """One recolouring a picture, the same for the same seed; a published pair's is its own."""
    generator = torch.Generator().manual_seed(seed)
    count = min(len(data), limit or len(data))
    side_px = data.images.shape[-1]
    regions = random_regions(count, side_px, generator=generator)
    masks = torch.where(data.has_mask[:count].view(-1, 1, 1, 1), (data.masks[:count] > 127).float(), regions)
    parts = [
        _recoloured(data.images[i : i + _CHUNK], masks[i : i + _CHUNK], generator) for i in range(0, count, _CHUNK)
    ]
    composites = torch.cat(parts)
    if data.composites is not None and data.pair is not None:
        own = data.pair[:count] >= 0
        composites[own] = data.composites[data.pair[:count][own]]
    labels = torch.nn.functional.one_hot(data.labels[:count], 5).float()
    return EvalSet(composites, data.images[:count], masks, labels)


def _recoloured(images: Tensor, masks: Tensor, generator: torch.Generator) -> Tensor:
    levels = images[: len(masks)].float() / 255.0
    changed = recolour(srgb_to_linear(levels), masks, generator=generator, untouched_share=0.0)
    return ((levels + masks * (changed - levels)) * 255.0).round().byte()


@torch.inference_mode()
def network_outputs(network: CurveNet, data: EvalSet) -> Tensor:
    """The network's pictures (N, 3, P, P) uint8 on the CPU; the background is the composite's own."""
    outputs, device = [], next(network.parameters()).device
    for i in range(0, len(data), _CHUNK):
        composite = data.composites[i : i + _CHUNK].to(device).float() / 255.0
        mask = data.masks[i : i + _CHUNK].to(device)
        views = views_of(composite, mask, network.config.thumbnail_px)
        knots = curves_of(network, views, data.labels[i : i + _CHUNK].to(device))
        curved = apply_cascade(composite.flatten(2), knots)[-1].view_as(composite).clamp(0, 1)
        outputs.append(((composite + mask * (curved - composite)) * 255.0).round().byte().cpu())
    return torch.cat(outputs)


def per_picture_fmse(outputs: Tensor, data: EvalSet) -> npt.NDArray[np.float64]:
    """fMSE (N,) of uint8 outputs (N, 3, P, P) against the truth."""
    error = (outputs.float() - data.truths.float()).square().mean(1, keepdim=True)
    area = data.masks.sum(dim=(1, 2, 3)).clamp(min=1)
    return ((error * data.masks).sum(dim=(1, 2, 3)) / area).double().numpy()


def baseline_fmse(
    method: Callable[[npt.NDArray[np.uint8], npt.NDArray[np.bool_]], npt.NDArray[np.uint8]], data: EvalSet
) -> npt.NDArray[np.float64]:
    """fMSE (N,) of a classical method."""
    scores = []
    for composite, truth, mask in zip(data.composites, data.truths, data.masks, strict=True):
        inside = mask[0].numpy() > 0.5
        output = method(composite.permute(1, 2, 0).numpy(), inside)
        scores.append(fmse(output, truth.permute(1, 2, 0).numpy(), inside.astype(np.float64)))
    return np.array(scores)


BASELINES = {"reinhard": reinhard, "histogram": match_histograms}
