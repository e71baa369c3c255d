"""Which cameras there are, by names people know and ids that stay the same. Nothing starts to film."""

from __future__ import annotations

import contextlib
import errno
import os
import struct
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_QUERYCAP: Final = 0x80685600
"""VIDIOC_QUERYCAP of linux/videodev2.h: fills a struct v4l2_capability of 104 bytes."""

_CAPABILITY: Final = struct.Struct("16s32s32sIII12x")
_CAPTURES: Final = 0x1 | 0x1000  # V4L2_CAP_VIDEO_CAPTURE, and the same in several planes
_HAS_DEVICE_CAPS: Final = 0x80000000
_REQBUFS: Final = 0xC0145608
"""VIDIOC_REQBUFS: 20 bytes; asking for no buffers changes nothing but tells whether another program films."""

_NO_BUFFERS: Final = struct.pack("IIII4x", 0, 1, 1, 0)  # none; video capture; memory mapped
_GUESSED: Final = 4
"""Indexes offered where nothing can list cameras."""


@dataclass(frozen=True, slots=True)
class Camera:
    """id: what `open_source` takes after "camera:". formats: in words, such as `1280 x 720, 30 fps, MJPG`."""

    id: str
    name: str
    formats: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LinuxFolders:
    """Where Linux tells of its cameras; tests bring folders of their own."""

    sys: Path = Path("/sys/class/video4linux")
    dev: Path = Path("/dev")


def list_cameras(
    *,
    without: Collection[str] = (),
    folders: LinuxFolders | None = None,
    platform: str = sys.platform,
    capabilities: Callable[[Path], int | None] | None = None,
) -> list[Camera]:
    """All cameras in the order of their nodes. without: names left out, such as those of our own outputs.

    Linux: nodes that capture pictures; metadata nodes and codecs are no cameras. Elsewhere what
    cv2_enumerate_cameras finds, or a few indexes where that is missing.
    """
    if platform.startswith("linux"):
        found = _linux(folders or LinuxFolders(), capabilities or node_capabilities)
    else:
        found = _enumerated()
    return [camera for camera in found if camera.name not in without]


def video_nodes(folders: LinuxFolders | None = None) -> frozenset[str] | None:
    """Names of Linux's video nodes, without touching the devices; None elsewhere, where nobody tells so cheaply."""
    try:
        return frozenset(os.listdir((folders or LinuxFolders()).sys))
    except OSError:
        return frozenset() if sys.platform.startswith("linux") else None


def stable_id(node: str, folders: LinuxFolders | None = None) -> str:
    """The name of a Linux node that stays when cameras are plugged in another order: its link in by-id, if any."""
    by_id = (folders or LinuxFolders()).dev / "v4l" / "by-id"
    with contextlib.suppress(OSError):
        for link in sorted(by_id.iterdir()):
            if os.path.realpath(link) == os.path.realpath(node):
                return str(link)
    return node


def linux_node(identity: str) -> str:
    """The node or link an id stands for; a number N is /dev/videoN."""
    return f"/dev/video{identity}" if identity.isdecimal() else identity


def node_capabilities(node: Path) -> int | None:
    """What this very V4L2 node can do, as the bits of `device_caps`; None when it can't be asked."""
    answer = _ioctl(node, _QUERYCAP, bytes(_CAPABILITY.size))
    if not isinstance(answer, bytes):
        return None
    *_, overall, own = _CAPABILITY.unpack(answer)
    return int(own if overall & _HAS_DEVICE_CAPS else overall)


def node_fault(node: str) -> int:
    """Why a V4L2 node can't be used: an errno such as ENOENT, EACCES or EBUSY; 0 when nothing is wrong with it.

    Opening alone does not show that another program films: several may open, one gets buffers.
    """
    answer = _ioctl(Path(node), _REQBUFS, _NO_BUFFERS)
    return 0 if isinstance(answer, bytes) or answer in (errno.ENOTTY, errno.EINVAL) else answer


def same_device(one: str, other: str) -> bool:
    """Whether two ids of Windows or macOS mean one camera.

    Windows names a camera once for each interface; only the part before the interface's `#{...}` is its own.
    """
    return one.lower().split("#{")[0] == other.lower().split("#{")[0]


def enumerated(backend: int | None = None) -> list[Any]:
    """What cv2_enumerate_cameras finds: objects with index, name, path and backend; nothing when it is missing."""
    try:
        from cv2_enumerate_cameras import enumerate_cameras
    except ImportError:
        return []
    try:
        return list(enumerate_cameras() if backend is None else enumerate_cameras(backend))
    except Exception:  # COM, Objective-C: each in its own way; no list is no reason to fail
        return []


def _linux(folders: LinuxFolders, capabilities: Callable[[Path], int | None]) -> list[Camera]:
    try:
        # Virtual cameras last: the first camera must not be the one that this very program feeds.
        nodes = sorted(folders.sys.iterdir(), key=lambda node: (_is_virtual(node), len(node.name), node.name))
    except OSError:
        return []
    return [
        Camera(stable_id(str(folders.dev / node.name), folders), _text(node / "name") or node.name)
        for node in nodes
        if node.name.startswith("video") and _captures(node, folders.dev / node.name, capabilities)
    ]


def _is_virtual(node: Path) -> bool:
    """Whether a node is v4l2loopback's, which has an attribute of its own."""
    return (node / "max_openers").exists()


def _captures(node: Path, device: Path, capabilities: Callable[[Path], int | None]) -> bool:
    if _text(node / "index") not in ("", "0"):  # A camera's further nodes carry metadata; not even opened.
        return False
    known = capabilities(device)
    return known is None or bool(known & _CAPTURES)


def _enumerated() -> list[Camera]:
    cameras: list[Camera] = []
    for info in enumerated():
        identity = str(info.path or info.index)
        # Windows lists a camera once for each way to read it.
        if not any(same_device(camera.id, identity) for camera in cameras):
            cameras.append(Camera(identity, info.name or f"Camera {info.index}"))
    return cameras or [Camera(str(index), f"Camera {index + 1}") for index in range(_GUESSED)]


def _ioctl(node: Path, request: int, data: bytes) -> bytes | int:
    """The struct the driver filled in, or the errno; ENOSYS where there are no ioctls."""
    try:
        import fcntl
    except ImportError:
        return errno.ENOSYS
    try:
        handle = os.open(node, os.O_RDWR | os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0))
    except OSError as error:
        return error.errno or errno.EIO
    try:
        return fcntl.ioctl(handle, request, data)
    except OSError as error:
        return error.errno or errno.EIO
    finally:
        os.close(handle)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace").strip()
    except OSError:
        return ""
