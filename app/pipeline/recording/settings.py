"""What a recording shall be, and what it is at this moment."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Final, Literal

from app.domain.errors import ExitCode, UserError

ContainerName = Literal["mp4", "mkv", "webm"]
CodecName = Literal["h264", "hevc", "av1", "vp9"]

CODECS_OF: Final[dict[str, tuple[CodecName, ...]]] = {
    "mp4": ("h264", "hevc", "av1", "vp9"),
    "mkv": ("h264", "hevc", "av1", "vp9"),
    "webm": ("vp9", "av1"),
}
"""Picture codecs each container can hold."""

TIME_BASE: Final = {"mp4": Fraction(1, 90_000), "mkv": Fraction(1, 1000), "webm": Fraction(1, 1000)}
"""Seconds per tick of the picture's times; Matroska knows nothing finer than the millisecond."""


@dataclass(frozen=True)
class RecordSettings:
    """How to record.

    crf: constant quality as x264 counts, 0..51, smaller is better; other encoders get their nearest value.
    bitrate_kbps: fixed bit rate instead; exactly one of the two is given. rate_hz: the frames expected a
    second; it sets the distance of keyframes and the depth of the queue, every frame keeps its own time.
    microphone: a name of `list_microphones`, "default", or None for no sound. split_s: begin a new file after
    that long. keep_original: also write `... original` (the source's picture) and `... matte`.
    """

    folder: Path
    container: ContainerName = "mp4"
    codec: CodecName = "h264"
    hardware: bool = True
    crf: int | None = 20
    bitrate_kbps: int | None = None
    rate_hz: float = 30
    microphone: str | None = "default"
    split_s: float | None = None
    keep_original: bool = False

    def check(self) -> None:
        """UserError (USAGE) for values that cannot be meant, (OUTPUT) for a codec the container can't hold."""
        if (self.crf is None) == (self.bitrate_kbps is None):
            raise _usage("A recording has either a quality (CRF) or a bit rate.", "Give exactly one of them.")
        if self.crf is not None and not 0 <= self.crf <= 51:
            raise _usage(f"{self.crf} is no recording quality.", "Use 0 to 51; smaller is better.")
        if self.bitrate_kbps is not None and self.bitrate_kbps < 50:
            raise _usage(f"{self.bitrate_kbps} kbit/s is too little for a picture.", "Use 50 or more.")
        if not 0 < self.rate_hz <= 1000:
            raise _usage(f"{self.rate_hz} is no frame rate.", "Use a number of frames a second, such as 30.")
        if self.split_s is not None and self.split_s < 1:
            raise _usage("A file of a split recording has to be 1 s long at least.", "Use a longer time.")
        if self.codec not in CODECS_OF[self.container]:
            names = " or ".join(name.upper() for name in CODECS_OF[self.container])
            raise UserError(
                f"{self.container.upper()} can't hold {self.codec.upper()}.",
                f"Use {names}, or record to MP4 or MKV.",
                code=ExitCode.OUTPUT,
            )


class RecordState(Enum):
    """Where a recording is in its life."""

    STARTING = "starting"
    RECORDING = "recording"
    PAUSED = "paused"
    STOPPING = "stopping"
    FINISHED = "finished"
    FAILED = "failed"

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens."""
        return self in (RecordState.FINISHED, RecordState.FAILED)


@dataclass(frozen=True)
class RecordStatus:
    """A recording at one moment.

    recorded_s: length of what is recorded, without pauses. frames: pictures encoded, of which `repeated` filled
    a silence of the source. dropped: pictures refused because the encoder was behind. files: finished and
    growing ones by their final names (until finished they are called `... .part.mp4`). failure: why it ended
    by itself; what had been recorded by then is in `files`.
    """

    state: RecordState
    recorded_s: float = 0.0
    frames: int = 0
    dropped: int = 0
    repeated: int = 0
    bytes_written: int = 0
    disk_left_bytes: int = 0
    files: tuple[Path, ...] = ()
    encoder: str = ""
    notices: tuple[str, ...] = ()
    failure: UserError | None = None


def duration_text(seconds: float) -> str:
    """Minutes and seconds as people write them: `0:07`, `12:34`, `1:02:03`."""
    minutes, rest_s = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest_s:02}" if hours else f"{minutes}:{rest_s:02}"


def _usage(message: str, hint: str) -> UserError:
    return UserError(message, hint, code=ExitCode.USAGE)
