"""What a clip says about itself, and what of it is still true of the result: names, dates, languages, chapters."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, cast

from av.container import InputContainer, OutputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

_MAX_ENTRIES: Final = 200
_MAX_VALUE_CHARS: Final = 10_000
_MAX_CHAPTERS: Final = 1000
_MAX_CHAPTER_S: Final = 10**7
"""More than any clip has; what a damaged or hostile file claims beyond it is left out."""

_NOT_OURS: Final = frozenset(
    {
        "rotate",
        "encoder",
        "major_brand",
        "minor_version",
        "compatible_brands",
        "vendor_id",
        "alpha_mode",
        "stereo_mode",
        "timecode",
        "reel_name",
        "duration",
        "bps",
        "number_of_frames",
        "number_of_bytes",
    }
)
"""True of the clip's file and its picture as they were stored, not of the result."""

_MOV_LANGUAGE: Final = {
    "deu": "ger", "fre": "fra", "nld": "dut", "swe": "sve", "ell": "gre", "isl": "ice", "zho": "chi", "sqi": "alb",
    "rum": "ron", "cze": "ces", "slo": "slk", "mkd": "mac", "hye": "arm", "kat": "geo", "bod": "tib", "mya": "bur",
    "msa": "may", "cym": "wel", "eus": "baq", "gle": "iri", "nob": "nor",
}  # fmt: skip
"""FFmpeg's MOV muxer knows each language by one of its two ISO 639-2 codes only, its MP4 muxer by both."""


@dataclass(frozen=True, slots=True)
class Span:
    """Where the result lies on the clip's clock. delay_s: is added to every time; until_s: the end, None is open.

    is_trimmed: what the moved clock shows before zero is left out, not kept for players to skip.
    """

    delay_s: Fraction = Fraction(0)
    until_s: Fraction | None = None
    is_trimmed: bool = False

    @property
    def starts_inside(self) -> bool:
        """Whether something of the clip comes before the result's start."""
        return self.is_trimmed and self.delay_s < 0

    def clipped(self, start_s: Fraction, end_s: Fraction) -> tuple[Fraction, Fraction] | None:
        """Move a stretch of the clip into the result and cut it to it; None when nothing is left."""
        start_s, end_s = max(start_s + self.delay_s, Fraction(0)), end_s + self.delay_s
        if self.until_s is not None:
            end_s = min(end_s, self.until_s)
        return (start_s, end_s) if end_s > start_s else None


def describe(source: Stream, copy: Stream, target: OutputContainer) -> None:
    """Give a copied track its language, its title and its place among the others."""
    copy.metadata.update(kept_metadata(source.metadata))
    if "name" in copy.metadata:  # What MP4 and MOV files call it.
        copy.metadata.setdefault("title", copy.metadata.pop("name"))
    language = copy.metadata.get("language", "")
    if target.format.name == "mov" and language in _MOV_LANGUAGE:
        copy.metadata["language"] = _MOV_LANGUAGE[language]
    copy.disposition = source.disposition


def describe_file(source: InputContainer, target: OutputContainer, span: Span) -> None:
    """Give the result the clip's names and dates and the chapters that lie in it; its picture's too."""
    target.metadata.update(kept_metadata(source.metadata))
    chapters = [moved for c in source.chapters()[:_MAX_CHAPTERS] if (moved := moved_chapter(c, span)) is not None]
    if chapters:
        target.set_chapters(cast("Any", chapters))
    pictures = _pictures(source)
    if pictures and target.streams.video:
        target.streams.video[0].metadata.update(kept_metadata(pictures[0].metadata))


def kept_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    """Choose what is still true of the result; what damaged or hostile files hold is bounded."""
    entries = (
        (_plain(key), _plain(value)[:_MAX_VALUE_CHARS])
        for key, value in metadata.items()
        if key and len(key) <= 200 and not _is_statistic(key.lower())
    )
    return dict(itertools.islice(entries, _MAX_ENTRIES))


def _is_statistic(key: str) -> bool:
    """MKV's names may end in a language: `BPS-eng`."""
    return key in _NOT_OURS or key.split("-")[0] in _NOT_OURS or key.startswith("_statistics")


def _plain(text: str) -> str:
    """Without what C strings and UTF-8 can't hold."""
    return text.replace("\0", " ").encode(errors="replace").decode()


def moved_chapter(chapter: Mapping[str, Any], span: Span) -> dict[str, Any] | None:
    """Move a chapter, as PyAV gives it, onto the result's clock; None when it lies outside or can't be one."""
    time_base = chapter["time_base"]
    if not time_base:
        return None
    start_s, end_s = (chapter[name] * time_base for name in ("start", "end"))
    if not -_MAX_CHAPTER_S < start_s <= end_s < _MAX_CHAPTER_S:
        return None
    shown = span.clipped(start_s, end_s)
    if shown is None:
        return None
    start, end = (round(time_s / time_base) for time_s in shown)
    return {**chapter, "start": start, "end": end, "metadata": kept_metadata(chapter["metadata"])}


def _pictures(source: InputContainer) -> list[VideoStream]:
    return [s for s in source.streams.video if not s.disposition & Disposition.attached_pic]


def left_out(source: InputContainer) -> Iterator[str]:
    """Say what the clip has that no result can."""
    covers = len(source.streams.video) - len(_pictures(source))
    # The titles of chapters are a track of their own in MP4; they come along as chapters.
    data = [s for s in source.streams if s.type in ("data", "unknown") and s.name != "bin_data"]
    counts = {
        "further picture track": max(0, len(_pictures(source)) - 1),
        "cover picture": covers,
        "attachment": sum(s.type == "attachment" for s in source.streams),
        "data track": len(data),
    }
    for what, count in counts.items():
        if count:
            yield f"Left out: {count} {what}{'s' if count > 1 else ''} of the clip."
