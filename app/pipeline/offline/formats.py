"""What can be delivered: formats with their containers, and how one of them is to be encoded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from app.domain.errors import ExitCode, UserError
from app.pipeline.encode_settings import EncodeSettings

FormatName = Literal[
    "h264",
    "hevc",
    "av1",
    "vp9",
    "prores422",
    "prores4444",
    "dnxhr",
    "ffv1",
    "png",
    "tiff",
    "exr",
    "gif",
    "webp",
]

AlphaMode = Literal["none", "straight", "premultiplied"]
Depth = Literal[8, 10, 16]
Kind = Literal["video", "pictures", "preview"]
"""pictures: a folder of numbered files. preview: a small animated picture."""

MAX_CRF: Final = 51


@dataclass(frozen=True, slots=True)
class Encoding:
    """How pictures become files.

    depth: bits a sample, 8, 10 or 16; None is what the format and the source call for. alpha: whether the result has an
    alpha channel, and whether its colours are multiplied by it. crf: constant quality on x264's scale, None the
    format's own. preset: x264's speed. hardware: try the graphics card's encoder first. encoder: FFmpeg's name of an
    encoder to use instead of the format's own. full_range: YCbCr over all codes instead of 16..235.
    """

    format: FormatName = "h264"
    depth: Literal[8, 10, 16] | None = None
    alpha: AlphaMode = "none"
    crf: int | None = None
    preset: str = "veryfast"
    hardware: bool = False
    encoder: str | None = None
    full_range: bool = False


@dataclass(frozen=True, slots=True)
class Format:
    """A format as it can be had here.

    suffixes: of files that can hold it; empty for pictures. depths: bits a sample, the usual one first.
    alpha_depths: those that can have alpha, in files with one of alpha_suffixes. keeps_depth: deep sources keep their
    bits unless something else was said. crf: constant quality on x264's scale, None for formats of fixed quality.
    has_full_range: YCbCr may be full range, and the file says so.
    """

    title: str
    kind: Kind
    suffixes: tuple[str, ...] = ()
    depths: tuple[Depth, ...] = (8,)
    alpha_depths: tuple[Depth, ...] = ()
    alpha_suffixes: tuple[str, ...] = ()
    keeps_depth: bool = True
    crf: int | None = None
    has_full_range: bool = False

    def allows_alpha_in(self, suffix: str) -> bool:
        """Whether a file of that ending keeps this format's alpha."""
        return bool(self.alpha_depths) and (self.kind == "pictures" or suffix in self.alpha_suffixes)


# By what FFmpeg 8.1's muxers take; FFV1 in MP4, which it takes too, is played by nothing else. VP9 has 8 bits only
# because PyAV's libvpx is built so; MP4 drops VP9's alpha.
FORMATS: Final[dict[FormatName, Format]] = {
    "h264": Format(
        "H.264", "video", (".mp4", ".m4v", ".mov", ".mkv"), (8, 10), keeps_depth=False, crf=18, has_full_range=True
    ),
    "hevc": Format("HEVC", "video", (".mp4", ".mov", ".mkv"), (8, 10), crf=18, has_full_range=True),
    "av1": Format("AV1", "video", (".mp4", ".mkv", ".webm"), (8, 10), crf=18, has_full_range=True),
    "vp9": Format(
        "VP9", "video", (".webm", ".mkv", ".mp4"), (8,), (8,), (".webm", ".mkv"), crf=18, has_full_range=True
    ),
    "prores422": Format("ProRes 422 HQ", "video", (".mov", ".mkv"), (10,)),
    "prores4444": Format("ProRes 4444", "video", (".mov", ".mkv"), (10,), (10,), (".mov", ".mkv")),
    "dnxhr": Format("DNxHR", "video", (".mov",), (8, 10)),
    "ffv1": Format("FFV1", "video", (".mkv",), (8, 10, 16), (8, 10, 16), (".mkv",)),
    "png": Format("PNG pictures", "pictures", depths=(8, 16), alpha_depths=(8, 16)),
    "tiff": Format("TIFF pictures", "pictures", depths=(16, 8), alpha_depths=(16, 8)),
    "exr": Format("EXR pictures", "pictures", depths=(16,), alpha_depths=(16,)),
    "gif": Format("GIF", "preview", (".gif",)),
    "webp": Format("WebP", "preview", (".webp",), (8,), (8,), (".webp",)),
}

_BY_SUFFIX: Final[dict[str, FormatName]] = {
    ".mp4": "h264",
    ".m4v": "h264",
    ".mov": "h264",
    ".mkv": "h264",
    ".webm": "vp9",
    ".gif": "gif",
    ".webp": "webp",
}

_PICTURE_SUFFIXES: Final = (".png", ".tif", ".tiff", ".exr")


def format_for(path: Path, wanted: FormatName | None = None) -> FormatName:
    """Find the format for an output: the one wanted, else by its ending; a name without one is a folder of PNG.

    UserError (OUTPUT) for an ending that says nothing.
    """
    if wanted is not None:
        return wanted
    suffix = path.suffix.lower()
    if suffix in _BY_SUFFIX:
        return _BY_SUFFIX[suffix]
    if not suffix or path.is_dir():
        return "png"
    if suffix in _PICTURE_SUFFIXES:
        raise _names_one_picture(path)
    raise _error(
        f"“{path.name}” has no ending that this program can write.",
        f"Use one of {', '.join(_BY_SUFFIX)}, or a folder for numbered pictures.",
    )


def check(encoding: Encoding, output: Path) -> None:
    """Refuse what can't be, with a sentence that says what to do instead.

    UserError (OUTPUT) for an output that can't hold the format or its alpha, (USAGE) for alpha, depth, range, quality
    or speed that the format doesn't have.
    """
    form = FORMATS[encoding.format]
    suffix = output.suffix.lower()
    _check_container(form, output, suffix)
    _check_alpha(encoding, form, suffix)
    _check_depth(encoding, form)
    if encoding.full_range and form.kind == "video" and encoding.format != "ffv1" and not form.has_full_range:
        raise _error(f"{form.title} is always limited range.", "Leave full range off.", ExitCode.USAGE)
    if encoding.crf is not None and not 0 <= encoding.crf <= MAX_CRF:
        raise _error(f"There is no quality {encoding.crf}.", f"Use 0 (best) to {MAX_CRF}.", ExitCode.USAGE)
    EncodeSettings(preset=encoding.preset)  # Refuses an unknown one.


def depth_of(encoding: Encoding, source_bits: int) -> Depth:
    """Bits a sample that the result gets. source_bits: of the clip's samples.

    Without a wish, deep clips keep their bits as far as the format has them, but for H.264: few players take it with
    10 bits.
    """
    if encoding.depth is not None:
        return encoding.depth
    form = FORMATS[encoding.format]
    depths = form.depths if encoding.alpha == "none" else form.alpha_depths
    if source_bits <= 8 or not form.keeps_depth or len(depths) == 1:
        return depths[0]
    enough = [depth for depth in sorted(depths) if depth >= source_bits]
    return enough[0] if enough else max(depths)


def crf_of(encoding: Encoding) -> int | None:
    """Quality on x264's scale: the one wished, else the format's own; None where it has none."""
    own = FORMATS[encoding.format].crf
    return own if own is None or encoding.crf is None else encoding.crf


def _check_container(form: Format, output: Path, suffix: str) -> None:
    if form.kind == "pictures":
        if suffix in (*_BY_SUFFIX, *_PICTURE_SUFFIXES) and not output.is_dir():
            raise _names_one_picture(output)
    elif suffix not in form.suffixes:
        raise _error(
            f"“{output.name}” can't hold {form.title}.",
            f"Name the output {_either(form.suffixes)}, or choose another format.",
        )


def _check_alpha(encoding: Encoding, form: Format, suffix: str) -> None:
    if encoding.alpha == "none" or form.allows_alpha_in(suffix):
        return
    if form.alpha_depths:
        raise _error(
            f"{form.title} loses its alpha in “{suffix}” files.", f"Name the output {_either(form.alpha_suffixes)}."
        )
    able = [one.title for one in FORMATS.values() if one.alpha_depths]
    why = "has no partly transparent pixels" if encoding.format == "gif" else "has no alpha channel"
    raise _error(f"{form.title} {why}.", f"Choose {_either(able)}, or leave alpha off.", ExitCode.USAGE)


def _check_depth(encoding: Encoding, form: Format) -> None:
    has_alpha = encoding.alpha != "none"
    depths = form.alpha_depths if has_alpha else form.depths
    if encoding.depth is not None and encoding.depth not in depths:
        raise _error(
            f"{form.title}{' with alpha' if has_alpha else ''} has no {encoding.depth} bits a sample here.",
            f"Choose {_either(str(depth) for depth in sorted(depths))} bits, or another format.",
            ExitCode.USAGE,
        )


def _names_one_picture(path: Path) -> UserError:
    return _error(
        f"“{path.name}” is the name of one file, but pictures are many.",
        "Give a folder, which is a name without an ending; the format by its own option.",
    )


def _either(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last


def _error(message: str, hint: str, code: ExitCode = ExitCode.OUTPUT) -> UserError:
    return UserError(message, hint, code=code)
