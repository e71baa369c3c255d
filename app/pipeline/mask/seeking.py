"""Any frame of a video, exactly, by its pts."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, cast

import av
import numpy as np
import numpy.typing as npt
from av.video.plane import VideoPlane
from av.video.stream import VideoStream

from app.domain.frame import Frame
from app.pipeline.color_tags import Hdr
from app.pipeline.mask.frame_cache import FrameCache
from app.pipeline.mask.frame_index import FrameIndex, Stopped, never
from app.pipeline.media_safety import MEDIA_ERRORS, damaged
from app.pipeline.stills import Developer, OpenVideo
from app.pipeline.video_geometry import Orientation
from app.pipeline.video_info import VideoInfo, orientation_of
from app.pipeline.video_reader import VideoReader

_KEEP: Final = 2
_SEEK_FRAMES: Final = 4
"""What a seek costs, in frames decoded."""
_SEEK_MARGINS_S: Final = (0, 1, 5)
"""MPEG-TS and others land by decoding time, some frames late for a pts; then the seek is tried from earlier."""
_DECODERS_BYTES: Final = 192 << 20
_DECODER_PICTURES: Final = 12
"""Pictures one decoder holds: its references, those it reorders and one for each thread."""
MAX_DECODERS: Final = 4
_EARLIER_KEYS: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """A frame as the decoder gave it, which costs half the memory of its RGB.

    place: 0-based, in the index. orientation: how the picture becomes upright.
    """

    place: int
    pts: int
    picture: av.VideoFrame
    orientation: Orientation

    @property
    def size_bytes(self) -> int:
        """Bytes of its planes."""
        return sum(plane.buffer_size for plane in self.picture.planes)

    def detached(self) -> Decoded:
        """Copy it out of its decoder's memory.

        A decoder gives back nothing of what its pictures took at the most: 256 MiB of them, held by one decoder after
        the other, came to 1.1 GB.
        """
        picture = self.picture
        if picture.format.has_palette or any(plane.line_size <= 0 for plane in picture.planes):
            return self
        copy = av.VideoFrame(picture.width, picture.height, picture.format.name)
        for source, target in zip(picture.planes, copy.planes, strict=True):
            width = min(source.line_size, target.line_size)
            _rows(target)[:, :width] = _rows(source)[:, :width]
        return replace(self, picture=copy)


def _rows(plane: VideoPlane) -> npt.NDArray[np.uint8]:
    return np.frombuffer(cast("memoryview[int]", plane), np.uint8).reshape(plane.height, plane.line_size)


class FrameSeeker:
    """Frames of a video by pts, pixel for pixel and pts for pts those of `VideoReader`; belongs to one thread.

    Up to `decoders` of them stay parked where they were last used: the nearest one goes on, if that is shorter than
    from the key frame before. On the way, H.264 frames that no other is predicted from are left out (half of the usual
    ones). The frame and those just before it go into `cache`, which other seekers of the same file may share; it holds
    the decoder's YCbCr, and `frame_of` makes RGB of the wanted frame only. threads: of each decoder, as `OpenVideo`.

    A frame whose damage the decoder concealed is shown, as `VideoReader` shows it; what was put into the hole may be
    different after a seek. UserError from the constructor as
    `VideoReader` raises it, and for a frame that can't be decoded: never another frame in its place.
    """

    def __init__(
        self,
        path: Path,
        index: FrameIndex,
        *,
        cache: FrameCache[Decoded] | None = None,
        decoders: int = MAX_DECODERS,
        threads: int = 0,
        hdr: Hdr = "refuse",
    ) -> None:
        with VideoReader(path, hdr=hdr) as reader:
            self.info: VideoInfo = reader.info
        self.index = index
        self.cache: FrameCache[Decoded] = FrameCache() if cache is None else cache
        self.decoded_frames = 0
        self._path = path
        self._develop = Developer(self.info)
        self._lost: set[int] = set()
        self._picture_bytes = 1
        self._decoders, self._threads = decoders, threads
        self._runs: list[_Run] = []  # the one used last at the end

    def close(self) -> None:
        """Close the file."""
        for run in self._runs:
            run.close()
        self._runs.clear()

    def at(self, pts: int, *, keep: int = _KEEP, should_stop: Callable[[], bool] = never) -> Frame:
        """Return the frame at `pts`.

        keep: so many frames before it shall be in the cache afterwards, for who goes backwards. KeyError when the index
        has no such frame; UserError when it can't be decoded; Stopped when `should_stop` says so.
        """
        return self.frame_of(self.decoded_at(pts, keep=keep, should_stop=should_stop))

    def decoded_at(self, pts: int, *, keep: int = _KEEP, should_stop: Callable[[], bool] = never) -> Decoded:
        """Return the frame at `pts` as the decoder gives it; otherwise like `at`."""
        found = self._find(self.index.index_of(pts), keep=keep, should_stop=should_stop)
        if found is None:
            raise damaged(self._path, "is damaged at this moment")
        return found

    def frame_of(self, decoded: Decoded) -> Frame:
        """Convert to RGB. One thread at a time, which need not be the one that decodes."""
        return Frame(
            self._develop(decoded.picture, decoded.orientation), decoded.pts, self.index.time_base, decoded.place
        )

    def frames_between(
        self, start_pts: int, stop_pts: int, *, should_stop: Callable[[], bool] = never
    ) -> Iterator[Frame]:
        """Yield the frames from one pts to another, both included, backwards if the second is the earlier.

        Frames that can't be decoded are left out. Backwards, a stretch is decoded forwards into half of the cache at a
        time. Otherwise like `at`, which may be called in between.
        """
        return map(self.frame_of, self.decoded_between(start_pts, stop_pts, should_stop=should_stop))

    def decoded_between(
        self, start_pts: int, stop_pts: int, *, should_stop: Callable[[], bool] = never
    ) -> Iterator[Decoded]:
        """Yield what `frames_between` yields, as the decoder gives it."""
        first, last = self.index.index_of(start_pts), self.index.index_of(stop_pts)
        step = 1 if last >= first else -1
        for place in range(first, last + step, step):
            stretch = min(place - last, self.cache.limit_bytes // 2 // self._picture_bytes) if step < 0 else 0
            found = self._find(place, keep=stretch, should_stop=should_stop)
            if found is not None:
                yield found

    def _find(self, place: int, *, keep: int, should_stop: Callable[[], bool]) -> Decoded | None:
        pts = self.index.pts_at(place)
        if place in self._lost:
            return None
        return self.cache.get(pts) or self._decode(place, keep=keep, should_stop=should_stop)

    def _decode(self, place: int, *, keep: int, should_stop: Callable[[], bool]) -> Decoded | None:
        """Decode up to a place; again without leaving anything out, and from earlier, if it did not come out whole.

        Not where a decoder goes on from the frame before: it has all that there is to decode from.
        """
        goes_on = any(run.asked == place - 1 for run in self._runs)
        run = self._nearest(place)
        found = self._follow(run, place, full_from=max(0, place - keep), should_stop=should_stop)
        key = self.index.pts_at(place)
        for _ in range(_EARLIER_KEYS):
            if goes_on or (found is not None and not found.picture.is_corrupt):
                break
            earlier = self.index.key_before(key)
            run.restart(earlier)
            found = self._follow(run, place, full_from=0, should_stop=should_stop) or found
            if earlier is None:
                break
            key = earlier - 1
        if found is None:
            self._lost.update(run.gap)
        return found

    def _nearest(self, place: int) -> _Run:
        """Pick the decoder with the shortest way and put it where that begins; the others stay where they are."""
        key = self.index.key_before(self.index.pts_at(place))
        from_key = place - self.index.first_from(key) + _SEEK_FRAMES
        ways = [(place - run.place, run) for run in self._runs if run.place < place]
        shortest = min(ways, key=lambda way: way[0], default=None)
        if shortest is not None and shortest[0] <= from_key:
            run = shortest[1]
            self._runs.remove(run)
        else:
            run = self._spare()
            run.restart(key)
        self._runs.append(run)
        return run

    def _spare(self) -> _Run:
        """Open a decoder, or take the one that was used longest ago."""
        room = _DECODERS_BYTES // (_DECODER_PICTURES * self._picture_bytes)
        if not self._runs or len(self._runs) < min(room, self._decoders):
            return _Run(self._path, self.index, threads=self._threads)
        return self._runs.pop(0)

    def _follow(self, run: _Run, place: int, *, full_from: int, should_stop: Callable[[], bool]) -> Decoded | None:
        """Go on to a place; None when no frame comes out for it."""
        for found in run.until(place, full_from_pts=self.index.pts_at(full_from)):
            self.decoded_frames += 1
            self._picture_bytes = size_bytes = max(1, found.size_bytes)
            fits = size_bytes <= self.cache.limit_bytes
            if fits and found.place >= full_from and not found.picture.is_corrupt:
                self.cache.put(found.pts, found.detached(), size_bytes=size_bytes)
            if found.place == place:
                return found
            if should_stop():
                raise Stopped
        return None


class _Run:
    """A decoder on its way through the file.

    place: the last one behind it. asked: the same if that was asked for and not only passed, else None. gap: the places
    for which nothing came out before that.
    """

    def __init__(self, path: Path, index: FrameIndex, *, threads: int = 0) -> None:
        self.place = -1
        self.asked: int | None = None
        self.gap = range(0)
        self._path = path
        self._index = index
        self._threads = threads
        self._ahead: Decoded | None = None
        self._full_from_pts = index.start_pts
        self._frames: Iterator[Decoded] = iter(())
        self._open()

    def close(self) -> None:
        """Close the file; it can be started again."""
        self._frames, self._ahead, self.place = iter(()), None, len(self._index)
        self._video.close()

    def restart(self, key_pts: int | None) -> None:
        """Begin anew at this key frame, at the file's start if that is None or can't be sought."""
        self.asked, self._ahead = None, None
        packets = None if key_pts is None else self._packets_from(key_pts)
        if packets is None:
            self.close()
            self._open()
        else:
            self.place = self._index.first_from(key_pts) - 1
            self._frames = self._given(packets)

    def until(self, place: int, *, full_from_pts: int) -> Iterator[Decoded]:
        """Yield frames up to the one at `place`, or before it when there is none; all of those from `full_from_pts`."""
        self._full_from_pts = full_from_pts
        while self.place < place:
            found, self._ahead = self._ahead or next(self._frames, None), None
            now = len(self._index) if found is None else found.place
            self.gap = range(self.place + 1, now)
            if found is None or now > place:
                self._ahead, self.place, self.asked = found, now - 1, now - 1
                return
            self.place, self.asked = now, now if now == place else None
            yield found

    def _open(self) -> None:
        self._video = OpenVideo(self._path, threads=self._threads)
        # nal_ref_idc says of every H.264 picture whether it is ever predicted from. HEVC's sub-layer
        # non-reference pictures may be, by pictures of higher layers.
        self._may_skip = self._index.is_seekable and self._video.stream.codec_context.name == "h264"
        self.place = -1
        self._frames = self._given(self._video.packets())

    def _given(self, packets: Iterable[av.Packet[VideoStream] | None]) -> Iterator[Decoded]:
        begin, count = self.place, itertools.count()
        for packet in itertools.chain(packets, [None]):
            self._choose(packet)
            for picture in self._video.decoded(packet):
                place = self._index.find(picture.pts) if self._index.is_seekable else next(count)
                # Shown before the key frame decoding began with, or hidden: what it is predicted from may be missing.
                if place is not None and begin < place < len(self._index):
                    yield Decoded(place, self._index.pts_at(place), picture, orientation_of(picture))

    def _choose(self, packet: av.Packet[VideoStream] | None) -> None:
        """Have a frame left out that is neither wanted nor needed for others."""
        if self._may_skip and packet is not None and packet.pts is not None:
            is_wanted = packet.pts >= self._full_from_pts
            self._video.stream.codec_context.skip_frame = "DEFAULT" if is_wanted else "NONREF"

    def _packets_from(self, key_pts: int) -> Iterator[av.Packet[VideoStream]] | None:
        """Seek so that decoding begins with the packet at `key_pts`; None when it is not found."""
        margins = (round(margin_s / self._index.time_base) for margin_s in _SEEK_MARGINS_S)
        for margin in margins:
            try:
                self._video.seek(key_pts - margin)
            except MEDIA_ERRORS:
                continue
            packets = self._video.packets()
            for packet in packets:
                if packet.pts == key_pts:
                    return itertools.chain([packet], packets)
                if packet.dts is not None and packet.dts > key_pts:
                    break
        return None
