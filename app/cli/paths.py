"""Checks of output paths, before any work is done."""

from __future__ import annotations

import os
from pathlib import Path

from app.domain.errors import ExitCode, UserError


def check_output(path: Path, *, inputs: tuple[Path, ...] = (), overwrite: bool = True) -> None:
    """UserError (OUTPUT) unless a file can be made there without touching one that must stay."""
    if any(other.exists() and path.exists() and os.path.samefile(path, other) for other in inputs):
        raise UserError(f"{path} is an input.", "Choose another name for the output.", code=ExitCode.OUTPUT)
    if path.is_dir():
        raise UserError(f"{path} is a folder.", "Give the output a file name.", code=ExitCode.OUTPUT)
    if path.exists() and not overwrite:
        raise UserError(f"{path} exists.", "Add --overwrite to replace it.", code=ExitCode.OUTPUT)
    folder = path.absolute().parent
    if not folder.is_dir():
        raise UserError(f"The folder {folder} does not exist.", "Make it first.", code=ExitCode.OUTPUT)
    if not os.access(folder, os.W_OK):
        raise UserError(f"The folder {folder} can't be written.", "Choose another.", code=ExitCode.OUTPUT)
