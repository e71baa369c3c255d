"""What the command line says, and where: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import rich.console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from app.domain.errors import ExitCode

_NAMED_AT_MOST = 10


class Ticker(Protocol):
    """Told of every finished step."""

    def tick(self, detail: str = "") -> None:
        """One step done; `detail` replaces the text beside the bar."""


class Console:
    """json_output: one object on stdout and nothing else there. quiet: notices and progress are dropped."""

    def __init__(self, *, json_output: bool = False, quiet: bool = False) -> None:
        self.is_json = json_output
        self._quiet = quiet
        self._errors = rich.console.Console(stderr=True, highlight=False, soft_wrap=True)
        self.notices: list[str] = []

    def notice(self, text: str) -> None:
        """Something the user should know; on stderr, and kept for the JSON result."""
        self.notices.append(text)
        if not self._quiet:
            self._errors.print(f"note: {text}", markup=False)

    def tell(self, texts: Iterable[str]) -> None:
        """Several notices."""
        for text in texts:
            self.notice(text)

    def tell_left_out(self, reasons: Sequence[str]) -> None:
        """How much could not be used and what, the first ten by name."""
        if reasons:
            self.notice(f"left out: {len(reasons)}")
            self.tell(f"  {reason}" for reason in reasons[:_NAMED_AT_MOST])
        if len(reasons) > _NAMED_AT_MOST:
            self.notice(f"  and {len(reasons) - _NAMED_AT_MOST} more; --json names them all")

    def error(self, message: str, hint: str = "", *, code: ExitCode) -> None:
        """The one sentence, and what to do."""
        if self.is_json:
            self.result({"error": message, "hint": hint, "code": int(code)})
        self._errors.print(f"error: {message}", style="red", markup=False)
        if hint:
            self._errors.print(f"       {hint}", markup=False)

    def say(self, text: str) -> None:
        """A finished job's summary: only for a person at a terminal, so that pipes stay quiet."""
        if self._errors.is_terminal and not (self._quiet or self.is_json):
            self._errors.print(text, markup=False)

    def result(self, values: Mapping[str, Any]) -> None:
        """The machine's answer: one JSON object on stdout."""
        sys.stdout.write(json.dumps(values, default=str) + "\n")
        sys.stdout.flush()

    def table(self, title: str, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table somebody asked for, on stdout."""
        table = Table(*headers, title=title, title_justify="left")
        for row in rows:
            table.add_row(*row)
        width = None if sys.stdout.isatty() else 140
        rich.console.Console(highlight=False, width=width).print(table)

    @contextmanager
    def progress(self, title: str, total: int | None) -> Iterator[Ticker]:
        """A bar with rate and ETA on a terminal; nothing when piped, quiet or JSON."""
        if self._quiet or self.is_json or not self._errors.is_terminal:
            yield _Silent()
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[detail]}"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self._errors) as progress:
            yield _Bar(progress, title, total)


class _Silent:
    def tick(self, detail: str = "") -> None:
        pass


class _Bar:
    def __init__(self, progress: Progress, title: str, total: int | None) -> None:
        self._progress = progress
        self._task = progress.add_task(title, total=total, detail="")

    def tick(self, detail: str = "") -> None:
        self._progress.update(self._task, advance=1, detail=detail or self._rate())

    def _rate(self) -> str:
        speed = self._progress.tasks[0].speed
        return "" if speed is None else f"{speed:.1f}/s"
