"""A training run's files that are read again: the checkpoint and the log."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch

from harmonizer.weights import WeightsError, write_beside

CHECKPOINT_FILE: Final = "last.pt"
LOG_FILE: Final = "log.csv"
_MAX_BYTES = 4 * 2**30
_ARCHITECTURE = ("heads", "backbone", "thumbnail_px")


def read_checkpoint(path: Path, *, like: Mapping[str, Any]) -> dict[str, Any]:
    """A saved run's state, on the CPU. like: the present run's settings.

    WeightsError when the file can't be read safely, is none, or is of another architecture: it says which.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise WeightsError(f"{path} is larger than {_MAX_BYTES // 2**30} GiB")
        state = torch.load(path, map_location="cpu", weights_only=True)
    except WeightsError:
        raise
    except Exception as error:  # torch.load fails in a dozen ways on hostile bytes; all mean the same here
        raise WeightsError(f"the checkpoint {path} cannot be read ({first_line(error)})") from error
    saved = state.get("settings") if isinstance(state, dict) else None
    if not isinstance(saved, dict):
        raise WeightsError(f"{path} is no checkpoint of a training run")
    unlike = [
        f"{name.replace('_', ' ')} {_told(saved.get(name))}, not {_told(like[name])}"
        for name in _ARCHITECTURE
        if saved.get(name) != like[name]
    ]
    if unlike:
        raise WeightsError(f"{path} is no checkpoint of this run: it has {'; '.join(unlike)}")
    return dict(state)


def add_to_log(path: Path, step: int, *, loss: float, scores: Mapping[str, float]) -> None:
    """A line of the log, in place of all lines from this step on, which a run that went back has left.

    Written whole beside and renamed: a full disk leaves the old log.
    """
    header = ["step", "loss", *(f"val_fmse_{head}" for head in scores)]
    before = (
        list(csv.reader(io.StringIO(path.read_text("utf-8", errors="replace"), newline=""))) if path.is_file() else []
    )
    rows = [row for row in before[1:] if row and row[0].isdecimal() and int(row[0]) < step]
    line = [str(step), f"{loss:.5f}", *(f"{score:.1f}" for score in scores.values())]
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([header, *rows, line])
    write_beside(path, text.getvalue().encode())


def first_line(error: BaseException) -> str:
    """What an error says, short enough for a sentence."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120]


def _told(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
