"""The one error type whose text the user reads."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import Any


class ExitCode(IntEnum):
    """Exit codes of the command line; documented in the README."""

    OK = 0
    FAILED = 1
    USAGE = 2
    BAD_INPUT = 3
    OUTPUT = 4
    MODEL = 5
    INTERRUPTED = 130


class UserError(Exception):
    """Something the user can act on: one sentence that says what is wrong, one that says what to do.

    `code` is the exit code the command line ends with. Sent to another process it keeps all of this, and `system_errno`
    of its cause, which itself is not sent.
    """

    def __init__(self, message: str, hint: str = "", *, code: ExitCode = ExitCode.BAD_INPUT) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code
        self._sent_errno: int | None = None

    def __str__(self) -> str:
        """Both sentences on one line."""
        return f"{self.message} {self.hint}".strip()

    @property
    def system_errno(self) -> int | None:
        """The system's number (`errno.ENOSPC`, ...) of what this error came from, None where it had none."""
        names = (("_sent_errno" if isinstance(cause, UserError) else "errno", cause) for cause in causes(self))
        numbers = (getattr(cause, name, None) for name, cause in names)
        return next((number for number in numbers if isinstance(number, int)), None)

    def __reduce__(self) -> tuple[Any, ...]:
        state = self.__dict__ | {"_sent_errno": self.system_errno}
        return type(self), self.args, state


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error itself, what it was raised from, and so on."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        yield link
        seen.add(id(link))
        link = link.__cause__ if link.__cause__ or link.__suppress_context__ else link.__context__
