"""Named sets of settings, one file each, which can be given to others."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from app.domain.compositing import rgb_from_hex
from app.domain.errors import ExitCode, UserError
from app.domain.settings import Settings, settings_from_json, settings_to_json
from app.pipeline.bounded_json import UnusableJson, read_json
from app.pipeline.plates import COLOURS, DEFAULT_PLATES
from app.pipeline.settings_store import config_folder, write_json

SUFFIX: Final = ".platematch-preset"
SLOTS: Final = range(1, 10)
MAX_NAME: Final = 80
MAX_PRESETS: Final = 1000
_FORMAT: Final = "platematch-preset"
_VERSION: Final = 1

MACHINE_OPTIONS: Final = (
    ("output", "folder"),
    ("output", "microphone"),
    ("output", "virtual_camera"),
    ("output", "control"),
)
"""What belongs to the machine and its owner's wishes: no preset changes it."""


@dataclass(frozen=True, slots=True)
class Preset:
    """name: 1 to MAX_NAME characters in one line. slot: the key that calls it, 1 to 9, or None."""

    name: str
    settings: Settings = field(default_factory=Settings)
    slot: int | None = None

    def applied_to(self, current: Settings) -> Settings:
        """Its settings, but the machine's own options as they are now; the source only where it names one."""
        kept = self.settings
        for group, name in MACHINE_OPTIONS:
            kept = kept.with_value(group, name, getattr(getattr(current, group), name))
        return kept if kept.camera.source else kept.with_value("camera", "source", current.camera.source)


def presets_folder() -> Path:
    """Where presets live; need not exist."""
    return config_folder() / "presets"


class PresetStore:
    """The presets of a folder. A broken file costs that preset only, and stays where it is.

    Whatever changes something raises UserError: for a name that can't be (USAGE), a preset that isn't there
    (BAD_INPUT), a file that can't be read (BAD_INPUT) or written (OUTPUT).
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def presets(self) -> tuple[tuple[Preset, ...], tuple[str, ...]]:
        """All of them, those with a slot first, then by name; and notes on what could not be used. Never raises."""
        found: dict[str, Preset] = {}
        notes: list[str] = []
        for path in _preset_files(self._folder):
            try:
                preset, more = _read(path)
            except UserError as error:
                notes.append(error.message)
                continue
            if preset.slot in {other.slot for other in found.values()}:
                preset = replace(preset, slot=None)
            found.setdefault(preset.name, preset)
            notes += [f"{preset.name}: {note}" for note in more]
        return tuple(sorted(found.values(), key=lambda p: (p.slot or 99, p.name.casefold()))), tuple(notes)

    def named(self, name: str) -> Preset:
        """The preset of that name; case does not matter where it is clear."""
        presets, _ = self.presets()
        wanted = unicodedata.normalize("NFC", name).strip()
        for preset in presets:
            if preset.name == wanted:
                return preset
        alike = [preset for preset in presets if preset.name.casefold() == wanted.casefold()]
        if len(alike) == 1:
            return alike[0]
        names = ", ".join(preset.name for preset in presets[:10]) or "none yet"
        raise UserError(f"There is no preset “{wanted[:MAX_NAME]}”.", f"Presets: {names}.")

    def save(self, preset: Preset, *, overwrite: bool = True) -> Preset:
        """Keep a preset, and return it as it was kept. Another one with its slot loses it."""
        preset = replace(preset, name=checked_name(preset.name))
        if preset.slot is not None and preset.slot not in SLOTS:
            raise UserError(f"A preset can't have the key {preset.slot}.", "Give 1 to 9.", code=ExitCode.USAGE)
        path = self._path(preset.name)
        if path.exists() and not overwrite:
            raise UserError(f"There is a preset “{preset.name}” already.", "Choose another name.", code=ExitCode.OUTPUT)
        write_json(path, _to_json(preset))
        self._free_slot(preset)
        return preset

    def rename(self, name: str, new_name: str) -> Preset:
        """Give it another name; UserError when another one has that."""
        preset, new_name = self.named(name), checked_name(new_name)
        if preset.name == new_name:
            return preset
        renamed = self.save(replace(preset, name=new_name, slot=None), overwrite=False)
        self.delete(preset.name)
        return renamed if preset.slot is None else self.assign(new_name, preset.slot)

    def delete(self, name: str) -> None:
        """Remove it."""
        path = self._path(self.named(name).name)
        try:
            path.unlink()
            path.with_name(f"{path.name}.bak").unlink(missing_ok=True)
        except OSError as error:
            raise UserError(
                f"The preset can't be removed ({error.strerror}).", f"It is {path}.", code=ExitCode.OUTPUT
            ) from error

    def assign(self, name: str, slot: int | None) -> Preset:
        """Call it by a key 1 to 9, or by none."""
        return self.save(replace(self.named(name), slot=slot))

    def export_to(self, name: str, path: Path) -> tuple[str, ...]:
        """Write it to a file for others, without what belongs to this machine; returns notes on what was left out."""
        preset = self.named(name)
        settings, notes = _without_machine(preset.settings, exporting=True)
        target = path if path.suffix == SUFFIX else path.with_name(path.name + SUFFIX)
        write_json(target, _to_json(Preset(preset.name, settings)), backup=False)
        return notes

    def import_from(self, path: Path) -> tuple[Preset, tuple[str, ...]]:
        """Take in a file from elsewhere: the preset as it was kept, and notes on what of it was not taken.

        Nothing of it names a device, folder, address or source, and none shows the room; it gets no slot, and a new
        name where its own is taken.
        """
        preset, notes = _read(path)
        settings, left_out = _without_machine(preset.settings, exporting=False)
        kept = self.save(Preset(self._free_name(preset.name), settings), overwrite=False)
        return kept, (*notes, *left_out)

    def _path(self, name: str) -> Path:
        # A preset read from a file of another name stays in that file.
        for path in _preset_files(self._folder):
            if path.name != _file_name(name) and _name_in(path) == name:
                return path
        return self._folder / _file_name(name)

    def _free_name(self, name: str) -> str:
        taken = {preset.name.casefold() for preset in self.presets()[0]}
        names = [name, *(f"{name[: MAX_NAME - 6]} ({count})" for count in range(2, 1000))]
        return next((free for free in names if free.casefold() not in taken), name)

    def _free_slot(self, owner: Preset) -> None:
        for path in _preset_files(self._folder) if owner.slot is not None else []:
            try:
                other, _ = _read(path)
            except UserError:
                continue
            if other.slot == owner.slot and other.name != owner.name:
                write_json(path, _to_json(replace(other, slot=None)))


def checked_name(name: str) -> str:
    """A name as it is kept: composed (NFC), one line, trimmed; UserError (USAGE) for one that can't be."""
    tidy = " ".join(unicodedata.normalize("NFC", name).split())
    if not tidy or len(tidy) > MAX_NAME or not all(_is_sayable(letter) for letter in tidy):
        raise UserError(
            "A preset can't have that name.", f"Use 1 to {MAX_NAME} letters, digits and signs.", code=ExitCode.USAGE
        )
    return tidy


def _is_sayable(letter: str) -> bool:
    """No control signs, no lone surrogates, nothing that turns the direction of writing; joiners are letters' own."""
    return letter in "\u200c\u200d" or unicodedata.category(letter) not in ("Cc", "Cs", "Cf", "Co", "Cn")


def _preset_files(folder: Path) -> list[Path]:
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(SUFFIX) and ".part" not in name)
    except OSError:
        return []
    return [folder / name for name in names[:MAX_PRESETS]]


def _file_name(name: str) -> str:
    """Plain letters to recognise it by, and a sum that no two names share: every file system takes it."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")[:40] or "preset"
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:10]}{SUFFIX}"


def _to_json(preset: Preset) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "version": _VERSION,
        "name": preset.name,
        "slot": preset.slot,
        "settings": settings_to_json(preset.settings),
    }


def _read(path: Path) -> tuple[Preset, tuple[str, ...]]:
    try:
        data = read_json(path)
    except UnusableJson as error:
        raise UserError(f"The preset file “{path.name}” {error}.", "Get it again from where it came.") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no such name"
        raise UserError(f"The preset file “{path.name}” can't be read ({reason}).") from error
    if not isinstance(data, dict) or data.get("format") != _FORMAT:
        raise UserError(f"“{path.name}” is no preset.", f"Presets end in {SUFFIX}.")
    settings, notes = settings_from_json(data.get("settings"))
    slot = data.get("slot")
    usable = isinstance(slot, int) and not isinstance(slot, bool) and slot in SLOTS
    return Preset(_name_of(data, path), settings, slot if usable else None), notes


def _name_in(path: Path) -> str | None:
    try:
        return _read(path)[0].name
    except UserError:
        return None


def _name_of(data: dict[str, Any], path: Path) -> str:
    """Its name; where that can't be one, the file's."""
    for name in (data.get("name"), path.stem):
        if isinstance(name, str):
            try:
                return checked_name(name)
            except UserError:
                continue
    return "Preset"


def _without_machine(settings: Settings, *, exporting: bool) -> tuple[Settings, tuple[str, ...]]:
    """Without devices, folders, sources, and plates that can't or shouldn't be taken along; notes say which."""
    default = Settings()
    for group, name in (*MACHINE_OPTIONS, ("camera", "source")):
        settings = settings.with_value(group, name, getattr(getattr(default, group), name))
    if settings.plate.startswith("blur:") and not exporting:
        # A radius of nothing would show it.
        return replace(settings, plate="blur"), ("The room is blurred as strongly as usual, not as the file says.",)
    reason = _why_not_plate(settings.plate, exporting=exporting)
    if reason is None:
        return settings, ()
    shown = "The background" if "://" in settings.plate else f"The background “{settings.plate[:60]}”"
    return replace(settings, plate=default.plate), (f"{shown} {reason}; “{default.plate}” stands in.",)


def _why_not_plate(plate: str, *, exporting: bool) -> str | None:
    colour = re.sub(r"^colou?r:", "", plate)
    if plate in DEFAULT_PLATES or plate in ("blur", "transparent") or rgb_from_hex(colour):
        return None
    if colour != plate and colour.lower() in COLOURS:
        return None
    if plate == "none" or plate.startswith("blur:"):
        return None if exporting else "shows the room and was not taken"
    if "://" in plate or re.match(r"(camera|screen):|pattern$|sample$", plate) or plate.startswith(("\\\\", "//")):
        return "is a source of another machine and was left out"
    if exporting:
        return None
    try:
        is_here = Path(plate).is_absolute() and Path(plate).is_file()
    except (OSError, ValueError):
        is_here = False
    return None if is_here else "is not on this machine"
