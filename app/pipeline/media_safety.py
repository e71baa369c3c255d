"""Opening media files nobody vouches for."""

from __future__ import annotations

import errno
import stat
from pathlib import Path
from typing import Final

import av
from av.container import InputContainer
from av.stream import Discard, Disposition
from av.video.stream import VideoStream

from app.domain.errors import UserError

MAX_SIDE_PX: Final = 8192
"""Largest width and height of a video, before anything is decoded: 8192 x 8192 RGB is 201 MB a frame."""

MEDIA_ERRORS: Final = (av.FFmpegError, OSError, ValueError, MemoryError)
"""What FFmpeg and PyAV raise for damaged files; hostile metadata gave UnicodeDecodeError, a ValueError."""

_FORMATS: Final = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts"
# Playlists (m3u8, ffconcat, SDP) open other files and network addresses whatever the file is called; only
# the format list stops them, the protocol list alone let local ones through.
_OPTIONS: Final = {
    "format_whitelist": _FORMATS,
    "protocol_whitelist": "file",
    # FFmpeg decodes a few frames while it probes; the size check below would come too late for those.
    "max_pixels": str(MAX_SIDE_PX * MAX_SIDE_PX),
}
_OPEN_TIMEOUT_S: Final = 30.0
_KNOWN_FORMATS_HINT: Final = "MP4, MOV, MKV, WebM, AVI and MPEG-TS files can be used."


def open_media(path: Path) -> InputContainer:
    """Open a local media file for reading; the caller closes it.

    The whitelists keep a file from naming other files or hosts. Reading has no time limit: the limit counts
    wall time, so a laptop asleep in the middle of a render would end its video early. UserError when the
    file is missing, empty, a folder, not a regular file, not allowed, not media, or damaged beyond opening.
    """
    absolute = _readable_file(path)
    try:
        container = av.open(
            str(absolute),
            mode="r",
            options=dict(_OPTIONS),
            timeout=(_OPEN_TIMEOUT_S, None),
            metadata_errors="replace",
        )
    except MEDIA_ERRORS as error:
        raise _open_error(absolute, error) from error
    if not set(container.format.name.split(",")) <= set(_FORMATS.split(",")):
        container.close()
        raise _not_a_video(absolute)
    return container


def picture_stream(container: InputContainer, path: Path) -> VideoStream:
    """Pick the file's video stream, other streams switched off; its size is checked, nothing is decoded yet.

    Cover art of a music file doesn't count. UserError when there is no picture, no decoder for it, or when
    a side is longer than MAX_SIDE_PX.
    """
    pictures = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not pictures:
        raise UserError(f"There is no picture in “{path.name}”.", "Choose a video; sound alone is not enough.")
    stream = pictures[0]
    codec = stream.codec_context
    if codec is None:
        raise UserError(
            f"The picture in “{path.name}” is of an unknown kind, or the file is damaged or cut short.",
            "Copy or download it again, or convert it to H.264.",
        )
    if codec.width <= 0 or codec.height <= 0:  # Also what `max_pixels` makes of a picture beyond it.
        raise UserError(
            f"The picture in “{path.name}” has no usable size: it is over {MAX_SIDE_PX} px a side, or the "
            "file is damaged.",
            "Make a smaller copy, or copy or download it again.",
        )
    check_size(codec.width, codec.height, path)
    codec.options = {"max_pixels": _OPTIONS["max_pixels"]}
    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all
    return stream


def check_size(width: int, height: int, path: Path) -> None:
    """UserError for a picture over the limit."""
    if max(width, height) > MAX_SIDE_PX:
        raise UserError(
            f"“{path.name}” is {width} x {height} px; videos up to {MAX_SIDE_PX} px a side can be used.",
            "Make a smaller copy first.",
        )


def damaged(path: Path, detail: str) -> UserError:
    """Make the error for a video that opens but yields no usable picture."""
    return UserError(f"“{path.name}” {detail}.", "Copy or download the file again, or choose another.")


def _readable_file(path: Path) -> Path:
    """`path` made absolute, so that a name such as `http:x.mp4` is never taken for an address."""
    absolute = path.absolute()
    try:
        status = absolute.stat()
    except (OSError, ValueError) as error:
        raise _unreachable(absolute, error) from error
    if stat.S_ISDIR(status.st_mode):
        raise UserError(f"“{path.name or path}” is a folder, not a video.", "Choose a video file inside it.")
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"“{path.name}” is not an ordinary file.", "Save the video to a file first.")
    if status.st_size == 0:
        raise UserError(f"“{path.name}” is empty (0 bytes).", "Copy or download it again.")
    return absolute


def _open_error(path: Path, error: BaseException) -> UserError:
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.ENOENT, errno.EIO):
        return _unreachable(path, error)
    if isinstance(error, MemoryError):
        return damaged(path, "asks for more memory than there is, which damaged files do")
    if _looks_like_media(path):
        return damaged(path, "is damaged or cut short: it begins like a video but can't be read")
    return _not_a_video(path)


def _unreachable(path: Path, error: BaseException) -> UserError:
    code = error.errno if isinstance(error, OSError) else None
    if code in (errno.ENOENT, errno.ENOTDIR, None):
        return UserError(f"There is no file “{path}”.", "Check the name and the folder.")
    if code in (errno.EACCES, errno.EPERM):
        return UserError(f"“{path.name}” may not be read.", "Give yourself permission to read it.")
    return UserError(f"“{path.name}” can't be read from the disk ({errno.errorcode.get(code, code)}).")


def _not_a_video(path: Path) -> UserError:
    return UserError(f"“{path.name}” is not a video this program can read.", _KNOWN_FORMATS_HINT)


def _looks_like_media(path: Path) -> bool:
    """Tell whether the first bytes are those of an allowed container, so the fault lies further on."""
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        return False
    boxes = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
    riff = head[:4] == b"RIFF" and head[8:12] == b"AVI "
    return head[4:8] in boxes or head[:4] == b"\x1aE\xdf\xa3" or riff or head[:1] == b"\x47"
