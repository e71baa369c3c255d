"""Auto-framing: keeping a person in the middle and at a good size, gently."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from app.domain.compositing import Size
from app.domain.frame import Alpha8
from app.domain.placement import Placement

_WANTED_HEIGHT: Final = 0.8
"""Share of the output's height the person should fill, from the lower edge up."""

_MAX_ZOOM: Final = 2.5
_TAU_S: Final = 0.6
_DEAD_ZONE: Final = 0.04
"""A person may lean this far, as a share of the picture, before the frame follows."""

_SOLID: Final = 128
_HEAD_SHARE: Final = 0.45
"""The upper part of a person, whose middle is the middle: arms that gesture don't move the frame."""


@dataclass(frozen=True, slots=True)
class Person:
    """Where a person is, in shares of the frame: centre_x of head and shoulders, top, height and bottom edges."""

    centre_x: float
    top: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Framing:
    """The frame as it is now. aim: the person it moves towards; scale, offset_x, offset_y as `Placement` has them."""

    time_s: float
    aim: Person
    scale: float
    offset_x: float
    offset_y: float


def find_person(alpha: Alpha8) -> Person | None:
    """The person's place in a matte (H, W); None when nobody is there."""
    small = cv2.resize(alpha, (64, 36), interpolation=cv2.INTER_AREA)
    solid = np.asarray(small) >= _SOLID
    rows = np.flatnonzero(solid.any(axis=1))
    if rows.size == 0:
        return None
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    head = solid[top : top + max(1, round(_HEAD_SHARE * (bottom - top)))]
    columns = np.flatnonzero(head.any(axis=0))
    return Person((columns[0] + columns[-1] + 1) / 2 / 64, top / 36, bottom / 36)


def follow(framing: Framing | None, person: Person | None, *, time_s: float) -> Framing | None:
    """The frame a moment later: half-way to where it should be in 0.4 s; it waits where nobody is."""
    if person is None:
        return framing if framing is None else replace(framing, time_s=time_s)
    if framing is None:
        return Framing(time_s, person, *_wanted(person))
    aim = person if _left(framing.aim, person) else framing.aim
    step = 1.0 - math.exp(-max(0.0, time_s - framing.time_s) / _TAU_S)
    now = (framing.scale, framing.offset_x, framing.offset_y)
    moved = [value + step * (goal - value) for value, goal in zip(now, _wanted(aim), strict=True)]
    return Framing(time_s, aim, *moved)


def framed(placement: Placement, framing: Framing | None, *, frame_size: Size, out_size: Size) -> Placement:
    """The placement with the frame's own zoom and shift added to what was set by hand.

    Sizes are (width, height): a shift counts in shares of the frame here, and of the output in a placement.
    """
    if framing is None:
        return placement
    fit = placement.scale * min(out_size[0] / frame_size[0], out_size[1] / frame_size[1])
    across = -framing.offset_x if placement.mirror else framing.offset_x
    return replace(
        placement,
        scale=placement.scale * framing.scale,
        offset_x=placement.offset_x + across * fit * frame_size[0] / out_size[0],
        offset_y=placement.offset_y + framing.offset_y * fit * frame_size[1] / out_size[1],
    )


def _left(aim: Person, person: Person) -> bool:
    moved = max(abs(aim.centre_x - person.centre_x), abs(aim.top - person.top), abs(aim.bottom - person.bottom))
    return moved > _DEAD_ZONE


def _wanted(person: Person) -> tuple[float, float, float]:
    """Scale and shift that put the person in the middle, feet or chest on the lower edge."""
    height = max(person.bottom - person.top, 0.05)
    scale = min(max(_WANTED_HEIGHT / height, 1.0), _MAX_ZOOM)
    # Placement keeps the frame's lower middle on the output's: what is missing is the way from there.
    return scale, scale * (0.5 - person.centre_x), scale * (1.0 - person.bottom)
