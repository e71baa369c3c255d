"""Files dropped on the window: which are clips, which are backgrounds; and the sign that they may drop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from PyQt6.QtCore import QMimeData, QPoint, QRectF, Qt, pyqtSignal
from PyQt6.QtGui import (
    QColor,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
)
from PyQt6.QtWidgets import QMainWindow, QWidget

from app.ui.choices import PICTURE_SUFFIXES
from app.ui.text import tr
from app.ui.theme import color


@dataclass(frozen=True, slots=True)
class Dropped:
    """Files by what they are used for. position: where they were let go, in the window."""

    clips: tuple[Path, ...]
    pictures: tuple[Path, ...]
    position: QPoint = field(default_factory=QPoint)


def dropped_files(data: QMimeData | None, position: QPoint | None = None) -> Dropped:
    """Sort local files by their endings; whatever is no picture is tried as a video, so that it is named."""
    urls = data.urls() if data is not None else []
    paths = [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]
    pictures = tuple(path for path in paths if path.suffix.lower() in PICTURE_SUFFIXES)
    return Dropped(tuple(path for path in paths if path not in pictures), pictures, position or QPoint())


class DropWindow(QMainWindow):
    """A window that takes files. dropped(Dropped): they were let go over it.

    drop_text: says what letting files go would do there; empty for what it does in general.
    """

    dropped = pyqtSignal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setAcceptDrops(True)
        self.drop_text: Callable[[Dropped], str] = lambda _: ""
        self._sign = DropSign(self)

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:  # noqa: N802
        """Take files and say what letting go would do."""
        self._say_drop(event)

    def dragMoveEvent(self, event: QDragMoveEvent | None) -> None:  # noqa: N802
        """Say so of the place where they are now."""
        self._say_drop(event)

    def dragLeaveEvent(self, event: QDragLeaveEvent | None) -> None:  # noqa: N802
        """Take the sign away."""
        self._sign.hide()

    def dropEvent(self, event: QDropEvent | None) -> None:  # noqa: N802
        """Hand the files on."""
        self._sign.hide()
        if event is not None:
            event.acceptProposedAction()
            self.dropped.emit(dropped_files(event.mimeData(), event.position().toPoint()))

    def _say_drop(self, event: QDragMoveEvent | None) -> None:
        files = dropped_files(event.mimeData(), event.position().toPoint()) if event else dropped_files(None)
        if event is not None and (files.clips or files.pictures):
            event.acceptProposedAction()
            self._sign.show_for(files, self.drop_text(files))


class DropSign(QWidget):
    """Covers the window while files hang over it, and says what letting go would do."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._text = ""
        self.hide()

    def show_for(self, files: Dropped, text: str = "") -> None:
        """Say what these files would become."""
        before = tr("Drop to open the video") if files.clips else tr("Drop to use as the background")
        self._text = text or before
        self.update()
        parent = self.parentWidget()
        if parent is not None:
            self.setGeometry(parent.rect())
        self.raise_()
        self.show()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Dim the window and frame it."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), QColor(10, 12, 16, 170))
        painter.setPen(QPen(color(QPalette.ColorRole.Highlight), 3))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(14, 14, -14, -14), 12, 12)
        font = painter.font()
        font.setPixelSize(22)
        painter.setFont(font)
        words = QRectF(painter.fontMetrics().boundingRect(self._text)).adjusted(-22, -12, 22, 12)
        words.moveCenter(QRectF(self.rect()).center())
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(10, 12, 16, 230))
        painter.drawRoundedRect(words, 10, 10)
        painter.setPen(QColor("#ffffff"))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self._text)
