"""What can be done with the chosen entries of the queue: one table for buttons, menu and keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from app.pipeline.offline.queue_items import QueueItem


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do. fits: whether it makes sense for an entry. alone: for one entry at a time.

    instead_of: its button takes that one's place where only this can be done.
    """

    name: str
    icon_name: str
    words: str
    fits: Callable[[QueueItem], bool]
    keys: str = ""
    alone: bool = False
    has_button: bool = True
    instead_of: str = ""

    def is_for(self, chosen: Sequence[QueueItem]) -> bool:
        """Whether it can be done with any of them."""
        return (len(chosen) == 1 if self.alone else bool(chosen)) and any(map(self.fits, chosen))

    def is_shown(self, chosen: Sequence[QueueItem]) -> bool:
        """Whether its button stands there: of two that share a place, the one that can be pressed, or the first."""
        rival = next((other for other in ACTIONS if other.name == self.instead_of), None)
        if rival is not None:
            return self.is_for(chosen) and not rival.is_for(chosen)
        heirs = [other for other in ACTIONS if other.instead_of == self.name]
        return self.is_for(chosen) or not any(heir.is_for(chosen) for heir in heirs)


def _in(*states: str) -> Callable[[QueueItem], bool]:
    return lambda item: item.state in states


ACTIONS: Final[tuple[Action, ...]] = (
    Action("start", "play", "Render now", _in("waiting"), alone=True, has_button=False),
    Action("pause", "pause", "Pause", _in("running", "waiting"), keys="Space"),
    Action("resume", "play", "Go on", _in("paused"), keys="Space", instead_of="pause"),
    Action("play", "play", "Play", _in("done"), keys="Return", alone=True, instead_of="pause"),
    Action("cancel", "stop", "Cancel", _in("running", "paused", "waiting")),
    Action("retry", "rematch", "Try again", _in("failed", "cancelled"), instead_of="cancel"),
    Action("up", "move-up", "Further up", lambda _: True, keys="Ctrl+Up"),
    Action("down", "move-down", "Further down", lambda _: True, keys="Ctrl+Down"),
    Action("folder", "folder", "Open the folder", lambda _: True, alone=True),
    Action(
        "rename",
        "output",
        "Save under another name…",
        _in("waiting", "paused", "failed", "cancelled"),
        alone=True,
        has_button=False,
    ),
    Action("remove", "remove", "Remove from the queue", lambda _: True, keys="Del"),
)
