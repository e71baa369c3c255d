"""Which encoder a recording gets: the hardware's when it proves to work, else software's at real-time speed."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType
from typing import Final, cast

import av
import numpy as np
from av.codec import codecs_available
from av.video.codeccontext import VideoCodecContext

from app.domain.compositing import Size
from app.domain.errors import ExitCode, UserError
from app.pipeline.media_safety import MEDIA_ERRORS
from app.pipeline.recording.settings import CodecName
from app.pipeline.video_writer import FrameConverter

SOFTWARE: Final[dict[CodecName, str]] = {
    "h264": "libx264",
    "hevc": "libx265",
    "av1": "libsvtav1",
    "vp9": "libvpx-vp9",
}

HARDWARE: Final[dict[CodecName, tuple[str, ...]]] = {
    "h264": ("h264_videotoolbox", "h264_nvenc", "h264_qsv", "h264_amf"),
    "hevc": ("hevc_videotoolbox", "hevc_nvenc", "hevc_qsv", "hevc_amf"),
    "av1": ("av1_nvenc", "av1_qsv", "av1_amf"),
    "vp9": ("vp9_qsv",),
}
"""In the order they are tried. VAAPI needs pictures in graphics memory, which PyAV's encoders can't be given."""

_THREADS: Final = max(1, min(4, (os.cpu_count() or 1) // 2))
"""For a software encoder: segmentation and matching need the other cores."""

_TRIAL_CRF: Final = 20

_X264_MS_PER_MPX: Final = {"veryfast": 17.0, "superfast": 7.0, "ultrafast": 4.7}
"""Processor time of x264 for a million pixels, by preset, with a noisy camera or fine detail; clean video takes half.
Faster presets make larger files of the same quality."""

_X264_SHARE: Final = 0.27
"""Of all cores' time at 30 fps that x264 may take: with segmentation, match and preview at 1080p, 2 cores are full."""

_OPTIONS: Final[dict[str, dict[str, str]]] = {
    # No look-ahead and no B-frames: a crash loses what the encoder still holds.
    "libx264": {"tune": "zerolatency", "threads": str(_THREADS)},
    "libx265": {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "forced-idr": "1",
        "x265-params": f"log-level=none:pools={_THREADS}:frame-threads=1",
    },
    "libsvtav1": {"preset": "10", "svtav1-params": f"pred-struct=1:lp={_THREADS}"},
    "libvpx-vp9": {
        "deadline": "realtime",
        "cpu-used": "7",
        "row-mt": "1",
        "lag-in-frames": "0",
        "threads": str(_THREADS),
    },
    "videotoolbox": {"realtime": "1", "bf": "0"},
    "nvenc": {"preset": "p4", "delay": "0", "zerolatency": "1", "bf": "0", "forced-idr": "1"},
    "qsv": {"preset": "veryfast", "async_depth": "1", "bf": "0", "forced_idr": "1"},
    "amf": {"usage": "lowlatency", "forced_idr": "1"},
}
"""By encoder, or by the kind of hardware that the name ends in.

Processor time for 1280x720 with a noisy camera, one thread: libx264 16 ms a frame, libx265 30 (superfast: 52),
libsvtav1 13, libvpx-vp9 13."""


@dataclass(frozen=True)
class EncoderChoice:
    """An encoder that made a picture of this size a moment ago. notice: why it isn't what was wished, or empty."""

    name: str
    is_hardware: bool
    options: Mapping[str, str] = field(default_factory=dict)
    notice: str = ""

    @property
    def pads(self) -> bool:
        """Whether both sides have to be even; VP9 takes any."""
        return self.name != SOFTWARE["vp9"]

    def padding(self, size: Size) -> tuple[int, int]:
        """(right, bottom) px to add."""
        return (size[0] % 2, size[1] % 2) if self.pads else (0, 0)


def choose_encoder(codec: CodecName, size: Size, hardware: bool) -> EncoderChoice:
    """Find the first encoder that encodes one picture of `size`; each pair is tried once a run.

    Takes some 10 ms, with hardware up to a second the first time. UserError (OUTPUT) when none does.
    """
    tried = [name for name in HARDWARE[codec] if hardware and name in codecs_available]
    for name in tried:
        if works(name, size):
            return EncoderChoice(name, True, options_for(name, size))
    software = SOFTWARE[codec]
    if not works(software, size):
        raise UserError(
            f"{codec.upper()} can't be recorded at {size[0]} x {size[1]} px on this computer.",
            "Choose another codec or size.",
            code=ExitCode.OUTPUT,
        )
    notice = f"No hardware encoder for {codec.upper()} works here, so the processor encodes." if hardware else ""
    return EncoderChoice(software, False, options_for(software, size), notice)


@functools.cache
def works(name: str, size: Size) -> bool:
    """Encode one grey picture with an encoder as it would be used; False whatever goes wrong."""
    if name not in codecs_available:
        return False
    quality = quality_options(name, crf=_TRIAL_CRF)
    try:
        context = open_context(EncoderChoice(name, False, {**options_for(name, size), **quality}), size)
        frame = FrameConverter("yuv420p", padded=EncoderChoice(name, False).padding(size)).frame(
            np.full((size[1], size[0], 3), 128, np.uint8), "rgb24"
        )
        frame.pts, frame.time_base = 0, Fraction(1, 1000)
        return bool([*context.encode(frame), *context.encode(None)])
    except (*MEDIA_ERRORS, RuntimeError):
        return False


def open_context(choice: EncoderChoice, size: Size) -> VideoCodecContext:
    """Open an encoder outside any file."""
    quiet()
    context = cast("VideoCodecContext", av.CodecContext.create(choice.name, "w"))
    context.width, context.height = (s + p for s, p in zip(size, choice.padding(size), strict=True))
    context.pix_fmt = "yuv420p"
    context.time_base, context.framerate = Fraction(1, 1000), Fraction(30)
    context.options = dict(choice.options)
    context.open()
    return context


def options_for(name: str, size: Size) -> Mapping[str, str]:
    """Real-time options of an encoder for (width, height) px, quality apart, as FFmpeg spells them."""
    options = _OPTIONS.get(name) or _OPTIONS[name.rpartition("_")[2]]
    if name == SOFTWARE["h264"]:
        options = {"preset": x264_preset(size, cores=os.cpu_count() or 1), **options}
    return MappingProxyType(options)


def x264_preset(size: Size, *, cores: int) -> str:
    """The slowest of x264's real-time presets that leaves the rest of a live picture its time on so many cores."""
    allowed_ms = _X264_SHARE * cores * 1000 / 30
    mpx = size[0] * size[1] / 1e6
    return next((p for p, ms_per_mpx in _X264_MS_PER_MPX.items() if ms_per_mpx * mpx <= allowed_ms), "ultrafast")


def quality_options(name: str, *, crf: int | None = None, bitrate_kbps: int | None = None) -> dict[str, str]:
    """Constant quality on x264's scale, or a bit rate, as the encoder spells it."""
    if bitrate_kbps is not None:
        return {"b": f"{bitrate_kbps}k", "maxrate": f"{bitrate_kbps * 3 // 2}k", "bufsize": f"{bitrate_kbps * 2}k"}
    if crf is None:
        raise ValueError("a quality or a bit rate")
    kind = name if name in _CRF else name.rpartition("_")[2]
    return _CRF[kind](crf)


def quiet() -> None:
    """Keep SVT-AV1 from printing its banner: it asks the environment, and nothing else, once."""
    os.environ.setdefault("SVT_LOG", "1")


def _videotoolbox(crf: int) -> dict[str, str]:
    """Quality counts upwards there, in steps of FFmpeg's lambda (118)."""
    return {"flags": "+qscale", "global_quality": str(118 * max(1, 100 - 2 * crf))}


# Software: PSNR within 0.5 dB of x264's at 20 on that clip (36.9 dB). Hardware: each one's own scale, not measured.
_CRF: Final[dict[str, Callable[[int], dict[str, str]]]] = {
    "libx264": lambda crf: {"crf": str(crf)},
    "libx265": lambda crf: {"crf": str(crf)},
    "libsvtav1": lambda crf: {"crf": str(min(63, crf + 12))},
    "libvpx-vp9": lambda crf: {"crf": str(min(63, crf + 12)), "b": "0"},
    "videotoolbox": _videotoolbox,
    "nvenc": lambda crf: {"rc": "vbr", "cq": str(max(1, crf)), "b": "0"},
    "qsv": lambda crf: {"global_quality": str(max(1, crf))},
    "amf": lambda crf: {"rc": "cqp", "qp_i": str(crf), "qp_p": str(crf)},
}
