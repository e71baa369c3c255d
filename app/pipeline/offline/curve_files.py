"""The matched curve for other programs: a 3D LUT a scene (.cube), and the curve over time as JSON.

The LUTs are in the syntax that Resolve, Adobe's programs and Nuke's Vectorfield share. Levels are as pictures are
encoded, 0 to 1, BT.709/sRGB; a LUT is for the person alone, so it belongs under the matte. For how JSON becomes a curve
there, see `write_curves`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from app.domain.errors import ExitCode, UserError
from app.pipeline.matching import MatchSettings, curve_of
from app.pipeline.video_output import PendingFile
from harmonizer.curves import Lut

CUBE_SIZE: Final = 33
"""Of a scene's curve a LUT of 33 steps misses half a level of 255 at the most on seven clips with people; one of 65, of
eight times the size, 0.2."""

CURVE_PIECES: Final = 64
VERSION: Final = 1

KEY_LEVELS: Final = 0.5 / 255.0
KEY_EVERY_S: Final = 1.0

_MAX_CUBE: Final = 65
_MAX_CUBE_BYTES: Final = 64 << 20
_FINE: Final = 16 * CURVE_PIECES + 1
"""Entries of the curves that are sampled: every level that is asked for is one of them."""

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class SceneCurves:
    """A scene, start_pts <= pts < stop_pts, and its curves at n of its frames; none where nobody was found.

    pts, frames (n,): ascending; frames are counted from the clip's first. curves (n, 3, CURVE_PIECES + 1): as they are
    applied.
    """

    start_pts: int
    stop_pts: int
    pts: Array
    frames: Array
    curves: Array

    @property
    def curve(self) -> Lut | None:
        """What fits the scene as a whole: the median at each level, which is monotone as they all are."""
        return np.asarray(np.median(self.curves, axis=0)) if len(self.curves) else None


def scenes_of(
    knots: Array,
    skin: Array,
    *,
    pts: Array,
    frames: Array,
    scene_starts: Sequence[int],
    stop_pts: int,
    match: MatchSettings,
) -> Iterator[SceneCurves]:
    """A clip's smoothed curves, scene by scene, with strength and skin protection as pictures get them.

    knots (T, S, 3, K + 1), skin (T, 3): NaN for none. pts, frames (T,): ascending, of these moments. scene_starts: pts
    of the scenes' first frames; stop_pts: one past the clip's last.
    """
    known = ~np.isnan(knots).any(axis=(1, 2, 3))
    for start, stop in zip(scene_starts, [*scene_starts[1:], stop_pts], strict=True):
        rows = np.flatnonzero(known & (pts >= start) & (pts < stop))
        colours = [None if np.isnan(skin[row]).any() else skin[row] for row in rows]
        fine = (curve_of(knots[row], match, colour, entries=_FINE) for row, colour in zip(rows, colours, strict=True))
        curves = np.array([curve[:, :: _FINE // CURVE_PIECES] for curve in fine]).reshape(-1, 3, CURVE_PIECES + 1)
        yield SceneCurves(start, stop, pts[rows], frames[rows], curves)


def write_curves(
    path: Path | None,
    cubes: Path | None,
    scenes: Iterable[SceneCurves],
    *,
    time_base: Fraction,
    title: str,
    overwrite: bool = True,
    inputs: Iterable[Path] = (),
) -> tuple[Path, ...]:
    """Write the LUTs into a folder, which is made where it is missing, and the JSON; either may be None. The files.

    The JSON object: `version`; `time_base`, seconds a pts, as a fraction; `inputs`, 65 levels from 0 to 1; `scenes`,
    each with its `number`, `start_s` and `end_s` from the clip's first frame, `start_pts`, `end_pts`, the `lut`'s file
    name (null where nobody was found or none was asked for) and `keys`: `time_s`, `frame`, `pts` and the output levels
    `red`, `green` and `blue` at `inputs`. Between keys curves go over into each other in proportion; before the first
    and after the last they stay. In Nuke each key is a keyframe of ColorLookup's three curves with one point an input;
    in After Effects of Curves, or the LUT alone by Apply Color LUT; in Resolve the LUT, on a node under the matte.
    UserError (OUTPUT) when a file can't be written; those before it are whole.
    """
    inputs, written, parts = tuple(inputs), [], []
    origin: int | None = None
    for number, scene in enumerate(scenes, 1):
        origin = scene.start_pts if origin is None else origin
        start_s = float((scene.start_pts - origin) * time_base)
        curve, name = scene.curve, None
        if cubes is not None and curve is not None:
            name = cube_name(number, start_s)
            _make_folder(cubes)
            _write(cubes / name, cube_text(curve, title=f"{title}, scene {number}"), overwrite=overwrite, inputs=inputs)
            written.append(cubes / name)
        parts.append({"number": number, "lut": name} | _described(scene, origin, time_base))
    if path is not None:
        steps = [k / CURVE_PIECES for k in range(CURVE_PIECES + 1)]
        whole = {"version": VERSION, "time_base": str(time_base), "inputs": steps, "scenes": parts}
        _write(path, json.dumps(whole, allow_nan=False), overwrite=overwrite, inputs=inputs)
        written.append(path)
    return tuple(written)


def cube_name(number: int, start_s: float) -> str:
    """File name of a scene's LUT: `scene_001_00m12s.cube`."""
    minutes, seconds = divmod(math.floor(start_s), 60)
    return f"scene_{number:03d}_{minutes:02d}m{seconds:02d}s.cube"


def cube_text(curve: Lut, *, title: str) -> str:
    """A curve, (3, N) in [0, 1], as a 3D LUT of CUBE_SIZE steps a side, red running fastest."""
    grid = np.linspace(0.0, 1.0, CUBE_SIZE)
    levels = np.linspace(0.0, 1.0, curve.shape[1])
    red, green, blue = ([f"{level:.6f}" for level in np.interp(grid, levels, channel)] for channel in curve)
    quoted = "".join(letter for letter in title if letter.isprintable() and letter != '"')
    head = f'TITLE "{quoted}"\nLUT_3D_SIZE {CUBE_SIZE}\nDOMAIN_MIN 0.0 0.0 0.0\nDOMAIN_MAX 1.0 1.0 1.0\n'
    return head + "".join(f"{r} {g} {b}\n" for b, g, r in product(blue, green, red))


def read_cube(path: Path) -> npt.NDArray[np.float64]:
    """A 3D LUT, (blue, green, red, 3) output levels at the steps of the inputs. UserError (BAD_INPUT) when it is none.

    At most 65 steps a side, over the whole of 0 to 1.
    """
    try:
        if path.stat().st_size > _MAX_CUBE_BYTES:
            raise _unusable(path, "is too large")
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(path, "can't be read") from error
    size, rows = 0, []
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith("#") or words[0] in ("TITLE", "DOMAIN_MIN", "DOMAIN_MAX"):
            continue
        if words[0] == "LUT_3D_SIZE" and len(words) == 2 and words[1].isdecimal() and len(words[1]) <= 3:
            size = int(words[1])
        else:
            rows.append(words)
    if not 2 <= size <= _MAX_CUBE or len(rows) != size**3:
        raise _unusable(path, "has not as many entries as it says")
    try:
        table = np.array(rows, np.float64).reshape(size, size, size, 3)
    except ValueError as error:
        raise _unusable(path, "is damaged") from error
    if not np.isfinite(table).all():
        raise _unusable(path, "is damaged")
    return table


def _described(scene: SceneCurves, origin: int, time_base: Fraction) -> dict[str, object]:
    def seconds(pts: int) -> float:
        return round(float((pts - origin) * time_base), 6)

    keys = []
    for row in _keys(scene, time_base):
        red, green, blue = np.round(scene.curves[row], 6).tolist()
        pts, frame = int(scene.pts[row]), int(scene.frames[row])
        keys.append({"time_s": seconds(pts), "frame": frame, "pts": pts, "red": red, "green": green, "blue": blue})
    return {
        "start_s": seconds(scene.start_pts),
        "end_s": seconds(scene.stop_pts),
        "start_pts": scene.start_pts,
        "end_pts": scene.stop_pts,
        "keys": keys,
    }


def _keys(scene: SceneCurves, time_base: Fraction) -> list[int]:
    """Rows from which the others follow: where the curve has moved visibly, every second, and the last.

    The row before a move is one too, or the curve would seem to have been on its way since the key before.
    """
    keys: list[int] = []
    for row in range(len(scene.pts)):
        if keys and np.abs(scene.curves[row] - scene.curves[keys[-1]]).max() > KEY_LEVELS:
            keys += [row - 1, row] if keys[-1] < row - 1 else [row]
        elif not keys or row == len(scene.pts) - 1 or _is_due(scene, keys[-1], row, time_base):
            keys.append(row)
    return keys


def _is_due(scene: SceneCurves, key: int, row: int, time_base: Fraction) -> bool:
    return int(scene.pts[row] - scene.pts[key]) * time_base >= KEY_EVERY_S


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"The folder “{folder}” could not be made.", "Choose another one.", code=ExitCode.OUTPUT
        ) from error


def _write(path: Path, text: str, *, overwrite: bool, inputs: Sequence[Path]) -> None:
    """Write beside, then rename. UserError (OUTPUT) as `PendingFile`."""
    pending = PendingFile(path, overwrite=overwrite, inputs=inputs)
    try:
        pending.part.write_text(text, "utf-8", newline="\n")
    except OSError as error:
        failure = pending.error(error)
        pending.discard()
        raise failure from error
    except BaseException:
        pending.discard()
        raise
    pending.commit()


def _unusable(path: Path, what: str) -> UserError:
    return UserError(f"“{path.name}” {what}.", "Give a .cube file with a 3D LUT.", code=ExitCode.BAD_INPUT)
