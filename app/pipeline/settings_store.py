"""Settings and the window's state on disk: never torn, never a reason not to start."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import platformdirs

from app.domain.errors import ExitCode, UserError
from app.domain.interface_state import Interface, interface_from_json, interface_to_json
from app.domain.settings import VERSION, Settings, settings_from_json, settings_to_json
from app.pipeline.bounded_json import UnusableJson, read_json
from app.pipeline.video_output import PendingFile, part_path

T = TypeVar("T")

Loaded = tuple[T, tuple[str, ...]]
"""What was read, and notes in words on what could not be."""

_READABLE_BY_OWNER: Final = 0o600
"""Addresses of cameras may stand in the settings."""

_ABANDONED_S: Final = 60.0

_saving: Final = threading.Lock()
"""Windows of one program save on threads of their own."""


def config_folder() -> Path:
    """Where settings, presets and the window's state live; need not exist."""
    return platformdirs.user_config_path("PlateMatch", appauthor=False)


def settings_path() -> Path:
    """The settings' file."""
    return config_folder() / "settings.json"


def interface_path() -> Path:
    """The file of the window's state."""
    return config_folder() / "window.json"


def load_settings(path: Path) -> Loaded[Settings]:
    """The settings; defaults where there are none. Never raises.

    An unusable value costs itself. A damaged file is kept as `settings.corrupt-<date>.json` and the one before it
    (`settings.json.bak`) is read instead.
    """
    return _load(path, _settings_of_file, Settings())


def save_settings(path: Path, settings: Settings) -> None:
    """Write them beside and rename; the file before becomes `.bak`. UserError (OUTPUT) when they can't be written."""
    write_json(path, settings_to_json(settings))


def load_interface(path: Path) -> Loaded[Interface]:
    """The window's state, as tolerantly as the settings."""
    return _load(path, interface_from_json, Interface())


def save_interface(path: Path, interface: Interface) -> None:
    """As `save_settings`."""
    write_json(path, interface_to_json(interface))


def write_json(path: Path, data: Mapping[str, Any], *, backup: bool = True) -> None:
    """Put a JSON file in place whole, readable by its owner only; UserError (OUTPUT) when that can't be done.

    The folder is made. backup: the file that was there stays as `<name>.bak`.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"The folder “{path.parent}” can't be made ({error.strerror}).",
            "Changes last until the program ends.",
            code=ExitCode.OUTPUT,
        ) from error
    with _saving:
        pending = PendingFile(path)
        # Its own name: another window's program may be saving just now.
        pending.part = part_path(pending.final.with_name(f"{pending.final.stem}.{os.getpid()}{pending.final.suffix}"))
        try:
            _sweep(pending)
            handle = os.open(pending.part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _READABLE_BY_OWNER)
            with open(handle, "w", encoding="utf-8") as file:
                json.dump(data, file, indent=1)
        except OSError as error:
            failure = pending.error(error)
            pending.discard()
            raise failure from error
        if backup:
            _keep_as_backup(pending.final)
        pending.commit()


def _sweep(pending: PendingFile) -> None:
    """Remove what a save that was killed left: ours, and other programs' that nobody has touched for a while."""
    pending.discard()
    folder, since_s = pending.final.parent, time.time() - _ABANDONED_S
    named = f"{glob.escape(pending.final.stem)}.*part{glob.escape(pending.final.suffix)}"
    for part in folder.glob(named):
        with contextlib.suppress(OSError):
            if part.stat().st_mtime < since_s:
                part.unlink()


def backup_path(path: Path) -> Path:
    """Where the file before this one is kept."""
    return path.with_name(f"{path.name}.bak")


def _settings_of_file(data: object) -> Loaded[Settings]:
    settings, notes = settings_from_json(data)
    version = data.get("version") if isinstance(data, dict) else None
    if isinstance(version, int | float) and version > VERSION:
        notes = ("The settings are from a newer version; what is understood is used.", *notes)
    return settings, notes


def _load(path: Path, understand: Callable[[object], Loaded[T]], default: T) -> Loaded[T]:
    notes: list[str] = []
    for candidate in (path, backup_path(path)):
        try:
            data = read_json(candidate)
            if not isinstance(data, dict):
                raise UnusableJson("is damaged")
        except UnusableJson as error:
            notes.append(f"“{candidate.name}” {error}{_kept(candidate)}.")
            continue
        except FileNotFoundError:
            break  # Nothing saved yet, or thrown away on purpose: the one before is not wanted either.
        except OSError as error:
            notes.append(f"“{candidate.name}” can't be read ({error.strerror}); defaults are used.")
            break
        value, more = understand(data)
        if candidate != path:
            notes.append("The copy before it was used.")
        return value, (*notes, *more)
    return default, tuple(notes)


def _kept(path: Path) -> str:
    """Put a damaged file out of the way, and say where it is."""
    if not path.is_file():
        return ""
    stem, stamp = path.name.split(".")[0], time.strftime("%Y%m%d-%H%M%S")
    for count in range(100):
        target = path.with_name(f"{stem}.corrupt-{stamp}{f'-{count}' if count else ''}.json")
        if not target.exists():
            with contextlib.suppress(OSError):
                os.replace(path, target)
                return f" and was kept as “{target.name}”"
            break
    return ""


def _keep_as_backup(path: Path) -> None:
    """Best effort: a missing copy must not keep the newer file from being saved."""
    copy = backup_path(path)
    beside = copy.with_name(f"{copy.name}.part")
    with contextlib.suppress(OSError):
        beside.unlink(missing_ok=True)
        try:
            os.link(path, beside)
        except OSError:  # A file system without hard links, or no file yet.
            shutil.copy2(path, beside)
        os.replace(beside, copy)
        beside.unlink(missing_ok=True)  # Two names of one file, as a failed save leaves them: renaming did nothing.
