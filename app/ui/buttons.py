"""The flat buttons with an icon that the window is full of."""

from __future__ import annotations

from PyQt6.QtCore import QSize, Qt
from PyQt6.QtGui import QKeySequence, QShortcut
from PyQt6.QtWidgets import QToolButton

from app.ui.resources import BESIDE_WORDS_PX, icon


def icon_button(name: str, words: str, hint: str, *, keys: str = "", size_px: QSize = BESIDE_WORDS_PX) -> QToolButton:
    """A button with an icon beside its words, or alone where there are none; `keys` press it from anywhere."""
    button = QToolButton()
    button.setObjectName("control")
    button.setIcon(icon(name))
    if words:
        button.setText(words)
        button.setIconSize(size_px)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    button.setToolTip(f"{hint} ({keys})" if keys else hint)
    button.setAccessibleName(words or hint)
    button.setAccessibleDescription(hint)
    if keys:
        QShortcut(QKeySequence(keys), button).activated.connect(button.click)
    return button


def menu_button(name: str, words: str, hint: str) -> QToolButton:
    """The same, opening the menu it is given."""
    button = icon_button(name, words, hint)
    button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    return button
