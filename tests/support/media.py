"""Small media files for tests, written with PyAV; every helper makes what it says and nothing hidden."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.codec.context import Flags
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from app.domain.frame import Pixels

RED, GREEN, BLUE, WHITE = (230, 20, 20), (20, 200, 30), (30, 40, 220), (235, 235, 235)
CORNERS = {"top left": RED, "top right": GREEN, "bottom left": BLUE, "bottom right": WHITE}

Planes = Sequence[npt.NDArray[np.uint8] | npt.NDArray[np.uint16]]


@dataclass(frozen=True)
class AudioPacket:
    """One compressed packet: `data` and its times in s."""

    data: bytes
    pts_s: Fraction | None
    dts_s: Fraction | None


def picture(width: int, height: int, index: int = 0) -> Pixels:
    """RGB test picture: a flat colour in each corner (CORNERS), and a grey square that moves with `index`."""
    pixels = np.empty((height, width, 3), np.uint8)
    half_h, half_w = (height + 1) // 2, (width + 1) // 2
    pixels[:half_h, :half_w], pixels[:half_h, half_w:] = RED, GREEN
    pixels[half_h:, :half_w], pixels[half_h:, half_w:] = BLUE, WHITE
    side = max(1, min(width, height) // 6)
    left = max(0, width // 2 - side // 2)
    top = (index * 2) % max(1, height - side)
    pixels[top : top + side, left : left + side] = 128
    return pixels


def write_clip(
    path: Path,
    *,
    frames: int = 12,
    size: tuple[int, int] = (64, 48),
    rate: Fraction | int = 25,
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    start_pts: int = 0,
    draw: Callable[[int, int, int], Pixels] = picture,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    matrix: Colorspace | None = None,
    color_range: ColorRange | None = None,
    trc: int | None = None,
    pixel_aspect: Fraction | None = None,
    rotation: int = 0,
    audio: str | tuple[str, ...] = (),
    audio_start_s: float = 0.0,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Write `draw(width, height, i)` as frame i; `pts` in `time_base` ticks, by default i frame steps.

    matrix, color_range, trc: converted by and tagged so (None: BT.601 limited, not tagged). rotation:
    degrees clockwise that a player has to turn the stored picture. audio: encoder name or names, a tone as
    long as the picture each. Sizes are stored as given: 4:2:0 H.264 wants even ones, "yuv444p" takes any.
    """
    rate = Fraction(rate)
    time_base = time_base or 1 / rate
    step = max(1, round(1 / (rate * time_base)))
    times = list(pts) if pts is not None else [start_pts + i * step for i in range(frames)]
    ticks_hz = time_base.denominator
    timing = {
        "video_track_timescale": str(ticks_hz),
        "movie_timescale": str(ticks_hz * -(-48000 // ticks_hz)),
    }
    muxer = timing if path.suffix in (".mp4", ".mov") else {}
    muxer |= container_options or {}
    reformatter = VideoReformatter()
    conversion = {
        "dst_colorspace": matrix or Colorspace.ITU601,
        "src_color_range": ColorRange.JPEG,
        "dst_color_range": color_range or ColorRange.MPEG,
    }
    if pix_fmt.startswith(("gbr", "rgb", "bgr")):
        conversion = {}
    with av.open(str(path.absolute()), "w", container_options=muxer) as target:
        stream = target.add_stream(codec, rate=rate, options=_encoder_options(codec))
        context = stream.codec_context
        context.width, context.height = size
        context.pix_fmt = pix_fmt
        context.time_base = stream.time_base = time_base
        context.flags |= Flags.frame_duration
        if matrix is not None:
            context.colorspace = matrix
        if color_range is not None:
            context.color_range = color_range
        if trc is not None:
            context.color_trc = trc
        if pixel_aspect is not None:
            context.sample_aspect_ratio = pixel_aspect
        if rotation:
            stream.set_display_rotation(-rotation)
        names = (audio,) if isinstance(audio, str) else audio
        sounds = [_add_tone(target, name) for name in names]
        for index, ticks in enumerate(times):
            frame = reformatter.reformat(
                av.VideoFrame.from_ndarray(np.ascontiguousarray(draw(*size, index)), "rgb24"),
                format=pix_fmt,
                **conversion,
            )
            frame.pts, frame.time_base, frame.duration = ticks, time_base, step
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
        length_s = float((times[-1] - times[0] + step) * time_base)
        for sound in sounds:
            _write_tone(target, sound, start_s=audio_start_s, length_s=length_s)
    return path


def write_planes(path: Path, planes: Planes, *, pix_fmt: str, frames: int = 1, **tags: int) -> Path:
    """Write the very sample values of `planes`, lossless (FFV1 in MKV); `tags` are codec context fields."""
    height, width = planes[0].shape
    with av.open(str(path.absolute()), "w", format="matroska") as target:
        stream = target.add_stream("ffv1", rate=25)
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = width, height, pix_fmt
        for name, value in tags.items():
            setattr(context, name, value)
        for index in range(frames):
            frame = av.VideoFrame(width, height, pix_fmt)
            for plane, samples in zip(frame.planes, planes, strict=True):
                rows = np.zeros((plane.height, plane.line_size // samples.itemsize), samples.dtype)
                rows[:, : plane.width] = samples
                plane.update(rows.tobytes())
            for name, value in tags.items():
                setattr(frame, name, value)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return path


def write_audio_only(path: Path, *, codec: str = "aac", length_s: float = 0.5) -> Path:
    """Write a tone without a picture."""
    with av.open(str(path.absolute()), "w") as target:
        _write_tone(target, _add_tone(target, codec), start_s=0.0, length_s=length_s)
    return path


def write_no_frames(path: Path) -> Path:
    """Write a well-formed file whose video stream has no frame."""
    with av.open(str(path.absolute()), "w") as target:
        stream = target.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        target.start_encoding()
    return path


def truncate(path: Path, keep: float) -> Path:
    """Cut the file to the first `keep` (0..1) of its bytes."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    return path


def corrupt(path: Path, *, start: float, length_bytes: int, seed: int = 0) -> Path:
    """Overwrite `length_bytes` from `start` (0..1 of the file) with noise."""
    data = bytearray(path.read_bytes())
    at = int(len(data) * start)
    noise = np.random.default_rng(seed).integers(0, 256, min(length_bytes, len(data) - at), dtype=np.uint8)
    data[at : at + len(noise)] = noise.tobytes()
    path.write_bytes(bytes(data))
    return path


def concatenate(path: Path, parts: Iterable[Path]) -> Path:
    """Join MPEG-TS files byte by byte, as a recorder that was stopped and started does."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def frame_times_s(path: Path) -> list[Fraction]:
    """Presentation times of all frames, s, read by PyAV alone."""
    with av.open(str(path.absolute())) as source:
        stream = source.streams.video[0]
        return [frame.pts * stream.time_base for frame in source.decode(stream)]


def audio_packets(path: Path, stream: int = 0) -> list[AudioPacket]:
    """All packets of an audio stream, read by PyAV alone."""
    with av.open(str(path.absolute())) as source:
        audio = source.streams.audio[stream]
        return [
            AudioPacket(bytes(p), _seconds(p.pts, p.time_base), _seconds(p.dts, p.time_base))
            for p in source.demux(audio)
            if p.size
        ]


def _seconds(ticks: int | None, time_base: Fraction) -> Fraction | None:
    return None if ticks is None else ticks * time_base


def _encoder_options(codec: str) -> dict[str, str]:
    known = {
        "libx264": {"crf": "12", "preset": "ultrafast"},
        "libvpx-vp9": {"crf": "20", "b": "0", "deadline": "realtime", "cpu-used": "8"},
    }
    return known.get(codec, {})


def _add_tone(target: av.container.OutputContainer, codec: str) -> av.AudioStream:
    stream = target.add_stream(codec, rate=48000)
    stream.layout = "mono"
    return stream


def _write_tone(
    target: av.container.OutputContainer, stream: av.AudioStream, *, start_s: float, length_s: float
) -> None:
    resampler = av.AudioResampler(format=stream.format, layout="mono", rate=48000)
    start, count = round(start_s * 48000), max(1, round(length_s * 48000))
    wave = np.sin(np.arange(count) * (2 * np.pi * 440 / 48000)) * 12000
    frame = av.AudioFrame.from_ndarray(wave.astype(np.int16)[None], format="s16", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
    for part in (*resampler.resample(frame), *resampler.resample(None)):
        target.mux(stream.encode(part))
    target.mux(stream.encode(None))
