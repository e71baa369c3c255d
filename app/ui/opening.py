"""Handing a file to the program that shows such files."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import QUrl
from PyQt6.QtGui import QDesktopServices

from app.ui.choices import Failure
from app.ui.message_bar import MessageBar
from app.ui.text import tr


def open_file(path: Path, messages: MessageBar) -> None:
    """Open it, or say that no program was found for it."""
    if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(path))):
        said = tr("No program was found that opens “{name}”.").format(name=path.name)
        messages.show_failure(Failure(said, place_of(path)))


def place_of(path: Path) -> str:
    """Say which folder it is in."""
    return tr("It is in {folder}.").format(folder=path.parent)
