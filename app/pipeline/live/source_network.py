"""A network camera: RTSP, or MJPEG and MPEG-TS by HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from app.domain.errors import UserError
from app.domain.frame import Frame
from app.pipeline.live.pictures import Captured, Granted
from app.pipeline.live.source_protocol import TICKS_HZ, CaptureWish, SourceLost
from app.pipeline.media_safety import MAX_SIDE_PX, MEDIA_ERRORS, check_size, picture_stream
from app.pipeline.video_info import read_info
from app.pipeline.video_time import next_pts
from app.pipeline.yuv import RgbConverter

OPEN_S: Final = 8.0
READ_S: Final = 4.0

_HTTP_FORMATS: Final = "mpjpeg,mjpeg,mpegts"
_PICTURES_ONLY: Final = ("mpjpeg", "mjpeg")
"""Streams without times of their own; FFmpeg counts 25 a second, whatever comes."""

# Not `nobuffer`: it throws the packets away that were looked at to find the format, the first key frame among them.
_COMMON: Final = {"max_pixels": str(MAX_SIDE_PX**2)}
# No playlists: those can name files of this machine. The lists hold for all that FFmpeg opens on the way.
_HTTP: Final = {
    "protocol_whitelist": "http,https,tcp,tls",
    "format_whitelist": _HTTP_FORMATS,
    "probesize": "262144",
    "analyzeduration": "500000",
}
_RTSP: Final = {
    "protocol_whitelist": "rtsp,rtsps,rtp,udp,tcp,tls",
    "format_whitelist": "rtsp",
    "rtsp_transport": "tcp",
}
_OPTIONS: Final = {"http": _HTTP, "https": _HTTP, "rtsp": _RTSP, "rtsps": _RTSP}


def is_stream(spec: str) -> bool:
    """Whether this is the address of a network stream."""
    return spec.partition("://")[0].lower() in _OPTIONS and "://" in spec


def stream_name(url: str) -> str:
    """What a stream is called: its host and port. The rest is left out: paths hold passwords too."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "the address given"
    return "the address given" if not host else host if port is None else f"{host}:{port}"


class NetworkSource:
    """Frames of a stream as they arrive; one that stays silent for `read_s` is lost.

    pts: the stream's own clock where it has one, else microseconds since the first arrival. No error, name or
    traceback holds the address beyond its host.
    """

    def __init__(self, url: str, wish: CaptureWish, *, open_s: float = OPEN_S, read_s: float = READ_S) -> None:
        del wish  # Nothing can be asked of a stream.
        self._name = stream_name(url)
        self._index = -1
        self._container = _opened(url, self._name, open_s=open_s, read_s=read_s)
        try:
            self._start()
        except MEDIA_ERRORS:
            self._container.close()
            raise _unreadable(self._name) from None
        except BaseException:
            self._container.close()
            raise

    def _start(self) -> None:
        label = Path(self._name)
        stream = picture_stream(self._container, label)
        stream.thread_type = "SLICE"  # Frame threads would hold back as many frames as there are threads.
        self._decoded = self._decode(stream)
        first = next(self._decoded, None)
        if first is None:
            raise _unreadable(self._name)
        self._info = read_info(label, self._container, stream, first)
        self._to_rgb = RgbConverter(self._info.color)
        self._waiting: av.VideoFrame | None = first
        self._is_timed = self._container.format.name not in _PICTURES_ONLY
        rate = self._info.average_rate if self._is_timed else None
        self.granted = Granted(self._name, self._info.size, None if rate is None else float(rate), self._info.codec)
        self._first_s: float | None = None
        self._last_pts: int | None = None

    def read(self) -> Captured:
        """The next frame that arrives and can be decoded."""
        while True:
            frame = self._arrived()
            captured_s = time.monotonic()
            self._index += 1
            try:
                return Captured(self._frame(frame, captured_s), captured_s)
            except MEDIA_ERRORS:
                continue  # A damaged one costs itself; its number is missing.

    def close(self) -> None:
        """Hang up."""
        self._waiting = None
        self._container.close()

    def _decode(self, stream: VideoStream) -> Iterator[av.VideoFrame]:
        """Decoded frames. Damage costs its own frame only, as does all that comes before the first key frame."""
        for packet in self._container.demux(stream):
            try:
                yield from stream.decode(packet)
            except EOFError:
                return
            except MEDIA_ERRORS:
                self._index += 1

    def _arrived(self) -> av.VideoFrame:
        frame, self._waiting = self._waiting, None
        if frame is not None:
            return frame
        try:
            frame = next(self._decoded, None)
        except MEDIA_ERRORS:
            frame = None
        if frame is None:
            raise SourceLost(
                f"The stream from {self._name} has ended.", "It is tried again by itself; check the camera's network."
            ) from None
        return frame

    def _frame(self, frame: av.VideoFrame, captured_s: float) -> Frame:
        check_size(frame.width, frame.height, Path(self._name))
        pixels = self._to_rgb(frame)
        size = pixels.shape[1], pixels.shape[0]
        if size != self.granted.size:
            self.granted = Granted(self._name, size, self.granted.rate_hz, self.granted.detail)
        pts, time_base = self._time(frame, captured_s)
        return Frame(pixels, pts=pts, time_base=time_base, index=self._index)

    def _time(self, frame: av.VideoFrame, captured_s: float) -> tuple[int, Fraction]:
        if self._first_s is None:
            self._first_s = captured_s
        if self._is_timed:
            raw, time_base, step = frame.pts, self._info.time_base, self._info.frame_step
        else:
            raw, time_base, step = round((captured_s - self._first_s) * TICKS_HZ), Fraction(1, TICKS_HZ), 1
        self._last_pts = next_pts(raw, self._last_pts, step=step)
        return self._last_pts, time_base


def _opened(url: str, name: str, *, open_s: float, read_s: float) -> InputContainer:
    scheme = url.partition("://")[0].lower()
    try:
        return av.open(
            url,
            mode="r",
            options=_COMMON | _OPTIONS[scheme],
            timeout=(open_s, read_s),
            metadata_errors="replace",
        )
    except MEDIA_ERRORS as error:
        reason = _reason(error)
    # Raised outside of the handler: PyAV's own message holds the whole address, password and all.
    raise UserError(f"The stream from {name} can't be opened: {reason}.", "Check the address and the camera's network.")


def _reason(error: BaseException) -> str:
    """What went wrong, in our words: FFmpeg's end with the address."""
    kinds: tuple[tuple[str, str], ...] = (
        ("HTTPUnauthorizedError", "it wants a user and a password, or other ones"),
        ("HTTPForbiddenError", "it does not allow it"),
        ("HTTPNotFoundError", "there is nothing at this path"),
        ("ConnectionRefusedError", "nothing answers there"),
        ("ExitError", "it does not answer in time"),
        ("TimeoutError", "it does not answer in time"),
        ("InvalidDataError", "it sends nothing this program can read, or does not answer"),
    )
    names = {kind.__name__ for kind in type(error).__mro__}
    return next((words for kind, words in kinds if kind in names), "it can't be reached")


def _unreadable(name: str) -> UserError:
    return UserError(f"The stream from {name} can't be decoded.", "RTSP, and MJPEG or MPEG-TS by HTTP, can be used.")
