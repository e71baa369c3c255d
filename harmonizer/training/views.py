"""From packed pictures to what the network sees: crops, masks, recolouring, the two thumbnails.

Everything is batched on the tensors' own device, so data loading is never the limit.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from harmonizer.training.light import linear_to_srgb, recolour, relight, srgb_to_linear
from harmonizer.training.pictures import Pictures

_MIN_FOREGROUND = 0.003
_REGION_CHANCE = 0.25
_FILL_CHANCE = 0.5
_CLASS_DROPOUT = 0.1
_OTHER = 4


@dataclass(frozen=True)
class Batch:
    """One training step's input and truth.

    foreground, background: masked thumbnails (B, 3, S, S) in [0, 1]. label: one-hot (B, 5).
    composite, truth: foreground crops (B, 3, M) of sampled levels; weight: alpha there (B, 1, M), zero
    for pictures whose mask left the crop.
    """

    foreground: Tensor
    background: Tensor
    label: Tensor
    composite: Tensor
    truth: Tensor
    weight: Tensor


def random_crop(batch: int, *, generator: torch.Generator) -> Tensor:
    """Affine (B, 2, 3) for `grid_sample`: 60-100 % of the side, anywhere inside, mirrored half the time."""
    side = 0.6 + 0.4 * torch.rand(batch, 2, generator=generator)
    shift = (1 - side) * (2 * torch.rand(batch, 2, generator=generator) - 1)
    mirror = 1 - 2 * (torch.rand(batch, generator=generator) < 0.5).float()
    theta = torch.zeros(batch, 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = side[:, 0] * mirror, side[:, 1]
    theta[:, :, 2] = shift
    return theta


def sample(pictures: Tensor, theta: Tensor, side_px: int) -> Tensor:
    """Crop (B, C, P, P) by an affine to (B, C, side, side), bilinear.

    No low-pass: every caller shrinks by less than 1.4, where aliasing stays below what resizing varies.
    """
    grid = F.affine_grid(theta, [theta.shape[0], 1, side_px, side_px], align_corners=False)
    return F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)


def random_regions(batch: int, side_px: int, *, generator: torch.Generator) -> Tensor:
    """Smooth random regions (B, 1, P, P) in {0, 1} covering 5-40 % of the picture."""
    noise = torch.randn(batch, 1, 5, 5, generator=generator)
    field = F.interpolate(noise, size=(side_px, side_px), mode="bicubic", align_corners=False)
    share = 0.05 + 0.35 * torch.rand(batch, generator=generator)
    flat = field.flatten(1).sort(dim=1, descending=True).values
    index = (share * flat.shape[1]).long().unsqueeze(1)
    return (field > flat.gather(1, index).view(-1, 1, 1, 1)).float()


def box_affine(mask: Tensor) -> Tensor:
    """Affine (B, 2, 3) that crops to the bounding box of mask > 0.5; the whole picture where it is empty."""
    theta = torch.zeros(mask.shape[0], 2, 3)
    for row, axis in ((0, 2), (1, 3)):
        inside = (mask > 0.5).any(dim=axis).flatten(1)
        inside = torch.where(inside.any(dim=1, keepdim=True), inside, torch.ones_like(inside))
        length = inside.shape[1]
        first = inside.float().argmax(dim=1).float()
        last = length - inside.flip(1).float().argmax(dim=1).float()
        theta[:, row, row] = (last - first) / length
        theta[:, row, 2] = (last + first) / length - 1
    return theta


def fill_hole(background: Tensor, keep: Tensor) -> Tensor:
    """The masked-out hole filled from its surroundings, coarse to fine: like a plate seen whole.

    background (B, 3, S, S) already times keep (B, 1, S, S). Live, the whole plate is known; training
    pictures hide what lies behind the object, so half of them are shown this way.
    """
    mean = background.sum(dim=(2, 3), keepdim=True) / keep.sum(dim=(2, 3), keepdim=True).clamp(min=1.0)
    fill = mean.expand_as(background)
    for cell in (32, 16, 8):
        colour = F.avg_pool2d(background, cell)
        share = F.avg_pool2d(keep, cell)
        up = F.interpolate(torch.cat((colour, share), 1), size=background.shape[2:], mode="bilinear")
        known = up[:, 3:].clamp(max=1.0)
        fill = fill * (1 - known) + up[:, :3]
    return background + (1 - keep) * fill


def jitter_mask(mask: Tensor, *, generator: torch.Generator) -> Tensor:
    """The mask as a segmenter would give it: grown, shrunk or softened by a few px, by picture."""
    grown, shrunk = F.max_pool2d(mask, 5, 1, 2), -F.max_pool2d(-mask, 5, 1, 2)
    soft = F.avg_pool2d(mask, 5, 1, 2)
    draw = torch.rand(mask.shape[0], 1, 1, 1, generator=generator)
    out = torch.where(draw < 0.15, grown, mask)
    out = torch.where((draw >= 0.15) & (draw < 0.3), shrunk, out)
    return torch.where((draw >= 0.3) & (draw < 0.6), soft, out)


def _crop_pictures(data: Pictures, pick: Tensor, side_px: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Cropped linear pictures and masks, with regions drawn where none is given or by chance."""
    stacked = torch.cat((data.images[pick], data.masks[pick]), dim=1).float() / 255.0
    cropped = sample(stacked, random_crop(len(pick), generator=generator), side_px)
    regions = random_regions(len(pick), side_px, generator=generator)
    draw = torch.rand(len(pick), generator=generator) < _REGION_CHANCE
    use_region = (~data.has_mask[pick] | draw).view(-1, 1, 1, 1)
    light = srgb_to_linear(cropped[:, :3])
    return relight(light, strength=0.35, generator=generator).clamp(0, 1), torch.where(
        use_region, regions, cropped[:, 3:]
    )


def thumbnails(
    composite: Tensor, mask: Tensor, side_px: int, *, extra: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Foreground crop with `extra` channels appended, its mask, and the masked background.

    composite (B, 3, P, P), mask (B, 1, P, P) -> crop (B, 3+E, S, S) unmasked, alpha (B, 1, S, S),
    background (B, 3, S, S) with the foreground blacked out.
    """
    stacked = torch.cat([composite, mask] + ([] if extra is None else [extra]), dim=1)
    crop = sample(stacked, box_affine(mask), side_px)
    keep = 1 - mask
    background = F.interpolate(composite * keep, size=(side_px, side_px), mode="area")
    return torch.cat((crop[:, :3], crop[:, 4:]), dim=1), crop[:, 3:4], background


def draw_batch(data: Pictures, pick: Tensor, *, side_px: int, generator: torch.Generator) -> Batch:
    """A batch of these pictures, freshly cropped, masked and recoloured."""
    working_px = data.images.shape[-1] * 3 // 4
    light, mask = _crop_pictures(data, pick, working_px, generator)
    truth = linear_to_srgb(light)
    composite = truth + mask * (recolour(light, mask, generator=generator) - truth)
    seen = jitter_mask(mask, generator=generator)
    crop, alpha, background = thumbnails(composite, seen, side_px, extra=torch.cat((truth, mask), dim=1))
    keep = F.interpolate(1 - seen, size=(side_px, side_px), mode="area")
    fill = (torch.rand(len(pick), 1, 1, 1, generator=generator) < _FILL_CHANCE).float()
    background = background + fill * (fill_hole(background, keep) - background)
    levels, true_levels, weight = _sampled(crop, generator)
    usable = (mask.mean(dim=(1, 2, 3)) > _MIN_FOREGROUND).view(-1, 1, 1).float()
    label = data.labels[pick].clone()
    label[torch.rand(len(pick), generator=generator) < _CLASS_DROPOUT] = _OTHER
    return Batch(
        foreground=crop[:, :3] * alpha,
        background=background,
        label=F.one_hot(label, 5).float(),
        composite=levels,
        truth=true_levels,
        weight=weight * usable,
    )


def _sampled(crop: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Every 16th pixel of the foreground crop, at a random offset: enough to see a curve's error."""
    dy, dx = torch.randint(0, 4, (2,), generator=generator).tolist()
    points = crop[:, :, dy::4, dx::4].flatten(2)
    return points[:, :3], points[:, 3:6], (points[:, 6:7] > 0.5).float()
