"""JSON from files and programs that may be broken or hostile: bounded, never an exception but `UnusableJson`."""

from __future__ import annotations

import json
import math
import os
import stat
from pathlib import Path
from typing import Any, Final

MAX_FILE_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 32
_MAX_DIGITS: Final = 300
"""Longer whole numbers than any float become infinite, which every limit refuses."""


class UnusableJson(Exception):  # noqa: N818  (says what was found, not what failed)
    """Why text or a file is not used, as the end of a sentence: `is damaged`."""


def parse_json(text: bytes, *, max_bytes: int = MAX_FILE_BYTES) -> Any:
    """What the text holds: UTF-8, at most `max_bytes` and MAX_DEPTH levels; else UnusableJson."""
    if len(text) > max_bytes:
        raise UnusableJson("is too large")
    try:
        value = json.loads(text.decode("utf-8-sig"), parse_int=_whole_number)
        too_deep = _depth(value) > MAX_DEPTH
    except RecursionError:
        too_deep = True
    except ValueError as error:
        raise UnusableJson("is damaged") from error
    if too_deep:
        raise UnusableJson("is nested too deeply")
    return value


def read_json(path: Path, *, max_bytes: int = MAX_FILE_BYTES) -> Any:
    """What a file holds. UnusableJson when it is no such file; OSError when it can't be read, or is none at all."""
    # Without waiting: a pipe of that name would never open.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise UnusableJson("is no file")
    with open(handle, "rb") as file:
        return parse_json(file.read(max_bytes + 1), max_bytes=max_bytes)


def _whole_number(digits: str) -> int | float:
    if len(digits) <= _MAX_DIGITS:
        return int(digits)
    return -math.inf if digits.startswith("-") else math.inf


def _depth(value: object) -> int:
    """Levels of lists and objects, counted without recursion."""
    deepest, waiting = 0, [(value, 1)]
    while waiting:
        item, level = waiting.pop()
        inner = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        deepest = max(deepest, level if isinstance(item, dict | list) else 0)
        waiting += [(part, level + 1) for part in inner if isinstance(part, dict | list)]
    return deepest
