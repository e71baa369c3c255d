"""From files, folders and manifests to deliveries, each under a name that no other has."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

from app.domain.errors import ExitCode, UserError
from app.pipeline.offline.formats import FORMATS, format_for
from app.pipeline.offline.job import Extras, Job
from app.pipeline.offline.manifest import Refused, Row, read_manifest
from app.pipeline.offline.picture_sequence import find_pictures
from app.pipeline.recording.naming import numbered

VIDEO_SUFFIXES: Final = frozenset(
    {".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts", ".3gp", ".mj2"}
)
"""Endings of files that `open_media` knows; other files of a folder are passed over."""

OptionOf: TypeAlias = Callable[[Job, str], Job]
"""The job with an option as a manifest's column says it. UserError, or ValueError with a sentence."""

_OWN_COLUMNS: Final = ("clip", "plate", "output")


@dataclass(frozen=True, slots=True)
class _Wish:
    """A job whose output is not named yet; asked: the name that its row asked for."""

    where: str
    job: Job
    suffix: str
    asked: Path | None = None


def jobs_of(
    inputs: Sequence[Path],
    template: Job,
    output_folder: Path,
    *,
    manifest: Path | None = None,
    options: Mapping[str, OptionOf] | None = None,
) -> tuple[list[Job], list[Refused]]:
    """Deliveries of all clips, and what can't be one; the same call gives the same names, so that work can go on.

    inputs: videos, folders of videos (folders within are left alone), or of numbered pictures. template: all but clip
    and output; its output's ending is theirs. manifest: see `read_manifest`; paths in it are relative to its folder,
    outputs to output_folder, out of which they can't lead. options: its columns besides clip, plate and output.
    UserError (BAD_INPUT) for a manifest that is none.
    """
    options = options or {}
    refused: list[Refused] = []
    wishes = _from_inputs(inputs, template, refused)
    if manifest is not None:
        for row in read_manifest(manifest, (*_OWN_COLUMNS, *options)):
            wish = (
                row if isinstance(row, Refused) else _from_row(row, template, manifest.parent, output_folder, options)
            )
            (refused if isinstance(wish, Refused) else wishes).append(wish)  # type: ignore[arg-type]
    jobs = _named(wishes, output_folder, refused)
    return [_with_own_extras(job) for job in jobs], refused


def _from_inputs(inputs: Sequence[Path], template: Job, refused: list[Refused]) -> list[_Wish]:
    clips: dict[Path, None] = {}
    for path in inputs:
        try:
            clips |= dict.fromkeys(clip.absolute() for clip in _clips_in(path))
        except UserError as error:
            refused.append(Refused(str(path), error))
    return [_Wish(str(clip), replace(template, clip=clip), template.output.suffix) for clip in clips]


def _clips_in(path: Path) -> list[Path]:
    if not path.exists():
        raise UserError(f"There is no file “{path}”.", "Check the name and the folder.")
    if not path.is_dir():
        return [path]
    try:
        names = sorted(path.iterdir())
    except OSError as error:
        raise UserError(f"The folder “{path}” can't be read ({error.strerror}).", "Check its permissions.") from error
    videos = [one for one in names if one.suffix.lower() in VIDEO_SUFFIXES and not one.name.startswith(".")]
    if not videos:
        find_pictures(path)
    return [one for one in videos if one.is_file()] or [path]


def _from_row(
    row: Row, template: Job, folder: Path, output_folder: Path, options: Mapping[str, OptionOf]
) -> _Wish | Refused:
    values = dict(row.values)
    clip, plate, output = (values.pop(column, "") for column in _OWN_COLUMNS)
    try:
        job = replace(template, clip=(folder / clip).absolute())
        if not job.clip.exists():
            raise UserError(f"There is no file “{job.clip}”.", "Check the name and the folder.")
        if plate:
            beside = folder / plate
            job = replace(job, plate=str(beside.absolute()) if beside.is_file() else plate)
        for column in [column for column in options if column in values]:
            job = options[column](job, values[column])
        asked = _asked(output, output_folder) if output else None
        suffix = job.output.suffix if asked is None else asked.suffix
        if asked is not None and asked.suffix != job.output.suffix:
            job = replace(job, encoding=replace(job.encoding, format=format_for(asked)))
    except UserError as error:
        return Refused(row.where, error)
    except (ValueError, OSError) as error:
        return Refused(row.where, UserError(f"{error}".rstrip(".") + ".", code=ExitCode.USAGE))
    return _Wish(row.where, job, suffix, asked)


def _asked(output: str, folder: Path) -> Path:
    path = Path(output)
    if path.is_absolute() or ".." in path.parts or not path.name:
        raise UserError(f"The output “{output}” leads out of the output folder.", "Name it within that folder.")
    return folder.absolute() / path


def _named(wishes: Sequence[_Wish], folder: Path, refused: list[Refused]) -> list[Job]:
    """Names asked for go to those who asked first; the others get theirs from the clips'."""
    taken: dict[str, str] = {_key(wish.job.clip): "" for wish in wishes}
    granted: list[tuple[_Wish, Path | None]] = []
    for wish in wishes:
        owner = None if wish.asked is None else taken.get(_key(wish.asked))
        if owner is not None:
            whose = f"The output of {owner}" if owner else "One of the clips"
            refused.append(
                Refused(wish.where, UserError(f"{whose} has the name “{wish.asked}” already.", "Change it."))
            )
            continue
        if wish.asked is not None:
            taken[_key(wish.asked)] = wish.where
        granted.append((wish, wish.asked))
    own = iter(_own_names([wish for wish, asked in granted if asked is None], folder.absolute(), set(taken)))
    return [replace(wish.job, output=asked or next(own)) for wish, asked in granted]


def _own_names(wishes: Sequence[_Wish], folder: Path, taken: set[str]) -> list[Path]:
    """Clip's name; where two are alike, all of them with the parent folder's; then with the ending; then numbered."""
    candidates = [_candidates(wish, folder) for wish in wishes]
    levels = [0] * len(wishes)
    for _ in range(len(_LEVELS)):
        names = [_key(names[level]) for names, level in zip(candidates, levels, strict=True)]
        counts = Counter(names)
        for place, name in enumerate(names):
            if counts[name] > 1 or name in taken:
                levels[place] = min(levels[place] + 1, len(_LEVELS) - 1)
    found = []
    for paths, level in zip(candidates, levels, strict=True):
        path = next(one for one in numbered(paths[level]) if _key(one) not in taken)
        taken.add(_key(path))
        found.append(path)
    return found


_LEVELS: Final[tuple[Callable[[Path], str], ...]] = (
    lambda clip: _stem(clip),
    lambda clip: f"{clip.parent.name}-{_stem(clip)}",
    lambda clip: f"{clip.parent.name}-{_stem(clip)}-{clip.suffix[1:] or 'pictures'}",
)


def _candidates(wish: _Wish, folder: Path) -> list[Path]:
    return [folder / f"{level(wish.job.clip)}{wish.suffix}" for level in _LEVELS]


def _stem(clip: Path) -> str:
    return clip.name if clip.is_dir() else clip.stem


def _key(path: Path) -> str:
    """Equal for names that some file system takes for one."""
    return unicodedata.normalize("NFC", str(path.absolute())).casefold()


def _with_own_extras(job: Job) -> Job:
    """What is written besides is called after the output, or the deliveries would overwrite each other's."""
    name = job.output.name if FORMATS[job.encoding.format].kind == "pictures" else job.output.stem

    def own(path: Path | None) -> Path | None:
        return None if path is None else path.with_name(f"{name}-{path.name}")

    extras = job.extras
    return replace(job, extras=Extras(*map(own, (extras.matte, extras.sheet, extras.cubes, extras.curves))))


def failures_of(refused: Iterable[Refused]) -> list[str]:
    """One line each: where and why."""
    return [f"{one.where}: {one.error}" for one in refused]
