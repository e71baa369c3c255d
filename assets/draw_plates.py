"""Draw the default plates again: `python -m assets.draw_plates --out DIR`.

Nothing is random between runs: every scene has its own seeds, and shows the same at any size (the traced
rooms a little brighter when small, since their noise is smoothed over a fixed number of pixels).
All eight at 1920 x 1080 took 23 minutes on two busy cores, 20 of them for the three traced rooms.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from assets.plate_art.film import finish

SCENES = {
    "sunset": "sunset",
    "night-street": "night_street",
    "studio": "studio",
    "forest": "forest",
    "mountains": "mountains",
    "neon": "neon",
    "library": "library",
    "loft": "loft",
}
"""Plate's name -> module of `assets.plate_art` that draws it."""

FULL_SIZE = (1920, 1080)
LARGEST_FILE_BYTES = 340_000
_GRAIN_LEVELS = 1.1


def draw_plate(name: str, size: tuple[int, int] = FULL_SIZE) -> npt.NDArray[np.uint8]:
    """Draw one plate: (height, width, 3) uint8 RGB. KeyError for a name that is not in SCENES."""
    scene = importlib.import_module(f"assets.plate_art.{SCENES[name]}")
    return finish(scene.draw(*size), size, grain=_GRAIN_LEVELS, seed=sum(map(ord, name)))


def encode_jpeg(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Compress as well as LARGEST_FILE_BYTES allows, at quality 95 at most."""
    for quality in range(95, 50, -1):
        options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1, cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
        data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)[1].tobytes()
        if len(data) <= LARGEST_FILE_BYTES:
            break
    return data


def main(argv: list[str] | None = None) -> int:
    """Command line of this script."""
    parser = argparse.ArgumentParser(description="Draw the default plates.")
    parser.add_argument("--out", type=Path, required=True, help="folder for the JPEG files")
    parser.add_argument("--only", choices=sorted(SCENES), action="append", help="one plate; may be given again")
    parser.add_argument("--size", type=int, nargs=2, default=FULL_SIZE, metavar=("W", "H"), help="in pixels")
    arguments = parser.parse_args(argv)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.only or SCENES:
        start_s = time.monotonic()
        data = encode_jpeg(draw_plate(name, tuple(arguments.size)))
        (arguments.out / f"{name}.jpg").write_bytes(data)
        sys.stdout.write(f"{name}.jpg  {len(data) / 1000:.0f} kB  {time.monotonic() - start_s:.0f} s\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
