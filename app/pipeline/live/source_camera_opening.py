"""Finding and opening a camera: which node and backend, what is asked of it, and why it would not."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.errors import UserError
from app.pipeline.live.camera_list import Camera, enumerated, linux_node, list_cameras, node_fault, same_device
from app.pipeline.live.source_protocol import DEFAULT_SIZE, CaptureWish, SourceLost

_MJPG: Final = cv2.VideoWriter.fourcc(*"MJPG")


class CvCapture(Protocol):
    """The part of `cv2.VideoCapture` that is used."""

    def isOpened(self) -> bool: ...  # noqa: D102, N802  (OpenCV's names)

    def set(self, prop: int, value: float) -> bool: ...  # noqa: D102

    def get(self, prop: int) -> float: ...  # noqa: D102

    def read(self) -> tuple[bool, npt.NDArray[np.uint8] | None]: ...  # noqa: D102

    def release(self) -> None: ...  # noqa: D102


Address = str | int
"""A path on Linux, an index elsewhere."""


def _open_cv(address: Address, backend: int) -> CvCapture:
    # OpenCV writes what its backends complain of to the terminal, also while reading.
    cv2.setLogLevel(0)
    return cv2.VideoCapture(address, backend)  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Devices:
    """The world a camera is opened in; tests bring their own.

    capture: opens (address, backend). fault: errno of a node that would not open, 0 when it seems well.
    """

    capture: Callable[[Address, int], CvCapture] = _open_cv
    cameras: Callable[[], list[Camera]] = list_cameras
    fault: Callable[[str], int] = node_fault
    platform: str = sys.platform

    @property
    def is_linux(self) -> bool:
        """Whether cameras are nodes in the file system."""
        return self.platform.startswith("linux")


@dataclass(frozen=True, slots=True)
class Device:
    """One camera to open. ways: (address, backend), the first that works is taken."""

    id: str
    name: str
    ways: tuple[tuple[Address, int], ...]

    @property
    def words(self) -> str:
        """How sentences call it."""
        return f"The camera “{self.name}”"

    def is_gone(self, devices: Devices) -> bool:
        """Whether the system no longer knows it, as after unplugging."""
        if devices.is_linux:
            return not os.path.exists(self.id)
        if self.id.isdecimal():
            return False
        return not any(same_device(camera.id, self.id) for camera in devices.cameras())


def find_device(identity: str, devices: Devices) -> Device:
    """The camera of that id, a number or, when empty, the first. UserError when there is none."""
    if not identity:
        cameras = devices.cameras()
        if not cameras:
            raise UserError("No camera was found.", "Plug one in, or choose a video, a picture or a screen.")
        return _device(cameras[0].id, cameras[0].name, devices)
    if devices.is_linux:
        identity = linux_node(identity)
    return _device(identity, _name_of(identity, devices), devices)


def open_device(device: Device, wish: CaptureWish, devices: Devices) -> CvCapture:
    """Open and set up; UserError that tells missing, forbidden and busy apart where the system does."""
    for address, backend in device.ways:
        capture = devices.capture(address, backend)
        if capture.isOpened():
            _ask(capture, wish)
            return capture
        capture.release()
    raise _refusal(device, devices.fault(device.id) if devices.is_linux else 0)


def unplugged(words: str) -> SourceLost:
    """The error for a camera that is no longer there."""
    return SourceLost(f"{words} was unplugged.", "Plug it in again; it comes back by itself.")


def silent(words: str) -> SourceLost:
    """The error for a source that is there and sends nothing."""
    return SourceLost(f"{words} sends no pictures.", "It is tried again by itself; unplug it and plug it in if not.")


def _ask(capture: CvCapture, wish: CaptureWish) -> None:
    """Ask for what is wished. The format comes first: many cameras do large sizes at full rate only as MJPG."""
    width, height = wish.size or DEFAULT_SIZE
    capture.set(cv2.CAP_PROP_FOURCC, _MJPG)
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
    capture.set(cv2.CAP_PROP_FPS, wish.rate_hz)
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)


def _device(identity: str, name: str, devices: Devices) -> Device:
    if devices.is_linux:
        return Device(identity, name, ((os.path.realpath(identity), cv2.CAP_V4L2),))
    backends = [cv2.CAP_AVFOUNDATION] if devices.platform == "darwin" else [cv2.CAP_DSHOW, cv2.CAP_MSMF]
    ways = [(index, backend) for backend in backends for index in _indexes(identity, backend)]
    if not ways:
        raise UserError(f"The camera “{name}” is not there.", "Plug it in; it is tried again by itself.")
    return Device(identity, name, tuple(ways))


def _indexes(identity: str, backend: int) -> list[int]:
    """Where a backend has the camera: each counts in its own order."""
    if identity.isdecimal():
        return [int(identity)]
    return [int(info.index) for info in enumerated(backend) if same_device(str(info.path), identity)]


def _name_of(identity: str, devices: Devices) -> str:
    def is_it(camera: Camera) -> bool:
        if devices.is_linux:
            return os.path.realpath(camera.id) == os.path.realpath(identity)
        return same_device(camera.id, identity)

    named = next((camera.name for camera in devices.cameras() if is_it(camera)), None)
    return named or (Path(identity).name if devices.is_linux else f"camera {identity}")


def _refusal(device: Device, fault: int) -> UserError:
    if fault in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return UserError(f"{device.words} is not there.", "Plug it in; it is tried again by itself.")
    if fault in (errno.EACCES, errno.EPERM):
        return UserError(
            f"{device.words} may not be used.",
            "On Linux your account must be in the group “video”: sudo usermod -aG video $USER, then log in again.",
        )
    if fault == errno.EBUSY:
        return UserError(f"{device.words} is in use by another program.", "Close that program, or its camera.")
    return UserError(
        f"{device.words} can't be opened.",
        "Close other programs that use it, allow this one to use the camera in the system's settings, or plug it in "
        "again.",
    )
