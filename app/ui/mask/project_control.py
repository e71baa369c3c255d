"""Opening and saving projects, with the questions that go with it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from PyQt6.QtCore import QObject, Qt, pyqtSignal
from PyQt6.QtWidgets import QAbstractButton, QMessageBox, QWidget

from app.domain.mask.document import MaskDocument
from app.pipeline.mask.project_store import Opened, ProjectStore
from app.ui import dialogs
from app.ui.mask.project_worker import Lacking, ProjectWorker
from app.ui.text import tr

Act = Callable[[], None]


class ProjectControl(QObject):
    """Starts its thread with the first thing to do. ready, saved, mask_found, interrupted, failed: as `ProjectWorker`.

    given_up: no project comes after all.
    """

    ready = pyqtSignal(object)
    saved = pyqtSignal(str, object)
    mask_found = pyqtSignal(object, object)
    interrupted = pyqtSignal(list)
    failed = pyqtSignal(object)
    given_up = pyqtSignal()

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._worker: ProjectWorker | None = None

    @property
    def worker(self) -> ProjectWorker:
        """The thread, started if it was not."""
        if self._worker is None:
            self._worker = ProjectWorker()
            self._worker.ready.connect(self.ready)
            self._worker.saved.connect(self.saved)
            self._worker.mask_found.connect(self.mask_found)
            self._worker.interrupted.connect(self.interrupted)
            self._worker.failed.connect(self.failed)
            self._worker.asks.connect(self._ask_recovery)
            self._worker.lacking.connect(self._ask_file)
        return self._worker

    def save(self, store: ProjectStore, document: MaskDocument, folder: Path | None) -> None:
        """Save, under another name where a folder is given."""
        self.worker.save(store, document, folder)

    def ask_unsaved(self, name: str, *, save: Act, discard: Act) -> None:
        """Ask what is to become of what was not saved; nothing for Cancel."""
        Standard = QMessageBox.StandardButton  # noqa: N806  (a class)
        box = _question(
            self._window,
            tr("Save the corrections of “{name}”?").format(name=name),
            tr("What is not saved is lost for good."),
        )
        box.setStandardButtons(Standard.Save | Standard.Discard | Standard.Cancel)
        acts = {Standard.Save: save, Standard.Discard: discard}

        def answered(button: QAbstractButton) -> None:
            acts.get(box.standardButton(button), lambda: None)()

        box.buttonClicked.connect(answered)
        box.open()

    def close(self) -> None:
        """Do what is queued, then end the thread."""
        if self._worker is not None:
            self._worker.finish()
            self._worker = None

    def _ask_recovery(self, opened: Opened) -> None:
        recovered = opened.recovered
        if recovered is None:
            return
        at = time.strftime("%H:%M", time.localtime(recovered.edited_s))
        steps = tr("1 step") if recovered.steps == 1 else tr("{count} steps").format(count=recovered.steps)
        box = _question(
            self._window,
            tr("“{name}” was not closed properly.").format(name=opened.store.folder.name),
            tr("{steps} after the last save, until {time}, can be brought back.").format(steps=steps, time=at),
        )
        take = box.addButton(tr("Bring them back"), QMessageBox.ButtonRole.AcceptRole)
        box.addButton(tr("Open as it was saved"), QMessageBox.ButtonRole.DestructiveRole)
        later = box.addButton(tr("Not now"), QMessageBox.ButtonRole.RejectRole)

        def answered(button: QAbstractButton) -> None:
            if button is later:  # Esc, too: what can be brought back stays.
                self._give_up(opened.store)
            else:
                self.worker.answer(opened, accepted=button is take)

        box.buttonClicked.connect(answered)
        box.open()

    def _ask_file(self, lacking: Lacking) -> None:
        """Ask for a file that is missing; without an answer the project is closed as it was."""
        name = lacking.path.name
        said = tr("“{name}” is not where it was.") if not lacking.is_changed else tr("“{name}” is another file now.")
        what = tr("video") if lacking.what == "clip" else tr("mask")
        box = _question(
            self._window,
            said.format(name=name),
            tr("Where is the {what} of this project? Nothing of it is lost.").format(what=what),
        )
        find = box.addButton(tr("Find it…"), QMessageBox.ButtonRole.AcceptRole)
        box.addButton(tr("Not now"), QMessageBox.ButtonRole.RejectRole)

        def answered(button: QAbstractButton) -> None:
            if button is find:
                ask = dialogs.ask_clip if lacking.what == "clip" else dialogs.ask_mask
                dialog = ask(self._window, lambda path: self.worker.relink(lacking, Path(path)))
                dialog.rejected.connect(lambda: self._give_up(lacking.opened.store))
            else:
                self._give_up(lacking.opened.store)

        box.buttonClicked.connect(answered)
        box.open()

    def _give_up(self, store: ProjectStore) -> None:
        self.worker.leave(store, keep=True)
        self.given_up.emit()


def _question(window: QWidget, text: str, hint: str) -> QMessageBox:
    box = QMessageBox(window)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.setWindowTitle("PlateMatch")
    box.setIcon(QMessageBox.Icon.Question)
    box.setText(text)
    box.setInformativeText(hint)
    return box
