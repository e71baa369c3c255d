"""Packed pictures without any files, and runs small enough for a test."""

from dataclasses import replace

import torch
import torch.nn.functional as F

from harmonizer.training.loop import TrainSettings
from harmonizer.training.pictures import Pictures

SETTINGS = TrainSettings(
    steps=4, batch=4, thumbnail_px=48, heads=("published", "fused"), warmup_steps=2, bf16=False, save_every_steps=2
)


def packed(count=12, side_px=72, *, first_seed=0, masked=True):
    """As many smooth pictures, each with a box of its own as mask."""
    images, masks = [], torch.zeros(count, 1, side_px, side_px, dtype=torch.uint8)
    for i in range(count):
        coarse = torch.rand(1, 3, 5, 6, generator=torch.Generator().manual_seed(first_seed + i))
        fine = F.interpolate(coarse, size=(side_px, side_px), mode="bicubic").clamp(0, 1)
        images.append((fine[0] * 255).byte())
        masks[i, :, side_px // 4 : -side_px // 6, 8 + i : side_px // 2 + i] = 255
    return Pictures(
        images=torch.stack(images),
        masks=masks,
        has_mask=torch.full((count,), masked),
        labels=torch.arange(count) % 3,
        names=tuple(f"made/{i:03}.png" for i in range(count)),
        sources=tuple(f"{first_seed + i:016x}" for i in range(count)),
    )


def with_pairs(pictures, rows, *, published=()):
    """The same with a darker foreground as the published composite of these rows."""
    mask = pictures.masks[rows].float() / 255
    composites = (pictures.images[rows].float() * (1 - 0.6 * mask)).round().byte()
    pair = torch.full((len(pictures),), -1)
    pair[rows] = torch.arange(len(rows))
    return replace(pictures, composites=composites, pair=pair, published=published)


def assert_equal_pictures(a, b):
    for name in ("images", "masks", "has_mask", "labels", "composites", "pair"):
        one, other = getattr(a, name), getattr(b, name)
        assert (one is None) == (other is None), name
        assert one is None or torch.equal(one, other), name
    assert (a.names, a.sources, a.published) == (b.names, b.sources, b.published)


def assert_equal_states(a, b):
    """Two trainers at the same point: weights, averages, optimiser, random streams."""
    for one, other in ((a.networks, b.networks), (a.average, b.average)):
        for name, value in one.state_dict().items():
            assert torch.equal(value, other.state_dict()[name]), name
    assert torch.equal(a.generator.get_state(), b.generator.get_state())
    assert (a.step, a.smoothed_loss) == (b.step, b.smoothed_loss)
