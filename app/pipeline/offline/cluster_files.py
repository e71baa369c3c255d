"""Files between the machines of a cluster: what a worker has to read, and how it gets there without a shared disk."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import psutil

from app.domain.errors import ExitCode, UserError
from app.pipeline.offline.job import Job
from app.pipeline.offline.plan import Plan
from app.pipeline.plates import DEFAULT_PLATES
from harmonizer.manifest import MANIFEST_FILE, is_weights_file

PIECE_BYTES: Final = 16 << 20
"""Files travel in pieces, so that neither end holds more than one in memory."""

PICTURES: Final = "output"
"""Folder within a worker's own that pictures of a sequence go to."""

_NO_FILE: Final = re.compile(r"blur(:|$)|colou?r:|#")


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a file. name: with its folder, `/` between; offset: bytes from the file's beginning."""

    name: str
    offset: int
    content: bytes


def paths_read(job: Job) -> dict[str, Path]:
    """What workers read of a job, absolute, by its part in the job: clip, plate, mask, weights."""
    found: dict[str, Path | None] = {"clip": job.clip, "mask": job.person.mask}
    is_named = job.plate in DEFAULT_PLATES or _NO_FILE.match(job.plate) is not None
    if job.plate and not is_named and Path(job.plate).is_file():
        found["plate"] = Path(job.plate)
    if job.weights is not None and is_weights_file(job.weights):
        found["weights"] = Path(job.weights)
    return {part: path.absolute() for part, path in found.items() if path is not None}


def with_paths(plan: Plan, paths: Mapping[str, Path], folder: Path, output: Path) -> Plan:
    """The same plan over other files: `paths` as of `paths_read`, work in `folder`, pictures in `output`.

    A graphics card is the one that the cluster gave, whatever its number was on the machine that planned.
    """
    job = plan.job
    job = replace(
        job,
        clip=paths["clip"],
        plate=str(paths.get("plate", job.plate)),
        person=replace(job.person, mask=paths.get("mask")),
        weights=str(paths["weights"]) if "weights" in paths else job.weights,
        device="cuda" if job.device.startswith("cuda:") else job.device,
        output=output,
    )
    return replace(plan, job=job, folder=folder, info=replace(plan.info, path=paths["clip"]))


def shipped(paths: Mapping[str, Path]) -> dict[str, Path]:
    """Where files are within a worker's copy, by their part: `clip/talk.mp4`."""
    return {part: Path(part) / path.name for part, path in paths.items()}


def bundles(paths: Mapping[str, Path]) -> Iterator[list[Piece]]:
    """All files in pieces, small ones together, about PIECE_BYTES each. OSError when one can't be read."""
    bundle: list[Piece] = []
    for part, path in paths.items():
        for file in _files_below(path):
            name = (Path(part) / file.relative_to(path.parent)).as_posix()
            for piece in pieces(file, name):
                bundle.append(piece)
                if sum(len(one.content) for one in bundle) >= PIECE_BYTES:
                    yield bundle
                    bundle = []
    if bundle:
        yield bundle


def pieces(path: Path, name: str) -> Iterator[Piece]:
    """A file in pieces of at most PIECE_BYTES; an empty one too."""
    offset = 0
    with path.open("rb") as file:
        while (content := file.read(PIECE_BYTES)) or offset == 0:
            yield Piece(name, offset, content)
            offset += len(content)
            if not content:
                break


def write_piece(folder: Path, piece: Piece) -> None:
    """Put a piece where it belongs; pieces of a file come in order. OSError; ValueError for a name that leads out."""
    path = folder / piece.name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(piece.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb" if piece.offset == 0 else "ab") as file:
        file.write(piece.content)


def _files_below(path: Path) -> Iterable[Path]:
    return sorted(one for one in path.iterdir() if one.is_file()) if path.is_dir() else [path]


def weights_digest(job: Job) -> str:
    """What the colour network is, by its bytes: of the file given, else of the list of shipped ones and the name."""
    if job.weights is not None and is_weights_file(job.weights):
        with Path(job.weights).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return hashlib.sha256(MANIFEST_FILE.read_bytes() + repr(job.weights).encode()).hexdigest()


class NodeFolder:
    """Where the workers of a node keep copies: one of a clip for all of them, and a folder each for what they make.

    Workers get killed: what a dead one left, the next one that starts takes away.
    """

    def __init__(self, base: Path | None = None) -> None:
        user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
        self._base = base or Path(tempfile.gettempdir()) / f"platematch-cluster-{user}"
        self._mark = f"used-{os.getpid()}"
        self._base.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._check_owner()
        self.own = self._base / f"worker-{os.getpid()}"
        self.own.mkdir(exist_ok=True)
        self._sweep()

    def copied(self, key: str, files: Iterable[list[Piece]]) -> Path:
        """Have a copy of `files` in a folder named `key`, made unless another worker has made it. OSError."""
        folder = self._base / f"copy-{key}"
        with contextlib.suppress(OSError):
            (folder / self._mark).touch()
            return folder
        fresh = Path(tempfile.mkdtemp(prefix="copy-", dir=self.own))
        for bundle in files:
            for piece in bundle:
                write_piece(fresh, piece)
        (fresh / self._mark).touch()
        try:
            fresh.rename(folder)
        except OSError:  # Another worker was faster; its copy is as good.
            shutil.rmtree(fresh)
            (folder / self._mark).touch()
        return folder

    def leave(self, key: str) -> None:
        """A copy is not needed any more by this worker; the last one takes it away."""
        folder = self._base / f"copy-{key}"
        with contextlib.suppress(OSError):
            (folder / self._mark).unlink()
        self._remove_unused(folder)

    def close(self) -> None:
        """Take this worker's folder away, and copies that it was the last to use."""
        shutil.rmtree(self.own, ignore_errors=True)
        for folder in self._base.glob("copy-*"):
            with contextlib.suppress(OSError):
                (folder / self._mark).unlink()
        self._sweep()

    def _sweep(self) -> None:
        for folder in self._base.glob("worker-*"):
            if not _is_alive(folder.name):
                shutil.rmtree(folder, ignore_errors=True)
        for folder in self._base.glob("copy-*"):
            self._remove_unused(folder)

    @staticmethod
    def _remove_unused(folder: Path) -> None:
        if not any(_is_alive(mark.name) for mark in folder.glob("used-*")):
            shutil.rmtree(folder, ignore_errors=True)

    def _check_owner(self) -> None:
        status = self._base.lstat()
        if hasattr(os, "getuid") and (status.st_uid != os.getuid() or not stat.S_ISDIR(status.st_mode)):
            raise UserError(
                f"“{self._base}” belongs to somebody else.", "Remove it, or set TMPDIR.", code=ExitCode.OUTPUT
            )


def _is_alive(name: str) -> bool:
    pid = name.rpartition("-")[2]
    return pid.isdigit() and psutil.pid_exists(int(pid))
