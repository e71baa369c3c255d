"""The one error type whose text the user reads."""

from __future__ import annotations

from enum import IntEnum


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

    `code` is the exit code the command line ends with.
    """

    def __init__(self, message: str, hint: str = "", *, code: ExitCode = ExitCode.BAD_INPUT) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code

    def __str__(self) -> str:
        """Both sentences on one line."""
        return f"{self.message} {self.hint}".strip()
