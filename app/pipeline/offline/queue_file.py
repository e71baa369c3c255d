"""The queue on disk: never torn, never a reason not to start."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, get_args

from app.domain.setting_kinds import Text
from app.domain.settings import settings_from_json, settings_to_json
from app.pipeline.bounded_json import UnusableJson, read_json
from app.pipeline.offline.queue import MAX_ITEMS
from app.pipeline.offline.queue_items import QueueItem, State, new_id, snapshot_of
from app.pipeline.recording.file_lock import WriterLock, is_being_written
from app.pipeline.settings_store import Loaded, backup_path, config_folder, write_json

VERSION: Final = 1
"""Of the JSON form; a newer file is read as far as it is understood."""

MAX_FILE_BYTES: Final = 16_000_000
"""500 entries with the longest names and sentences."""

_TEXT: Final = Text("", "")
_STATES: Final = get_args(State)
_GROUPS: Final = ("plate", "person", "match", "placement")
_MAX_NOTICES: Final = 20
_MAX_SENTENCE: Final = 600
_MAX_RATE_HZ: Final = 1000


def queue_path() -> Path:
    """The queue's file, beside the settings."""
    return config_folder() / "queue.json"


class QueueLock:
    """Held by the one window that keeps the queue's file; another one's queue lasts as long as that window.

    On Windows nobody is kept out: of two windows, the later to change something has its queue kept.
    """

    def __init__(self, path: Path) -> None:
        self._lock: WriterLock | None = None
        lock = path.with_name(f"{path.name}.lock")
        with contextlib.suppress(OSError):
            lock.parent.mkdir(parents=True, exist_ok=True)
            lock.touch()
            if not is_being_written(lock):
                self._lock = WriterLock(lock)

    @property
    def is_ours(self) -> bool:
        """Whether this window keeps the file."""
        return self._lock is not None

    def release(self) -> None:
        """Let another window have it."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def save_queue(path: Path, items: Iterable[QueueItem]) -> None:
    """Write it beside and rename; the file before becomes `.bak`. UserError (OUTPUT) when it can't be written."""
    write_json(path, {"version": VERSION, "items": [_to_json(item) for item in items]})


def saved_form(items: Iterable[QueueItem]) -> tuple[QueueItem, ...]:
    """What the file would hold: equal where nothing needs to be written."""
    return tuple(item if item.progress is None else replace(item, progress=None) for item in items)


def load_queue(path: Path) -> Loaded[tuple[QueueItem, ...]]:
    """The items, and notes in words on what could not be read. Never raises.

    What was under way waits, to be gone on with where it stopped. An unusable entry costs itself; a damaged file is
    put aside, and the one before it is read.
    """
    notes: list[str] = []
    for candidate in (path, backup_path(path)):
        try:
            data = read_json(candidate, max_bytes=MAX_FILE_BYTES)
            if not isinstance(data, dict) or not isinstance(data.get("items"), list):
                raise UnusableJson("is damaged")
        except UnusableJson as error:
            notes.append(f"“{candidate.name}” {error}{_put_aside(candidate)}.")
            continue
        except FileNotFoundError:
            break
        except OSError as error:
            notes.append(f"“{candidate.name}” can't be read ({error.strerror}).")
            break
        items, more = _items_from(data)
        return items, (*notes, *more)
    return (), tuple(notes)


def _to_json(item: QueueItem) -> dict[str, Any]:
    settings = settings_to_json(item.settings)
    return {
        "id": item.id,
        "clip": str(item.clip),
        "output": str(item.output),
        "preset": item.preset,
        "overwrite": item.overwrite,
        "sequence_rate": str(item.sequence_rate),
        "tone_map": item.tone_map,
        "state": item.state,
        "has_begun": item.has_begun,
        "message": item.message[:_MAX_SENTENCE],
        "hint": item.hint[:_MAX_SENTENCE],
        "notices": [notice[:_MAX_SENTENCE] for notice in item.notices[:_MAX_NOTICES]],
        "frames": item.frames,
        "seconds": item.seconds,
        "settings": {name: settings[name] for name in _GROUPS},
    }


def _items_from(data: dict[str, Any]) -> Loaded[tuple[QueueItem, ...]]:
    found = [_item_from(one) for one in data["items"][:MAX_ITEMS]]
    items = tuple({item.id: item for item in found if item is not None}.values())
    notes: list[str] = []
    version = data.get("version")
    if isinstance(version, int | float) and version > VERSION:
        notes.append("The queue is from a newer version; what is understood is used.")
    if len(items) < len(data["items"]):
        notes.append(f"{len(data['items']) - len(items)} of the queue's entries could not be read.")
    return items, tuple(notes)


def _item_from(data: object) -> QueueItem | None:
    """An entry; None where the clip or the output can't be told, or its settings: it would be another video."""
    if not isinstance(data, dict) or not (_is_path(data.get("clip")) and _is_path(data.get("output"))):
        return None
    settings, notes = settings_from_json(data.get("settings"))
    rate = _rate_from(data.get("sequence_rate", "24"))
    if notes or rate is None or not isinstance(data.get("settings"), dict):
        return None
    return QueueItem(
        clip=Path(data["clip"]),
        output=Path(data["output"]),
        settings=snapshot_of(settings),
        preset=_text(data, "preset"),
        overwrite=data.get("overwrite") is True,
        sequence_rate=rate,
        tone_map=data.get("tone_map") is True,
        id=_text(data, "id") or new_id(),
        state=_state_from(data),
        has_begun=data.get("has_begun") is True,
        message=_text(data, "message"),
        hint=_text(data, "hint"),
        notices=_texts(data.get("notices")),
        frames=int(_number(data.get("frames"))),
        seconds=_number(data.get("seconds")),
    )


def _state_from(data: dict[str, Any]) -> State:
    """What was under way waits."""
    state: State = next((one for one in _STATES if one == data.get("state")), "waiting")
    was_under_way = state == "running" or (state == "paused" and data.get("has_begun") is True)
    return "waiting" if was_under_way else state


def _is_path(value: object) -> bool:
    return _TEXT.accepts(value) and bool(value)


def _text(data: dict[str, Any], name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) and _TEXT.accepts(value) else ""


def _texts(value: object) -> tuple[str, ...]:
    found = value[:_MAX_NOTICES] if isinstance(value, list) else []
    return tuple(one for one in found if _TEXT.accepts(one))


def _number(value: object) -> float:
    if isinstance(value, int | float) and math.isfinite(value) and value >= 0:
        return float(value)
    return 0.0


def _rate_from(value: object) -> Fraction | None:
    """None for what is no frame rate. Bounded before it is read: `1e999999999` would be computed."""
    if not isinstance(value, str) or len(value) > 24 or "e" in value.lower():
        return None
    try:
        rate = Fraction(value)
    except (ValueError, ZeroDivisionError):
        return None
    return rate if 0 < rate <= _MAX_RATE_HZ else None


def _put_aside(path: Path) -> str:
    """Keep a damaged file under another name, and say which."""
    aside = path.with_name(f"{path.name}.corrupt")
    with contextlib.suppress(OSError):
        if path.is_file():
            os.replace(path, aside)
            return f" and was kept as “{aside.name}”"
    return ""
