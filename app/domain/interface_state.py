"""What the window remembers besides the settings: how it looked, and what was used of late."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final

from app.domain.setting_kinds import Text, choice, kinds_of, number, text

RECENT: Final = 8
"""Files and streams remembered as watched of late."""

OWN_PLATES: Final = 500
_LISTS: Final = {"recent_sources": RECENT, "own_plates": OWN_PLATES}


@dataclass(frozen=True, slots=True)
class Interface:
    """geometry, view and mode: words only the window understands. own_plates: pictures and videos that were added."""

    theme: str = choice(
        "system", "Theme", "Dark, light, or as the system is", {"system": "System", "dark": "Dark", "light": "Light"}
    )
    geometry: str = text("", "Window", "Where the window was")
    view: str = text("", "View", "What the preview showed")
    divider: float = number(0.5, "Divider", "Where the split view is parted", low=0, high=1, step=0.01, unit="%")
    mode: str = text("", "Mode", "Which page was open")
    recent_sources: tuple[str, ...] = ()
    own_plates: tuple[str, ...] = ()


def with_recent(items: tuple[str, ...], newest: str, *, limit: int = RECENT) -> tuple[str, ...]:
    """The same with `newest` first and only once, at most `limit`."""
    return (newest, *(item for item in items if item != newest))[:limit]


def interface_to_json(interface: Interface) -> dict[str, Any]:
    """A JSON object with all of it."""
    return asdict(interface)


def interface_from_json(data: object) -> tuple[Interface, tuple[str, ...]]:
    """What a file held, and one note for every part that could not be used; each costs itself only."""
    if not isinstance(data, dict):
        return Interface(), ("This is no state of a window.",)
    values: dict[str, Any] = {}
    notes: list[str] = []
    for name, kind in kinds_of(Interface).items():
        if name in data and kind.accepts(data[name]):
            values[name] = data[name]
        elif name in data:
            notes.append(f"“{name}” of the window was not usable; its default is used.")
    for name, limit in _LISTS.items():
        values[name], complete = _texts(data.get(name, []), limit)
        if not complete:
            notes.append(f"Some of “{name}” was not usable and was left out.")
    return Interface(**values), tuple(notes)


def _texts(data: object, limit: int) -> tuple[tuple[str, ...], bool]:
    """The usable ones, each once, at most `limit`; and whether none was unusable."""
    if not isinstance(data, Iterable) or isinstance(data, str | dict):
        return (), False
    items = list(data)
    usable = [item for item in items if Text("", "").accepts(item) and item]
    return tuple(dict.fromkeys(usable))[:limit], len(usable) == len(items)
