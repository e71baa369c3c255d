from pathlib import Path

from PyQt6.QtGui import QDesktopServices

from app.ui.message_bar import MessageBar
from app.ui.opening import open_file


def test_a_file_nothing_opens_is_named_with_its_folder(qtbot, monkeypatch):
    messages = MessageBar()
    qtbot.addWidget(messages)
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: False)
    open_file(Path("/films/out.mp4"), messages)
    assert "out.mp4" in messages.message
    assert messages.hint == "It is in /films."


def test_a_file_that_opens_says_nothing(qtbot, monkeypatch):
    opened, messages = [], MessageBar()
    qtbot.addWidget(messages)
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()) or True)
    open_file(Path("/films/out.mp4"), messages)
    assert opened == ["/films/out.mp4"]
    assert messages.message == ""
