"""The cameras the window offers, kept up to date while they are plugged in and out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from typing import Any, Final

from PyQt6.QtCore import QObject, QTimer, pyqtSignal

from app.pipeline.live.camera_list import Camera, list_cameras, stable_id, video_nodes

POLL_MS: Final = 2000


class CameraDevices(QObject):
    """Cameras by name, with ids that `open_source` takes after "camera:".

    QtMultimedia tells names, formats and hot-plug. Where it can't be loaded (on Linux it needs libpulse), or finds
    nothing on Linux, `list_cameras` is asked, again every two seconds. Nothing films for that. Belongs to the
    window's thread. without: names left out, such as that of our own virtual camera.
    """

    changed = pyqtSignal()

    def __init__(
        self,
        parent: QObject | None = None,
        *,
        without: Collection[str] = (),
        media: Callable[[], Any] | None = None,
        listed: Callable[[], list[Camera]] = list_cameras,
        nodes: Callable[[], object] = video_nodes,
    ) -> None:
        super().__init__(parent)
        self._without = frozenset(without)
        self._listed = listed
        self._nodes, self._seen_nodes = nodes, nodes()
        self._media = (media or _media_devices)()
        if self._media is not None:
            self._media.videoInputsChanged.connect(self._look)
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._look_at_nodes)
        self._cameras = self._found()

    @property
    def is_polling(self) -> bool:
        """Whether nobody tells of cameras that come and go, so that they are looked for."""
        return self._timer.isActive()

    def cameras(self) -> list[Camera]:
        """All cameras, in the system's order."""
        return list(self._cameras)

    def _look_at_nodes(self) -> None:
        """Look again only if nodes came or went: asking a sleeping camera what it is wakes it, and may take long."""
        nodes = self._nodes()
        if nodes is None or nodes != self._seen_nodes:
            self._seen_nodes = nodes
            self._look()

    def _look(self) -> None:
        found = self._found()
        if found != self._cameras:
            self._cameras = found
            self.changed.emit()

    def _found(self) -> list[Camera]:
        inputs = [] if self._media is None else self._media.videoInputs()
        if self._media is None or (not inputs and sys.platform.startswith("linux")):
            cameras = self._listed()
            self._timer.start()
        else:
            cameras = [_camera(device) for device in inputs]
            self._timer.stop()
        return [camera for camera in cameras if camera.name not in self._without]


def _media_devices() -> Any:
    """A QMediaDevices, None where QtMultimedia can't be loaded."""
    try:
        from PyQt6.QtMultimedia import QMediaDevices
    except ImportError:
        return None
    return QMediaDevices()


def _camera(device: Any) -> Camera:
    identity = bytes(device.id()).decode("utf-8", "replace")
    if sys.platform.startswith("linux"):
        identity = stable_id(identity)
    formats = dict.fromkeys(_words(one) for one in device.videoFormats())
    return Camera(identity, device.description(), tuple(formats))


def _words(video_format: Any) -> str:
    """One format of a camera: `1280 x 720, 30 fps, Jpeg`."""
    size = video_format.resolution()
    pixel_format = video_format.pixelFormat().name.removeprefix("Format_")
    return f"{size.width()} \u00d7 {size.height()}, {video_format.maxFrameRate():.4g} fps, {pixel_format}"
