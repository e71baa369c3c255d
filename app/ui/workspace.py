"""The page one works on: picture, moment, settings and backgrounds, and how they act on each other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from PyQt6.QtCore import QTimer, pyqtSignal
from PyQt6.QtGui import QColor, QImage
from PyQt6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.domain.frame import Frame
from app.pipeline.plates import DEFAULT_PLATES
from app.ui import dialogs
from app.ui.choices import ClipInfo, Failure, Pictures
from app.ui.inspector import Inspector
from app.ui.plate_strip import PlateStrip, thumbnail_size_px
from app.ui.preview import Preview
from app.ui.session import Session
from app.ui.transport import Transport

BLUR: Final = "blur"
_FIRST_COLOUR: Final = "#2f6b4f"
_SAY_UPDATING_AFTER_MS: Final = 400


class Workspace(QWidget):
    """Preview, transport, inspector and plate strip around one session.

    shown: what is on the screen, None before the first picture. failed(Failure): something did not work.
    """

    failed = pyqtSignal(object)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.shown: Pictures | None = None
        self.preview, self.transport = Preview(), Transport()
        self.inspector, self.plates = Inspector(), PlateStrip()
        self._late = QTimer(self)
        self._late.setSingleShot(True)
        self._late.setInterval(_SAY_UPDATING_AFTER_MS)
        self._lay_out()
        self._connect()
        self._fill_strip()

    def add_picture(self, path: Path) -> None:
        """Add a picture as a background and choose it, once it has proved to be readable."""
        spec = str(path.absolute())
        if spec in self.plates.specs():
            self.plates.choose(spec)
        else:
            self._session.thumbnails.make(spec, self._thumbnail_px())

    def _lay_out(self) -> None:
        left = QVBoxLayout()
        left.setSpacing(0)
        left.addWidget(self.preview, 1)
        left.addWidget(self.transport)
        top = QHBoxLayout()
        top.setSpacing(0)
        top.addLayout(left, 1)
        top.addWidget(self.inspector)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(top, 1)
        column.addWidget(self.plates)

    def _connect(self) -> None:
        self.preview.area_changed.connect(self._request)
        self.transport.moved.connect(self._request)
        self.inspector.changed.connect(self._choose)
        self.plates.chosen.connect(self._choose)
        self.plates.picture_wanted.connect(self._ask_picture)
        self.plates.colour_wanted.connect(self._ask_colour)
        self._late.timeout.connect(self._say_updating)
        self._session.clip_opened.connect(self._show_clip)
        self._session.pictures_ready.connect(self._show_pictures)
        self._session.thumbnails.ready.connect(self._show_thumbnail)
        self._session.thumbnails.failed.connect(self._drop_plate)
        self._session.preview.picture_failed.connect(self._say_failed)

    def _fill_strip(self) -> None:
        for spec in DEFAULT_PLATES:
            self.plates.add(spec, spec.replace("-", " ").capitalize())
            self._session.thumbnails.make(spec, self._thumbnail_px())
        self.plates.add(BLUR, "Blurred")
        self.plates.choose(self.plates.specs()[0])

    def _thumbnail_px(self) -> tuple[int, int]:
        return thumbnail_size_px(self.devicePixelRatioF())

    def _choose(self) -> None:
        self._session.choices = replace(
            self._session.choices,
            plate=self.plates.current,
            strength=self.inspector.strength.share,
            light_wrap=self.inspector.light_wrap.share,
            mirror=self.inspector.mirror.isChecked(),
        )
        self._request()

    def _request(self) -> None:
        if self._session.request(self.transport.time_s, self.preview.area_px()) and not self._late.isActive():
            self._late.start()

    def _show_clip(self, clip: ClipInfo, first: Frame) -> None:
        self.shown = None
        self.transport.set_clip(clip.duration_s, clip.average_rate)
        self._session.thumbnails.make(BLUR, self._thumbnail_px(), first)
        self._request()

    def _show_pictures(self, pictures: Pictures) -> None:
        self.shown = pictures
        self.preview.show_pictures(pictures.images)
        if pictures.has_person is None:
            self.preview.set_note("Loading the models…")
            return
        if pictures.request is not self._session.asked:
            return
        self._late.stop()
        nobody = "" if pictures.has_person else "Nobody was found here: only the background is shown"
        self.preview.set_note(nobody)

    def _say_updating(self) -> None:
        if not self.preview.note:
            self.preview.set_note("Updating…")

    def _say_failed(self, failure: Failure) -> None:
        self._late.stop()
        self.preview.set_note("")
        self.failed.emit(failure)

    def _show_thumbnail(self, spec: str, image: QImage) -> None:
        """Show a plate's picture; a plate not in the strip yet is one just added, and proved."""
        is_new = spec not in self.plates.specs()
        if is_new:
            self.plates.add(spec, Path(spec).stem)
        self.plates.set_thumbnail(spec, image)
        if is_new:
            self.plates.choose(spec)

    def _drop_plate(self, spec: str, failure: Failure) -> None:
        if spec != BLUR:
            self.plates.remove(spec)
        self.failed.emit(failure)

    def _ask_picture(self) -> None:
        dialogs.ask_picture(self, lambda name: self.add_picture(Path(name)))

    def _ask_colour(self) -> None:
        before, colour = self.plates.current, self.plates.colour

        def back() -> None:
            self.plates.restore_colour(colour)
            self.plates.choose(before)

        start = QColor(colour or _FIRST_COLOUR)
        dialogs.ask_colour(self, start, changed=self.plates.set_colour, dropped=back)
