"""`project`: mask projects without a window."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from app.cli import project_deliver
from app.cli.console import Console
from app.cli.paths import check_output
from app.domain.errors import ExitCode, UserError
from app.domain.mask.document import MaskDocument, Origin, Span
from app.domain.settings import Settings
from app.pipeline.encode_settings import EncodeSettings
from app.pipeline.mask.masks_in import ProjectMedia, mask_ref, opened_clip
from app.pipeline.mask.mattes_out import MatteWish, export_matte
from app.pipeline.mask.media_refs import relinked
from app.pipeline.mask.project_media import SavedProject, saved_project
from app.pipeline.mask.project_reading import SUFFIX
from app.pipeline.mask.project_render import RenderWish, render_project
from app.pipeline.mask.project_store import ProjectStore
from app.pipeline.mask.sessions import new_document
from app.pipeline.plates import DEFAULT_PLATES, open_plate
from app.pipeline.threads import share_cores
from app.pipeline.video_reader import VideoReader


def run(args: argparse.Namespace, console: Console) -> ExitCode:
    """Do what was chosen; UserError as the parts raise it."""
    result = _ACTIONS[args.action](args, console)
    if console.is_json:
        console.result({**result, "notices": console.notices})
    return ExitCode.OK


def _info(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    project = _opened(args, console)
    facts = _facts(project)
    if not console.is_json:
        rows = _rows(facts, project.document.meta.clip.time_base)
        console.table(project.folder.name, ("what", "value"), rows)
    return facts


def _facts(project: SavedProject) -> dict[str, Any]:
    meta, edits = project.document.meta, project.document.frames.values()
    return {
        "project": str(project.folder),
        "clip": meta.clip.media.absolute,
        "size": list(meta.clip.size),
        "time_base": str(meta.clip.time_base),
        "clip_frames": _frame_count(project),
        "edited": sum(not edit.correction.is_empty for edit in edits),
        "propagated": sum(edit.origin is Origin.PROPAGATED for edit in edits),
        "keyframes": sum(edit.is_keyframe for edit in edits),
        "locked": sum(edit.is_locked for edit in edits),
        "in_out": _ends(meta.span),
        "adjusted_ranges": [_ends(one.span) for one in meta.adjusted_spans],
        "match_ranges": [_ends(one.span) for one in meta.match_spans],
        "stops": {str(pts): why for pts, why in sorted(meta.stops.items())},
        "plate": meta.settings.plate,
        "missing": {name: str(media.path) for name, media in project.linked.missing.items()},
        "unsaved_steps": project.unsaved_steps,
    }


def _frame_count(project: SavedProject) -> int | None:
    """As the clip's header has it; None while the clip is missing."""
    if "clip" in project.linked.missing:
        return None
    with VideoReader(Path(project.document.meta.clip.media.absolute)) as reader:
        return reader.info.frame_count_hint


def _ends(span: Span) -> list[int | None]:
    return [span.first_pts, span.last_pts]


def _rows(facts: Mapping[str, Any], time_base: Fraction) -> list[tuple[str, str]]:
    """The same for a person: ranges in seconds."""

    def ends(pair: list[int | None]) -> str:
        first, last = (None if pts is None else f"{float(pts * time_base):.3f} s" for pts in pair)
        return "all" if first is last is None else f"{first or 'start'} to {last or 'end'}"

    words = {
        "size": " x ".join(map(str, facts["size"])),
        "in_out": ends(facts["in_out"]),
        **{name: "; ".join(map(ends, facts[name])) for name in ("adjusted_ranges", "match_ranges")},
        "stops": "; ".join(f"{int(pts) * float(time_base):.3f} s: {why}" for pts, why in facts["stops"].items()),
        "missing": "; ".join(f"{name}: {path}" for name, path in facts["missing"].items()),
    }
    shown = {**facts, **words}
    return [(name.replace("_", " "), str("unknown" if value is None else value)) for name, value in shown.items()]


def _render(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    output = Path(args.output)
    project = _opened(args, console)
    media = project.files()
    check_output(output, inputs=media.inputs(project.document), overwrite=args.overwrite)
    encoding = EncodeSettings(codec=args.codec, crf=args.crf, preset=args.preset)
    wish = RenderWish(whole=args.whole, overwrite=args.overwrite, device=args.device, encoding=encoding)
    share_cores()
    with _progress(console, "rendering", media) as report:
        result = render_project(project.document, media, output, wish, on_notice=console.notice, report=report)
    console.say(f"{output}: {result.frames} frames, {result.fps:.1f} frames/s")
    return {
        "output": str(output),
        "frames": result.frames,
        "fps": round(result.fps, 2),
        "stages_ms": result.stages_ms,
        "peak_rss_mb": result.peak_rss_mb,
        "frames_without_person": result.frames_without_person,
        "audio_packets": result.audio_packets,
    }


def _deliver(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    return project_deliver.run(args, console, _opened(args, console))


def _export_matte(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    output = Path(args.output)
    project = _opened(args, console)
    media = project.files(with_plate=False)
    wish = MatteWish(rgba=args.rgba, whole=args.whole, overwrite=args.overwrite)
    share_cores()
    with _progress(console, "exporting", media) as report:
        frames = export_matte(project.document, media, output, wish, on_notice=console.notice, report=report)
    console.say(f"{output}: {frames} frames")
    return {"output": str(output), "frames": frames}


def _new(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    clip, folder = Path(args.clip), Path(args.output)
    if folder.suffix != SUFFIX:
        raise UserError(f"“{folder.name}” is no project's name.", f"End it in “{SUFFIX}”.", code=ExitCode.OUTPUT)
    settings = replace(Settings(), plate=_plate(args.plate)) if args.plate else Settings()
    document = new_document(clip, folder.absolute(), settings)
    if args.mask:
        document = _with_mask(document, clip, Path(args.mask), folder.absolute(), console)
    ProjectStore.create(document.meta, folder).close()
    made = document.meta.clip
    console.say(f"{folder}: {made.size[0]} x {made.size[1]} px, ready to be opened")
    return {"project": str(folder), "size": list(made.size), "time_base": str(made.time_base)}


def _with_mask(document: MaskDocument, clip: Path, mask: Path, folder: Path, console: Console) -> MaskDocument:
    """The project with a given matte; what is none for this clip is refused now, not by the first render."""
    document = replace(document, meta=replace(document.meta, mask=mask_ref(mask, folder)))
    with opened_clip(document, ProjectMedia(clip, mask), on_notice=console.notice) as (reader, segmenter):
        segmenter.segment(next(reader))
    return document


def _plate(spec: str) -> str:
    """As settings hold it: a file by its whole path, wherever the project is opened later."""
    with open_plate(spec):
        pass
    path = Path(spec)
    is_file = spec not in DEFAULT_PLATES and path.is_file()
    return str(path.absolute()) if is_file else spec


def _relink(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    if not (args.clip or args.mask):
        raise UserError("Nothing to relink.", "Add --clip FILE or --mask FILE.", code=ExitCode.USAGE)
    folder = Path(args.project)
    opened = ProjectStore.open(folder)
    store, document = opened.store, opened.document
    try:
        if opened.recovered is not None:
            raise UserError(
                f"“{folder.name}” has {opened.recovered.steps} unsaved steps.",
                "Open it in the window first, and keep them or throw them away.",
            )
        if args.clip:
            with VideoReader(Path(args.clip)) as reader:
                document = relinked(document, Path(args.clip), reader.info, store.folder)
        if args.mask:
            clip = Path(document.meta.clip.media.absolute)
            document = _with_mask(document, clip, Path(args.mask), store.folder, console)
        store.save(document)
    finally:
        store.close()
    console.say(f"{folder}: linked")
    return {"project": str(folder), "clip": document.meta.clip.media.absolute}


def _opened(args: argparse.Namespace, console: Console) -> SavedProject:
    project = saved_project(Path(args.project))
    console.tell(project.notes)
    if project.unsaved_steps:
        console.notice(f"There are {project.unsaved_steps} unsaved steps; what was saved last is used.")
    return project


@contextmanager
def _progress(console: Console, title: str, media: ProjectMedia) -> Iterator[Callable[[int], None]]:
    with VideoReader(media.clip) as reader:
        total = reader.info.frame_count_hint
    with console.progress(title, total) as ticker:
        yield lambda _: ticker.tick()


_ACTIONS: Final[Mapping[str, Callable[[argparse.Namespace, Console], dict[str, Any]]]] = {
    "info": _info,
    "render": _render,
    "deliver": _deliver,
    "export-matte": _export_matte,
    "new": _new,
    "relink": _relink,
}
