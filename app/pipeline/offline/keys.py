"""What tells one job's unfinished work from another's: hashes of everything that it depends on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import av

from app.domain.mask.document import MaskDocument
from app.pipeline.mask.frame_index import FrameIndex
from app.pipeline.mask.media_refs import fingerprint
from app.pipeline.offline.job import Job
from harmonizer.manifest import is_weights_file, shipped_entry

VERSION = 2
"""Raised whenever the same job gives other pictures: unfinished work of an older program is not gone on with."""


def analysis_key(job: Job, index: FrameIndex, cuts: Iterable[int]) -> str:
    """Differs whenever a segment's mattes or curves would. cuts: first pts of every segment, and the last's end."""
    match = job.look.match
    return digest(
        VERSION,
        library_versions(),
        content_of(job.clip),
        index.pts.tobytes(),
        tuple(cuts),
        replace(job.look.matte, feather_px=0.0),
        job.look.matte.feather_px,
        job.look.decontaminate,
        None if match is None else (match.label, match.protect_skin > 0, weights_of(job)),
        job.person,
        content_of(job.person.mask),
        (job.plate, content_of(Path(job.plate or ".")), job.fit, job.sync, job.size),
        (job.hdr, job.sequence_rate, job.device),
        document_digest(job.document),
    )


def render_key(job: Job, analysis: str, *facts: object) -> str:
    """Differs whenever a segment's pictures or their encoding would. facts: what planning decided besides."""
    return digest(
        analysis,
        job.look,
        job.encoding,
        job.content,
        job.extras.matte is not None,
        job.extras.sheet is not None,
        (job.size, job.rate),
        *facts,
    )


def library_versions() -> tuple[str, ...]:
    """Of this program and of what decodes, encodes and computes for it."""
    names = ("platematch", "av", "numpy", "onnxruntime", "ai-edge-litert")
    return (*map(_version, names), str(sorted(av.library_versions.items())))


def content_of(path: Path | None) -> object:
    """What a file or folder of pictures holds, told by its size and samples; None where there is none."""
    if path is None:
        return None
    if path.is_dir():
        return sorted((one.name, one.stat().st_size, one.stat().st_mtime_ns) for one in path.iterdir() if one.is_file())
    return fingerprint(path) if path.is_file() else None


def weights_of(job: Job) -> str:
    """The colour network's weights by their hash."""
    if job.weights is not None and is_weights_file(job.weights):
        return str(content_of(Path(job.weights)))
    return shipped_entry(job.weights).sha256


def document_digest(document: MaskDocument | None) -> str | None:
    """A project's corrections, adjustments and locks by their contents."""
    if document is None:
        return None
    frames: list[Any] = [(pts, sorted(edit.correction.tiles.items())) for pts, edit in sorted(document.frames.items())]
    meta = document.meta
    return digest(frames, meta.adjustment, meta.adjusted_spans, meta.match_spans)


def digest(*facts: object) -> str:
    """SHA-256 over facts that print as what they are, as hex."""
    found = hashlib.sha256()
    for fact in facts:
        found.update(fact if isinstance(fact, bytes) else repr(fact).encode("utf-8", "surrogateescape"))
        found.update(b"\0")
    return found.hexdigest()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"
