"""One picture of the live stream as a PNG file."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import cv2
import numpy as np

from app.domain.decontamination import decontaminate
from app.domain.errors import ExitCode, UserError
from app.domain.frame import Alpha8, Pixels
from app.pipeline.image_saving import save_image
from app.pipeline.live.pictures import Finished
from app.pipeline.recording.naming import checked_folder, numbered, stem_for


def save_snapshot(picture: Finished, folder: Path, *, transparent: bool = False) -> Path:
    """Save what the outputs show as `PlateMatch <date> <time>.png` and return the file; nothing is overwritten.

    transparent: the person alone, of the source's size and colours; where alpha is 0 the stored colour is black, so
    that the room is not hidden in the file, at the edge it is the estimated foreground's. UserError (OUTPUT) when
    the folder can't be written, or nobody is in the picture to be cut out.
    """
    if transparent and (picture.frame is None or picture.alpha is None):
        raise UserError(
            "Nobody is in the picture to be cut out.", "Wait until you are seen, then try again.", code=ExitCode.OUTPUT
        )
    path = _reserved(checked_folder(folder))
    try:
        if transparent and picture.frame is not None and picture.alpha is not None:
            pixels, alpha = cut_out(picture.frame.pixels, picture.alpha)
            save_image(path, pixels, alpha=alpha)
        else:
            save_image(path, picture.composite)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def cut_out(pixels: Pixels, alpha: Alpha8) -> tuple[Pixels, Alpha8]:
    """Straight foreground colours and alpha, of the picture's size; black where alpha is 0."""
    height, width = pixels.shape[:2]
    if alpha.shape != (height, width):
        alpha = np.asarray(cv2.resize(alpha, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    foreground = decontaminate(pixels, alpha).copy()
    foreground[alpha == 0] = 0
    return foreground, alpha


def _reserved(folder: Path) -> Path:
    """Take a free name by making an empty file, which the picture then replaces: two snapshots of a second differ."""
    for path in numbered(folder / f"{stem_for(datetime.now().astimezone())}.png"):
        try:
            path.touch(exist_ok=False)
        except FileExistsError:
            continue
        except OSError as error:
            raise UserError(
                f"“{folder}” can't be written: {error.strerror or error}.",
                "Choose another folder.",
                code=ExitCode.OUTPUT,
            ) from error
        return path
    raise AssertionError("numbers do not end")
