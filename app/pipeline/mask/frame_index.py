"""Which frames a video has, and when: the table that scrubbing, edits and the timeline go by."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
import numpy.typing as npt
from av.video.stream import VideoStream

from app.pipeline.color_tags import Hdr
from app.pipeline.media_safety import MEDIA_ERRORS, damaged
from app.pipeline.stills import OpenVideo
from app.pipeline.video_info import VideoInfo
from app.pipeline.video_reader import VideoReader
from app.pipeline.video_time import next_pts

Ticks = npt.NDArray[np.int64]

_ONE_PACKET_A_FRAME: Final = frozenset(
    {"h264", "hevc", "vp9", "av1", "libdav1d", "mjpeg", "prores", "dnxhd", "ffv1", "png", "mpeg2video"}
)
"""Codecs whose packets are one frame each unless interlaced; VP8 hides frames, MPEG-4 Part 2 packs them."""

_OPENING_FRAMES: Final = 16


class Stopped(Exception):  # noqa: N818  (nothing went wrong)
    """Who asked does not want the answer any more."""


def never() -> bool:
    """Tell nobody to stop."""
    return False


@dataclass(frozen=True, slots=True, eq=False)
class FrameIndex:
    """The frames of a video in the order they are shown; pts in ticks of `time_base`, as `VideoReader` gives them.

    pts (N,) int64, N >= 1, strictly increasing, read-only. key_pts (K,) int64, sorted: where decoding can begin;
    one that an edit list hides is in it too and has no frame. is_seekable: whether every pts is the file's own; where
    some are missing, repeated or set back, they are `next_pts`'s repairs and can only be found by counting from the
    start.
    """

    pts: Ticks
    key_pts: Ticks
    time_base: Fraction
    is_seekable: bool = True

    def __post_init__(self) -> None:
        """Freeze the tables too."""
        self.pts.setflags(write=False)
        self.key_pts.setflags(write=False)

    def __len__(self) -> int:
        """How many frames there are."""
        return len(self.pts)

    def first_from(self, pts: int | None) -> int:
        """0-based place of the first frame not earlier than this moment, len() after the last; 0 for None."""
        return 0 if pts is None else int(np.searchsorted(self.pts, pts))

    def find(self, pts: int | None) -> int | None:
        """0-based place of the frame with this pts; None when there is none."""
        place = self.first_from(pts)
        return place if pts is not None and place < len(self) and self.pts[place] == pts else None

    def index_of(self, pts: int) -> int:
        """0-based place of the frame with this pts. KeyError when there is none: `nearest` finds one."""
        place = self.find(pts)
        if place is None:
            raise KeyError(pts)
        return place

    def pts_at(self, index: int) -> int:
        """Look up the pts of the frame at a place; places outside the clip mean its ends."""
        return int(self.pts[min(max(index, 0), len(self.pts) - 1)])

    def shown_at(self, pts: int) -> int:
        """Find the frame that is on the screen at this moment: the last one not later, the first before all."""
        return self.pts_at(int(np.searchsorted(self.pts, pts, side="right")) - 1)

    def nearest(self, pts: int) -> int:
        """Find the frame closest to this moment, the earlier of two that are equally close."""
        before = self.shown_at(pts)
        after = self.next(before)
        return after if after is not None and after - pts < pts - before else before

    def time_of(self, pts: int) -> float:
        """Seconds from the first frame to this moment."""
        return float((pts - self.start_pts) * self.time_base)

    def next(self, pts: int) -> int | None:
        """Find the first frame later than this moment; None at the end."""
        place = int(np.searchsorted(self.pts, pts, side="right"))
        return int(self.pts[place]) if place < len(self.pts) else None

    def previous(self, pts: int) -> int | None:
        """Find the last frame earlier than this moment; None at the start."""
        place = int(np.searchsorted(self.pts, pts)) - 1
        return int(self.pts[place]) if place >= 0 else None

    def key_before(self, pts: int) -> int | None:
        """Find the key frame that decoding has to begin with to get the frame at `pts`; None: the file's start.

        Frames decoded after a key frame but shown before it may be predicted across it, so they belong to the
        key frame before.
        """
        place = int(np.searchsorted(self.key_pts, pts, side="right")) - 1
        return int(self.key_pts[place]) if place >= 0 and self.is_seekable else None

    @property
    def start_pts(self) -> int:
        """The first frame's."""
        return int(self.pts[0])

    @property
    def end_pts(self) -> int:
        """When the last frame has been shown as long as frames of this clip usually are."""
        steps = np.diff(self.pts)
        return int(self.pts[-1]) + (max(1, int(np.median(steps))) if len(steps) else 1)

    def end_of(self, pts: int) -> int:
        """Find when the frame shown at this moment gives way to the next one."""
        after = self.next(pts)
        return self.end_pts if after is None else after

    @property
    def length_s(self) -> float:
        """Seconds from the first frame to the end of the last."""
        return self.time_of(self.end_pts)


def read_index(path: Path, *, should_stop: Callable[[], bool] = never, hdr: Hdr = "refuse") -> FrameIndex:
    """Index a video file: the packets are read, hardly anything is decoded (10 minutes of 1080p: 0.4 s).

    What it promises: on an undamaged file the pts are exactly `VideoReader`'s. Frames that an edit list hides, that
    are not meant to be shown, or that come before the first one that can be decoded are not in it; nor is a last one
    that was cut short and can't be decoded. Elsewhere a damaged packet keeps its place, though no frame may come out
    of it: only decoding everything would tell, and the place keeps the numbers of the frames after it.

    Where packets don't tell (a pts missing, repeated or set back; interlaced video; codecs that don't keep one frame
    to a packet) every frame is decoded instead, which takes as long as that takes.
    `should_stop` is asked all the time. Stopped when it says so; UserError as `VideoReader` raises it.
    """
    with VideoReader(path, hdr=hdr) as reader:
        info = reader.info
    opening = _opening(path)
    packets = _scan(path, should_stop)
    one_each = info.codec in _ONE_PACKET_A_FRAME and not opening.is_interlaced
    if not (one_each and packets.are_in_order and opening.is_in_order):
        return _decoded_index(path, info, keys=packets.keys, should_stop=should_stop)
    pts = [ticks for ticks in packets.pts if ticks >= opening.start_pts]
    lost = _lost_at_the_end(path, packets) if packets.cut else set()
    return _index([ticks for ticks in pts if ticks not in lost], packets.keys, info.time_base)


@dataclass(frozen=True, slots=True)
class _Opening:
    """What the first decoded frames say."""

    start_pts: int
    is_in_order: bool
    is_interlaced: bool


def _opening(path: Path) -> _Opening:
    """Decode a few frames: AVI has no pts, and what FFmpeg makes up for B-frames is the order they are stored in."""
    video = OpenVideo(path)
    try:
        frames = [(frame.pts, frame.interlaced_frame) for frame in itertools.islice(video.frames(), _OPENING_FRAMES)]
    finally:
        video.close()
    if not frames:
        raise damaged(path, "contains no readable picture; it may be cut short")
    pts = [ticks for ticks, _ in frames if ticks is not None]
    return _Opening(
        start_pts=pts[0] if pts else 0,
        is_in_order=len(pts) == len(frames) and all(a < b for a, b in itertools.pairwise(pts)),
        is_interlaced=any(interlaced for _, interlaced in frames),
    )


def _index(pts: Iterable[int], keys: Iterable[int], time_base: Fraction, *, is_seekable: bool = True) -> FrameIndex:
    frames, key_frames = (np.array(sorted(set(ticks)), np.int64) for ticks in (pts, keys))
    return FrameIndex(frames, key_frames, time_base, is_seekable)


@dataclass(slots=True)
class _Packets:
    """What the packets say. cut: pts of those that are flagged as incomplete."""

    pts: list[int]
    keys: list[int]
    cut: list[int]
    are_in_order: bool


def _scan(path: Path, should_stop: Callable[[], bool]) -> _Packets:
    video = OpenVideo(path)
    found = _Packets([], [], [], are_in_order=True)
    last_dts: int | None = None
    try:
        for packet in video.packets():
            if should_stop():
                raise Stopped
            if packet.size == 0:
                continue
            dts = packet.dts
            if dts is not None and last_dts is not None and dts <= last_dts:
                found.are_in_order = False
            last_dts = dts if dts is not None else last_dts
            _note(packet, found)
    finally:
        video.close()
    found.are_in_order &= len(set(found.pts)) == len(found.pts)
    return found


def _note(packet: av.Packet[VideoStream], found: _Packets) -> None:
    pts = packet.pts
    if pts is None:
        found.are_in_order = False
        return
    if packet.is_keyframe:
        found.keys.append(pts)
    if packet.is_discard:
        return
    found.pts.append(pts)
    if packet.is_corrupt:
        found.cut.append(pts)


def _lost_at_the_end(path: Path, packets: _Packets) -> set[int]:
    """Find which incomplete packets after the last key frame give no frame."""
    last_key = max(packets.keys, default=min(packets.pts))
    cut = {pts for pts in packets.cut if pts >= last_key}
    if not cut:
        return cut
    video = OpenVideo(path)
    try:
        video.seek(last_key)
        return cut - {frame.pts for frame in video.frames()}
    except MEDIA_ERRORS:
        return set()
    finally:
        video.close()


def _decoded_index(path: Path, info: VideoInfo, *, keys: Iterable[int], should_stop: Callable[[], bool]) -> FrameIndex:
    """Decode every frame, for its pts alone, and repair the times as `VideoReader` does."""
    video = OpenVideo(path)
    repaired: list[int] = []
    has_own_times = True
    try:
        for frame in video.frames():
            if should_stop():
                raise Stopped
            pts = next_pts(frame.pts, repaired[-1] if repaired else None, step=info.frame_step)
            has_own_times &= pts == frame.pts
            repaired.append(pts)
    finally:
        video.close()
    return _index(repaired, keys, info.time_base, is_seekable=has_own_times)
