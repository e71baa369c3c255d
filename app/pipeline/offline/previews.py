"""Small animated pictures, GIF and WebP, for people to look at a result without a player."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np
import numpy.typing as npt

from app.domain.compositing import Size, as_uint8
from app.pipeline.image_saving import to_8_bits
from app.pipeline.offline.disk_room import size_words
from app.pipeline.offline.preview_files import LEAST_TICKS, TICK_S, PreviewFormat, preview_file
from app.pipeline.offline.sinks import Picture
from app.pipeline.video_output import PendingFile

LIMIT_S: Final = 60.0
"""More of a clip is no preview: a minute of GIF is a hundred megabytes already."""

_BYTES_A_PIXEL: Final = {"gif": 0.6, "webp": 0.14}
"""Of 640 x 360 clips of a portrait and of a walk through a room: GIF 0.5 to 0.6, WebP 0.13 to 0.14."""

_EASE: Final = 1e-6
"""Durations are sums of floats."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """A picture of the preview. at, length: in ticks."""

    pixels: npt.NDArray[np.uint8]
    at: int
    length: int


def preview_size(size: Size, max_side_px: int = 640) -> Size:
    """The size a preview of pictures of `size` gets: never larger."""
    scale = min(1.0, max_side_px / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def expected_bytes(size: Size, length_s: float, format: PreviewFormat, *, rate_hz: float = 15) -> int:
    """Roughly how large a preview of a clip will be; within a factor of two for camera pictures."""
    width, height = preview_size(size)
    return round(width * height * min(length_s, LIMIT_S) * rate_hz * _BYTES_A_PIXEL[format])


def preview_notice(size: Size, length_s: float, format: PreviewFormat) -> str | None:
    """What to say before a preview of a clip is made that is longer than previews get; None if it isn't."""
    if length_s <= LIMIT_S:
        return None
    about = size_words(expected_bytes(size, length_s, format))
    return (
        f"A preview shows {LIMIT_S:.0f} s at most, as {format.upper()} about {about}: "
        f"of the clip's {length_s:.0f} s the rest is left out."
    )


def write_preview(
    pictures: Iterable[tuple[Picture, float]],
    output: Path,
    *,
    format: PreviewFormat,
    max_side_px: int = 640,
    max_rate_hz: float = 15,
    limit_s: float = LIMIT_S,
) -> tuple[str, ...]:
    """Write pictures, each with how long it is shown (s), as an animation that loops for ever.

    pictures: (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGB and straight alpha, all of one size and kind; one at a time is
    held. They are made smaller, and left out where they come faster than max_rate_hz, evenly; each is then shown until
    the next. Times are rounded to the format's ticks (10 ms, 1 ms) from the start, so that none of it adds up. Nothing
    behind limit_s is asked for. GIF's pixels are there or not, WebP's may be partly transparent. Returns what the user
    should know. The file appears when it is whole. UserError (OUTPUT) when it can't be written; ValueError without a
    picture.
    """
    timed = _Limited(pictures, limit_s)
    pending = PendingFile(output)
    try:
        with closing(_shown(timed, format, max_side_px, max_rate_hz)) as shown:
            _write(shown, pending.part, format)
    except (av.FFmpegError, OSError, MemoryError) as error:
        failure = pending.error(error)
        pending.discard()
        raise failure from error
    except BaseException:
        pending.discard()
        raise
    pending.commit()
    return (f"The preview ends after {limit_s:.0f} s; the clip goes on.",) if timed.is_cut else ()


class _Limited:
    """Pictures until `limit_s`. is_cut: whether there were more."""

    def __init__(self, pictures: Iterable[tuple[Picture, float]], limit_s: float) -> None:
        self._pictures, self._limit_s = pictures, limit_s
        self.is_cut = False

    def __iter__(self) -> Iterator[tuple[Picture, float, float]]:
        """Give (picture, start, end); s."""
        start_s = 0.0
        for picture, duration_s in self._pictures:
            if start_s >= self._limit_s - _EASE:
                self.is_cut = True
                return
            end_s = start_s + duration_s
            self.is_cut = end_s > self._limit_s + _EASE
            yield picture, start_s, min(end_s, self._limit_s)
            start_s = end_s


def _shown(
    timed: _Limited, format: PreviewFormat, max_side_px: int, max_rate_hz: float
) -> Generator[_Shown, None, None]:
    """Pictures that are far enough apart, each until the next; small, RGB or RGBA, 8 bits."""
    tick_s, least, step_s = float(TICK_S[format]), LEAST_TICKS[format], 1 / max_rate_hz
    held: tuple[npt.NDArray[np.uint8], float] | None = None
    at, end_s = 0, 0.0
    for picture, start_s, stop_s in timed:
        if held is None or start_s - held[1] >= step_s - _EASE:
            if held is not None:
                until = max(at + least, round(start_s / tick_s))
                yield _Shown(held[0], at, until - at)
                at = until
            held = _small(picture, max_side_px), start_s
        end_s = stop_s
    if held is not None:
        yield _Shown(held[0], at, max(least, round(end_s / tick_s) - at))


def _small(picture: Picture, max_side_px: int) -> npt.NDArray[np.uint8]:
    pixels = to_8_bits(picture)
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    size = preview_size((pixels.shape[1], pixels.shape[0]), max_side_px)
    if size == (pixels.shape[1], pixels.shape[0]):
        return pixels
    if pixels.shape[2] == 3:
        return as_uint8(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
    return _small_with_alpha(pixels, size)


def _small_with_alpha(pixels: npt.NDArray[np.uint8], size: Size) -> npt.NDArray[np.uint8]:
    """Averaged by coverage: what is transparent has no say in the colour of its neighbours."""
    weighted = pixels.astype(np.float32)
    weighted[..., :3] *= weighted[..., 3:]
    small = np.asarray(cv2.resize(weighted, size, interpolation=cv2.INTER_AREA), np.float32)
    alpha = small[..., 3:]
    straight = np.dstack([small[..., :3] / np.maximum(alpha, np.float32(1e-3)), alpha])
    return as_uint8(np.rint(straight))


def _write(shown: Iterable[_Shown], part: Path, format: PreviewFormat) -> None:
    is_empty = True
    with preview_file(part, format) as file:
        for one in shown:
            file.append(one.pixels, at=one.at, length=one.length)
            is_empty = False
        if is_empty:
            raise ValueError("a preview of no pictures")
