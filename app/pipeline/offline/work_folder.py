"""A delivery's unfinished work on disk: each piece whole or absent, and known by what it was made for."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from app.domain.errors import ExitCode, UserError
from app.pipeline.bounded_json import UnusableJson, read_json
from app.pipeline.offline.plan import Plan, Stage
from app.pipeline.recording.file_lock import WriterLock, is_being_written
from app.pipeline.video_output import PendingFile, sync_to_disk

SHEET_COLUMNS: Final = 5

_LOCK: Final = "lock"
_PLAN: Final = "plan.json"
_README: Final = (
    "PlateMatch's unfinished work on a delivery. The same render goes on from here; delete the folder to start over.\n"
)


def analysis_path(plan: Plan, index: int) -> Path:
    """A segment's mattes and curves."""
    return plan.folder / f"analysis_{index:05d}.npz"


def track_path(plan: Plan, index: int) -> Path:
    """The smoothed curves that a segment needs."""
    return plan.folder / f"track_{index:05d}.npz"


def video_path(plan: Plan, index: int) -> Path | None:
    """A segment's pictures as video; None for deliveries in pictures."""
    return None if plan.encoder is None else plan.folder / f"segment_{index:05d}{plan.encoder.segment_suffix}"


def matte_path(plan: Plan, index: int) -> Path | None:
    """A segment's matte as video, where that is asked for."""
    choice = plan.matte_encoder
    return None if choice is None else plan.folder / f"matte_{index:05d}{choice.segment_suffix}"


def sheet_path(plan: Plan, index: int) -> Path:
    """A segment's columns of the contact sheet."""
    return plan.folder / f"sheet_{index:05d}.npz"


def sidecar_path(plan: Plan, stage: Stage, index: int) -> Path:
    """What is known of a finished piece; written last, so with it the piece is whole."""
    return plan.folder / f"{'analysis' if stage == 'analyse' else 'segment'}_{index:05d}.json"


def files_made(plan: Plan, stage: Stage, index: int) -> list[Path]:
    """What a stage of a segment puts into the folder, the sidecar last."""
    sidecar = sidecar_path(plan, stage, index)
    if stage == "analyse":
        return [analysis_path(plan, index), sidecar]
    sheet = [sheet_path(plan, index)] if plan.job.extras.sheet is not None and sheet_numbers(plan, index) else []
    videos = [path for path in (video_path(plan, index), matte_path(plan, index)) if path is not None]
    return [*videos, *sheet, sidecar]


def files_needed(plan: Plan, stage: Stage, index: int) -> list[Path]:
    """What a stage of a segment reads from the folder."""
    if stage == "analyse":
        return []
    near = [i for i in (index - 1, index, index + 1) if 0 <= i < len(plan.segments)]
    return [track_path(plan, index), *(analysis_path(plan, i) for i in near)]


def sheet_numbers(plan: Plan, index: int) -> list[int]:
    """Numbers of a segment's pictures that the contact sheet shows: evenly spread over the delivery."""
    total = plan.segments[-1].number + len(plan.segments[-1].shown)
    picks = set(np.linspace(0, total - 1, min(SHEET_COLUMNS, total)).round().astype(int).tolist())
    segment = plan.segments[index]
    return sorted(picks & set(range(segment.number, segment.number + len(segment.shown))))


def key_of(plan: Plan, stage: Stage) -> str:
    """What a finished piece was made for."""
    return plan.analysis_key if stage == "analyse" else plan.render_key


def write_sidecar(plan: Plan, stage: Stage, index: int, facts: Mapping[str, Any]) -> None:
    """Note that a piece is whole: its files' hashes and `facts`. UserError (OUTPUT)."""
    files = {path.name: _sha256(path) for path in files_made(plan, stage, index)[:-1]}
    write_whole(sidecar_path(plan, stage, index), json.dumps({"key": key_of(plan, stage), "files": files, **facts}))


def read_sidecar(plan: Plan, stage: Stage, index: int) -> dict[str, Any] | None:
    """What is known of a finished piece; None where there is none, or it is of another job, or damaged."""
    path = sidecar_path(plan, stage, index)
    try:
        facts = read_json(path)
    except (UnusableJson, OSError):
        return None
    if not isinstance(facts, dict) or facts.get("key") != key_of(plan, stage):
        return None
    files = {one.name for one in files_made(plan, stage, index)[:-1]}
    noted = facts.get("files")
    if not isinstance(noted, dict) or set(noted) != files:
        return None
    return facts if all(_has_hash(plan.folder / name, digest) for name, digest in noted.items()) else None


def missing(plan: Plan, stage: Stage) -> list[int]:
    """Segments whose stage is not finished, and the bytes of finished ones checked."""
    return [segment.index for segment in plan.segments if read_sidecar(plan, stage, segment.index) is None]


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a small file beside and rename it. UserError (OUTPUT)."""
    pending = PendingFile(path)
    try:
        pending.part.write_bytes(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        failure = pending.error(error)
        pending.discard()
        raise failure from error
    pending.commit()


def save_arrays(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write arrays beside and rename, as `numpy.savez_compressed` does in four times the time. UserError (OUTPUT)."""
    pending = PendingFile(path)
    try:
        with zipfile.ZipFile(pending.part, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)  # type: ignore[no-untyped-call]
    except OSError as error:
        failure = pending.error(error)
        pending.discard()
        raise failure from error
    pending.commit()


def load_arrays(path: Path, without: str = "") -> dict[str, npt.NDArray[Any]]:
    """Read arrays again, but for those whose names begin with `without`; pickles are refused.

    OSError or ValueError when they can't be read.
    """
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files if not (without and name.startswith(without))}


@contextlib.contextmanager
def work_folder(plan: Plan, *, fresh: bool) -> Iterator[None]:
    """Hold the plan's folder: made if missing, emptied if `fresh`, pieces of another job taken out.

    UserError (OUTPUT) when it can't be had, or another process is at work in it.
    """
    folder = plan.folder
    try:
        folder.mkdir(exist_ok=True)
        lock_path = folder / _LOCK
        lock_path.touch()
        if is_being_written(lock_path):
            raise UserError(
                f"“{plan.job.output.name}” is being rendered by another window or command already.",
                "Wait for it, or choose another name.",
                code=ExitCode.OUTPUT,
            )
        lock = WriterLock(lock_path)
    except OSError as error:
        raise UserError(
            f"The folder “{folder.parent}” can't be written to ({error.strerror}).",
            "Choose another folder.",
            code=ExitCode.OUTPUT,
        ) from error
    try:
        _clear(plan, fresh=fresh)
        yield
    finally:
        lock.release()
        if not any(folder.glob("analysis_?????.json")):
            remove(plan)  # Nothing to go on with.


def _clear(plan: Plan, *, fresh: bool) -> None:
    """Keep what this job can go on with."""
    folder = plan.folder
    noted = {} if fresh else _noted(folder)
    stale = []
    if noted.get("analysis_key") != plan.analysis_key:
        stale += ["analysis_*", "track_*"]
    if noted.get("render_key") != plan.render_key:
        stale += ["segment_*", "matte_*", "sheet_*"]
    for pattern in (*stale, "*.part*"):
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)
    write_whole(folder / _PLAN, json.dumps(_facts(plan), indent=1))
    write_whole(folder / "README.txt", _README)


def _noted(folder: Path) -> dict[str, Any]:
    try:
        facts = read_json(folder / _PLAN)
    except (UnusableJson, OSError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _facts(plan: Plan) -> dict[str, Any]:
    return {
        "schema": 1,
        "analysis_key": plan.analysis_key,
        "render_key": plan.render_key,
        "clip": str(plan.job.clip),
        "output": str(plan.job.output),
        "encoder": None if plan.encoder is None else plan.encoder.encoder,
        "time_base": str(plan.index.time_base),
        "segments": [[s.first_pts, s.stop_pts, len(s.shown)] for s in plan.segments],
    }


def remove(plan: Plan) -> None:
    """Take the folder away: the delivery is finished."""
    shutil.rmtree(plan.folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        sync_to_disk(plan.folder.parent)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _has_hash(path: Path, digest: object) -> bool:
    try:
        return _sha256(path) == digest
    except OSError:
        return False


def size_bytes(plan: Plan) -> int:
    """What the folder takes on disk."""
    with contextlib.suppress(OSError):
        return sum(os.stat(path).st_size for path in plan.folder.iterdir())
    return 0
