"""Render mode's way to finished files: the quick "Render…", the queue's panel, and what is said at the end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt6.QtCore import QObject
from PyQt6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.pipeline.offline.queue_items import QueueItem, new_id, snapshot_of
from app.ui import dialogs
from app.ui.choices import Failure, RenderReport, Source
from app.ui.drops import Dropped, DropWindow
from app.ui.message_bar import MessageBar
from app.ui.opening import open_file, place_of
from app.ui.queue.line import QueueLine
from app.ui.queue.words import end_text, share_of, state_text, summary_text
from app.ui.render_bar import RenderBar
from app.ui.session import Session
from app.ui.text import tr
from app.ui.tray import Tray

if TYPE_CHECKING:
    from app.ui.queue.queue_control import QueueControl
    from app.ui.queue.queue_side import QueueSide


class RenderControl(QObject):
    """What the window has to do with renders; the queue behind it is made when Render mode is first entered.

    bar: for the other modes, while something is rendered. line: along the bottom of Render mode.
    """

    def __init__(self, window: DropWindow, session: Session, messages: MessageBar, tray: Tray) -> None:
        super().__init__(window)
        self.bar, self.line = RenderBar(), QueueLine()
        self._window, self._session, self._messages, self._tray = window, session, messages, tray
        self._place = QHBoxLayout()
        self._made: tuple[QueueControl, QueueSide] | None = None
        self._is_active = False
        self._quick: set[str] = set()
        window.drop_text = self.drop_text
        self.line.hide()
        self.line.toggled.connect(lambda shown: self.show_panel(shown=shown))
        self.bar.cancel_wanted.connect(self._cancel)

    @property
    def queue(self) -> QueueControl:
        """The queue, made now if it was not."""
        return self._parts()[0]

    @property
    def side(self) -> QueueSide:
        """Its panel's side of it."""
        return self._parts()[1]

    @property
    def is_busy(self) -> bool:
        """Whether a render is under way."""
        return self._made is not None and self._made[0].queue.is_busy

    def around(self, pages: QWidget) -> QVBoxLayout:
        """The window's pages, with room for the panel at their right and the line below."""
        self._place.setSpacing(0)
        self._place.addWidget(pages, 1)
        column = QVBoxLayout()
        column.setSpacing(0)
        column.addLayout(self._place, 1)
        column.addWidget(self.line)
        return column

    def enter(self) -> None:
        """Render mode is chosen, or another clip in it."""
        if self._is_active:
            return
        is_first, self._is_active = self._made is None, True
        self.line.show()
        self._show()
        self.show_panel(shown=self.line.button.isChecked())
        if is_first:
            self._greet()

    def leave(self) -> None:
        """Another mode is chosen; what is rendered goes on."""
        self._is_active = False
        self.line.hide()
        if self._made is not None:
            self._show()
            self.show_panel(shown=self.line.button.isChecked())

    def show_panel(self, *, shown: bool) -> None:
        """Show the queue beside the picture, while Render mode is chosen."""
        self.line.button.setChecked(shown)
        control, side = self._parts()
        side.panel.setVisible(shown and self._is_active)
        control.wants_forecasts = shown and self._is_active
        control.ask_forecast()

    def ask(self) -> None:
        """Ask for a file name and start."""
        if self._session.clip is not None:
            dialogs.ask_output(self._window, dialogs.suggested_output(self._session.clip), self.start)

    def start(self, output: str) -> None:
        """Render the open clip as it is set now, before all that waits; nothing happens without one."""
        if self._session.clip is None:
            return
        from app.ui.queue.clip_worker import How, clip_of

        source, settings, item_id = self._session.clip.source, snapshot_of(self._session.settings), new_id()
        self._quick.add(item_id)
        self._messages.hide()

        def make() -> list[QueueItem]:
            # The file dialog has asked before it gave the name of a file that exists.
            return [QueueItem(clip_of(source), Path(output).absolute(), settings, overwrite=True, id=item_id)]

        self.queue.add_made(make, How.FIRST)

    def add(self, sources: Sequence[Source]) -> None:
        """Add clips to the queue, after the question how; folders stand for what is in them."""
        self._messages.hide()
        self.show_panel(shown=True)
        self.queue.find(sources)

    def take(self, files: Dropped) -> bool:
        """Put dropped files into the queue where they belong there; whether they do."""
        is_taken = self.takes(files)
        if is_taken:
            self.add(files.clips)
        return is_taken

    def takes(self, files: Dropped) -> bool:
        """Whether files dropped on Render mode go into the queue: several clips, folders, or onto its panel."""
        if not (self._is_active and files.clips):
            return False
        panel = self.side.panel
        is_over = panel.isVisible() and panel.rect().contains(panel.mapFrom(self._window, files.position))
        return is_over or len(files.clips) > 1 or files.clips[0].is_dir()

    def drop_text(self, files: Dropped) -> str:
        """What letting these files go would do; empty where they do not go into the queue."""
        if not self.takes(files):
            return ""
        count = len(files.clips)
        return tr("Drop to add it to the queue") if count == 1 else tr("Drop to add all to the queue")

    def close(self) -> None:
        """Stop what is under way; it is gone on with another time."""
        if self._made is not None:
            control, side = self._made
            self._made = None
            side.close()
            control.close()

    def _parts(self) -> tuple[QueueControl, QueueSide]:
        if self._made is None:
            from app.ui.queue.queue_control import QueueControl
            from app.ui.queue.queue_side import QueueSide
            from app.ui.queue.services import PipelineServices

            ratio = self._window.devicePixelRatioF()
            control = QueueControl(PipelineServices(), pixel_ratio=ratio)
            side = QueueSide(
                self._window, control, self._messages, settings=lambda: self._session.settings, clip=self._source
            )
            self._made = control, side
            side.panel.hide()
            self._place.addWidget(side.panel)
            side.closed.connect(lambda: self.show_panel(shown=False))
            control.changed.connect(self._show)
            control.failed.connect(self._messages.show_failure)
            control.ended.connect(self._say_end)
            control.rested.connect(self._say_rest)
            control.added.connect(self._say_forgotten)
        return self._made

    def _source(self) -> Source | None:
        return None if self._session.clip is None else self._session.clip.source

    def _show(self) -> None:
        control = self.queue
        current = control.queue.current
        words = summary_text(control.items, control.forecasts)
        if current is not None:
            words = f"“{current.clip.name}”  ·  {state_text(current)}"
        self.line.show_state(words, share=None if current is None else share_of(current) or 0.0)
        if current is None or self._is_active:
            self.bar.hide()
        else:
            self.bar.show_state(current.id, current.clip.name, state_text(current), share_of(current))

    def _cancel(self) -> None:
        current = self.queue.queue.current
        if current is not None:
            self.queue.queue.cancel(current.id)

    def _greet(self) -> None:
        """Say what was left unfinished, and what could not be read."""
        control = self.queue
        if control.keeper.notes:
            self._messages.show_note(tr("Some of the queue could not be read."), " ".join(control.keeper.notes))
        if control.interrupted:
            self.show_panel(shown=True)
            name = control.interrupted[0].clip.name
            self._messages.show_done(
                tr("“{name}” was not finished when the program ended.").format(name=name),
                tr("It goes on where it stopped."),
                action=tr("Go on"),
                do=self._go_on,
            )

    def _go_on(self) -> None:
        self._messages.hide()
        self.queue.queue.release()

    def _say_forgotten(self) -> None:
        if not self.queue.keeper.is_ours and not self._messages.message:
            words = tr("Another window of the program keeps the queue.")
            self._messages.show_note(words, tr("What is added here is forgotten when this window closes."))

    def _say_end(self, item: QueueItem) -> None:
        """Say what became of the quick render; the queue's others are summed up."""
        if item.id in self._quick:
            self._quick.discard(item.id)
            self._say(item)

    def _say_rest(self, ended: list[QueueItem]) -> None:
        """Say what the queue has done, here and, where nobody looks, in the tray."""
        told = [item for item in ended if item.state in ("done", "failed")]
        if len(told) > 1:
            sentence, hint = end_text(told)
            if any(item.state == "failed" for item in told):
                self._messages.show_failure(Failure(sentence, hint))
            else:
                self._messages.show_note(sentence, place_of(told[-1].output))
        elif told and not self._messages.message:
            self._say(told[0])
        if told and self._tray.is_there and not self._window.isActiveWindow():
            self._tray.say(self._messages.message, self._messages.hint)

    def _say(self, item: QueueItem) -> None:
        if item.state == "failed":
            self._messages.show_failure(Failure(item.message, item.hint))
        elif item.state == "cancelled":
            self._messages.show_note(tr("The render was cancelled."), tr("What was unfinished is removed."))
        else:
            report = RenderReport(item.output, item.frames, item.seconds)
            hint = " ".join([place_of(item.output), *item.notices])
            action = tr("Show") if not item.output.suffix else tr("Play")
            self._messages.show_done(
                report.summary, hint, action=action, do=lambda: open_file(item.output, self._messages)
            )
