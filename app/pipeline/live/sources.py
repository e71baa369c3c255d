"""Where live pictures come from: one protocol, one way to open, whatever it is."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from app.domain.errors import UserError
from app.pipeline.image_decoding import is_picture
from app.pipeline.live.camera_list import linux_node, list_cameras
from app.pipeline.live.source_camera import CameraSource
from app.pipeline.live.source_camera_opening import silent, unplugged
from app.pipeline.live.source_file import FileSource
from app.pipeline.live.source_network import NetworkSource, is_stream, stream_name
from app.pipeline.live.source_pattern import PatternSource
from app.pipeline.live.source_protocol import CaptureWish, LiveSource, SourceLost
from app.pipeline.live.source_sample import SampleSource
from app.pipeline.live.source_screen import ScreenSource
from app.pipeline.live.source_still import StillSource

__all__ = ["CaptureWish", "LiveSource", "SourceLost", "device_of", "open_source", "stall_error", "words_for"]

CAMERA: Final = "camera:"
SCREEN: Final = "screen:"
PATTERN: Final = "pattern"
SAMPLE: Final = "sample"


def open_source(spec: str, wish: CaptureWish) -> LiveSource:
    """Open what `spec` names. UserError when it can't be.

    "" the first camera; camera:ID (a node such as /dev/video0 or a link to it, a number, or the id a camera is
    listed with); screen:N or screen:N:x,y,w,h; an rtsp, rtsps, http or https address; pattern; sample; else the
    path of a video, which is looped, or of a picture.
    """
    if _is_camera(spec):
        return CameraSource(spec.removeprefix(CAMERA), wish)
    if spec.startswith(SCREEN):
        return ScreenSource(spec, wish)
    if is_stream(spec):
        return NetworkSource(spec, wish)
    if spec == PATTERN:
        return PatternSource(wish)
    if spec == SAMPLE:
        return SampleSource()
    if "://" in spec:
        raise UserError(
            "Addresses of this kind can't be used.", "Use one that begins with rtsp://, rtsps://, http:// or https://."
        )
    return _open_file(Path(spec), wish)


def words_for(spec: str, name: str = "") -> str:
    """How sentences call a source; never with a password in it. name: what it calls itself, when known."""
    if _is_camera(spec):
        return f"The camera “{name}”" if name else "The camera"
    if spec.startswith(SCREEN):
        return "The screen"
    if is_stream(spec):
        return f"The stream from {stream_name(spec)}"
    if spec in (PATTERN, SAMPLE):
        return f"The {spec}"
    return f"“{name or Path(spec).name}”"


def device_of(spec: str) -> str | None:
    """What only one program part can hold at a time; equal for all names of one camera. None: nothing of the kind."""
    if is_stream(spec):
        return spec
    if not _is_camera(spec):
        return None
    identity = spec.removeprefix(CAMERA)
    if not identity:
        cameras = list_cameras()
        identity = cameras[0].id if cameras else ""
    return CAMERA + (os.path.realpath(linux_node(identity)) if sys.platform.startswith("linux") else identity)


def stall_error(spec: str, name: str = "") -> SourceLost:
    """Why an open source gives nothing any more, as far as can be told from outside, without waiting for it.

    name: what the open source called itself.
    """
    words = words_for(spec, name)
    return unplugged(words) if _is_camera(spec) and _is_gone(spec.removeprefix(CAMERA), name) else silent(words)


def _is_gone(identity: str, name: str) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    if identity:
        return not os.path.exists(linux_node(identity))
    return bool(name) and all(camera.name != name for camera in list_cameras())


def _is_camera(spec: str) -> bool:
    return not spec or spec.startswith(CAMERA)


def _open_file(path: Path, wish: CaptureWish) -> LiveSource:
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except (OSError, ValueError):
        head = b""  # The video reader tells what is wrong with it.
    return StillSource(path, wish) if is_picture(head) else FileSource(path)
