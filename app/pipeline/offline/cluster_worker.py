"""A worker process on some machine of a cluster; knows nothing of Ray but how to fetch what was put into its store."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import socket
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from app.domain.errors import ExitCode, UserError
from app.pipeline.offline import cluster_files
from app.pipeline.offline.cluster_files import NodeFolder
from app.pipeline.offline.control import Frames, SegmentDone, Stopped
from app.pipeline.offline.executors import Pace
from app.pipeline.offline.keys import library_versions
from app.pipeline.offline.plan import Plan, Stage
from app.pipeline.offline.work_folder import files_made, files_needed
from app.pipeline.threads import one_thread_each
from app.pipeline.video_output import sync_to_disk

WORKER_PREFIX: Final = "worker-"
"""Begins the names of the workers' folders within a plan's."""

MADE: Final = "made"
"""Folder within a worker's own where finished files wait to be fetched."""

log = logging.getLogger(__name__)

_AWAY: Final = frozenset(
    getattr(errno, name)
    for name in ("ESTALE", "EIO", "ENOTCONN", "EHOSTDOWN", "EHOSTUNREACH", "ENETDOWN", "ENETUNREACH", "ETIMEDOUT")
    if hasattr(errno, name)
)
"""What a network disk answers while its server is away."""


class Worker(Protocol):
    """What does the segments: `workers.SegmentWorker`."""

    def run(self, stage: Stage, index: int, frames: Frames) -> SegmentDone:
        """Do a stage of a segment."""

    def close(self) -> None:
        """Close files and models."""


WorkerFactory = Callable[[Plan], Worker]


@dataclass(frozen=True, slots=True)
class About:
    """What a worker runs with. versions: of everything that decides what pictures come out."""

    node: str
    pid: int
    versions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shipment:
    """A plan on its way to workers.

    plan: one reference. paths: of `paths_read`, absolute where disks are shared, else within the copy. bundles:
    references to the files' contents, None where disks are shared. References are inside lists, so that a worker
    fetches them only when it needs them. weights: as of `weights_digest`.
    """

    key: str
    plan: Sequence[Any]
    paths: Mapping[str, Path]
    bundles: Sequence[Any] | None
    weights: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a segment. files: (name, bytes) of what waits to be fetched; wall_s: that the worker took.

    done; stopped as told; refused: a UserError that every worker would meet; away: files that can't be reached from
    there now; broken: anything else.
    """

    kind: Literal["done", "stopped", "refused", "away", "broken"]
    wall_s: float = 0.0
    done: SegmentDone | None = None
    error: UserError | None = None
    text: str = ""
    files: tuple[tuple[str, int], ...] = ()


class Wishes:
    """The owner's control as a worker knows it."""

    def __init__(self) -> None:
        self.stop = self.hold = False

    def should_stop(self) -> bool:
        """Whether to leave the segment."""
        return self.stop

    def is_paused(self) -> bool:
        """Whether to hold."""
        return self.hold


class SegmentActor:
    """One a core. `run` does one segment at a time; meanwhile `talk` tells of it and is told."""

    def __init__(self, make: WorkerFactory) -> None:
        one_thread_each()
        self._make = make
        self._folder = NodeFolder()
        self._open: _Opened | None = None
        self._errand, self._frames, self._wishes = "", 0, Wishes()

    def about(self) -> About:
        """What this worker runs with."""
        return about_here()

    def run(self, errand: str, shipment: Shipment, stage: Stage, index: int, needed: Mapping[str, bytes]) -> Outcome:
        """Do a stage of a segment; never raises. needed: contents of `files_needed` where disks are not shared."""
        started_s = time.monotonic()
        self._wishes, self._frames = Wishes(), 0
        self._errand = errand
        outcome = self._outcome(shipment, stage, index, needed)
        return replace(outcome, wall_s=time.monotonic() - started_s)

    def talk(self, errand: str, stop: bool, hold: bool) -> int:
        """Tell how many frames are done, and be told to stop or hold; -1 when at work on something else."""
        if errand != self._errand:
            return -1
        self._wishes.stop, self._wishes.hold = stop, hold
        return self._frames

    def read(self, name: str, offset: int) -> bytes:
        """Part of a finished file. OSError."""
        with (self._folder.own / MADE / name).open("rb") as file:
            file.seek(offset)
            return file.read(cluster_files.PIECE_BYTES)

    def close(self) -> None:
        """Close files and models, and leave nothing on the node's disk."""
        self._shut()
        self._folder.close()

    def _outcome(self, shipment: Shipment, stage: Stage, index: int, needed: Mapping[str, bytes]) -> Outcome:
        try:
            opened = self._opened(shipment)
            done, files = opened.run(stage, index, needed, Pace(self._tell, self._wishes))
        except Stopped:
            return Outcome("stopped")
        except Exception as error:
            away = self._away(shipment, error)
            if away:
                self._shut()  # Files held open on a disk that went are of no use when it is back.
                return Outcome("away", text=away)
            if isinstance(error, UserError):
                return Outcome("refused", error=error)
            log.exception("a segment failed")
            self._shut()  # Whatever state it was in, the next try begins anew.
            return Outcome("broken", text=f"{type(error).__name__}: {error}")
        return Outcome("done", done=done, files=files)

    def _tell(self, frames: int) -> None:
        self._frames = frames

    def _away(self, shipment: Shipment, error: BaseException) -> str:
        """The file that can't be reached from here, if that is why; else nothing."""
        if shipment.bundles is None:
            opened = self._open
            folder = [opened.theirs.folder] if opened is not None and opened.key == shipment.key else []
            for path in (*shipment.paths.values(), *folder):
                if not path.exists():
                    return str(path)
        chain: BaseException | None = error
        while chain is not None:
            if isinstance(chain, OSError) and chain.errno in _AWAY:
                return str(chain.filename or chain)
            chain = chain.__cause__ or chain.__context__
        return ""

    def _opened(self, shipment: Shipment) -> _Opened:
        if self._open is None or self._open.key != shipment.key:
            self._shut()
            self._open = _Opened(shipment, self._make, self._folder)
        return self._open

    def _shut(self) -> None:
        opened, self._open = self._open, None
        if opened is not None:
            opened.close()


class _Opened:
    """The plan that an actor is at work on. theirs: as the owner sent it; `_ours`: over this node's files."""

    def __init__(self, shipment: Shipment, make: WorkerFactory, folder: NodeFolder) -> None:
        self.key, self._folder, self._make = shipment.key, folder, make
        self.theirs: Plan = _fetched(shipment.plan[0])
        self._worker: Worker | None = None
        self._weights, self._is_shared = shipment.weights, shipment.bundles is None
        if shipment.bundles is None:
            # Inside the job's own folder, so that what is made there gets its place by a rename. A worker taken for
            # dead that still writes can't touch what its successor makes.
            self._own = self.theirs.folder / f"{WORKER_PREFIX}{uuid.uuid4().hex}"
            self._made, output = self.theirs.folder, self.theirs.job.output
            paths = dict(shipment.paths)
        else:
            self._own, self._made = folder.own / "work", folder.own / MADE
            output = self._made / cluster_files.PICTURES
            copy = folder.copied(self.key, map(_fetched, shipment.bundles))
            paths = {part: copy / path for part, path in shipment.paths.items()}
        self._ours = cluster_files.with_paths(self.theirs, paths, self._own, output)

    def run(
        self, stage: Stage, index: int, needed: Mapping[str, bytes], frames: Frames
    ) -> tuple[SegmentDone, tuple[tuple[str, int], ...]]:
        """Do a stage of a segment; also the names and bytes of files that the owner has to fetch."""
        self._begin(stage, index, needed)
        try:
            done = self._ready().run(stage, index, frames)
            return done, self._hand_over(stage, index)
        finally:
            shutil.rmtree(self._own, ignore_errors=True)

    def close(self) -> None:
        """Close the worker; the copy of the files goes with its last user."""
        if self._worker is not None:
            self._worker.close()
        if not self._is_shared:
            self._folder.leave(self.key)
            shutil.rmtree(self._made, ignore_errors=True)

    def _begin(self, stage: Stage, index: int, needed: Mapping[str, bytes]) -> None:
        """Put what the stage reads into an empty folder."""
        shutil.rmtree(self._own, ignore_errors=True)
        self._own.mkdir()
        if not self._is_shared:
            shutil.rmtree(self._made, ignore_errors=True)
            (self._made / cluster_files.PICTURES).mkdir(parents=True)
        for path in files_needed(self._ours, stage, index):
            if self._is_shared:
                shutil.copyfile(self.theirs.folder / path.name, path)
            else:
                path.write_bytes(needed[path.name])

    def _ready(self) -> Worker:
        if self._worker is None:
            if cluster_files.weights_digest(self._ours.job) != self._weights:
                raise UserError(
                    f"{socket.gethostname()} has other weights of the colour network than this machine.",
                    "Install the same PlateMatch on every machine of the cluster.",
                    code=ExitCode.MODEL,
                )
            self._worker = self._make(self._ours)
        return self._worker

    def _hand_over(self, stage: Stage, index: int) -> tuple[tuple[str, int], ...]:
        """Move what was made to where it belongs, or to where the owner reads it; the sidecar last."""
        made = files_made(self._ours, stage, index)
        for path in made:
            os.replace(path, self._made / path.name)
        if self._is_shared:
            sync_to_disk(self._made)
            return ()
        pictures = sorted((self._made / cluster_files.PICTURES).iterdir())
        paths = [*pictures, *(self._made / path.name for path in made)]
        return tuple((path.relative_to(self._made).as_posix(), path.stat().st_size) for path in paths)


def about_here() -> About:
    """What this process runs with."""
    return About(socket.gethostname(), os.getpid(), library_versions())


def _fetched(reference: Any) -> Any:
    import ray

    return ray.get(reference)
