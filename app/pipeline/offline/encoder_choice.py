"""Which encoder a delivery gets, so that pieces encoded apart, by any worker, join into one file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Final, cast

import av
import numpy as np
from av.codec import codecs_available
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext

from app.domain.compositing import Size
from app.domain.errors import ExitCode, UserError
from app.pipeline.media_safety import MEDIA_ERRORS
from app.pipeline.offline.encoder_frames import FramePacker, layout_of
from app.pipeline.offline.encoder_options import SOFTWARE, encoder_rate, options_for, steadying
from app.pipeline.offline.formats import FORMATS, Encoding, FormatName
from app.pipeline.recording.encoders import HARDWARE, quiet

_CODEC: Final[dict[FormatName, str]] = {
    "h264": "h264",
    "hevc": "hevc",
    "av1": "av1",
    "vp9": "vp9",
    "prores422": "prores",
    "prores4444": "prores",
    "dnxhr": "dnxhd",
    "ffv1": "ffv1",
}
"""FFmpeg's name of the codec, whichever encoder makes it."""

_SEMI_PLANAR: Final = {"yuv420p": "nv12", "yuv420p10le": "p010le"}
"""What hardware takes that does not take planes apart."""


@dataclass(frozen=True)
class EncoderChoice:
    """An encoder that made a picture of this size a moment ago, and how to open it; pickles, and is JSON as `asdict`.

    encoder: FFmpeg's name. options: as FFmpeg spells them. segment_suffix: of the files that segments are kept in: the
    container that gives every packet back as it was, alpha included. codec_tag: what the finished container calls the
    codec where it has several names. padded: (right, bottom) px. full_range: of YCbCr. gray: takes (H, W). alpha:
    takes (H, W, 4). notice: why it isn't what was wished, or empty.

    Every GOP is closed and a segment begins with a keyframe, all that a decoder needs first is in the header, and that
    is the same in every segment: so packets of one follow those of another. B-frames are in: the assembler works out
    when packets are decoded from when they are shown. Software encoders have one thread and give equal bytes for equal
    pictures, whatever the machine; hardware promises nothing of the kind.
    """

    encoder: str
    pix_fmt: str
    options: Mapping[str, str] = field(default_factory=dict)
    segment_suffix: str = ".mkv"
    codec_tag: str | None = None
    padded: tuple[int, int] = (0, 0)
    full_range: bool = False
    gray: bool = False
    alpha: bool = False
    notice: str = ""

    def packer(self) -> FramePacker:
        """What makes frames for it."""
        return FramePacker(self.pix_fmt, padded=self.padded, full_range=self.full_range)

    def set_up(self, context: VideoCodecContext, *, size: Size, rate: Fraction) -> None:
        """Prepare an encoder's context for pictures of (width, height), whose pts count them."""
        quiet()
        context.width, context.height = (side + more for side, more in zip(size, self.padded, strict=True))
        context.pix_fmt = self.pix_fmt
        context.time_base, context.framerate = 1 / rate, rate
        context.flags |= Flags.closed_gop | Flags.global_header
        context.thread_count = 1
        context.options = steadying(self.options, self.encoder)
        self.packer().tag(context)


def choose_encoder(
    encoding: Encoding,
    *,
    depth: int,
    size: Size,
    rate: Fraction,
    container_suffix: str,
    content_is_gray: bool = False,
) -> EncoderChoice:
    """Find the encoder for (width, height) px at `depth` bits; each candidate has to encode one picture first.

    rate: frames a second. container_suffix: of the finished file. content_is_gray: pictures are (H, W). UserError
    (OUTPUT) when FFmpeg here lacks the encoder or it refuses, (USAGE) when it makes another codec. ValueError for
    formats that are no video.
    """
    if encoding.format not in SOFTWARE:
        raise ValueError(f"{encoding.format} is no video")
    names = [_named(encoding)] if encoding.encoder is not None else _candidates(encoding)
    for name in names:
        pix_fmt = _accepted(name, _pix_fmt(encoding, depth, gray=content_is_gray))
        if pix_fmt is None:
            continue
        choice = _choice(encoding, name, pix_fmt, size, rate, container_suffix, gray=content_is_gray)
        if works(choice, size=size, rate=rate):
            is_fallback = encoding.hardware and encoding.encoder is None and name == SOFTWARE[encoding.format]
            return replace(choice, notice=_no_hardware(encoding.format)) if is_fallback else choice
    raise _refusal(encoding, names[-1], depth, size)


def works(choice: EncoderChoice, *, size: Size, rate: Fraction) -> bool:
    """Encode one grey picture exactly as the segments will be; False whatever goes wrong."""
    try:
        context = cast("VideoCodecContext", av.CodecContext.create(choice.encoder, "w"))
        choice.set_up(context, size=size, rate=encoder_rate(rate))
        context.open()
        shape = (size[1], size[0]) if choice.gray else (size[1], size[0], 4 if choice.alpha else 3)
        frame = choice.packer().frame(np.full(shape, 128, np.uint8))
        frame.pts, frame.time_base = 0, context.time_base
        return bool([*context.encode(frame), *context.encode(None)])
    except (*MEDIA_ERRORS, RuntimeError):
        return False


def _candidates(encoding: Encoding) -> list[str]:
    hardware = {str(codec): names for codec, names in HARDWARE.items()}.get(encoding.format, ())
    hardware = hardware if encoding.hardware else ()
    return [*(name for name in hardware if name in codecs_available), SOFTWARE[encoding.format]]


def _named(encoding: Encoding) -> str:
    """The encoder asked for, if it makes what is asked for."""
    name = encoding.encoder or ""
    title = FORMATS[encoding.format].title
    own = SOFTWARE[encoding.format]
    try:
        codec = av.Codec(name, "w")
    except (ValueError, av.FFmpegError) as error:
        raise UserError(
            f"FFmpeg here has no encoder “{name}”.",
            f"Leave it out to have {title} made by {own}, or check the spelling.",
            code=ExitCode.OUTPUT,
        ) from error
    if codec.canonical_name != _CODEC[encoding.format]:
        raise UserError(
            f"The encoder “{name}” does not make {title}.",
            f"Leave it out to have {own}, or choose its own format.",
            code=ExitCode.USAGE,
        )
    return codec.name


def _pix_fmt(encoding: Encoding, depth: int, *, gray: bool) -> str:
    has_alpha = encoding.alpha != "none" and not gray
    deep = "10le" if depth > 8 else ""
    if encoding.format == "ffv1":
        return _ffv1_format(depth, gray=gray, alpha=has_alpha)
    if encoding.format in ("prores422", "dnxhr"):
        return f"yuv422p{deep}"
    if encoding.format == "prores4444":
        return "yuva444p10le" if has_alpha else "yuv444p10le"
    return f"{'yuva420p' if has_alpha else 'yuv420p'}{deep}"


def _ffv1_format(depth: int, *, gray: bool, alpha: bool) -> str:
    """RGB, so that the archive has the very samples that were made."""
    deep = "" if depth == 8 else f"{depth}le"
    if gray:
        return f"gray{deep}"
    return f"{'gbrap' if alpha else 'gbrp'}{deep}" if deep else ("bgra" if alpha else "bgr0")


def _accepted(name: str, pix_fmt: str) -> str | None:
    """The pixel format as the encoder takes it; None when it doesn't."""
    if name not in codecs_available:
        return None
    taken = [one.name for one in av.Codec(name, "w").video_formats or []]
    return next((one for one in (pix_fmt, _SEMI_PLANAR.get(pix_fmt)) if one in taken), None)


def _choice(
    encoding: Encoding, name: str, pix_fmt: str, size: Size, rate: Fraction, suffix: str, *, gray: bool
) -> EncoderChoice:
    layout = layout_of(pix_fmt)
    # libvpx takes odd sides as they are.
    padded = (0, 0) if name == SOFTWARE["vp9"] else layout.padding(size)
    is_hvc1 = encoding.format == "hevc" and suffix in (".mp4", ".m4v", ".mov")
    return EncoderChoice(
        encoder=name,
        pix_fmt=pix_fmt,
        options=options_for(encoding, name, layout.bits, rate, alpha=layout.has_alpha),
        segment_suffix=".mov" if encoding.format in ("prores422", "prores4444", "dnxhr") else ".mkv",
        codec_tag="hvc1" if is_hvc1 else None,  # What Apple's players ask for.
        padded=padded,
        full_range=encoding.full_range or not layout.is_yuv,
        gray=gray,
        alpha=layout.has_alpha,
    )


def _no_hardware(name: FormatName) -> str:
    return f"No hardware encoder for {FORMATS[name].title} works here, so the processor encodes."


def _refusal(encoding: Encoding, name: str, depth: int, size: Size) -> UserError:
    title = FORMATS[encoding.format].title
    if name not in codecs_available:
        return UserError(
            f"FFmpeg here has no encoder “{name}”, which {title} needs.",
            "Choose another format, or install PyAV from its own wheels.",
            code=ExitCode.OUTPUT,
        )
    least = " DNxHR takes 256 x 120 px and more." if encoding.format == "dnxhr" else ""
    return UserError(
        f"“{name}” can't encode {title} of {size[0]} x {size[1]} px at {depth} bits a sample.",
        f"Choose another size, depth, encoder or format.{least}",
        code=ExitCode.OUTPUT,
    )
