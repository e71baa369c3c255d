"""The model's mattes of a whole clip on disk, each with how far it can be trusted; can be made again at any time."""

from __future__ import annotations

import errno
import hashlib
import os
import struct
import threading
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from app.domain.compositing import Size
from app.domain.frame import Alpha8
from app.domain.mask.document import Clip, Meta
from app.domain.settings import PersonOptions

VERSION: Final = 1
"""Raised whenever the same settings make other mattes."""

_MAGIC: Final = b"PMMATTES"
_HEADER: Final = struct.Struct("<8s32sII")
_RECORD: Final = struct.Struct("<qfBII")
_IS_CUT: Final = 1
_IS_END: Final = 2
"""Of a record without a matte: the clip was gone through to its end. Damaged frames have no matte even so."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What is known of a frame's matte. confidence: 0..1. is_cut: another scene begins here."""

    confidence: float
    is_cut: bool


class MatteCache:
    """Mattes by pts in one file that only grows; safe to use from several threads.

    Opened with another `key` or size, or damaged at its head, it starts empty; a torn tail, as a crash leaves it, is
    cut off. A link in the place of the file or its folder goes: a project from somewhere else must not have another
    file written over. 30 to 45 KB a 1080p frame; 4 ms to put one in, 1 to get it. OSError when the file can't be had.
    """

    def __init__(self, path: Path, *, key: bytes, size: Size) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._places: dict[int, tuple[int, int, int]] = {}
        self._judged: dict[int, Judged] = {}
        self._is_finished = False
        self._file = _opened(path)
        header = _HEADER.pack(_MAGIC, key, *size)
        if self._file.read(_HEADER.size) == header:
            self._end = self._scan()
        else:
            self._end = _HEADER.size
            self._file.seek(0)
            self._file.write(header)
        self._file.truncate(self._end)

    def close(self) -> None:
        """Close the file; nothing can be got or put any more."""
        with self._lock:
            self._file.close()
            self._places.clear()

    def __contains__(self, pts: int) -> bool:
        """Whether a frame's matte is there."""
        return pts in self._places

    def __len__(self) -> int:
        """Mattes that are there."""
        return len(self._places)

    @property
    def is_finished(self) -> bool:
        """Whether the whole clip was gone through: no more mattes come."""
        return self._is_finished

    @property
    def judged(self) -> dict[int, Judged]:
        """What is known of every frame that was looked at, by pts: a copy."""
        with self._lock:
            return dict(self._judged)

    def put(self, pts: int, alpha: Alpha8, judged: Judged) -> None:
        """Keep a frame's matte, (H, W) uint8 of the cache's size. OSError when there is no room."""
        data = zlib.compress(np.ascontiguousarray(alpha).data, 1)
        crc = zlib.crc32(data)
        record = _RECORD.pack(pts, judged.confidence, judged.is_cut * _IS_CUT, len(data), crc)
        with self._lock:
            if not self._file.closed:
                start = self._added(record + data) + _RECORD.size
                self._places[pts] = (start, len(data), crc)
                self._judged[pts] = judged

    def finish(self) -> None:
        """Note that the clip was gone through to its end. OSError when there is no room."""
        with self._lock:
            if not (self._file.closed or self._is_finished):
                self._added(_RECORD.pack(0, 0.0, _IS_END, 0, 0))
                self._is_finished = True

    def _added(self, data: bytes) -> int:
        """Where it begins."""
        start = self._end
        self._file.seek(start)
        if self._file.write(data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._end += len(data)
        return start

    def get(self, pts: int) -> Alpha8 | None:
        """A frame's matte (H, W), read-only; None where there is none, or it is damaged."""
        with self._lock:
            place = self._places.get(pts)
            if place is None:
                return None
            start, length, crc = place
            self._file.seek(start)
            data = self._file.read(length)
        width, height = self._size
        if len(data) != length or zlib.crc32(data) != crc:
            return None
        raw = zlib.decompressobj().decompress(data, width * height + 1)
        return np.frombuffer(raw, np.uint8).reshape(height, width) if len(raw) == width * height else None

    def _scan(self) -> int:
        """Find what is there; returns where the last whole record ends."""
        at, size = _HEADER.size, os.fstat(self._file.fileno()).st_size
        while at + _RECORD.size <= size:
            self._file.seek(at)
            pts, confidence, flags, length, crc = _RECORD.unpack(self._file.read(_RECORD.size))
            if not 0 <= confidence <= 1 or at + _RECORD.size + length > size:
                break
            if flags & _IS_END:
                self._is_finished = True
            else:
                self._places[pts] = (at + _RECORD.size, length, crc)
                self._judged[pts] = Judged(confidence, bool(flags & _IS_CUT))
            at += _RECORD.size + length
        return at


def _opened(path: Path) -> BinaryIO:
    """A plain file in a folder of its own, for reading and writing. OSError."""
    for place in (path.parent, path):
        if place.is_symlink():
            place.unlink()
    path.parent.mkdir(exist_ok=True)
    if path.exists() and not path.is_file():
        path.unlink()  # A pipe, that would be waited for.
    return open(
        path,
        "r+b",
        buffering=0,
        opener=lambda name, flags: os.open(name, flags | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600),
    )


def cache_key(meta: Meta) -> bytes:
    """32 bytes that differ whenever the mattes would: another clip, given mask or way of finding the person."""
    clip: Clip = meta.clip
    person: PersonOptions = meta.settings.person
    mask = "" if meta.mask is None else meta.mask.fingerprint
    facts = (VERSION, clip.media.fingerprint, clip.size, str(clip.time_base), mask, sorted(asdict(person).items()))
    return hashlib.sha256(repr(facts).encode()).digest()
