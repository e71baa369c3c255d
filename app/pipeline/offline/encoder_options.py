"""How the encoders of a delivery are set: for quality, one thread, and the same bytes wherever they run."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Final

import cv2

from app.pipeline.offline.formats import Encoding, FormatName, crf_of
from app.pipeline.recording.encoders import quality_options
from app.pipeline.video_time import DEFAULT_RATE_HZ, plausible_rate

SOFTWARE: Final[dict[FormatName, str]] = {
    "h264": "libx264",
    "hevc": "libx265",
    "av1": "libsvtav1",
    "vp9": "libvpx-vp9",
    "prores422": "prores_ks",
    "prores4444": "prores_ks",
    "dnxhr": "dnxhd",
    "ffv1": "ffv1",
}

_KEYFRAMES_S: Final = 2
"""Players and editors reach every picture from a keyframe so far before it."""

_MAX_RATE_PART: Final = 1001
"""24000/1001 and its kin are kept exactly; averages of variable rates are not worth longer fractions."""

_OPTIONS: Final[dict[str, dict[str, str]]] = {
    "libx264": {},
    # Left to itself x265 notes the processor's abilities in the header, which differs between machines then.
    "libx265": {"x265-params": "log-level=none:pools=1:frame-threads=1:open-gop=0:info=0"},
    "libsvtav1": {"preset": "8", "svtav1-params": "lp=1"},
    "libvpx-vp9": {"deadline": "good", "cpu-used": "4", "row-mt": "1"},
    "prores_ks": {"vendor": "apl0"},
    "dnxhd": {},
    "ffv1": {"level": "3", "slices": "4", "slicecrc": "1", "g": "1"},
    "videotoolbox": {"bf": "0", "realtime": "0"},
    "nvenc": {"preset": "p5", "tune": "hq", "bf": "0", "forced-idr": "1", "strict_gop": "1"},
    "qsv": {"preset": "medium", "bf": "0", "forced_idr": "1"},
    "amf": {"usage": "transcoding", "quality": "quality", "bf": "0", "forced_idr": "1"},
}
"""By encoder, or by the kind of hardware that its name ends in."""


_STEADY_PRORES: Final = {"flags": "+qscale", "global_quality": str(118 * 4)}
"""One quantiser everywhere, in FFmpeg's steps of 118: 55 dB. Left to itself prores_ks gives pictures with alpha all the
bits there are: 68 dB, 3.5 MB for a person at 1080p instead of 2.0. Held to a rate, it takes them from the colours where
alpha is fine, such as hair: 29 dB."""

_CPU_AVX2: Final = 11
"""OpenCV's number for it; the Python wheels leave the name out."""


def encoder_rate(rate: Fraction | None) -> Fraction:
    """Frames a second as an encoder is told them; it counts pictures, their true times are the assembler's."""
    return (plausible_rate(rate) or DEFAULT_RATE_HZ).limit_denominator(_MAX_RATE_PART) or Fraction(1, _MAX_RATE_PART)


def steadying(options: Mapping[str, str], name: str) -> dict[str, str]:
    """The options with what keeps the encoder's bytes the same on the machine that it runs on.

    With x264's AVX-512 code (core 165) they differed from run to run: noise, widths that are no multiple of 16, such as
    854 x 480; not with macroblock trees off. Its AVX2 code, which is not slower, gives those of AVX.
    """
    if name != SOFTWARE["h264"] or not cv2.checkHardwareSupport(_CPU_AVX2):
        return dict(options)
    return {**options, "x264-params": "asm=avx2"}


def options_for(encoding: Encoding, name: str, bits: int, rate: Fraction, *, alpha: bool) -> dict[str, str]:
    """Options of an encoder as FFmpeg spells them. bits: a sample; rate: frames a second."""
    options = dict(_OPTIONS.get(name) or _OPTIONS.get(name.rpartition("_")[2], {}))
    options["threads"] = "1"
    if name in ("libx264", "libx265"):
        options["preset"] = encoding.preset
    if name == "prores_ks":
        options["profile"] = "4444" if encoding.format == "prores4444" else "hq"
        options |= _STEADY_PRORES if alpha else {}
    if name == "dnxhd":
        options["profile"] = "dnxhr_hqx" if bits > 8 else "dnxhr_hq"
    if alpha and name == SOFTWARE["vp9"]:
        options["auto-alt-ref"] = "0"  # Hidden pictures of colours and of alpha would not go together.
    crf = crf_of(encoding)
    if crf is not None:
        options |= _quality(name, crf)
        options["g"] = str(max(1, round(encoder_rate(rate) * _KEYFRAMES_S)))
    return options


def _quality(name: str, crf: int) -> dict[str, str]:
    try:
        return quality_options(name, crf=crf)
    except KeyError:  # An encoder named by the user that this program knows nothing of: its own default.
        return {}
