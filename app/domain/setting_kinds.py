"""Kinds of settings: what values one may have, and how it is named where people see it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, cast

_KEY = "setting"


@dataclass(frozen=True, slots=True)
class Number:
    """A number from low to high. step: of the control. unit: "" counts as a plain number, "%" shows 0..1 as 0..100."""

    label: str
    hint: str
    low: float
    high: float
    step: float
    unit: str = ""

    def accepts(self, value: object) -> bool:
        """Whether it is a finite number within the limits."""
        return (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and math.isfinite(value)
            and self.low <= value <= self.high
        )


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several values. options: value -> the word for it, in the order they are shown."""

    label: str
    hint: str
    options: Mapping[str, str]

    def accepts(self, value: object) -> bool:
        """Whether it is one of the options."""
        return isinstance(value, str) and value in self.options


@dataclass(frozen=True, slots=True)
class Toggle:
    """On or off."""

    label: str
    hint: str

    def accepts(self, value: object) -> bool:
        """Whether it is one of the two."""
        return isinstance(value, bool)


@dataclass(frozen=True, slots=True)
class Text:
    """Words whose meaning only the machine knows: a device, a folder, a plate."""

    label: str
    hint: str
    max_length: int = 4096

    def accepts(self, value: object) -> bool:
        """Whether it is text of a sane length without a NUL."""
        return isinstance(value, str) and len(value) <= self.max_length and "\0" not in value


Kind = Number | Choice | Toggle | Text


def number(default: float, label: str, hint: str, *, low: float, high: float, step: float, unit: str = "") -> Any:
    """A dataclass field that holds a number."""
    return field(default=float(default), metadata={_KEY: Number(label, hint, low, high, step, unit)})


def choice(default: str, label: str, hint: str, options: Mapping[str, str]) -> Any:
    """A dataclass field that holds one of several words."""
    return field(default=default, metadata={_KEY: Choice(label, hint, options)})


def toggle(default: bool, label: str, hint: str) -> Any:
    """A dataclass field that is on or off."""
    return field(default=default, metadata={_KEY: Toggle(label, hint)})


def text(default: str, label: str, hint: str) -> Any:
    """A dataclass field that holds words."""
    return field(default=default, metadata={_KEY: Text(label, hint)})


def kind_of(setting: Field[Any]) -> Kind | None:
    """What kind of setting a dataclass field is; None for one that is none."""
    return cast("Kind | None", setting.metadata.get(_KEY))


def kinds_of(group: type[Any]) -> dict[str, Kind]:
    """All settings of a group by name, in order."""
    found = {setting.name: kind_of(setting) for setting in fields(group)}
    return {name: kind for name, kind in found.items() if kind is not None}
