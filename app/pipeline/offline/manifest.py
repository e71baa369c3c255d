"""Lists of deliveries that people and other programs write: CSV with a header, or one JSON object a line."""

from __future__ import annotations

import csv
import io
import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.domain.errors import UserError
from app.pipeline.bounded_json import UnusableJson, parse_json

MAX_MANIFEST_BYTES: Final = 16_000_000
MAX_ROWS: Final = 20_000
MAX_CELL: Final = 4096
"""Characters of a value; the longest path that Linux takes."""

_DELIMITERS: Final = ",;\t"


@dataclass(frozen=True, slots=True)
class Row:
    """One delivery: its values by column, empty ones left out. where: `shots.csv, line 4`."""

    where: str
    values: dict[str, str]


@dataclass(frozen=True, slots=True)
class Refused:
    """A row or file that can't be used, and why."""

    where: str
    error: UserError


def read_manifest(path: Path, columns: Collection[str]) -> Iterator[Row | Refused]:
    """Rows in order, and what is wrong with those that can't be used. columns: there are; `clip` must be given.

    UserError (BAD_INPUT) when it is no manifest at all: unreadable, too large, not UTF-8, a header of unknown columns.
    """
    text = _text(path)
    is_json = path.suffix.lower() in {".jsonl", ".ndjson", ".json"} or text.lstrip().startswith("{")
    rows = _json_rows(text, path.name) if is_json else _csv_rows(text, path.name, columns)
    for count, row in enumerate(rows):
        if count >= MAX_ROWS:
            yield Refused(path.name, UserError(f"“{path.name}” lists more than {MAX_ROWS} clips.", "Make several."))
            return
        yield row if isinstance(row, Refused) else _checked(row, columns)


def _text(path: Path) -> str:
    try:
        # Without waiting: a pipe of that name would never open.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with open(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise UserError(f"“{path.name}” is not a file.", "Name a CSV or JSON lines file.")
            content = file.read(MAX_MANIFEST_BYTES + 1)
    except OSError as error:
        raise UserError(f"The manifest “{path}” can't be read ({error.strerror}).", "Check its name.") from error
    if len(content) > MAX_MANIFEST_BYTES:
        raise UserError(f"“{path.name}” is over {MAX_MANIFEST_BYTES // 10**6} MB.", "Divide it into several.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"“{path.name}” is not text in UTF-8.", "Save it as CSV, UTF-8, or as JSON lines.") from error


def _csv_rows(text: str, name: str, columns: Collection[str]) -> Iterator[Row | Refused]:
    head = text.lstrip("\r\n").partition("\n")[0]
    delimiter = max(_DELIMITERS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        header = [cell.strip().lower() for cell in next((cells for cells in reader if any(cells)), [])]
        _check_header(header, name, columns)
        for cells in reader:
            where = f"{name}, line {reader.line_num}"
            if not any(cell.strip() for cell in cells):
                continue
            if any(cell.strip() for cell in cells[len(header) :]):
                yield Refused(
                    where, UserError("There are more values than columns.", "Put texts with commas in quotes.")
                )
            else:
                yield Row(where, dict(zip(header, cells, strict=False)))
    except csv.Error as error:
        yield Refused(f"{name}, line {reader.line_num}", UserError(f"It is damaged: {error}.", "Save it anew."))


def _check_header(header: list[str], name: str, columns: Collection[str]) -> None:
    known = ", ".join(columns)
    if "clip" not in header:
        raise UserError(f"The first line of “{name}” names no column “clip”.", f"There are: {known}.")
    unknown = [column for column in header if column and column not in columns]
    if unknown:
        raise UserError(f"“{name}” has a column “{unknown[0][:40]}” that means nothing.", f"There are: {known}.")
    if len(set(header)) < len(header):
        raise UserError(f"“{name}” has a column twice.", "Every column once.")


def _json_rows(text: str, name: str) -> Iterator[Row | Refused]:
    for number, line in enumerate(text.split("\n"), start=1):
        where = f"{name}, line {number}"
        if not line.strip():
            continue
        try:
            value = parse_json(line.encode())
        except UnusableJson as error:
            yield Refused(where, UserError(f"The line {error}.", "Each line is one JSON object."))
            continue
        if not isinstance(value, dict):
            yield Refused(where, UserError("The line is no JSON object.", 'Write {"clip": "talk.mp4"}.'))
            continue
        odd = [key for key, one in value.items() if isinstance(one, dict | list | bool)]
        if odd:
            yield Refused(where, UserError(f"“{odd[0][:40]}” is no text or number.", "Write it as text."))
            continue
        yield Row(where, {key.lower(): "" if one is None else str(one) for key, one in value.items()})


def _checked(row: Row, columns: Collection[str]) -> Row | Refused:
    values = {column: value.strip() for column, value in row.values.items() if value.strip()}
    unknown = [column for column in values if column not in columns]
    if unknown:
        problem = UserError(f"“{unknown[0][:40]}” means nothing here.", f"There are: {', '.join(columns)}.")
    elif "clip" not in values:
        problem = UserError("It names no clip.", "Write a video's path under “clip”.")
    elif long := [c for c, value in values.items() if len(value) > MAX_CELL or "\0" in value]:
        problem = UserError(f"Its “{long[0]}” is no usable text.", f"Up to {MAX_CELL} characters are.")
    else:
        return Row(row.where, values)
    return Refused(row.where, problem)
