"""Frames into a video file, on the source's clock, with the source's sound."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Final, Self, cast

import av
import cv2
import numpy as np
from av.codec.context import Flags
from av.container import OutputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import (
    ColorPrimaries,
    ColorRange,
    Colorspace,
    ColorTrc,
    Interpolation,
    VideoReformatter,
)
from av.video.stream import VideoStream

from app.domain.compiled import kernels
from app.domain.errors import ExitCode, UserError
from app.domain.frame import Alpha8, Frame, Pixels
from app.pipeline.audio_copy import AudioCopier
from app.pipeline.color_tags import ColorTags, yuv_from_rgb
from app.pipeline.encode_settings import EncodeSettings, container_format
from app.pipeline.media_safety import MEDIA_ERRORS
from app.pipeline.video_output import PendingFile, is_disk_error
from app.pipeline.video_time import (
    DEFAULT_RATE_HZ,
    encoder_time_base,
    frame_step,
    movie_timescale,
    plausible_rate,
    rescaled,
)

# Box-filtered chroma and rounded sums: at most 0.5 levels from the exact BT.709 value, and at 2.0 ms for
# 1280x720 no slower than swscale's default, which is up to 0.7 off.
_TO_YUV: Final = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP


class FrameConverter:
    """Pixels into frames for an encoder: sides padded, BT.709, limited range (or full), tagged so.

    One for each encoder: it keeps its scaler between frames. `padded` (right, bottom) px repeat the last
    column or row.
    """

    def __init__(self, pix_fmt: str, *, padded: tuple[int, int] = (0, 0), full_range: bool = False) -> None:
        self._pix_fmt = pix_fmt
        self._padded = padded
        self._range = ColorRange.JPEG if full_range else ColorRange.MPEG
        self._reformatter = VideoReformatter()
        self._matrix = yuv_from_rgb(ColorTags("bt709", "full" if full_range else "limited", "bt709", "bt709", False))
        self._matrix[:, 3] += 0.5
        self._split: Sequence[cv2.typing.MatLike] | None = None

    def tag(self, target: VideoCodecContext | av.VideoFrame) -> None:
        """Write down what the numbers mean as colours."""
        target.colorspace, target.color_range = Colorspace.ITU709, self._range
        target.color_primaries, target.color_trc = ColorPrimaries.BT709, ColorTrc.BT709

    def frame(self, pixels: Pixels | Alpha8, source_format: str) -> av.VideoFrame:
        """Convert (H, W, 3) "rgb24" or (H, W) "gray", uint8; the frame never looks at the caller's memory later."""
        right, bottom = self._padded
        if right or bottom:
            pixels = cast("Pixels", cv2.copyMakeBorder(pixels, 0, bottom, 0, right, cv2.BORDER_REPLICATE))
        loops = kernels()
        if loops is not None and (source_format, self._pix_fmt) == ("rgb24", "yuv420p"):
            return self._converted(loops, pixels)
        # Wrapped without a copy, so rows must follow each other; a mirrored view has them backwards.
        source = av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(pixels), source_format)
        # Left to itself `encode` would convert by the BT.601 matrix.
        frame = self._reformatter.reformat(
            source,
            format=self._pix_fmt,
            src_colorspace=Colorspace.ITU709,
            dst_colorspace=Colorspace.ITU709,
            src_color_range=ColorRange.JPEG,
            dst_color_range=self._range,
            interpolation=_TO_YUV,
        )
        if frame is source:  # Nothing to convert: the encoder must not look at the caller's memory later.
            frame = av.VideoFrame.from_ndarray(pixels, source_format)
        self.tag(frame)
        return frame

    def _converted(self, loops: ModuleType, pixels: Pixels) -> av.VideoFrame:
        """RGB to 4:2:0 by the compiled loop, in a third of swscale's time."""
        height, width = pixels.shape[:2]
        frame = av.VideoFrame(width, height, self._pix_fmt)
        planes = [np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size) for plane in frame.planes]  # type: ignore[call-overload]
        self._split = cv2.split(pixels, None if self._split is None else self._split)
        loops.yuv_planes(*self._split, self._matrix, *planes)
        self.tag(frame)
        return frame


class VideoWriter:
    """Writes frames to `path`, a context manager; leaving it by an exception discards the file.

    The container follows the suffix: .mp4, .m4v, .mov, .mkv, .webm. Everything that can be refused is
    refused in the constructor, before any work: unknown suffix, a folder that is missing or not writable, a
    codec or sound the container can't hold, an output that is the input (`source_audio` or another of
    `inputs`). Written to `<stem>.part<suffix>`, renamed by `close`. MP4 and MOV are written in fragments, so
    a part file left by a crash still plays up to a second or two before it, and are ordinary files at the
    end.

    Times: pts * time_base comes out exactly in MP4 and MOV (up to 1 us ticks), to the nearest ms in MKV and
    WebM, which know nothing finer. A start before zero, which no container keeps, moves picture and sound
    together, as `EncodeSettings.from_first` does. `padded` (right, bottom) px: 4:2:0 H.264 has even sides
    only; the last column or row is repeated, none is lost. Colours are BT.709, limited range, and tagged so.
    Memory does not grow.

    UserError (OUTPUT) when writing fails; the part file is removed then, an earlier file is kept.
    """

    def __init__(
        self,
        path: Path,
        *,
        width: int,
        height: int,
        time_base: Fraction,
        average_rate: Fraction | None,
        settings: EncodeSettings | None = None,
        source_audio: Path | None = None,
        inputs: tuple[Path, ...] = (),
        overwrite: bool = True,
    ) -> None:
        self.settings = settings or EncodeSettings()
        self.time_base = encoder_time_base(time_base)
        self.frames_written = 0
        self._format = container_format(path)
        self._codec = self.settings.codec_for(self._format)
        self._size = (width, height)
        self.padded = self.settings.padding_for(self._codec, width=width, height=height)
        self._rate = plausible_rate(average_rate) or DEFAULT_RATE_HZ
        self._step = frame_step(self._rate, self.time_base)
        self._shift: int | None = None
        self._last_pts: int | None = None
        self._closed = False
        self._converter = FrameConverter(self.settings.pix_fmt, padded=self.padded, full_range=self.settings.gray)
        self._audio: AudioCopier | None = None
        all_inputs = (*inputs, source_audio) if source_audio else inputs
        self._file = PendingFile(path, overwrite=overwrite, inputs=all_inputs)
        self._container = self._open()
        try:
            self._start(source_audio)
        except BaseException:
            self.abort()
            raise

    @property
    def part_path(self) -> Path:
        """Where the file is until it is finished."""
        return self._file.part

    @property
    def audio_packets(self) -> int:
        """Packets of sound copied so far."""
        return self._audio.packets if self._audio else 0

    @property
    def audio_cut_short(self) -> bool:
        """True when the source's sound could not be read to its end."""
        return self._audio is not None and self._audio.cut_short

    def __enter__(self) -> Self:
        """Return the writer itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the file, or discard it when the block failed."""
        if kind is None:
            self.close()
        else:
            self.abort()

    def append(self, frame: Frame) -> None:
        """Encode one frame at its own time. ValueError for another size or a pts that is not later."""
        if self.settings.gray:
            raise ValueError("a gray file takes append_alpha")
        self._append(frame.pixels, "rgb24", rescaled(frame.pts, frame.time_base, self.time_base))

    def append_alpha(self, alpha: Alpha8, *, pts: int) -> None:
        """Encode one matte, (H, W) uint8, at `pts` ticks of `self.time_base`. ValueError as for `append`."""
        if not self.settings.gray:
            raise ValueError("a colour file takes append")
        self._append(alpha, "gray", pts)

    def close(self) -> None:
        """Drain the encoder and the sound, finish the file and give it its name."""
        if self._closed:
            return
        if self.frames_written == 0:
            self.abort()
            raise UserError("No frame was written, so no file was made.", code=ExitCode.OUTPUT)
        try:
            self._finish()
        except BaseException:  # Ctrl-C too: what is not whole gets no name.
            self.abort()
            raise
        self._release()
        self._file.commit()

    def abort(self) -> None:
        """Stop and remove the part file; safe to call at any time, more than once."""
        if self._closed:
            return
        # The trailer fails as the write before it did, and that failure has been reported already.
        with contextlib.suppress(*MEDIA_ERRORS):
            self._container.close()
        self._release()
        self._file.discard()

    def _open(self) -> OutputContainer:
        # Without flush_packets FFmpeg keeps 256 KiB back and a crash leaves almost nothing of a still scene.
        options = {"flush_packets": "1"}
        if self._format in ("mp4", "mov"):
            options |= {
                # Readable at any moment, an ordinary file at the end. delay_moov is what keeps times exact:
                # without it there is no edit list, and B-frames moved every pts by two frames.
                "movflags": "+hybrid_fragmented+delay_moov",
                "frag_duration": "1000000",
                "video_track_timescale": str(self.time_base.denominator),
                "movie_timescale": str(movie_timescale(self.time_base)),
            }
        try:
            return av.open(str(self._file.part), "w", format=self._format, container_options=options)
        except MEDIA_ERRORS as error:
            raise self._file.error(error) from error

    def _start(self, source_audio: Path | None) -> None:
        """Open encoder and file and write the header, so that what can fail fails now."""
        try:
            self._stream = self._add_stream()
        except (ValueError, av.FFmpegError) as error:
            raise self._codec_refusal() from error
        if source_audio is not None:
            self._audio = AudioCopier(source_audio, self._container)
        try:
            self._container.start_encoding()
        except MEDIA_ERRORS as error:
            if self._audio and self._audio.streams and not is_disk_error(error):
                raise self._audio.refusal() from error
            raise self._failed(error) from error

    def _add_stream(self) -> VideoStream:
        options = self.settings.options_for(self._codec)
        stream = cast("VideoStream", self._container.add_stream(self._codec, self._rate, options=options))
        context = stream.codec_context
        context.width, context.height = (s + p for s, p in zip(self._size, self.padded, strict=True))
        context.pix_fmt = self.settings.pix_fmt
        context.time_base = stream.time_base = self.time_base
        context.flags |= Flags.frame_duration
        self._converter.tag(context)
        context.open()
        return stream

    def _codec_refusal(self) -> UserError:
        width, height = self._size
        video = f"{width} x {height} px as {self._codec} ({self.settings.pix_fmt})"
        return UserError(
            f"{self._format.upper()} can't hold video of {video}.",
            "Choose another codec or name the output .mkv.",
            code=ExitCode.OUTPUT,
        )

    def _append(self, pixels: Pixels, pix_fmt: str, pts: int) -> None:
        if self._closed:
            raise ValueError("the writer is closed")
        if (pixels.shape[1], pixels.shape[0]) != self._size:
            raise ValueError(f"the frame is {pixels.shape}, the writer (width, height) {self._size}")
        if self._shift is None:
            self._shift = -pts if self.settings.from_first else max(0, -pts)
            if self._audio:
                self._audio.delay_s = self._shift * self.time_base
                if self.settings.from_first:
                    self._audio.skip(until_s=Fraction(0))
        pts += self._shift
        if self._last_pts is not None and pts <= self._last_pts:
            raise ValueError(f"pts {pts} is not later than {self._last_pts}")
        self._last_pts = pts
        self._encode(self._video_frame(pixels, pix_fmt, pts))
        self.frames_written += 1

    def _video_frame(self, pixels: Pixels, pix_fmt: str, pts: int) -> av.VideoFrame:
        frame = self._converter.frame(pixels, pix_fmt)
        frame.pts, frame.time_base, frame.duration = pts, self.time_base, self._step
        return frame

    def _encode(self, frame: av.VideoFrame | None) -> None:
        """Encode a frame, None to drain, and mux what comes out with the sound due by then."""
        try:
            for packet in self._stream.encode(frame):
                # Read before muxing, which rewrites the packet's times in the container's ticks.
                due_s = packet.dts * packet.time_base if packet.dts is not None else None
                self._container.mux_one(packet)
                if self._audio and due_s is not None:
                    self._audio.feed(due_s)
        except MEDIA_ERRORS as error:
            raise self._failed(error) from error

    def _end_s(self) -> Fraction:
        return ((self._last_pts or 0) + self._step) * self.time_base

    def _finish(self) -> None:
        self._encode(None)
        try:
            if self._audio:
                self._audio.feed(None if self.settings.audio_until_end else self._end_s())
            self._container.close()
        except MEDIA_ERRORS as error:
            raise self._failed(error) from error

    def _failed(self, error: BaseException) -> UserError:
        """Discard the file at the first error: after it, `Container.close` may well succeed silently."""
        failure = self._file.error(error)
        self.abort()
        return failure

    def _release(self) -> None:
        self._closed = True
        if self._audio:
            self._audio.close()
