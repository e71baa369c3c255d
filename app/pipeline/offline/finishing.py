"""From a plan's finished segments to the files that were asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import av
import numpy as np

from app.domain.errors import ExitCode, UserError
from app.domain.frame import Pixels
from app.pipeline.contact_sheet import ROWS, draw_sheet
from app.pipeline.image_saving import save_image
from app.pipeline.offline import work_folder as work
from app.pipeline.offline.assembling import Assembled, Assembly, Part, assemble
from app.pipeline.offline.checks import raise_if_failed
from app.pipeline.offline.control import Phase
from app.pipeline.offline.curve_files import scenes_of, write_curves
from app.pipeline.offline.formats import FORMATS
from app.pipeline.offline.opus import sound_for_webm
from app.pipeline.offline.picture_sink import left_over
from app.pipeline.offline.plan import Plan
from app.pipeline.offline.planning import stem_of, suffix_of
from app.pipeline.offline.previews import write_preview
from app.pipeline.offline.sinks import Picture
from app.pipeline.offline.tracks import scene_starts, track_of
from app.pipeline.offline.verifying import Codes, Expected
from app.pipeline.offline.verifying import verify as verify_video
from app.pipeline.offline.verifying_pictures import ExpectedPictures, verify_pictures
from app.pipeline.offline.workers import key_at_of, read_analysis
from app.pipeline.video_output import renamed_unless_taken, sync_to_disk

_WHOLE: Final = "whole"

Facts = Sequence[dict[str, Any]]
"""What the sidecars say of every segment's second pass."""


@dataclass(frozen=True, slots=True)
class Finished:
    """frames: in the result."""

    frames: int
    audio_packets: int
    notices: tuple[str, ...]


def finish(plan: Plan, facts: Facts, *, verify: bool, report: Callable[[Phase], None]) -> Finished:
    """Make every file of a delivery out of its segments; the main one last. UserError as the parts raise it."""
    report("assembling")
    _extras(plan, facts)
    kind = FORMATS[plan.job.encoding.format].kind
    if kind == "pictures":
        return _pictures(plan, facts, verify=verify, report=report)
    return _preview(plan, facts) if kind == "preview" else _video(plan, facts, verify=verify, report=report)


def out_pts_of(facts: Facts) -> list[int]:
    """When every picture is shown, in ticks of the delivery's time base."""
    return [pts for fact in facts for pts in fact["out_pts"]]


def _video(plan: Plan, facts: Facts, *, verify: bool, report: Callable[[Phase], None]) -> Finished:
    output, choice = plan.job.output, plan.encoder
    assert choice is not None  # noqa: S101  (a video has an encoder)
    paths = [work.video_path(plan, segment.index) for segment in plan.segments]
    source, note = _sound_of(plan)
    assembly = _assembly(plan, output, codec_tag=choice.codec_tag, source=source)
    made = assemble(_parts(paths, facts), assembly)
    if verify:
        report("verifying")
        _check_video(plan, assembly, made, facts)
    _put_in_place(assembly.output, output, overwrite=plan.job.overwrite)
    return Finished(made.frames, made.audio_packets, (*_said(made), *([note] if note else [])))


def _sound_of(plan: Plan) -> tuple[Path | None, str]:
    """The file whose sound goes along, and a note on it: the clip, as far as it has any."""
    job = plan.job
    if not (job.clip.is_file() and job.has_sound):
        return None, ""
    return sound_for_webm(job.clip, plan.folder) if job.output.suffix.lower() == ".webm" else (job.clip, "")


def _parts(paths: Sequence[Path | None], facts: Facts) -> list[Part]:
    """Segment files with what they show; a segment in which no picture could be decoded has none."""
    both = zip(paths, facts, strict=True)
    return [Part(path, tuple(fact["out_pts"])) for path, fact in both if path is not None and fact["out_pts"]]


def _assembly(plan: Plan, output: Path, *, codec_tag: str | None, source: Path | None) -> Assembly:
    """Into the work folder first: under its own name nothing appears that was not checked."""
    return Assembly(
        output=plan.folder / f"{_WHOLE}{output.suffix.lower()}",
        time_base=plan.out_time_base,
        rate=plan.out_rate,
        codec_tag=codec_tag,
        source=source,
        sound_delay_s=plan.sound_delay_s,
        sound_until_s=plan.sound_until_s,
        is_trimmed=plan.is_trimmed,
        overwrite=True,
    )


def _said(made: Assembled) -> tuple[str, ...]:
    cut = "The clip's sound could not be read to its end; what could is in the result."
    return (*made.notices, cut) if made.audio_cut_short else made.notices


def _check_video(plan: Plan, assembly: Assembly, made: Assembled, facts: Facts) -> None:
    choice = plan.encoder
    assert choice is not None  # noqa: S101  (a video has an encoder)
    first = next(path for path in map(work.video_path, [plan] * len(plan.segments), range(len(plan.segments))) if path)
    width, height = (side + pad for side, pad in zip(plan.picture_size, choice.padded, strict=True))
    expected = Expected(
        pts=out_pts_of(facts),
        time_base=plan.out_time_base,
        rate=plan.out_rate,
        size=(width, height),
        colors=Codes.of_file(first),
        has_alpha=choice.alpha or None,
        source=assembly.source,
        span=assembly.span,
        video_sha256=made.video_sha256,
    )
    raise_if_failed(verify_video(assembly.output, expected), plan.job.output)


def _pictures(plan: Plan, facts: Facts, *, verify: bool, report: Callable[[Phase], None]) -> Finished:
    job, count = plan.job, sum(fact["frames"] for fact in facts)
    if verify:
        report("verifying")
        expected = ExpectedPictures(
            count=count,
            size=plan.picture_size,
            suffix=suffix_of(job),
            first=0,
            has_alpha=job.encoding.alpha != "none",
            stem=stem_of(job),
        )
        raise_if_failed(verify_pictures(job.output, expected), job.output)
    with suppress(OSError):
        sync_to_disk(job.output)
    others = left_over(job.output, stem_of(job), suffix_of(job), count)
    note = f"{others} pictures of an earlier, longer delivery are still in “{job.output}”."
    return Finished(count, 0, (note,) if others else ())


def _preview(plan: Plan, facts: Facts) -> Finished:
    whole = plan.folder / f"{_WHOLE}{plan.job.output.suffix.lower()}"
    pts = out_pts_of(facts)
    kind: Literal["gif", "webp"] = "gif" if plan.job.encoding.format == "gif" else "webp"
    notices = write_preview(_timed_pictures(plan, pts), whole, format=kind)
    _put_in_place(whole, plan.job.output, overwrite=plan.job.overwrite)
    return Finished(len(pts), 0, tuple(notices or ()))


def _timed_pictures(plan: Plan, pts: Sequence[int]) -> Iterator[tuple[Picture, float]]:
    """Every picture of the segments, each with how long it is shown, s."""
    last_step = round(1 / plan.out_rate / plan.out_time_base)
    ends = [*pts[1:], pts[-1] + last_step]
    pictures = (picture for i in range(len(plan.segments)) for picture in _decoded(work.video_path(plan, i)))
    for picture, begin, end in zip(pictures, pts, ends, strict=True):
        yield picture, float((end - begin) * plan.out_time_base)


def _decoded(path: Path | None) -> Iterator[Picture]:
    """Pictures of a lossless segment, with alpha where it has one."""
    assert path is not None  # noqa: S101  (previews are made of video segments)
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            has_alpha = any(component.is_alpha for component in frame.format.components)
            yield frame.to_ndarray(format="rgba" if has_alpha else "rgb24").astype(np.uint8, copy=False)


def _extras(plan: Plan, facts: Facts) -> None:
    extras = plan.job.extras
    if extras.matte is not None and plan.matte_encoder is not None:
        paths = [work.matte_path(plan, segment.index) for segment in plan.segments]
        assembly = _assembly(plan, extras.matte, codec_tag=plan.matte_encoder.codec_tag, source=None)
        assemble(_parts(paths, facts), assembly)
        _put_in_place(assembly.output, extras.matte, overwrite=plan.job.overwrite)
    if extras.sheet is not None:
        save_image(extras.sheet, draw_sheet(_sheet_columns(plan)))
    if extras.cubes is not None or extras.curves is not None:
        _curves(plan)


def _curves(plan: Plan) -> None:
    """The smoothed curve as LUTs and keys. UserError (USAGE) when nothing was matched."""
    job = plan.job
    if job.look.match is None:
        raise UserError("Without a match there are no curves to write.", "Leave --no-match out.", code=ExitCode.USAGE)
    analyses = [read_analysis(plan, segment.index, mattes=False) for segment in plan.segments]
    track = track_of(plan, analyses, key_at_of(plan))
    pts = np.rint(track.times_s / float(plan.index.time_base)).astype(np.int64)
    scenes = scenes_of(
        track.knots,
        track.skin,
        pts=pts,
        frames=np.searchsorted(plan.index.pts, pts),
        scene_starts=scene_starts(analyses),
        stop_pts=plan.segments[-1].stop_pts,
        match=job.look.match,
    )
    title, overwrite = job.clip.stem, job.overwrite
    write_curves(
        job.extras.curves,
        job.extras.cubes,
        scenes,
        time_base=plan.index.time_base,
        title=title,
        overwrite=overwrite,
        inputs=job.inputs,
    )


def _sheet_columns(plan: Plan) -> list[tuple[Pixels, ...]]:
    columns: list[tuple[Pixels, ...]] = []
    for segment in plan.segments:
        numbers = work.sheet_numbers(plan, segment.index)
        cells = work.load_arrays(work.sheet_path(plan, segment.index)) if numbers else {}
        columns += [
            tuple(cells[f"{number}_{row}"] for row in range(len(ROWS))) for number in numbers if f"{number}_0" in cells
        ]
    return columns


def _put_in_place(whole: Path, output: Path, *, overwrite: bool) -> None:
    """Give a finished file its name. UserError (OUTPUT) when it was taken meanwhile; the finished file is kept then."""
    output = Path(os.path.realpath(output))
    try:
        if overwrite:
            os.replace(whole, output)
        elif not renamed_unless_taken(whole, output):
            raise UserError(
                f"“{output.name}” exists already.",
                f"Choose another name or allow overwriting; the finished file is “{whole}”.",
                code=ExitCode.OUTPUT,
            )
        sync_to_disk(output.parent)
    except OSError as error:
        raise UserError(
            f"“{output.name}” could not be put in its place ({error.strerror}).",
            f"The finished file is “{whole}”.",
            code=ExitCode.OUTPUT,
        ) from error
