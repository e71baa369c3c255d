"""The render mode: a clip, the moment looked at, and pictures of it with the settings as they are."""

from __future__ import annotations

from typing import Final

from PyQt6.QtCore import QObject, QTimer, pyqtSignal

from app.domain.frame import Frame
from app.ui.choices import ClipInfo, Failure, Pictures
from app.ui.session import Session
from app.ui.settings_model import SettingsModel
from app.ui.text import tr
from app.ui.workspace import BLUR, Workspace

_SAY_UPDATING_AFTER_MS: Final = 400


class RenderDesk(QObject):
    """Asks for pictures whenever something changes, while it is active.

    shown: what is on the screen, None before the first picture. failed(Failure): something did not work.
    """

    failed = pyqtSignal(object)

    def __init__(self, session: Session, model: SettingsModel, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._session, self._workspace = session, workspace
        self.shown: Pictures | None = None
        self._is_active = False
        self._late = QTimer(self)
        self._late.setSingleShot(True)
        self._late.setInterval(_SAY_UPDATING_AFTER_MS)
        self._late.timeout.connect(self._say_updating)
        workspace.preview.area_changed.connect(self._request)
        workspace.transport.moved.connect(self._request)
        model.changed.connect(self._request)
        session.clip_opened.connect(self._show_clip)
        session.pictures_ready.connect(self._show_pictures)
        session.preview.picture_failed.connect(self._say_failed)

    def set_active(self, *, active: bool) -> None:
        """Show pictures of the clip, or leave the preview to somebody else."""
        self._is_active = active
        self._workspace.transport.setVisible(active and self._session.clip is not None)
        if active:
            self._request()
        else:
            self._late.stop()

    def _request(self) -> None:
        if not self._is_active:
            return
        work = self._workspace
        if self._session.request(work.transport.time_s, work.preview.area_px()) and not self._late.isActive():
            self._late.start()

    def _show_clip(self, clip: ClipInfo, first: Frame) -> None:
        self.shown = None
        self._workspace.transport.set_clip(clip.duration_s, clip.average_rate)
        self._session.thumbnails.make(BLUR, self._workspace.thumbnail_px(), first)
        self._request()

    def _show_pictures(self, pictures: Pictures) -> None:
        self.shown = pictures
        if not self._is_active:
            return
        preview = self._workspace.preview
        preview.show_pictures(pictures.images)
        if pictures.has_person is None:
            preview.set_note(tr("Loading the models…"))
            return
        if pictures.request is not self._session.asked:
            return
        self._late.stop()
        preview.set_note("" if pictures.has_person else tr("Nobody was found here: only the background is shown"))

    def _say_updating(self) -> None:
        if not self._workspace.preview.note:
            self._workspace.preview.set_note(tr("Updating…"))

    def _say_failed(self, failure: Failure) -> None:
        self._late.stop()
        self._workspace.preview.set_note("")
        self.failed.emit(failure)
