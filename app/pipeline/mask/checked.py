"""Parts of a project's JSON, believed only as far as they were checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

MAX_TICKS: Final = 2**63 - 1
"""Of a pts either way, as containers keep them."""


class UnusableProject(Exception):  # noqa: N818  (says what was found, not what failed)
    """Why a project is not opened, as the end of a sentence: `its size is damaged`."""


class NewerProject(UnusableProject):
    """It was written by a newer version; nothing is wrong with it."""


def part(data: object, name: str) -> Any:
    """A member of an object; UnusableProject where it is missing."""
    if not isinstance(data, dict) or name not in data:
        raise UnusableProject(f"“{name}” is missing")
    return data[name]


def whole(value: object, name: str, low: int, high: int) -> int:
    """A whole number from low to high."""
    if type(value) is not int or not low <= value <= high:
        raise UnusableProject(f"“{name}” is no whole number from {low} to {high}")
    return value


def real(value: object, name: str, low: float, high: float) -> float:
    """A number from low to high; no NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise UnusableProject(f"“{name}” is no number from {low:g} to {high:g}")
    return float(value)


def words(value: object, name: str, max_length: int) -> str:
    """Text of a sane length without a NUL."""
    if not isinstance(value, str) or len(value) > max_length or "\0" in value:
        raise UnusableProject(f"“{name}” is no text of at most {max_length} characters")
    return value


def items(value: object, name: str, max_count: int, *, each: int | None = None) -> list[Any]:
    """A list; each: how many parts every item of it must have, as a list itself."""
    if not isinstance(value, list) or len(value) > max_count:
        raise UnusableProject(f"“{name}” is no list of at most {max_count}")
    if each is not None and not all(isinstance(item, list) and len(item) == each for item in value):
        raise UnusableProject(f"“{name}” has a damaged entry")
    return value


def ticks(value: object, name: str) -> int:
    """A pts."""
    return whole(value, name, -MAX_TICKS, MAX_TICKS)


def ticks_or_none(value: object, name: str) -> int | None:
    """A pts, or none."""
    return None if value is None else ticks(value, name)


def object_of(value: object, name: str) -> Mapping[str, Any]:
    """An object."""
    if not isinstance(value, dict):
        raise UnusableProject(f"“{name}” is damaged")
    return value
