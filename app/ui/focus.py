"""Whether the keyboard brought the focus: to a mouse a frame around it says nothing."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QFocusEvent


def came_by_keyboard(event: QFocusEvent | None) -> bool:
    """Whether Tab was what gave the focus."""
    reasons = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
    return event is not None and event.reason() in reasons
