"""What a finished delivery was found to be, against what it should be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from app.domain.errors import ExitCode, UserError


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison: what was looked at, whether it is as it should be, and both in words."""

    name: str
    ok: bool
    expected: str
    found: str

    @classmethod
    def equal(cls, name: str, expected: object, found: object) -> Check:
        """Compare two values that print as what they are."""
        return cls(name, expected == found, str(expected), str(found))


def failures(checks: Iterable[Check]) -> tuple[Check, ...]:
    """Choose the checks that failed."""
    return tuple(check for check in checks if not check.ok)


def raise_if_failed(checks: Iterable[Check], output: Path) -> None:
    """UserError (OUTPUT) that names each failed check, what was expected and what was found."""
    failed = failures(checks)
    if failed:
        found = "; ".join(f"{check.name}: {check.found} instead of {check.expected}" for check in failed)
        raise UserError(
            f"“{output.name}” is not what it should be: {found}.",
            "Don't use the file; deliver again, with --fresh if that does not help.",
            code=ExitCode.OUTPUT,
        )
