"""`ctl`: asks a running program for something; what stream decks and scripts use."""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.cli.console import Console
from app.domain.errors import ExitCode, UserError
from app.domain.setting_kinds import Kind, Number, Toggle, kinds_of
from app.domain.settings import GROUPS
from app.pipeline.control_client import call, token_path
from app.pipeline.control_commands import COMMANDS


def run(args: argparse.Namespace, console: Console) -> ExitCode:
    """Send one command and show the answer."""
    command, arguments = request_of(args.words)
    answer = call(command, arguments, token_path())
    if console.is_json:
        console.result(answer)
    elif command == "presets":
        rows = [[str(p.get("slot") or ""), str(p.get("name", ""))] for p in _list_of_objects(answer.get("presets"))]
        console.table("Presets", ["key", "name"], rows)
    elif rows := [[name, value] for name, value in _flat(answer)]:
        console.table("PlateMatch", ["what", "value"], rows)
    else:
        console.say("Done.")
    return ExitCode.OK


def request_of(words: Sequence[str]) -> tuple[str, dict[str, object]]:
    """The command and arguments that words mean, such as `record start` or `set match.strength 0.5`.

    UserError (USAGE) for anything else.
    """
    joined = "-".join(words)
    if joined in COMMANDS and not COMMANDS[joined].arguments:
        return joined, {}
    name, given = words[0], list(words[1:])
    if name == "get" and not given:
        return "settings-get", {}
    if name == "set" and len(given) == 2:
        group, _, setting = given[0].rpartition(".")
        kind = kinds_of(GROUPS[group]).get(setting) if group in GROUPS else None
        return "settings-set", {"group": group, "name": setting, "value": _value_of(given[1], kind)}
    wanted = list(COMMANDS[name].arguments) if name in COMMANDS else []
    if name.startswith("settings-") or not wanted or len(given) != len(wanted):
        raise UserError(f"“{' '.join(words)}” is no command of ctl.", "See: platematch ctl --help", code=ExitCode.USAGE)
    return name, dict(zip(wanted, given, strict=True))


def _value_of(word: str, kind: Kind | None) -> object:
    """A number or on and off where the setting is one; else the word itself."""
    if isinstance(kind, Toggle):
        return {"true": True, "on": True, "false": False, "off": False}.get(word.lower(), word)
    if isinstance(kind, Number):
        with contextlib.suppress(ValueError):
            return float(word)
    return word


def _flat(answer: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in answer.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value if isinstance(value, str) else json.dumps(value)


def _list_of_objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
