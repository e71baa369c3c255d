"""The page one works on: preview, settings and backgrounds, and how they act on each other."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtGui import QColor, QImage
from PyQt6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.domain.settings import GROUPS, Settings
from app.pipeline.live.live_plates import NONE, TRANSPARENT, is_live_source
from app.pipeline.plates import DEFAULT_PLATES
from app.ui import dialogs
from app.ui.choices import PICTURE_SUFFIXES, VIDEO_SUFFIXES, Failure, Mode
from app.ui.live.control_bar import ControlBar
from app.ui.live.inspector import LiveInspector
from app.ui.live.match_panel import MatchPanel
from app.ui.live.status_line import StatusLine
from app.ui.plate_strip import PlateStrip, thumbnail_size_px
from app.ui.preview import Preview
from app.ui.settings_model import SettingsModel
from app.ui.text import tr
from app.ui.thumbnail_worker import ThumbnailWorker
from app.ui.transport import Transport

BLUR: Final = "blur"
_FIRST_COLOUR: Final = "#2f6b4f"
_MAX_FROM_FOLDER: Final = 200
_RENDER_PAGES: Final = ("person", "match", "placement")


class Workspace(QWidget):
    """Preview, transport or control bar, inspector, plate strip, status line, around one set of settings.

    failed(Failure): something did not work. own_plates_changed: plates were added or taken out by hand.
    """

    failed = pyqtSignal(object)
    own_plates_changed = pyqtSignal()

    def __init__(self, model: SettingsModel, thumbnails: ThumbnailWorker) -> None:
        super().__init__()
        self._model, self._thumbnails = model, thumbnails
        self.own_plates: list[str] = []
        self._mode = Mode.RENDER
        self.preview, self.transport, self.controls = Preview(), Transport(), ControlBar()
        self.inspector, self.match_panel = LiveInspector(), MatchPanel()
        self.plates, self.status = PlateStrip(), StatusLine()
        self.inspector.add_to_page("match", self.match_panel, top=True)
        self._lay_out()
        self._connect()
        self._fill_strip()
        self._follow(model.settings)

    def set_mode(self, mode: Mode) -> None:
        """Show what belongs to a mode."""
        self._mode = mode
        is_live = mode is Mode.LIVE
        self.controls.setVisible(is_live)
        self.status.setVisible(is_live)
        self.match_panel.setVisible(is_live)
        if is_live:
            self.transport.hide()
        self.inspector.show_pages(GROUPS if is_live else _RENDER_PAGES)
        self.inspector.show_live_only(shown=is_live)
        self._sort_out_plates()

    def add_plate(self, path: Path) -> None:
        """Add a picture or video as a background and choose it, once it has proved to be readable."""
        spec = str(path.absolute())
        if spec in self.plates.specs():
            self.plates.choose(spec)
        else:
            self._thumbnails.make(spec, self.thumbnail_px())

    def add_folder(self, folder: Path) -> None:
        """Add the pictures and videos of a folder, not of those inside it; the first few hundred by name."""
        try:
            found = sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES | VIDEO_SUFFIXES)
        except OSError as error:
            self.failed.emit(Failure(tr("The folder can't be read."), str(error)))
            return
        if not found:
            self.failed.emit(Failure(tr("There are no pictures or videos in that folder."), tr("Choose another one.")))
        for path in found[:_MAX_FROM_FOLDER]:
            self._keep(str(path.absolute()))

    def add_source(self, spec: str, name: str) -> None:
        """Add a live source as a background and choose it."""
        self.plates.add(spec, name, sign="screen" if spec.startswith("screen") else "second-camera", own=True)
        self.plates.choose(spec)

    def restore_plates(self, specs: tuple[str, ...]) -> None:
        """Put back what was added in earlier sessions; files that are gone stay away."""
        for spec in specs:
            if Path(spec).is_file():
                self._keep(spec)

    def _lay_out(self) -> None:
        left = QVBoxLayout()
        left.setSpacing(0)
        left.addWidget(self.preview, 1)
        left.addWidget(self.transport)
        left.addWidget(self.controls)
        top = QHBoxLayout()
        top.setSpacing(0)
        top.addLayout(left, 1)
        top.addWidget(self.inspector)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(top, 1)
        column.addWidget(self.plates)
        column.addWidget(self.status)

    def _connect(self) -> None:
        self._model.changed.connect(self._follow)
        self.inspector.changed.connect(self._set)
        self.plates.chosen.connect(lambda spec: self._model.set_value("", "plate", spec))
        self.plates.picture_wanted.connect(self._ask_plate)
        self.plates.folder_wanted.connect(self._ask_folder)
        self.plates.colour_wanted.connect(self._ask_colour)
        self.plates.removed.connect(self._forget)
        self._thumbnails.ready.connect(self._show_thumbnail)
        self._thumbnails.failed.connect(self._drop_plate)
        self.preview.dragged.connect(self._move)
        self.preview.zoomed.connect(self._zoom)

    def _fill_strip(self) -> None:
        self.plates.add(NONE, tr("None"), sign="none")
        self.plates.add(BLUR, tr("Blurred"), sign="blur")
        self.plates.add(TRANSPARENT, tr("Transparent"), sign="transparent")
        for spec in DEFAULT_PLATES:
            self.plates.add(spec, tr(spec.replace("-", " ").capitalize()))
            self._thumbnails.make(spec, self.thumbnail_px())

    def thumbnail_px(self) -> tuple[int, int]:
        """Size of a tile's picture in device px."""
        return thumbnail_size_px(self.devicePixelRatioF())

    def _set(self, group: str, name: str, value: object, is_dragging: bool) -> None:
        self._model.set_value(group, name, value, is_dragging=is_dragging)

    def _follow(self, settings: Settings) -> None:
        self.inspector.show_settings(settings)
        if settings.plate != self.plates.current:
            self._show_plate(settings.plate)
            self._sort_out_plates()

    def _show_plate(self, spec: str) -> None:
        """Choose a plate in the strip that was set elsewhere, adding what is not there."""
        if spec in self.plates.specs():
            self.plates.choose(spec)
        elif spec.startswith("#"):
            self.plates.set_colour(spec)
        elif is_live_source(spec):
            self.add_source(spec, spec)
        elif Path(spec).is_file():
            self._keep(spec)
            self.plates.choose(spec)

    def _sort_out_plates(self) -> None:
        """Live plates make no sense in a render; one that is chosen gives way to a picture."""
        if self._mode is Mode.LIVE:
            self.plates.show_only(lambda _: True)
            return
        if _is_live_only(self._model.settings.plate):
            self._model.set_value("", "plate", next(iter(DEFAULT_PLATES)))
        self.plates.show_only(lambda spec: not _is_live_only(spec))

    def _move(self, across: float, down: float, is_dragging: bool) -> None:
        placement = self._model.settings.placement
        ways = {"offset_x": placement.offset_x + across, "offset_y": placement.offset_y + down}
        values = {name: min(max(way, -1.0), 1.0) for name, way in ways.items()}
        self._model.set_values("placement", values, is_dragging=is_dragging)

    def _zoom(self, factor: float) -> None:
        scale = min(max(self._model.settings.placement.scale * factor, 0.2), 3.0)
        self._model.set_value("placement", "scale", round(scale, 3), is_dragging=True)

    def _keep(self, spec: str) -> None:
        """Add a file to the strip without choosing it."""
        if spec not in self.plates.specs():
            self.plates.add(spec, Path(spec).stem, own=True)
            self._thumbnails.make(spec, self.thumbnail_px())
            self.own_plates.append(spec)
            self.own_plates_changed.emit()

    def _forget(self, spec: str) -> None:
        if spec in self.own_plates:
            self.own_plates.remove(spec)
            self.own_plates_changed.emit()

    def _show_thumbnail(self, spec: str, image: QImage) -> None:
        """Show a plate's picture; a plate not in the strip yet is one just added, and proved."""
        is_new = spec not in self.plates.specs()
        if is_new:
            self.plates.add(spec, Path(spec).stem, own=True)
            self.own_plates.append(spec)
            self.own_plates_changed.emit()
        self.plates.set_thumbnail(spec, image)
        if is_new:
            self.plates.choose(spec)

    def _drop_plate(self, spec: str, failure: Failure) -> None:
        if spec != BLUR:
            self.plates.remove(spec)
            self._forget(spec)
        self.failed.emit(failure)

    def _ask_plate(self) -> None:
        dialogs.ask_plate(self, lambda name: self.add_plate(Path(name)))

    def _ask_folder(self) -> None:
        dialogs.ask_folder(self, tr("Add a folder of backgrounds"), lambda name: self.add_folder(Path(name)))

    def _ask_colour(self) -> None:
        before, colour = self.plates.current, self.plates.colour

        def back() -> None:
            self.plates.restore_colour(colour)
            self.plates.choose(before)

        start = QColor(colour or _FIRST_COLOUR)
        dialogs.ask_colour(self, start, changed=self.plates.set_colour, dropped=back)


def _is_live_only(spec: str) -> bool:
    return spec in (NONE, TRANSPARENT) or is_live_source(spec)
