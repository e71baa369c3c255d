"""The queue's panel at work: what its buttons do, and the questions before clips are added."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtWidgets import QWidget

from app.domain.settings import Settings
from app.pipeline.offline.queue_items import QueueItem
from app.ui import dialogs
from app.ui.choices import Source
from app.ui.message_bar import MessageBar
from app.ui.opening import open_file
from app.ui.queue.add_dialog import AddDialog
from app.ui.queue.clip_worker import How
from app.ui.queue.panel import QueuePanel
from app.ui.queue.queue_control import QueueControl
from app.ui.queue.queue_model import QueueModel
from app.ui.queue.queue_wish import AddWish
from app.ui.queue.words import summary_text
from app.ui.text import tr


class QueueSide(QObject):
    """Between the panel and the queue. settings, clip: as they are now. closed: the panel is to go."""

    closed = pyqtSignal()

    def __init__(
        self,
        window: QWidget,
        control: QueueControl,
        messages: MessageBar,
        *,
        settings: Callable[[], Settings],
        clip: Callable[[], Source | None],
    ) -> None:
        super().__init__(window)
        self._window, self._control, self._messages = window, control, messages
        self._settings, self._clip = settings, clip
        self._preset = ""
        self.dialog: AddDialog | None = None
        self._waiting: list[list[Path]] = []
        self.model = QueueModel(delivery_text)
        self.panel = QueuePanel(self.model)
        self._actions: dict[str, Callable[[list[str]], None]] = {
            "start": lambda ids: self._each(control.queue.start, ids),
            "pause": lambda ids: self._each(control.queue.pause, ids),
            "resume": lambda ids: self._each(control.queue.resume, ids),
            "cancel": lambda ids: self._each(control.queue.cancel, ids),
            "retry": self._retry,
            "play": lambda ids: open_file(self._item(ids[0]).output, self._messages),
            "folder": lambda ids: open_file(self._item(ids[0]).output.parent, self._messages),
            "rename": lambda ids: self._ask_output(self._item(ids[0])),
            "remove": self._ask_remove,
        }
        self._connect()
        self._show()

    def ask(self, clips: Sequence[Path]) -> None:
        """Ask how these are to be delivered; one question after the other."""
        if self.dialog is not None:
            self._waiting.append(list(clips))
            return
        from app.pipeline.offline.presets import PRESETS

        dialog = self.dialog = AddDialog(
            self._window, clips, self._settings(), presets=PRESETS, taken=self._control.taken, preset=self._preset
        )
        dialog.chosen.connect(self._add)
        dialog.finished.connect(self._next_question)
        dialog.open()

    def close(self) -> None:
        """Take the question back."""
        self._waiting.clear()
        if self.dialog is not None:
            self.dialog.reject()

    def _connect(self) -> None:
        panel, control = self.panel, self._control
        control.changed.connect(self._show)
        control.clips_found.connect(self.ask)
        control.added.connect(lambda items: panel.choose([item.id for item in items]))
        panel.wanted.connect(lambda name, ids: self._actions[name](ids))
        panel.moved.connect(control.move)
        panel.run_wanted.connect(lambda runs: control.queue.release() if runs else control.queue.hold())
        panel.clear_wanted.connect(control.queue.clear_finished)
        panel.close_wanted.connect(self.closed)
        panel.clips_wanted.connect(self._ask_clips)
        panel.folder_wanted.connect(self._ask_folder)
        panel.current_wanted.connect(self._add_current)

    def _show(self) -> None:
        control, items = self._control, self._control.items
        current = control.queue.current
        self.model.show_items(items, control.forecasts, control.pictures)
        self.panel.show_state(
            summary_text(items, control.forecasts),
            is_running=current is not None and current.state == "running",
            is_midway=current is not None,
            can_run=current is not None or any(item.state == "waiting" for item in items),
        )

    def _add(self, wish: AddWish, starts: bool) -> None:
        self._preset = wish.preset
        self._control.add(wish, How.START if starts else How.WAIT)

    def _next_question(self) -> None:
        self.dialog = None
        if self._waiting:
            self.ask(self._waiting.pop(0))

    def _ask_clips(self) -> None:
        dialogs.ask_clips(self._window, lambda names: self._control.find([Path(name) for name in names]))

    def _ask_folder(self) -> None:
        title = tr("Add a folder of videos or of numbered pictures")
        dialogs.ask_folder(self._window, title, lambda name: self._control.find([Path(name)]))

    def _add_current(self) -> None:
        clip = self._clip()
        if clip is None:
            self._messages.show_note(tr("No clip is open."), tr("Open one, or add videos from the disk."))
        else:
            self._control.find([clip])

    def _retry(self, ids: list[str]) -> None:
        """Try again, at once where nothing else is being made."""
        is_busy = self._control.queue.is_busy
        for item_id in ids:
            self._control.queue.retry(item_id)
            if not is_busy:
                self._control.queue.start(item_id)

    def _ask_output(self, item: QueueItem) -> None:
        def change(name: str) -> None:
            # The file dialog has asked before it gave the name of a file that exists.
            self._control.queue.change_output(item.id, Path(name), overwrite=bool(suffix))

        suffix = item.output.suffix
        if suffix:
            filters = f"{suffix[1:].upper()} (*{suffix})"
            dialogs.ask_output(self._window, item.output, change, filters=filters)
        else:
            dialogs.ask_folder(self._window, tr("Folder for what is rendered"), change)

    def _ask_remove(self, ids: list[str]) -> None:
        """Remove, and ask first where work would be lost."""
        begun = [item for item in map(self._item, ids) if item.state != "done" and item.has_begun]
        if not begun:
            self._each(self._control.queue.remove, ids)
            return
        words = tr("“{name}” is not finished. Remove it, and what is rendered of it?").format(name=begun[0].clip.name)
        dialogs.ask_yes(
            self._window, words, yes=tr("Remove"), agreed=lambda: self._each(self._control.queue.remove, ids)
        )

    def _each(self, work: Callable[[str], None], ids: list[str]) -> None:
        for item_id in ids:
            work(item_id)

    def _item(self, item_id: str) -> QueueItem:
        return next(item for item in self._control.items if item.id == item_id)


def delivery_text(item: QueueItem) -> str:
    """How an item is delivered: its preset's title; without one, what the name says."""
    from app.pipeline.offline.presets import PRESETS

    titles = {preset.slug: preset.title for preset in PRESETS}
    kind = item.output.suffix[1:].upper() or tr("Pictures")
    return tr(titles.get(item.preset, item.preset)) if item.preset else kind
