"""Dark and light, following the system."""

from __future__ import annotations

import logging

# qdarktheme takes whichever Qt is loaded already, and would take another one that happens to be installed.
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor, QGuiApplication, QPalette
from PyQt6.QtWidgets import QApplication

import qdarktheme  # isort: skip

log = logging.getLogger(__name__)

_ACCENT = {"dark": "#7fb2ff", "light": "#1b66d2"}
_SURFACE = {"dark": "#2a2b2f", "light": "#ffffff"}
_CANVAS = {"dark": "#17181a", "light": "#e6e8eb"}
_MUTED = {"dark": "#9da2ab", "light": "#5f6670"}
_LINE = {"dark": "#3a3b40", "light": "#d5d8dd"}
_ALERT = {"dark": "#ff8a80", "light": "#b3261e"}
_GOOD = {"dark": "#7bd88f", "light": "#1b7f3b"}

_CHOSEN = "chosenTheme"

_QSS = """
QWidget {{ font-size: 13px; }}
#header, #inspector, #plates, #transport, #controlBar, #toolStrip {{ background: {surface}; }}
#header {{ border-bottom: 1px solid {line}; }}
#inspector {{ border-left: 1px solid {line}; }}
#toolStrip {{ border-right: 1px solid {line}; }}
#plates {{ border-top: 1px solid {line}; }}
#transport, #controlBar {{ border-top: 1px solid {line}; }}
#startCard {{ background: {surface}; border: 1px solid {line}; border-radius: 12px; }}
QToolButton#control {{
    border: 1px solid transparent; border-radius: 5px; padding: 5px 9px; margin: 0; color: {text};
}}
QToolButton#control::menu-indicator {{ image: none; }}
QToolButton#control:hover {{ background: {line}; }}
QToolButton#control:checked {{ background: {accent}; color: {on_accent}; }}
QToolButton#control[live="true"] {{ background: {alert}; color: {on_accent}; }}
QToolButton#control:focus {{ border: 1px solid {text}; }}
#plates QListWidget {{ background: transparent; border: none; padding: 0; }}
#clipName, #sectionTitle {{ font-weight: 600; }}
#startTitle {{ font-size: 24px; font-weight: 600; }}
#startText {{ font-size: 14px; color: {muted}; }}
#muted {{ color: {muted}; }}
QStackedWidget, #messageBar, #renderBar {{ border: none; border-radius: 0; }}
#messageBar {{ background: {surface}; border-bottom: 1px solid {line}; }}
#messageBar[kind="error"] {{ border-left: 4px solid {alert}; }}
#messageBar[kind="done"] {{ border-left: 4px solid {good}; }}
#messageBar[kind="note"] {{ border-left: 4px solid {accent}; }}
#messageText {{ font-weight: 600; }}
#messageHint {{ color: {muted}; }}
#renderBar {{ background: {surface}; border-bottom: 1px solid {line}; }}
QSlider, #inspector QWidget {{ background: transparent; }}
QSlider {{ padding: 2px 4px; }}
QPushButton {{ padding: 6px 14px; min-height: 18px; }}
QPushButton#primary {{
    background: {accent}; color: {on_accent}; border: 1px solid {accent}; font-weight: 600;
}}
QPushButton#primary:hover {{ background: {accent_hover}; border-color: {accent_hover}; color: {on_accent}; }}
QPushButton#primary:disabled {{ background: {line}; border-color: {line}; color: {muted}; }}
QPushButton#view {{
    border: 1px solid {line}; border-radius: 0; padding: 6px 9px; margin: 0; color: {text};
    border-right-width: 0;
}}
QPushButton#view[edge="first"] {{ border-top-left-radius: 5px; border-bottom-left-radius: 5px; }}
QPushButton#view[edge="last"] {{
    border-top-right-radius: 5px; border-bottom-right-radius: 5px; border-right-width: 1px;
}}
QPushButton#view:hover {{ background: {line}; }}
QPushButton#view:checked {{ background: {accent}; color: {on_accent}; border-color: {accent}; }}
QPushButton:focus, QPushButton#view:focus {{ border: 1px solid {text}; }}
QPushButton#close {{ border: none; padding: 0; min-width: 26px; min-height: 26px; }}
"""


def follow_system(app: QApplication) -> None:
    """Dress the application again whenever the system changes between dark and light, while it is to follow.

    Not qdarktheme's "auto": on Linux that starts a thread it can only terminate (`_os_appearance/listener.py`
    of PyQtDarkTheme-fork 2.3.6). A system that doesn't say (`ColorScheme.Unknown`) gets dark.
    """
    hints = QGuiApplication.styleHints()
    if hints is not None:
        hints.colorSchemeChanged.connect(lambda scheme: _system_changed(app, theme_for(scheme)))


def _system_changed(app: QApplication, theme: str) -> None:
    if app.property(_CHOSEN) == "system":
        apply_theme(app, theme)


def use_theme(app: QApplication, chosen: str) -> None:
    """Dress the application as chosen: "dark", "light", or as the "system" is."""
    app.setProperty(_CHOSEN, chosen)
    hints = QGuiApplication.styleHints()
    system = "dark" if hints is None else theme_for(hints.colorScheme())
    apply_theme(app, system if chosen == "system" else chosen)


def theme_for(scheme: Qt.ColorScheme) -> str:
    """Name the theme for what the system says."""
    return "light" if scheme == Qt.ColorScheme.Light else "dark"


def apply_theme(app: QApplication, theme: str) -> None:
    """Dress the application in "dark" or "light"."""
    accent = QColor(_ACCENT[theme])
    hover = accent.lighter(112) if theme == "dark" else accent.lighter(115)
    qss = _QSS.format(
        accent=accent.name(),
        accent_hover=hover.name(),
        on_accent="#10131a" if theme == "dark" else "#ffffff",
        surface=_SURFACE[theme],
        line=_LINE[theme],
        muted=_MUTED[theme],
        text="#e4e7eb" if theme == "dark" else "#24272c",
        alert=_ALERT[theme],
        good=_GOOD[theme],
    )
    try:
        qdarktheme.setup_theme(theme, custom_colors={"primary": accent.name()}, additional_qss=qss)
    except OSError as error:  # it keeps its icons in ~/.cache, which may be read-only or full
        log.warning("the theme's icons can't be kept (%s): plainer controls are used", error)
        app.setStyleSheet(qss)
    # setup_theme leaves most of the palette alone; the widgets that paint themselves read it.
    palette = qdarktheme.load_palette(theme, {"primary": accent.name()})
    palette.setColor(QPalette.ColorRole.Highlight, accent)
    palette.setColor(QPalette.ColorRole.Base, QColor(_CANVAS[theme]))
    palette.setColor(QPalette.ColorRole.BrightText, QColor(_ALERT[theme]))
    palette.setColor(QPalette.ColorRole.Mid, QColor(_LINE[theme]))
    palette.setColor(QPalette.ColorRole.PlaceholderText, QColor(_MUTED[theme]))
    app.setPalette(palette)


def color(role: QPalette.ColorRole) -> QColor:
    """Return a colour of the theme for a widget that paints itself.

    The application's palette, not the widget's: a style sheet puts its own background and selection there.
    """
    return QGuiApplication.palette().color(role)
