"""From packed pictures to what the network sees: crops, masks, recolouring, the two thumbnails.

Everything is batched on the tensors' own device, so data loading is never the limit.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from harmonizer.config import SemanticClass
from harmonizer.network import Views
from harmonizer.training.light import linear_to_srgb, recolour, relight, srgb_to_linear
from harmonizer.training.pictures import Pictures

_MIN_FOREGROUND = 0.003
_REGION_CHANCE = 0.25
_OWN_CHANCE = 0.5
_FILL_CHANCE = 0.5
_CLASS_DROPOUT = 0.1
_BOX_PX = 64
_SCENE_STRENGTH = 0.4


@dataclass(frozen=True)
class Points:
    """Sampled foreground pixels: composite, truth (B, 3, M) in [0, 1]; weight (B, 1, M), 0 where they don't count."""

    composite: Tensor
    truth: Tensor
    weight: Tensor


@dataclass(frozen=True)
class Batch:
    """One training step's input and truth: B scenes, each with R recolourings of its foreground.

    views: foreground and alpha are R * B, all scenes in order R times; background, keep and hole are B.
    label: one-hot (R * B, 5). points: of R * B crops, weightless for pictures whose mask left the crop.
    real (R * B, 3, S, S): the true foreground times alpha, for a judge of whole pictures.
    """

    views: Views
    label: Tensor
    points: Points
    real: Tensor


def random_crop(batch: int, *, generator: torch.Generator) -> Tensor:
    """Affine (B, 2, 3) for `grid_sample`: 60-100 % of the side, anywhere inside, mirrored half the time."""
    side = 0.6 + 0.4 * torch.rand(batch, 2, generator=generator, device=generator.device)
    shift = (1 - side) * (2 * torch.rand(batch, 2, generator=generator, device=generator.device) - 1)
    mirror = 1 - 2 * (torch.rand(batch, generator=generator, device=generator.device) < 0.5).float()
    theta = torch.zeros(batch, 2, 3, device=generator.device)
    theta[:, 0, 0], theta[:, 1, 1] = side[:, 0] * mirror, side[:, 1]
    theta[:, :, 2] = shift
    return theta


def sample(pictures: Tensor, theta: Tensor, side_px: int) -> Tensor:
    """Crop (B, C, P, P) by an affine to (B, C, side, side), bilinear.

    No low-pass: pictures are packed at 1.5 times the thumbnails, where aliasing stays below what resizing varies.
    """
    grid = F.affine_grid(theta, [theta.shape[0], 1, side_px, side_px], align_corners=False)
    return F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)


def random_regions(batch: int, side_px: int, *, generator: torch.Generator) -> Tensor:
    """Smooth random regions (B, 1, P, P) in {0, 1} covering about 5-40 % of the picture."""
    noise = torch.randn(batch, 1, 5, 5, generator=generator, device=generator.device)
    coarse = F.interpolate(noise, size=(40, 40), mode="bicubic", align_corners=False)
    share = 0.05 + 0.35 * torch.rand(batch, generator=generator, device=generator.device)
    ordered = coarse.flatten(1).sort(dim=1, descending=True).values
    level = ordered.gather(1, (share * ordered.shape[1]).long().unsqueeze(1)).view(-1, 1, 1, 1)
    field = F.interpolate(coarse, size=(side_px, side_px), mode="bilinear", align_corners=False)
    return (field > level).float()


def box_affine(mask: Tensor) -> Tensor:
    """Affine (B, 2, 3) that crops to the bounding box of mask > 0.5; the whole picture where it is empty."""
    theta = torch.zeros(mask.shape[0], 2, 3, device=mask.device)
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
    draw = torch.rand(mask.shape[0], generator=generator, device=generator.device)
    grown, shrunk, soft = draw < 0.15, (draw >= 0.15) & (draw < 0.3), (draw >= 0.3) & (draw < 0.6)
    out = mask.clone()
    out[grown] = F.max_pool2d(mask[grown], 5, 1, 2)
    out[shrunk] = -F.max_pool2d(-mask[shrunk], 5, 1, 2)
    out[soft] = F.avg_pool2d(mask[soft], 5, 1, 2)
    return out


def compose(outer: Tensor, inner: Tensor) -> Tensor:
    """The affine (B, 2, 3) that looks through `inner` at what `outer` crops."""
    linear = outer[:, :, :2] @ inner[:, :, :2]
    return torch.cat((linear, outer[:, :, :2] @ inner[:, :, 2:] + outer[:, :, 2:]), dim=2)


def _masks(data: Pictures, pick: Tensor, keep: Tensor | None, generator: torch.Generator) -> Tensor:
    """Known masks of these pictures (B, 1, P, P) in [0, 1]; drawn regions where there is none, or by chance.

    keep (B,): whose mask is no matter of chance.
    """
    regions = random_regions(len(pick), data.images.shape[-1], generator=generator)
    draw = torch.rand(len(pick), generator=generator, device=generator.device) < _REGION_CHANCE
    use_region = ~data.has_mask[pick] | (draw if keep is None else draw & ~keep)
    return torch.where(use_region.view(-1, 1, 1, 1), regions, data.masks[pick].float() / 255.0)


@dataclass(frozen=True)
class _Own:
    """Published composites (B, 3, P, P) in [0, 1], and which of R * B samples are shown theirs (R * B,)."""

    pictures: Tensor
    shown: Tensor

    def scenes(self) -> Tensor:
        """(B,): those with a sample that is shown its own; they stay in their own light."""
        return self.shown.view(-1, len(self.pictures)).any(dim=0)


def _own_composites(data: Pictures, pick: Tensor, recolourings: int, generator: torch.Generator) -> _Own | None:
    """Half the samples of published pairs keep the recolouring they were published with."""
    if data.composites is None or data.pair is None:
        return None
    rows = data.pair[pick]
    draw = torch.rand(recolourings, len(pick), generator=generator, device=generator.device) < _OWN_CHANCE
    return _Own(data.composites[rows.clamp(min=0)].float() / 255.0, (draw & (rows >= 0)).flatten())


def views_of(composite: Tensor, mask: Tensor, side_px: int) -> Views:
    """What a network is shown of finished composites (B, 3, P, P) and their masks (B, 1, P, P)."""
    crop = sample(torch.cat((composite, mask), dim=1), box_affine(mask), side_px)
    small = F.interpolate(torch.cat((composite * (1 - mask), mask), dim=1), size=(side_px, side_px), mode="area")
    alpha, hole = crop[:, 3:], small[:, 3:]
    return Views(crop[:, :3] * alpha, alpha, small[:, :3], 1 - hole, hole)


def draw_batch(
    data: Pictures, pick: Tensor, *, side_px: int, generator: torch.Generator, recolourings: int = 1
) -> Batch:
    """A batch of these pictures, freshly cropped, masked, relit as a whole and recoloured.

    Several recolourings share a scene: its background is drawn and embedded once, and the network sees that
    the same person in another light has the same truth. Where a pair was published, half the recolourings are
    its own; its scene is then left in its own light, and its mask is the published one.
    """
    own = _own_composites(data, pick, recolourings, generator)
    mask = _masks(data, pick, None if own is None else own.scenes(), generator)
    seen = jitter_mask(mask, generator=generator)
    whole = random_crop(len(pick), generator=generator)
    box = compose(whole, box_affine(sample(seen, whole, _BOX_PX)))
    stacked = torch.cat((data.images[pick].float() / 255.0, mask, seen), dim=1)
    views = torch.cat((sample(stacked, whole, side_px), sample(stacked, box, side_px)), dim=3)
    taken = srgb_to_linear(views[:, :3])
    light = relight(taken, strength=_SCENE_STRENGTH, generator=generator).clamp(0, 1)
    if own is not None:
        light = torch.where(own.scenes().view(-1, 1, 1, 1), taken, light)
    scene, light = light[..., :side_px], light[..., side_px:]
    around, crop = views[:, 3:, :, :side_px], views[:, 3:, :, side_px:]
    background, keep = _background(linear_to_srgb(scene), 1 - around[:, 1:], generator)
    light, crop = light.repeat(recolourings, 1, 1, 1), crop.repeat(recolourings, 1, 1, 1)
    true_mask, alpha = crop[:, :1], crop[:, 1:]
    truth = linear_to_srgb(light)
    composite = truth + true_mask * (recolour(light, true_mask, generator=generator) - truth)
    if own is not None:
        published = sample(own.pictures, box, side_px).repeat(recolourings, 1, 1, 1)
        composite = torch.where(own.shown.view(-1, 1, 1, 1), published, composite)
    points = _sampled(torch.cat((composite, truth, true_mask), dim=1), generator)
    usable = (around[:, :1].mean(dim=(1, 2, 3)) > _MIN_FOREGROUND).repeat(recolourings).view(-1, 1, 1)
    return Batch(
        views=Views(composite * alpha, alpha, background, keep, around[:, 1:]),
        label=_labels(data.labels[pick].repeat(recolourings), generator),
        points=Points(points[:, :3], points[:, 3:6], ((points[:, 6:] > 0.5) & usable).float()),
        real=truth * alpha,
    )


def _background(scene: Tensor, keep: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The scene without its foreground, and its coverage; the hole filled by chance, as a plate has none."""
    background = scene * keep
    fill = torch.rand(len(scene), generator=generator, device=generator.device) < _FILL_CHANCE
    background[fill] = fill_hole(background[fill], keep[fill])
    return background, torch.where(fill.view(-1, 1, 1, 1), torch.ones_like(keep), keep)


def _labels(label: Tensor, generator: torch.Generator) -> Tensor:
    """One-hot classes (B, 5), some of them withheld."""
    dropped = torch.rand(len(label), generator=generator, device=generator.device) < _CLASS_DROPOUT
    return F.one_hot(torch.where(dropped, torch.full_like(label, int(SemanticClass.OTHER)), label), 5).float()


def _sampled(crop: Tensor, generator: torch.Generator) -> Tensor:
    """Every 16th pixel (B, C, M) of a crop, at a random offset: enough to see a curve's error."""
    dy, dx = torch.randint(0, 4, (2,), generator=generator, device=generator.device).tolist()
    return crop[:, :, dy::4, dx::4].flatten(2)
