"""What somebody wants added to the queue."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Final

from app.domain.settings import Settings
from app.pipeline.offline.queue_items import QueueItem, snapshot_of
from app.pipeline.offline.queue_names import output_for
from app.ui import dialogs

DEFAULT_RATE: Final = Fraction(24)
_NTSC_WITHIN_HZ: Final = 0.006


@dataclass(frozen=True, slots=True)
class AddWish:
    """Clips, and what is to be made of them.

    clips: videos and folders of pictures. preset, suffix: of the delivery. output: of the only clip, where it was
    chosen; overwrite: it may be replaced. folder: for the results, None beside each clip.
    """

    clips: tuple[Path, ...]
    settings: Settings
    preset: str
    suffix: str
    output: Path | None = None
    overwrite: bool = False
    folder: Path | None = None
    sequence_rate: Fraction = field(default=DEFAULT_RATE)
    tone_map: bool = False


def rate_of(rate_hz: float) -> Fraction:
    """What somebody means by a frame rate with few decimals: 29.97 and its like are thousandths of 1001."""
    ntsc = Fraction(round(rate_hz) * 1000, 1001)
    is_ntsc = rate_hz != round(rate_hz) and abs(rate_hz - ntsc) < _NTSC_WITHIN_HZ
    return ntsc if is_ntsc else Fraction(rate_hz).limit_denominator(1000)


def items_for(wish: AddWish, taken: Collection[Path]) -> list[QueueItem]:
    """Items under names that nothing has yet."""
    items: list[QueueItem] = []
    names = set(taken)
    for clip in wish.clips:
        output = wish.output or output_for(
            clip, preset=wish.preset, suffix=wish.suffix, folder=wish.folder or home_of(clip), taken=names
        )
        names.add(output)
        items.append(
            QueueItem(
                clip,
                output,
                snapshot_of(wish.settings),
                preset=wish.preset,
                overwrite=wish.overwrite,
                sequence_rate=wish.sequence_rate,
                tone_map=wish.tone_map,
            )
        )
    return items


def home_of(clip: Path) -> Path:
    """The folder that a clip lies in, or the films folder where nothing can be written there."""
    folder = clip.absolute().parent
    return folder if os.access(folder, os.W_OK) else dialogs.films_folder()
