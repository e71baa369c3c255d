"""A delivery's progress on the terminal."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Self

from app.cli.console import Console, Ticker
from app.pipeline.offline.control import Keep, Progress


class Watched:
    """Shows one delivery's progress as a bar; a context manager. control: never stops it, Ctrl-C does."""

    def __init__(self, console: Console, title: str) -> None:
        self.control = Keep()
        self._console, self._title = console, title
        self._stack = ExitStack()
        self._ticker: Ticker | None = None
        self._done = 0

    def __enter__(self) -> Self:
        """Return the watcher itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away."""
        self._stack.close()

    def report(self, progress: Progress) -> None:
        """Show how far it is."""
        if self._ticker is None:
            if not progress.total:
                return
            self._ticker = self._stack.enter_context(self._console.progress(self._title, progress.total))
        for _ in range(progress.done - self._done):
            self._ticker.tick(_words(progress))
        self._done = max(self._done, progress.done)


def _words(progress: Progress) -> str:
    words = progress.phase if progress.fps is None else f"{progress.phase} {progress.fps:.1f}/s"
    if progress.eta_s is not None:
        minutes, seconds = divmod(round(progress.eta_s), 60)
        words += f", {minutes}:{seconds:02d} left"
    return words
