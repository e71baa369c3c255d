"""Feeding a virtual camera: a steady rate, a fixed size, and never an old picture of a person as if it were live."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import platform
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from app.domain.compositing import BLACK, Size, solid_plate
from app.domain.errors import ExitCode, UserError
from app.domain.frame import Pixels
from app.pipeline.handover import LatestSlot
from app.pipeline.live.camera_formats import CONVERTERS, Packed, even, letterboxed
from app.pipeline.live.camera_users import UserCount, own_openings
from app.pipeline.live.pictures import Finished
from app.pipeline.live.virtual_camera_help import PACKAGE, failure_of, open_camera

log = logging.getLogger(__name__)

STALE_S: Final = 1.0
"""A picture of a person older than this is not sent again: a frozen face passes for a live one."""

CHECK_S: Final = 1.0
"""How often the device is looked at; the library says nothing when a write fails."""

RETRY_S: Final = 2.0
_NATIVE: Final = {"Linux": "I420", "Windows": "NV12", "Darwin": "UYVY"}


class CameraState(StrEnum):
    """What a virtual camera is doing. FAILED: not fed at the moment, tried again by itself."""

    OFF = "off"
    STARTING = "starting"
    ON = "on"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class VirtualCameraStatus:
    """How a virtual camera is.

    device: as the system names it, "" before it is open. sent: pictures since `start`, repeats and covers included.
    dropped: pictures that a newer one replaced before their turn. users: programs watching; None when unknown.
    """

    state: CameraState
    size: Size
    rate_hz: float
    device: str = ""
    sent: int = 0
    dropped: int = 0
    failure: UserError | None = None
    users: int | None = None


def _nobody(_status: VirtualCameraStatus) -> None:
    pass


def _wait(ended: threading.Event, seconds: float) -> bool:
    return ended.wait(seconds)


class VirtualCamera:
    """Feeds one virtual camera on a thread of its own.

    size: (width, height) px, made even, the same as long as it is on; other pictures are letterboxed. rate_hz:
    pictures a second, always: the newest one, again where there is no newer one. After STALE_S without a new picture
    the last cover given stands in, black before the first. `on_event` is told of every change but the counts, on one
    of its threads. `opener` stands in for `open_camera`. clock, wait: of the sending thread, for tests.
    """

    def __init__(
        self,
        *,
        size: Size,
        rate_hz: float,
        device: str = "",
        on_event: Callable[[VirtualCameraStatus], None] = _nobody,
        opener: Callable[..., Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Event, float], bool] = _wait,
    ) -> None:
        self._device = device
        self._on_event = on_event
        self._opener = opener or open_camera
        self._clock = clock
        self._wait = wait
        self._slot: LatestSlot[Finished] = LatestSlot()
        self._pictures = _Pictures(even(size))
        self._lock = threading.Lock()
        self._status = VirtualCameraStatus(CameraState.OFF, even(size), rate_hz)
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def status(self) -> VirtualCameraStatus:
        """How it is now."""
        return replace(self._status, dropped=self._slot.dropped)

    def start(self) -> None:
        """Open the camera and feed it until `stop`; what goes wrong arrives by `on_event`. Already on: nothing."""
        if self._threads:
            return
        self._ended.clear()
        self._slot = LatestSlot()
        self._pictures = _Pictures(self._status.size)
        self._tell(state=CameraState.STARTING, device="", sent=0, failure=None, users=None)
        self._threads = [
            threading.Thread(target=self._run, name="virtual-camera", daemon=True),
            threading.Thread(target=self._count_users, name="virtual-camera-users", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def put(self, picture: Finished) -> None:
        """The next picture; never waits. Thrown away while the camera is off."""
        if not self._threads:
            return
        if picture.is_cover:
            self._pictures.cover = picture.composite
        self._slot.put(picture)

    def stop(self) -> None:
        """Send the cover once more, close the camera and wait for its threads."""
        threads, self._threads = self._threads, []
        if not threads:
            return
        self._ended.set()
        for thread in threads:
            thread.join()
        self._slot.clear()
        self._tell(state=CameraState.OFF, device="", failure=None, users=None)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._open_and_feed()
            except Exception as error:  # a driver may raise anything; the call must go on
                log.info("virtual camera: %s", error)
                failure = failure_of(error, device=self._device)
                self._tell(state=CameraState.FAILED, device="", failure=failure, users=None)
                self._wait(self._ended, RETRY_S)

    def _open_and_feed(self) -> None:
        camera = self._open()
        try:
            watch = DeviceWatch(camera)
            self._tell(state=CameraState.ON, device=str(camera.device), failure=None)
            self._feed(camera, watch)
            # Who still looks keeps seeing the last picture: it must not be the person's.
            with contextlib.suppress(Exception):
                camera.send(self._pictures.packed(None, str(camera.fmt)))
        finally:
            with contextlib.suppress(Exception):
                camera.close()

    def _open(self) -> Any:
        """The camera, set to the format it takes without converting: its `send` holds the interpreter's lock."""
        wanted = _NATIVE.get(platform.system(), "RGB")
        camera = self._open_as(wanted)
        native = str(camera.native_fmt)
        if native == wanted or native not in CONVERTERS:
            return camera
        camera.close()
        return self._open_as(native)

    def _open_as(self, name: str) -> Any:
        formats = importlib.import_module(PACKAGE).PixelFormat
        width, height = self._status.size
        return self._opener(width, height, self._status.rate_hz, fmt=formats[name], device=self._device or None)

    def _feed(self, camera: Any, watch: DeviceWatch) -> None:
        fmt, period_s = str(camera.fmt), 1 / self._status.rate_hz
        due_s = self._clock()
        check_s = due_s + CHECK_S
        while not self._ended.is_set():
            now_s = self._clock()
            if now_s >= check_s:
                watch.check()
                check_s = now_s + CHECK_S
            self._pictures.newest(self._slot.take(0), now_s)
            camera.send(self._pictures.packed(now_s, fmt))
            self._count_sent()
            # After a stall it goes on from now: a burst of late pictures would only be thrown away by who watches.
            due_s = max(due_s + period_s, self._clock())
            self._wait(self._ended, due_s - self._clock())

    def _count_users(self) -> None:
        count, device = None, ""
        while not self._ended.wait(CHECK_S):
            if self._status.device != device or count is None:
                device = self._status.device
                count = UserCount(device)
            # What is no file can't be looked for among open files, and must not count as watched by nobody.
            users = count.now() if os.path.exists(device) else None
            if users != self._status.users and device == self._status.device:
                self._tell(users=users)

    def _count_sent(self) -> None:
        with self._lock:
            self._status = replace(self._status, sent=self._status.sent + 1)

    def _tell(self, **changes: Any) -> None:
        with self._lock:
            before, self._status = self._status, replace(self._status, **changes)
            changed = _without_counts(before) != _without_counts(self._status)
        if changed:
            try:
                self._on_event(self.status)
            except Exception:  # the listener's fault must not end the picture
                log.exception("listener of the virtual camera")


def _without_counts(status: VirtualCameraStatus) -> tuple[Any, ...]:
    return status.state, status.device, status.users, str(status.failure or "")


class _Pictures:
    """What is sent now, converted once however often it is repeated."""

    def __init__(self, size: Size) -> None:
        self._size = size
        self._black = solid_plate(size, BLACK)
        self._newest: Finished | None = None
        self._since_s = 0.0
        self._converted: tuple[Pixels, str, Packed] | None = None
        self.cover: Pixels = self._black

    def newest(self, picture: Finished | None, now_s: float) -> None:
        """Take note of a new picture, if there is one."""
        if picture is not None:
            # Never later than its arrival: a wrong time in the future would keep it fresh for ever.
            self._newest, self._since_s = picture, min(picture.captured_s, now_s)

    def packed(self, now_s: float | None, fmt: str) -> Packed:
        """What to send, in the camera's format; None sends the cover whatever there is."""
        pixels = self._choice(now_s)
        if self._converted is None or self._converted[0] is not pixels or self._converted[1] != fmt:
            self._converted = (pixels, fmt, CONVERTERS[fmt](letterboxed(pixels, self._size)))
        return self._converted[2]

    def _choice(self, now_s: float | None) -> Pixels:
        if now_s is not None and self._newest is not None and now_s - self._since_s < STALE_S:
            return self._newest.composite
        self._newest = None
        return self.cover


class DeviceWatch:
    """Whether an open camera is still the device it was; the library itself only prints that a write failed."""

    def __init__(self, camera: Any) -> None:
        self._camera = camera
        self._node = str(camera.device)
        self._identity = _identity(self._node)
        self._held = own_openings(self._node) if self._identity else 0
        self._sent = -1

    def check(self) -> None:
        """UserError when the device has gone, was replaced or closed, or no picture was sent since the last look."""
        sent = int(self._camera.frames_sent)
        progressed, self._sent = sent > self._sent, sent
        if not progressed:
            raise self._error("takes no pictures")
        if self._identity is None:
            return
        found = _identity(self._node)
        if found is None:
            raise self._error("has gone")
        if found != self._identity:
            raise self._error("was replaced")
        if self._held and not own_openings(self._node):
            raise self._error("was closed")

    def _error(self, what: str) -> UserError:
        return UserError(
            f"The virtual camera {self._node} {what}.",
            "It is fed again as soon as it is back; preview and recording go on.",
            code=ExitCode.FAILED,
        )


def _identity(node: str) -> tuple[int, ...] | None:
    """What tells a device node from another one of the same name; None for what is no file."""
    try:
        found = os.stat(node)
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_rdev
