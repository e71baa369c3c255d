"""`project.json`: all of a project but its tiles, checked value by value when it is read.

One object: "format", "version", "saved" (s since 1970), "clip", "mask", "plate", "settings", "adjustment",
"adjusted_spans", "match_spans", "span", "stops", "held" and "frames". A frame is a row: its pts, its flags ("k"
keyframe, "l" locked, "p" propagated) and, unless its correction is empty, the pack's number and the block's offset,
length and CRC-32. Whatever is written here can be read here: the same limits go for both.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from typing import Any, Final

from app.domain.compositing import Size
from app.domain.mask.adjusting import Adjustment
from app.domain.mask.document import AdjustedSpan, Clip, FrameEdit, MatchSpan, MediaRef, Meta, Origin, Span
from app.domain.settings import settings_from_json, settings_to_json
from app.pipeline.mask import packs
from app.pipeline.mask.checked import (
    NewerProject,
    UnusableProject,
    items,
    object_of,
    part,
    real,
    ticks,
    ticks_or_none,
    whole,
    words,
)
from app.pipeline.mask.packs import Place

NAME: Final = "project.json"
FORMAT: Final = "platematch mask project"
VERSION: Final = 1
MAX_BYTES: Final = 16 * 2**20
"""Of the file: MAX_FRAMES rows with the longest numbers take 14 MB."""

MAX_FRAMES: Final = 200_000
MAX_SIDE_PX: Final = 8192
_MAX_SPANS: Final = 10_000
_MAX_STOPS: Final = 10_000
_MAX_SENTENCE: Final = 500
_MAX_PATH: Final = 4096
_MAX_TERM: Final = 2**31 - 1
_MAX_KNOTS: Final = 1025
_MAX_LEVEL: Final = 16.0
_MAX_FILE_BYTES: Final = 2**62
_MAX_TIME_S: Final = 2**40
_MAX_OFFSET: Final = 2**40

Upgrade = Callable[[Mapping[str, Any]], Mapping[str, Any]]

UPGRADES: dict[int, Upgrade] = {}
"""What makes version n + 1 of version n; the first version needs none."""


@dataclass(frozen=True, slots=True)
class Row:
    """A frame's edit without its tiles; place: where they are, None for an empty correction."""

    pts: int
    is_keyframe: bool
    is_locked: bool
    origin: Origin
    place: Place | None


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """What the file says. plate: the plate as a file, where it is one. held: packs never to be removed.

    version: the file had. notes: what of the settings could not be used.
    """

    meta: Meta
    rows: tuple[Row, ...] = ()
    plate: MediaRef | None = None
    held: frozenset[int] = frozenset()
    saved_s: float = 0.0
    version: int = VERSION
    notes: tuple[str, ...] = ()


def project_bytes(project: ProjectFile) -> bytes:
    """The file's contents."""
    data = {
        "format": FORMAT,
        "version": VERSION,
        "saved": project.saved_s,
        **meta_to_json(project.meta),
        "plate": _media_to_json(project.plate),
        "held": sorted(project.held),
        "frames": [_row_to_json(row) for row in project.rows],
    }
    return json.dumps(data, separators=(",", ":")).encode("ascii")


def project_from_json(data: object) -> ProjectFile:
    """What a file's JSON says, of this version or an older one. UnusableProject, NewerProject."""
    if part(data, "format") != FORMAT:
        raise UnusableProject("it is no mask project")
    version = whole(part(data, "version"), "version", 0, _MAX_TERM)
    data = _upgraded(object_of(data, "project"), version)
    meta, notes = meta_from_json(data)
    rows = tuple(_row_from(row) for row in items(part(data, "frames"), "frames", MAX_FRAMES))
    if len({row.pts for row in rows}) != len(rows):
        raise UnusableProject("“frames” names a frame twice")
    if sum(row.place.length for row in rows if row.place) > packs.MAX_BYTES:
        raise UnusableProject("its corrections are too large")
    held = items(part(data, "held"), "held", MAX_FRAMES)
    return ProjectFile(
        meta=meta,
        rows=rows,
        plate=_media_or_none(part(data, "plate"), "plate"),
        held=frozenset(_pack_number(number) for number in held),
        saved_s=real(part(data, "saved"), "saved", 0, _MAX_TIME_S),
        version=version,
        notes=notes,
    )


def row_of(pts: int, edit: FrameEdit, place: Place | None) -> Row:
    """A frame's row."""
    return Row(pts, edit.is_keyframe, edit.is_locked, edit.origin, place)


def flags_of(edit: FrameEdit | Row) -> str:
    """A frame's flags as letters."""
    letters = {"k": edit.is_keyframe, "l": edit.is_locked, "p": edit.origin is Origin.PROPAGATED}
    return "".join(letter for letter, is_set in letters.items() if is_set)


def flags_from(value: object) -> tuple[bool, bool, Origin]:
    """Keyframe, locked and origin of the letters."""
    flags = words(value, "flags", 3)
    if not set(flags) <= set("klp"):
        raise UnusableProject("“frames” has unknown flags")
    return "k" in flags, "l" in flags, Origin.PROPAGATED if "p" in flags else Origin.HAND


def meta_to_json(meta: Meta) -> dict[str, Any]:
    """All that is not a frame's own."""
    return {
        "clip": {
            "media": _media_to_json(meta.clip.media),
            "size": list(meta.clip.size),
            "time_base": [meta.clip.time_base.numerator, meta.clip.time_base.denominator],
        },
        "mask": _media_to_json(meta.mask),
        "settings": settings_to_json(meta.settings),
        "adjustment": asdict(meta.adjustment),
        "adjusted_spans": [[_ends(one.span), asdict(one.adjustment)] for one in meta.adjusted_spans],
        "match_spans": [[_ends(one.span), one.strength, one.knots, one.locked_pts] for one in meta.match_spans],
        "span": _ends(meta.span),
        "stops": [[pts, why[:_MAX_SENTENCE]] for pts, why in meta.stops.items()][-_MAX_STOPS:],
    }


def meta_from_json(data: object) -> tuple[Meta, tuple[str, ...]]:
    """The same back, with notes on the settings; UnusableProject where a value is out of its limits."""
    settings, notes = settings_from_json(part(data, "settings"))
    meta = Meta(
        clip=_clip_from(part(data, "clip")),
        settings=settings,
        mask=_media_or_none(part(data, "mask"), "mask"),
        adjustment=_adjustment_from(part(data, "adjustment")),
        adjusted_spans=tuple(
            AdjustedSpan(_span_from(span), _adjustment_from(adjustment))
            for span, adjustment in items(part(data, "adjusted_spans"), "adjusted_spans", _MAX_SPANS, each=2)
        ),
        match_spans=tuple(
            _match_span_from(*one) for one in items(part(data, "match_spans"), "match_spans", _MAX_SPANS, each=4)
        ),
        span=_span_from(part(data, "span")),
        stops={
            ticks(pts, "stops"): words(why, "stops", _MAX_SENTENCE)
            for pts, why in items(part(data, "stops"), "stops", _MAX_STOPS, each=2)
        },
    )
    return meta, notes


def _upgraded(data: Mapping[str, Any], version: int) -> Mapping[str, Any]:
    if version > VERSION:
        raise NewerProject("it was saved by a newer version of PlateMatch")
    for number in range(version, VERSION):
        if number not in UPGRADES:
            raise UnusableProject(f"nothing is known of version {number}")
        data = UPGRADES[number](data)
    return data


def _row_to_json(row: Row) -> list[Any]:
    head = [row.pts, flags_of(row)]
    place = row.place
    return head if place is None else [*head, place.pack, place.offset, place.length, place.crc32]


def _row_from(data: object) -> Row:
    if not isinstance(data, list) or len(data) not in (2, 6):
        raise UnusableProject("“frames” has a damaged entry")
    return Row(ticks(data[0], "frames"), *flags_from(data[1]), _place_from(*data[2:]) if data[2:] else None)


def _place_from(pack: object, offset: object, length: object, crc32: object) -> Place:
    return Place(
        _pack_number(pack),
        whole(offset, "offset", len(packs.MAGIC), _MAX_OFFSET),
        whole(length, "length", 4, packs.MAX_BYTES),
        whole(crc32, "crc32", 0, 2**32 - 1),
    )


def _pack_number(value: object) -> int:
    return whole(value, "pack", 1, packs.MAX_NUMBER)


def _media_to_json(media: MediaRef | None) -> dict[str, Any] | None:
    return None if media is None else asdict(media)


def _media_or_none(data: object, name: str) -> MediaRef | None:
    return None if data is None else _media_from(data, name)


def _media_from(data: object, name: str) -> MediaRef:
    return MediaRef(
        words(part(data, "relative"), name, _MAX_PATH),
        words(part(data, "absolute"), name, _MAX_PATH),
        words(part(data, "fingerprint"), name, 200),
        whole(part(data, "size_bytes"), name, 0, _MAX_FILE_BYTES),
    )


def _clip_from(data: object) -> Clip:
    (size,) = items([part(data, "size")], "size", 1, each=2)
    (base,) = items([part(data, "time_base")], "time_base", 1, each=2)
    return Clip(_media_from(part(data, "media"), "clip"), _size_from(*size), _time_base_from(*base))


def _size_from(width: object, height: object) -> Size:
    return whole(width, "size", 1, MAX_SIDE_PX), whole(height, "size", 1, MAX_SIDE_PX)


def _time_base_from(ticks_s: object, per: object) -> Fraction:
    return Fraction(whole(ticks_s, "time_base", 1, _MAX_TERM), whole(per, "time_base", 1, _MAX_TERM))


def _ends(span: Span) -> list[int | None]:
    return [span.first_pts, span.last_pts]


def _span_from(data: object) -> Span:
    (ends,) = items([data], "span", 1, each=2)
    return Span(ticks_or_none(ends[0], "span"), ticks_or_none(ends[1], "span"))


def _adjustment_from(data: object) -> Adjustment:
    values = {one.name: real(part(data, one.name), one.name, -4096, 4096) for one in fields(Adjustment)}
    try:
        return Adjustment(**values)
    except ValueError as error:
        raise UnusableProject("“adjustment” has a value out of its range") from error


def _match_span_from(span: object, strength: object, knots: object, locked_pts: object) -> MatchSpan:
    return MatchSpan(
        _span_from(span),
        None if strength is None else real(strength, "strength", 0, 1),
        None if knots is None else _knots_from(knots),
        ticks_or_none(locked_pts, "locked_pts"),
    )


def _knots_from(data: object) -> tuple[tuple[float, ...], ...]:
    channels = [items(channel, "knots", _MAX_KNOTS) for channel in items(data, "knots", 3)]
    if len(channels) != 3 or len(channels[0]) < 2 or len({len(channel) for channel in channels}) != 1:
        raise UnusableProject("“knots” is no curve")
    return tuple(tuple(real(knot, "knots", -_MAX_LEVEL, _MAX_LEVEL) for knot in channel) for channel in channels)
