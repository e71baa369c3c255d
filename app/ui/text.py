"""Words on their way to the screen, so that they can be translated."""

from __future__ import annotations

from PyQt6.QtCore import QCoreApplication


def tr(words: str) -> str:
    """The words in the language of the person; English where there is no translation."""
    return QCoreApplication.translate("PlateMatch", words)
