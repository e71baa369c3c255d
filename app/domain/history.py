"""Undo and redo of one immutable value."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

DEPTH: Final = 100
"""Steps kept; the oldest are forgotten first."""


class History(Generic[T]):
    """A value, what it was before, and what was undone.

    Values must not be changed after they were given. Pushes in a row with the same merge key are one step, as the
    many values of one drag of a slider are; `undo`, `redo` and `settle` end such a row. ValueError for a depth
    under 1.
    """

    def __init__(self, value: T, *, depth: int = DEPTH) -> None:
        if depth < 1:
            raise ValueError(f"a history of {depth} steps")
        self._current = value
        self._depth = depth
        self._before: list[T] = []
        self._undone: list[T] = []
        self._merge_key: Hashable | None = None

    @property
    def current(self) -> T:
        """The value now."""
        return self._current

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return bool(self._before)

    @property
    def can_redo(self) -> bool:
        """Whether a step was taken back that could be done again."""
        return bool(self._undone)

    def push(self, value: T, *, merge_key: Hashable | None = None) -> None:
        """A new value; what was undone can't be redone any more. An equal value is no step."""
        if value == self._current:
            return
        if merge_key is None or merge_key != self._merge_key:
            self._before.append(self._current)
            del self._before[: -self._depth]
        self._current, self._merge_key = value, merge_key
        self._undone.clear()

    def settle(self) -> None:
        """The next push is a step of its own, whatever its key: the slider was let go."""
        self._merge_key = None

    def undo(self) -> T | None:
        """One step back; None when there is none."""
        return self._step(self._before, self._undone)

    def redo(self) -> T | None:
        """One undone step done again; None when there is none."""
        return self._step(self._undone, self._before)

    def _step(self, source: list[T], target: list[T]) -> T | None:
        if not source:
            return None
        target.append(self._current)
        self._current, self._merge_key = source.pop(), None
        return self._current
