"""The thread that makes the plates' thumbnails, so that they are there while the networks still load."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from PyQt6.QtCore import QSize, Qt, pyqtSignal
from PyQt6.QtGui import QImage, QImageReader

from app.domain.compositing import Size, fit_plate
from app.domain.frame import Frame
from app.pipeline.plates import DEFAULT_PLATES, open_plate
from app.ui.images import to_image
from app.ui.worker import Worker, guarded


class ThumbnailWorker(Worker):
    """Opens plates. ready(spec, QImage): it can be used and looks like this. failed(spec, Failure)."""

    ready = pyqtSignal(str, object)
    failed = pyqtSignal(str, object)

    def __init__(self) -> None:
        super().__init__("thumbnails")

    def make(self, spec: str, size_px: Size, frame: Frame | None = None) -> None:
        """Make a plate's picture of `size_px`; `frame` is what a plate made of the clip shows."""
        self._mailbox.errand(
            guarded(
                lambda: self._make(spec, size_px, frame),
                lambda failure: self.failed.emit(spec, failure),
            )
        )

    def _make(self, spec: str, size_px: Size, frame: Frame | None) -> None:
        if spec in DEFAULT_PLATES:
            self.ready.emit(spec, _built_in(spec, size_px))
            return
        with open_plate(spec) as plate:
            shown = _black(size_px) if frame is None else frame
            pixels = fit_plate(plate.pixels(shown, shown.size), size_px)
            self.ready.emit(spec, to_image(pixels, size_px))


def _built_in(spec: str, size_px: Size) -> QImage:
    """A plate that comes with the program, out of the resources; decoded at the size that is needed."""
    reader = QImageReader(f":/plates/{DEFAULT_PLATES[spec]}")
    size = reader.size()
    reader.setScaledSize(size.scaled(QSize(*size_px), Qt.AspectRatioMode.KeepAspectRatioByExpanding))
    image = reader.read()
    left, top = (image.width() - size_px[0]) // 2, (image.height() - size_px[1]) // 2
    return image.copy(left, top, *size_px)


def _black(size: Size) -> Frame:
    return Frame(np.zeros((size[1], size[0], 3), np.uint8), 0, Fraction(1), 0)
