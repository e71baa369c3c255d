"""Which container, codec and quality an output file gets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.domain.errors import ExitCode, UserError

FORMATS: Final = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
"""FFmpeg muxer by suffix."""

PRESETS: Final = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
)
"""x264's speeds, fastest first; each step down the list makes smaller files."""

_CODEC: Final = {"mp4": "libx264", "mov": "libx264", "matroska": "libx264", "webm": "libvpx-vp9"}
_CRF: Final = {"libx264": 18, "libvpx-vp9": 24}


@dataclass(frozen=True, slots=True)
class EncodeSettings:
    """How a video is encoded.

    codec: FFmpeg encoder name; None picks H.264 (libx264), for .webm VP9. crf: constant quality, smaller is
    better; None is 18 for H.264 (visually lossless) and 24 for VP9. preset: x264 speed. gray: the file is a
    matte: `append_alpha` instead of `append`, full range, so that all 256 levels survive. audio_until_end:
    copy sound to its own end; False stops it with the picture (for a preview of the first seconds). from_first: the
    first frame's time becomes zero, and the sound before it is left out (for a part of a clip).
    """

    codec: str | None = None
    crf: int | None = None
    preset: str = "veryfast"
    pix_fmt: str = "yuv420p"
    gray: bool = False
    audio_until_end: bool = True
    from_first: bool = False

    def __post_init__(self) -> None:
        """Refuse an unknown preset here: x264 would print its own complaint past every log setting."""
        if self.preset not in PRESETS:
            raise UserError(
                f"“{self.preset}” is no encoding speed.",
                f"Use one of {', '.join(PRESETS)}.",
                code=ExitCode.USAGE,
            )

    def codec_for(self, container_format: str) -> str:
        """FFmpeg encoder name for a muxer of FORMATS."""
        return self.codec or _CODEC[container_format]

    def options_for(self, codec: str) -> dict[str, str]:
        """Encoder options as FFmpeg spells them."""
        crf = _CRF.get(codec) if self.crf is None else self.crf
        options = {} if crf is None else {"crf": str(crf)}
        if codec == "libx264":
            options["preset"] = self.preset
        elif codec == "libvpx-vp9":
            # Measured at 1280x720: 22 ms of processor time a frame, against 96 ms for deadline=good,
            # cpu-used=5, at the same PSNR and a third more bytes.
            options |= {"b": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "1"}
        elif codec == "ffv1":
            options |= {"level": "3", "g": "1"}  # Every picture stands alone: players and editors can go to any.
        return options

    def padding_for(self, codec: str, *, width: int, height: int) -> tuple[int, int]:
        """(right, bottom) px that make the sides even where the chroma format asks for it; VP9 doesn't."""
        if codec == "libvpx-vp9":
            return 0, 0
        halved_across = "420" in self.pix_fmt or "422" in self.pix_fmt
        halved_down = "420" in self.pix_fmt
        return width % 2 if halved_across else 0, height % 2 if halved_down else 0


def container_format(path: Path) -> str:
    """Find FFmpeg's muxer for the suffix. UserError for any other suffix."""
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        raise UserError(
            f"“{path.name}” has no ending for a video this program can write.",
            f"Use one of {', '.join(FORMATS)}.",
            code=ExitCode.OUTPUT,
        ) from None
