"""Names for what the queue makes. Imports nothing heavy: the window asks while somebody chooses."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from app.pipeline.recording.naming import numbered
from app.pipeline.video_output import part_path


def output_for(clip: Path, *, preset: str, suffix: str, folder: Path, taken: Collection[Path] = ()) -> Path:
    """A name for the result in `folder` that nothing has, neither on the disk nor among the `taken`.

    preset, suffix: of the delivery; both become part of the name.
    """
    stem = clip.name if clip.is_dir() else clip.stem
    name = folder.absolute() / f"{stem}-{preset or 'platematch'}{suffix}"
    others = {_key(one) for one in taken}
    return next(one for one in numbered(name) if not (one.exists() or part_path(one).exists() or _key(one) in others))


def _key(path: Path) -> str:
    """Equal for names that some file systems take for one."""
    return str(path).casefold()
