"""Encoded segments as a delivery's workers leave them, and clips that have everything besides a picture."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.codec.context import Flags
from av.stream import Disposition
from av.subtitles.subtitle import SubtitleSet
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from app.pipeline.offline.assembling import Part
from app.pipeline.recording.encoders import quiet
from tests.support.media import picture, write_clip

ASS_HEADER = (
    b"[Script Info]\r\nScriptType: v4.00+\r\n\r\n[V4+ Styles]\r\nFormat: Name, Fontname, Fontsize\r\n"
    b"Style: Default,Arial,16\r\n\r\n[Events]\r\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, "
    b"Effect, Text\r\n"
)


@dataclass(frozen=True)
class Recipe:
    """How segments are encoded; suffix: of their files."""

    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    options: dict[str, str] = field(default_factory=dict)
    suffix: str = ".mkv"
    size: tuple[int, int] = (64, 48)


NO_B = Recipe(options={"preset": "ultrafast", "bf": "0"})
B_FRAMES = Recipe(options={"preset": "veryfast", "bf": "3", "x264-params": "b-adapt=0:b-pyramid=normal:open-gop=0"})
X265 = Recipe(
    "libx265", options={"preset": "ultrafast", "x265-params": "bframes=3:b-adapt=0:open-gop=0:log-level=none"}
)
VP9 = Recipe("libvpx-vp9", options={"b": "0", "crf": "30", "deadline": "realtime", "cpu-used": "8"})
VP9_ALPHA = Recipe("libvpx-vp9", "yuva420p", {**VP9.options, "auto-alt-ref": "0"})
AV1 = Recipe("libsvtav1", options={"preset": "12", "svtav1-params": "pred-struct=1"})
FFV1 = Recipe("ffv1", "yuv444p10le", {"level": "3", "g": "1", "slicecrc": "1"})
PRORES = Recipe("prores_ks", "yuva444p10le", {"profile": "4"}, ".mov")
DNXHR = Recipe("dnxhd", "yuv422p", {"profile": "dnxhr_sq"}, ".mov", (256, 144))


def write_segments(
    folder: Path, pts: Sequence[Sequence[int]], time_base: Fraction, recipe: Recipe = NO_B
) -> list[Part]:
    """Encode a picture for every pts, each of the inner sequences by an encoder and into a file of its own."""
    parts, number = [], 0
    for index, times in enumerate(pts):
        path = folder / f"{index:04}{recipe.suffix}"
        _write_segment(path, times, time_base, recipe, number)
        parts.append(Part(path, tuple(times)))
        number += len(times)
    return parts


def _write_segment(path: Path, pts: Sequence[int], time_base: Fraction, recipe: Recipe, number: int) -> None:
    with av.open(str(path), "w") as target:
        quiet()  # SVT-AV1 asks once a process whether to talk.
        stream: Any = target.add_stream(recipe.codec, rate=25, options=recipe.options)
        context = stream.codec_context
        context.width, context.height = recipe.size
        context.pix_fmt = recipe.pix_fmt
        context.time_base = stream.time_base = time_base
        context.flags |= Flags.frame_duration
        context.thread_count = 1
        tag(context)
        for index, ticks in enumerate(pts):
            frame = _frame(recipe, number + index)
            frame.pts, frame.time_base = ticks, time_base
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))


def tag(target: Any) -> None:
    target.colorspace, target.color_range = Colorspace.ITU709, ColorRange.MPEG
    target.color_primaries, target.color_trc = ColorPrimaries.BT709, ColorTrc.BT709


def _frame(recipe: Recipe, number: int) -> av.VideoFrame:
    pixels = picture(*recipe.size, number)
    alpha = np.full(pixels.shape[:2], 40 + number * 5 % 200, np.uint8)
    rgba = av.VideoFrame.from_ndarray(np.dstack([pixels, alpha]), "rgba")
    frame = rgba.reformat(format=recipe.pix_fmt, dst_colorspace=Colorspace.ITU709)
    tag(frame)
    return frame


def decoded(path: Path) -> list[str]:
    """A hash of every decoded picture, alpha included, in the order shown."""
    with av.open(str(path)) as source:
        stream = source.streams.video[0]
        context: Any = stream.codec_context
        if context.name == "vp9":
            context = av.CodecContext.create("libvpx-vp9", "r")
        frames = [frame for packet in source.demux(stream) for frame in context.decode(packet if packet.size else None)]
        return [hashlib.sha256(_samples(frame)).hexdigest() for frame in frames]


def _samples(frame: av.VideoFrame) -> bytes:
    """All planes, without what pads their rows."""
    depth_bytes = (max(component.bits for component in frame.format.components) + 7) // 8
    planes = []
    for plane in frame.planes:
        rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
        planes.append(rows[:, : plane.width * depth_bytes].tobytes())
    return frame.format.name.encode() + b"".join(planes)


def video_times(path: Path) -> list[tuple[Fraction, Fraction]]:
    """(pts, dts) of every packet of the picture in s, in file order, where it has a dts (MKV does not say)."""
    with av.open(str(path)) as source:
        stream = source.streams.video[0]
        packets = [p for p in source.demux(stream) if p.size and p.dts is not None]
        return [(p.pts * p.time_base, p.dts * p.time_base) for p in packets]


CHAPTERS = [(0, 400, "Eins"), (400, 1200, "Zwei — ü"), (1200, 2000, "Drei")]
LINES = [(100, 500, b"Hello {\\i1}world{\\i0}"), (900, 1500, "Grüße".encode()), (1600, 1900, b"End")]


def write_full_clip(
    path: Path, *, audio: tuple[str, ...] = ("aac", "aac"), subtitles: str = "subrip", **clip: Any
) -> Path:
    """Two seconds of video with CHAPTERS (ms), sound tracks in German and English, LINES (ms), title and dates."""
    plain = write_clip(path.with_name("plain.mkv"), frames=50, audio=audio, **clip)
    times = {"video_track_timescale": "90000", "movie_timescale": "90000"} if path.suffix in (".mp4", ".mov") else {}
    with av.open(str(plain)) as source, av.open(str(path), "w", container_options=times) as target:
        copies = {s.index: target.add_stream_from_template(s, opaque=True) for s in source.streams}
        for copy, language in zip(target.streams.audio, ("ger", "eng"), strict=False):
            copy.metadata.update(language=language, title=f"Sound {language}")
            copy.disposition = Disposition.default if language == "eng" else Disposition(0)
        target.streams.video[0].metadata["rotate"] = "90"
        lines: Any = target.add_stream(subtitles)
        lines.codec_context.subtitle_header = ASS_HEADER
        lines.time_base = Fraction(1, 1000)
        lines.metadata["language"] = "fra"
        target.metadata.update(
            title="Der Titel", artist="Jemand", comment="Bemerkung", creation_time="2021-02-03T04:05:06Z", date="2021"
        )
        target.set_chapters(
            [
                {"id": i, "start": start, "end": end, "time_base": Fraction(1, 1000), "metadata": {"title": title}}
                for i, (start, end, title) in enumerate(CHAPTERS, 1)
            ]
        )
        target.start_encoding()
        for packet in source.demux():
            if packet.size:
                packet.stream = copies[packet.stream_index]
                target.mux_one(packet)
        for start, end, text in LINES:
            line = SubtitleSet.create(b"0,0,Default,,0,0,0,," + text, 0, end - start)
            packet = lines.codec_context.encode_subtitle(line)
            packet.stream, packet.time_base = lines, Fraction(1, 1000)
            packet.pts = packet.dts = start
            packet.duration = end - start
            target.mux_one(packet)
    plain.unlink()
    return path


def subtitle_lines(path: Path) -> list[tuple[Fraction, Fraction, str]]:
    """(start, end, text) of all subtitles shown, s; of their looks only the italics stay, as `_`."""
    with av.open(str(path)) as source:
        stream = source.streams.subtitles[0]
        found = []
        for packet in source.demux(stream):
            lines = stream.codec_context.decode2(packet) if packet.size else None
            for line in lines or ():
                start = packet.pts * packet.time_base
                text = re.sub(r"\{[^}]*\}", "", line.dialogue.decode().replace("{\\i1}", "_"))
                found.append((start, start + packet.duration * packet.time_base, text))
        return found
