import logging
import os
import sys

from PyQt6.QtCore import Qt, QTimer
from PyQt6.QtGui import QGuiApplication, QPalette

from app.domain.errors import UserError
from app.ui.faults import faults_shown
from app.ui.theme import apply_theme, follow_system, use_theme
from tests.ui.helpers import wait_until


def fail(error):
    raise error


def test_an_exception_in_a_slot_is_shown_and_logged_and_the_window_lives(window, caplog):
    with faults_shown(window.show_failure, lambda: None), caplog.at_level(logging.ERROR):
        QTimer.singleShot(0, lambda: fail(ZeroDivisionError("by nothing")))
        wait_until(lambda: "ZeroDivisionError" in window.messages.message)
    assert window.isVisible()
    assert any(record.exc_info for record in caplog.records)


def test_a_user_error_in_a_slot_is_its_own_sentence(window, caplog):
    with faults_shown(window.show_failure, lambda: None):
        QTimer.singleShot(0, lambda: fail(UserError("The lens is dirty.", "Wipe it.")))
        wait_until(lambda: window.messages.message == "The lens is dirty.")
    assert window.messages.hint == "Wipe it."
    assert caplog.records == []


def test_ctrl_c_is_no_error(window):
    interrupted = []
    with faults_shown(window.show_failure, lambda: interrupted.append(True)):
        QTimer.singleShot(0, lambda: fail(KeyboardInterrupt()))
        wait_until(lambda: interrupted == [True])
    assert window.messages.message == ""


def test_the_hooks_are_put_back():
    before = sys.excepthook
    with faults_shown(print, print):
        assert sys.excepthook is not before
    assert sys.excepthook is before


def test_a_home_that_cannot_be_written_costs_icons_only(qapp, monkeypatch, caplog):
    monkeypatch.setenv("HOME", os.devnull)
    monkeypatch.setenv("USERPROFILE", os.devnull)
    try:
        apply_theme(qapp, "light")
        assert "icons" in caplog.text
        assert QGuiApplication.palette().color(QPalette.ColorRole.Window).lightness() > 200
    finally:
        monkeypatch.undo()
        apply_theme(qapp, "dark")


def test_the_theme_follows_the_system_and_is_dark_where_it_does_not_say(qapp):
    def lightness():
        return QGuiApplication.palette().color(QPalette.ColorRole.Window).lightness()

    hints = QGuiApplication.styleHints()
    follow_system(qapp)
    use_theme(qapp, "system")
    try:
        for scheme, is_dark in (
            (Qt.ColorScheme.Light, False),
            (Qt.ColorScheme.Dark, True),
            (Qt.ColorScheme.Light, False),
            (Qt.ColorScheme.Unknown, True),
        ):
            hints.colorSchemeChanged.emit(scheme)
            assert (lightness() < 128) is is_dark
        use_theme(qapp, "dark")
        hints.colorSchemeChanged.emit(Qt.ColorScheme.Light)
        assert lightness() < 128
    finally:
        hints.colorSchemeChanged.disconnect()
        apply_theme(qapp, "dark")
