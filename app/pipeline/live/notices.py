"""Saying what goes wrong once, though it goes wrong with every frame."""

from __future__ import annotations

from typing import Final

QUIET_S: Final = 3.0
"""A failure not met for so long is over: met again, it is news again."""

_KEPT: Final = 20


class Repeats:
    """Tells news from what was said a moment ago and still goes on. Not thread-safe."""

    def __init__(self) -> None:
        self._met_s: dict[str, float] = {}

    def is_news(self, text: str, now_s: float) -> bool:
        """Whether this was not met within the last QUIET_S; it counts as met now."""
        met_s = self._met_s.pop(text, None)
        self._met_s[text] = now_s
        if len(self._met_s) > _KEPT:
            del self._met_s[next(iter(self._met_s))]
        return met_s is None or now_s - met_s > QUIET_S
