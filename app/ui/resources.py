"""The one place that knows `:/`: the compiled resources, and icons that follow the theme.

The icons are drawn for this program, without colour of their own (`currentColor`): they are painted in the palette's
colours of the moment, so that nothing has to be set again when the theme changes.
"""

from __future__ import annotations

from functools import cache, lru_cache
from importlib import resources
from typing import Final

from PyQt6.QtCore import QByteArray, QFile, QIODevice, QRect, QRectF, QResource, QSize, Qt
from PyQt6.QtGui import QColor, QGuiApplication, QIcon, QIconEngine, QImage, QPainter, QPalette, QPixmap
from PyQt6.QtSvg import QSvgRenderer

from app.domain.errors import ExitCode, UserError

ICONS: Final = ":/icons"
PLATES: Final = ":/plates"
_FILE: Final = "resources.rcc"
_CACHED_ICONS: Final = 512

BESIDE_WORDS_PX: Final = QSize(24, 16)
"""Size of an icon in front of words: wider than it is high, so that it keeps a distance no style sheet can give."""

Role = QPalette.ColorRole


def load_resources() -> None:
    """Make `:/icons` and `:/plates` known to Qt; before the first icon, and once: more calls do nothing.

    UserError (FAILED) when the file is missing or damaged.
    """
    # Wheels are unpacked when they are installed, so the package's files have paths.
    _load(str(resources.files("assets").joinpath(_FILE)))


@cache
def _load(file: str) -> None:
    if not QResource.registerResource(file):
        raise UserError(
            f"The program's icons can't be loaded: “{file}” is missing or damaged.",
            "Install PlateMatch again; in a copy of its source: python -m assets.compile_resources",
            code=ExitCode.FAILED,
        )


def icon(name: str, *, ink: Role = Role.WindowText, checked: Role = Role.HighlightedText) -> QIcon:
    """An icon by its file's name, without the ending; sharp at every size and density.

    ink: the palette's colour it is painted in, disabled while its button is. checked: the colour while its button is
    pressed in or its row selected. KeyError for a name that is not there, UserError as `load_resources`.
    """
    load_resources()
    _svg(name)
    return QIcon(_InkEngine(name, ink, checked))


class _InkEngine(QIconEngine):
    """Paints one icon in the colours the application's palette has at that moment."""

    def __init__(self, name: str, ink: Role, checked: Role) -> None:
        super().__init__()
        self._name, self._ink, self._checked = name, ink, checked

    def paint(self, painter: QPainter | None, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        """Paint into the rectangle, at the device's own density."""
        if painter is None:
            return
        device = painter.device()
        scale = device.devicePixelRatio() if device is not None else 1.0
        painter.drawImage(QRectF(rect), self._image(rect.size() * scale, mode, state))

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        """Return a picture of so many device pixels."""
        return QPixmap.fromImage(self._image(size, mode, state))

    def clone(self) -> QIconEngine:
        """Return another one like this."""
        return _InkEngine(self._name, self._ink, self._checked)

    def _image(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QImage:
        ink = _ink(mode, state, ink=self._ink, checked=self._checked)
        return _rendered(self._name, ink.rgba(), size.width(), size.height())


def _ink(mode: QIcon.Mode, state: QIcon.State, *, ink: Role, checked: Role) -> QColor:
    palette = QGuiApplication.palette()
    if mode == QIcon.Mode.Disabled:
        return palette.color(QPalette.ColorGroup.Disabled, Role.WindowText)
    is_on = mode == QIcon.Mode.Selected or state == QIcon.State.On
    return palette.color(QPalette.ColorGroup.Active, checked if is_on else ink)


@lru_cache(maxsize=_CACHED_ICONS)
def _rendered(name: str, rgba: int, width_px: int, height_px: int) -> QImage:
    """Draw an icon, centred. Kept as QImage: a QPixmap must not outlive the application, and this cache does."""
    colour = QColor.fromRgba(rgba)
    image = QImage(max(1, width_px), max(1, height_px), QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(Qt.GlobalColor.transparent)
    renderer = QSvgRenderer(QByteArray(_svg(name).replace(b"currentColor", colour.name().encode())))
    side = min(width_px, height_px)
    painter = QPainter(image)
    painter.setOpacity(colour.alphaF())
    renderer.render(painter, QRectF((width_px - side) / 2, (height_px - side) / 2, side, side))
    painter.end()
    return image


@cache
def _svg(name: str) -> bytes:
    file = QFile(f"{ICONS}/{name}.svg")
    if not file.open(QIODevice.OpenModeFlag.ReadOnly):
        raise KeyError(f"no icon is named {name!r}")
    return bytes(file.readAll().data())
