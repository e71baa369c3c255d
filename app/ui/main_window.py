"""The window: start page, then workspace, with the header and the messages above."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PyQt6.QtCore import QSize
from PyQt6.QtGui import QCloseEvent
from PyQt6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from app.ui import dialogs
from app.ui.choices import Choices, ClipInfo, Failure, Sample, Source
from app.ui.drops import Dropped, DropWindow
from app.ui.header import Header
from app.ui.message_bar import MessageBar
from app.ui.render_control import RenderControl
from app.ui.session import Session
from app.ui.start_page import StartPage
from app.ui.workspace import Workspace

SIZE_PX: Final = (1280, 800)
MIN_SIZE_PX: Final = (900, 560)


class MainWindow(DropWindow):
    """One clip at a time, from dropping it to the finished file."""

    def __init__(self) -> None:
        super().__init__()
        self.setWindowTitle("PlateMatch")
        self.setMinimumSize(*MIN_SIZE_PX)
        self.session = Session(Choices(plate=""))
        self.messages = MessageBar()
        self.header, self.start_page = Header(), StartPage()
        self.workspace = Workspace(self.session)
        self.render_control = RenderControl(self, self.session, self.messages)
        self._pages = QStackedWidget()
        self._lay_out()
        self._connect()

    def open_clip(self, source: Source) -> None:
        """Open a clip; what goes wrong is said in the window."""
        self.messages.hide()
        self.start_page.set_opening(True)
        self.session.open_clip(source)

    def show_failure(self, failure: Failure) -> None:
        """Say what did not work."""
        self.messages.show_failure(failure)

    def sizeHint(self) -> QSize:  # noqa: N802
        """As large as is useful, and never larger than the screen."""
        screen = self.screen()
        size = QSize(*SIZE_PX)
        return size if screen is None else size.boundedTo(screen.availableSize())

    def closeEvent(self, event: QCloseEvent | None) -> None:  # noqa: N802
        """Go at once; a render under way is cancelled and its unfinished file removed."""
        self.hide()
        self.render_control.close()
        self.session.close()
        super().closeEvent(event)

    def _lay_out(self) -> None:
        self._pages.addWidget(self.start_page)
        self._pages.addWidget(self.workspace)
        central = QWidget()
        column = QVBoxLayout(central)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for part in (self.header, self.messages, self.render_control.bar):
            column.addWidget(part)
        column.addWidget(self._pages, 1)
        self.setCentralWidget(central)
        self.header.hide()

    def _connect(self) -> None:
        self.dropped.connect(self._take)
        self.header.open_wanted.connect(self._ask_clip)
        self.header.view_chosen.connect(self.workspace.preview.set_view)
        self.header.render_wanted.connect(self.render_control.ask)
        self.render_control.busy.connect(self.header.render_button.setDisabled)
        self.start_page.open_wanted.connect(self._ask_clip)
        self.start_page.sample_wanted.connect(self._open_sample)
        self.workspace.failed.connect(self.show_failure)
        self.session.clip_opened.connect(self._show_clip)
        self.session.preview.clip_failed.connect(self._say_clip_failed)

    def _ask_clip(self) -> None:
        dialogs.ask_clip(self, lambda name: self.open_clip(Path(name)))

    def _open_sample(self) -> None:
        self.open_clip(Sample.SAMPLE)

    def _take(self, files: Dropped) -> None:
        for picture in files.pictures:
            self.workspace.add_picture(picture)
        if files.clips:
            self.open_clip(files.clips[0])
        elif self.session.clip is None:
            self.messages.show_note("The background is there; now open a video to put before it.")

    def _show_clip(self, clip: ClipInfo) -> None:
        self.start_page.set_opening(False)
        self.setWindowTitle(f"{clip.name} - PlateMatch")
        self.header.show_clip(clip)
        self.header.show()
        self._pages.setCurrentWidget(self.workspace)
        self.workspace.preview.setFocus()

    def _say_clip_failed(self, failure: Failure) -> None:
        self.start_page.set_opening(False)
        self.show_failure(failure)
