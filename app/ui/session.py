"""What the render mode works on: the open clip, and the threads that make pictures of it."""

from __future__ import annotations

from PyQt6.QtCore import QObject, pyqtSignal

from app.domain.compositing import Size
from app.domain.frame import Frame
from app.domain.settings import Settings
from app.ui.choices import ClipInfo, Pictures, PreviewRequest, Source
from app.ui.preview_worker import PreviewWorker
from app.ui.settings_model import SettingsModel
from app.ui.thumbnail_worker import ThumbnailWorker


class Session(QObject):
    """State without widgets; its signals arrive on the thread that made it. asked: the latest request.

    clip_opened(ClipInfo, Frame): with the clip's first frame. pictures_ready(Pictures): of the clip that is
    open now; late answers for an earlier one are dropped here.
    """

    clip_opened = pyqtSignal(object, object)
    pictures_ready = pyqtSignal(object)

    def __init__(self, model: SettingsModel) -> None:
        super().__init__()
        self._model = model
        self.preview = PreviewWorker()
        self.thumbnails = ThumbnailWorker()
        self.clip: ClipInfo | None = None
        self.asked: PreviewRequest | None = None
        self._number = 0
        self._open = 0
        self.preview.opened.connect(self._opened)
        self.preview.ready.connect(self._ready)

    @property
    def settings(self) -> Settings:
        """What is set now."""
        return self._model.settings

    def open_clip(self, source: Source) -> None:
        """Open a clip; the one that is open stays until the new one is there."""
        self._number += 1
        self.preview.open_clip(self._number, source)

    def request(self, time_s: float, size_px: Size) -> bool:
        """Ask for the pictures of a moment; False when there is no clip or no plate yet to make them of."""
        if self.clip is None or not self.settings.plate:
            return False
        self.asked = PreviewRequest(self._open, time_s, self.settings, size_px)
        self.preview.request(self.asked)
        return True

    def close(self) -> None:
        """Stop the threads and wait for them."""
        self.preview.stop()
        self.thumbnails.stop()

    def _opened(self, number: int, clip: ClipInfo, first: Frame) -> None:
        self._open, self.clip = number, clip
        self.clip_opened.emit(clip, first)

    def _ready(self, pictures: Pictures) -> None:
        if pictures.request.clip == self._open:
            self.pictures_ready.emit(pictures)
