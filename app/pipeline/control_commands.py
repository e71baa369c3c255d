"""What can be asked of a running program from outside: the table that server, client and `ctl` share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from app.domain.errors import ExitCode, UserError
from app.domain.setting_kinds import Choice, Kind, Number, Text, Toggle, kinds_of
from app.domain.settings import GROUPS, Settings

_ON_OFF: Final = ("on", "off")


@dataclass(frozen=True, slots=True)
class Command:
    """words: what it does. arguments: name -> what it may be: some words, any text (str), or anything (object)."""

    words: str
    arguments: Mapping[str, tuple[str, ...] | type] = field(default_factory=dict)


COMMANDS: Final[Mapping[str, Command]] = MappingProxyType(
    {
        "stats": Command("frame rate, latency, drops, what quality was reduced, and what is running"),
        "presets": Command("names and keys of all presets"),
        "preset": Command("use a preset", {"name": str}),
        "plate": Command("use a background", {"name": str}),
        "record-start": Command("start a recording"),
        "record-stop": Command("end the recording"),
        "record-pause": Command("pause the recording, or go on with it"),
        "vcam-start": Command("feed the virtual camera"),
        "vcam-stop": Command("stop feeding the virtual camera"),
        "panic": Command("cover the whole picture at once, or show it again", {"state": _ON_OFF}),
        "snapshot": Command("save the picture as it is now"),
        "view": Command("change what the preview shows", {"name": str}),
        "settings-get": Command("all settings"),
        "settings-set": Command(
            "change one setting; group is empty for the background", {"group": str, "name": str, "value": object}
        ),
    }
)
"""By name, as it stands in the address: POST /v1/<name> with the arguments as a JSON object."""


def checked_arguments(name: str, given: object) -> dict[str, object]:
    """The arguments, each there and of its kind; UserError (USAGE) when one is missing, unknown or unusable."""
    if not isinstance(given, dict):
        raise _usage(f"“{name}” wants its arguments as an object.")
    wanted = COMMANDS[name].arguments
    for argument in sorted(map(str, given.keys() - wanted.keys())):
        raise _usage(f"“{name}” knows no “{argument[:40]}”.")
    for argument, kind in wanted.items():
        if argument not in given:
            raise _usage(f"“{name}” wants “{argument}”.")
        value = given[argument]
        if isinstance(kind, tuple) and value not in kind:
            raise _usage(f"“{argument}” of “{name}” must be {' or '.join(kind)}.")
        if kind is str and not (isinstance(value, str) and Text("", "").accepts(value)):
            raise _usage(f"“{argument}” of “{name}” must be text.")
    return dict(given)


def changed_setting(settings: Settings, group: str, name: str, *, value: object) -> Settings:
    """The settings with one changed as a program outside asked; UserError (USAGE) naming what it may be.

    group "" and name "plate" is the background. Numbers are taken as text where the setting is text or words.
    """
    kinds = kinds_of(GROUPS[group]) if group in GROUPS else kinds_of(Settings) if not group else {}
    kind = kinds.get(name)
    if kind is None:
        known = [f"{g}.{n}" for g in GROUPS for n in kinds_of(GROUPS[g])] if group not in GROUPS else list(kinds)
        shown = f"{group}.{name}".strip(".")
        raise _usage(f"There is no setting “{shown[:80]}”.", f"There are: {', '.join(known)}, plate.")
    if isinstance(kind, Text | Choice) and isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not kind.accepts(value):
        raise _usage(f"“{kind.label}” can't be {str(value)[:40]!r}.", f"It may be {_range_of(kind)}.")
    return settings.with_value(group, name, float(value) if isinstance(kind, Number) else value)  # type: ignore[arg-type]


def _range_of(kind: Kind) -> str:
    if isinstance(kind, Number):
        return f"{kind.low:g} to {kind.high:g}"
    if isinstance(kind, Choice):
        return ", ".join(kind.options)
    return "true or false" if isinstance(kind, Toggle) else "text"


def _usage(message: str, hint: str = "") -> UserError:
    return UserError(message, hint, code=ExitCode.USAGE)
