"""From what a person puts into the queue to jobs: which clips, under which names, made how."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Final

from app.domain.errors import UserError
from app.pipeline.look_settings import look_of, segmenter_choice_of
from app.pipeline.offline.formats import Encoding, format_for
from app.pipeline.offline.job import Job
from app.pipeline.offline.picture_sequence import find_pictures
from app.pipeline.offline.planning import work_folder_of
from app.pipeline.offline.presets import preset_named
from app.pipeline.offline.queue_items import QueueItem
from app.pipeline.recording.file_lock import is_being_written
from harmonizer.manifest import shipped_entry

_LOCK: Final = "lock"


def job_of(item: QueueItem) -> Job:
    """The same job that the command line makes of the same settings. UserError (USAGE) for a preset nobody knows."""
    preset = preset_named(item.preset) if item.preset else None
    settings = item.settings
    is_default = settings.match.model == shipped_entry().name
    return Job(
        clip=item.clip,
        plate=settings.plate,
        output=item.output,
        look=look_of(settings),
        person=segmenter_choice_of(settings.person),
        encoding=preset.encoding if preset else Encoding(format=format_for(item.output)),
        content=preset.content if preset else "composite",
        max_size=preset.max_size if preset else None,
        sequence_rate=item.sequence_rate,
        weights=None if is_default else settings.match.model,
        hdr="tone-map" if item.tone_map else "refuse",
        overwrite=item.overwrite,
    )


def clips_in(path: Path, video_suffixes: Collection[str]) -> list[Path]:
    """The clips that a file or folder stands for: itself, the videos in a folder, or a folder as numbered pictures.

    Folders inside a folder are left alone. UserError (BAD_INPUT) for a folder of neither.
    """
    if not path.is_dir():
        return [path]
    try:
        videos = [
            one for one in path.iterdir() if one.suffix.lower() in video_suffixes and not one.name.startswith(".")
        ]
    except OSError as error:
        raise UserError(f"The folder “{path}” can't be read ({error.strerror}).", "Check its permissions.") from error
    if videos:
        return sorted(videos)
    find_pictures(path)
    return [path]


def discard_work(item: QueueItem) -> None:
    """Take an item's unfinished work away, unless another window or command is at it. OSError when it can't be had."""
    folder = work_folder_of(item.output)
    lock = folder / _LOCK
    if folder.is_dir() and not (lock.exists() and is_being_written(lock)):
        shutil.rmtree(folder)


def free_bytes(path: Path) -> int | None:
    """Room on the disk that a file is going to be on; None when nobody knows."""
    try:
        return shutil.disk_usage(path.parent).free
    except OSError:
        return None
