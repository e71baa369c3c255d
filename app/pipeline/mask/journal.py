"""What was done since the last save: `journal-<base>`, records appended one by one.

base: the first 32 hex digits of the SHA-256 of the `project.json` the journal goes on from. The file is MAGIC and
records: length and CRC-32 of a body (uint32 each, little-endian), the body being a JSON head, its length (uint32)
before it, and then the blocks of the frames that the head names (see `packs`; tiles that did not change are not in
them, tiles of no bytes are gone). The first record's head is {"base", "follows"}: a save writes the next journal
before its `project.json`, which is the commit, and `follows` says of which one it was to be the successor.
"""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from app.domain.mask.correction import Correction
from app.domain.mask.document import FrameEdit, MaskDocument, Meta
from app.pipeline.bounded_json import UnusableJson, parse_json
from app.pipeline.mask.checked import UnusableProject, items, part, real, ticks, whole, words
from app.pipeline.mask.inside import names_in, opened
from app.pipeline.mask.packs import MAX_BYTES, Tiles, block_of, cost_bytes, tiles_of
from app.pipeline.mask.project_json import MAX_FRAMES, flags_from, flags_of, meta_from_json, meta_to_json

MAGIC: Final = b"PMJRNL\x00\x01"
NAME: Final = re.compile(r"journal-[0-9a-f]{32}")
PART: Final = re.compile(r"journal-[0-9a-f]{32}\.part")
_RECORD_BYTES: Final = 8 * 2**20
"""Of blocks in a record, beside its last: a step on many frames becomes several records."""

_MAX_RECORD_BYTES: Final = 256 * 2**20
_MAX_HEAD_BYTES: Final = 16 * 2**20
_MAX_STEPS: Final = 10**9
_MAX_TIME_S: Final = 2**40


@dataclass(frozen=True, slots=True)
class Heading:
    """Which `project.json` a journal goes on from, and which one that was to replace."""

    base: str
    follows: str


@dataclass(frozen=True, slots=True)
class Delta:
    """What turns one document into another. frames: flags and changed tiles by pts; gone: frames without an edit."""

    meta: Meta | None
    frames: Mapping[int, tuple[str, Tiles]]
    gone: frozenset[int]

    @property
    def is_nothing(self) -> bool:
        """Whether the documents are the same."""
        return self.meta is None and not self.frames and not self.gone


@dataclass(frozen=True, slots=True)
class Replayed:
    """A document with a journal's whole records done to it. steps: how many; last_s: when the last was, since 1970."""

    document: MaskDocument
    steps: int
    last_s: float


def journal_path(folder: Path, base: str) -> Path:
    """The journal that goes on from a `project.json`."""
    return folder / f"journal-{base}"


def journals_in(folder: Path) -> list[Path]:
    """All journals of a project, whatever they go on from."""
    return [folder / name for name in names_in(folder) if NAME.fullmatch(name)]


def between(before: MaskDocument, after: MaskDocument) -> Delta:
    """What happened from one document to the other; unchanged frames cost one comparison each."""
    frames = {
        pts: (flags_of(edit), _tiles_between(before.frames.get(pts), edit))
        for pts, edit in after.frames.items()
        if (old := before.frames.get(pts)) is not edit and old != edit
    }
    gone = frozenset(before.frames.keys() - after.frames.keys())
    return Delta(None if before.meta == after.meta else after.meta, frames, gone)


def heading_record(heading: Heading) -> bytes:
    """The beginning of a journal's file."""
    return MAGIC + _record({"base": heading.base, "follows": heading.follows}, [])


def records(delta: Delta, *, steps: int, time_s: float) -> Iterator[bytes]:
    """The delta as records; all steps are counted with the last."""
    waiting: list[tuple[int, str, bytes]] = []
    size = 0
    for pts, (flags, tiles) in delta.frames.items():
        waiting.append((pts, flags, block_of(tiles)))
        size += len(waiting[-1][2])
        if size >= _RECORD_BYTES:
            yield _frames_record({"time": time_s, "steps": 0}, waiting)
            waiting, size = [], 0
    head: dict[str, Any] = {"time": time_s, "steps": steps, "gone": sorted(delta.gone)}
    if delta.meta is not None:
        head["meta"] = meta_to_json(delta.meta)
    yield _frames_record(head, waiting)


def heading_of(path: Path) -> Heading | None:
    """What a file says it goes on from; None when it is no journal or not even that was written. OSError."""
    try:
        with opened(path) as file:
            head, _ = next(_bodies(file))
            return Heading(words(part(head, "base"), "base", 64), words(part(head, "follows"), "follows", 64))
    except (UnusableProject, StopIteration):
        return None


def replayed(path: Path, document: MaskDocument) -> Replayed | None:
    """The document after the journal's records, up to the first torn or damaged one; None for no record. OSError."""
    replay = _Replay(document)
    try:
        with opened(path) as file:
            bodies = _bodies(file)
            next(bodies, None)  # The heading.
            for head, blocks in bodies:
                replay.follow(head, blocks)
    except UnusableProject:
        pass  # What came before the damage counts.
    return replay.result()


class _Replay:
    """A document on its way through a journal: a record counts whole or not at all."""

    def __init__(self, document: MaskDocument) -> None:
        self._meta = document.meta
        self._frames = dict(document.frames)
        self._cost_bytes = sum(cost_bytes(edit.correction.tiles) for edit in self._frames.values())
        self._count = self._steps = 0
        self._last_s = 0.0

    def follow(self, head: Mapping[str, Any], blocks: bytes) -> None:
        meta = self._meta_after(head)
        changed = dict(self._edits(head, blocks))
        gone = [ticks(pts, "gone") for pts in items(head.get("gone", []), "gone", MAX_FRAMES)]
        steps = whole(part(head, "steps"), "steps", 0, _MAX_STEPS)
        last_s = real(part(head, "time"), "time", 0, _MAX_TIME_S)
        cost = self._cost_bytes + sum(_cost(edit) - _cost(self._frames.get(pts)) for pts, edit in changed.items())
        if cost > MAX_BYTES or len(self._frames.keys() | changed.keys()) > MAX_FRAMES:
            raise UnusableProject("its corrections are too large")
        self._meta, self._cost_bytes, self._last_s = meta, cost, last_s
        self._frames.update(changed)
        for pts in gone:
            self._cost_bytes -= _cost(self._frames.pop(pts, None))
        self._count, self._steps = self._count + 1, self._steps + steps

    def result(self) -> Replayed | None:
        if not self._count:
            return None
        whole_edits = {pts: edit for pts, edit in self._frames.items() if not edit.is_nothing}
        return Replayed(MaskDocument(self._meta, whole_edits), self._steps, self._last_s)

    def _meta_after(self, head: Mapping[str, Any]) -> Meta:
        if "meta" not in head:
            return self._meta
        meta, _ = meta_from_json(head["meta"])
        if meta.clip.size != self._meta.clip.size:
            raise UnusableProject("“size” changes on the way")
        return meta

    def _edits(self, head: Mapping[str, Any], blocks: bytes) -> Iterator[tuple[int, FrameEdit]]:
        size = self._meta.clip.size
        start = 0
        for pts, flags, length in items(part(head, "frames"), "frames", MAX_FRAMES, each=3):
            end = start + whole(length, "length", 4, _MAX_RECORD_BYTES)
            delta = tiles_of(blocks[start:end], size, with_gone=True)
            is_keyframe, is_locked, origin = flags_from(flags)
            before = self._frames.get(ticks(pts, "frames"))
            tiles = _merged({} if before is None else before.correction.tiles, delta)
            yield pts, FrameEdit(Correction(size, tiles), is_keyframe, is_locked, origin)
            start = end


def _cost(edit: FrameEdit | None) -> int:
    return 0 if edit is None else cost_bytes(edit.correction.tiles)


def _merged(tiles: Tiles, delta: Tiles) -> Tiles:
    merged = {**tiles, **delta}
    return {number: data for number, data in merged.items() if data}


def _tiles_between(before: FrameEdit | None, after: FrameEdit) -> Tiles:
    old: Tiles = {} if before is None else before.correction.tiles
    new = after.correction.tiles
    changed = {number: data for number, data in new.items() if old.get(number) != data}
    return {**changed, **dict.fromkeys(old.keys() - new.keys(), b"")}


def _frames_record(head: Mapping[str, Any], frames: Iterable[tuple[int, str, bytes]]) -> bytes:
    frames = list(frames)
    rows = [[pts, flags, len(block)] for pts, flags, block in frames]
    return _record({**head, "frames": rows}, [block for _, _, block in frames])


def _record(head: Mapping[str, Any], blocks: Iterable[bytes]) -> bytes:
    text = json.dumps(head, separators=(",", ":")).encode("ascii")
    body = b"".join((struct.pack("<I", len(text)), text, *blocks))
    return struct.pack("<II", len(body), zlib.crc32(body)) + body


def _bodies(file: BinaryIO) -> Iterator[tuple[Mapping[str, Any], bytes]]:
    """Heads and blocks of the whole records; ends at the first that is torn, damaged or too large."""
    if file.read(len(MAGIC)) != MAGIC:
        return
    while len(frame := file.read(8)) == 8:
        length, crc32 = struct.unpack("<II", frame)
        if length > _MAX_RECORD_BYTES:
            return
        body = file.read(length)
        if len(body) != length or zlib.crc32(body) != crc32:
            return
        head_length = int.from_bytes(body[:4], "little")
        try:
            head = parse_json(body[4 : 4 + head_length], max_bytes=_MAX_HEAD_BYTES)
        except UnusableJson:
            return
        if not isinstance(head, dict):
            return
        yield head, body[4 + head_length :]
