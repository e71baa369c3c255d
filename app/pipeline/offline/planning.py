"""From a job to its plan: everything that can be refused is refused here, before any work."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Final

from app.domain.chroma_key import screen_colour
from app.domain.compositing import Size
from app.domain.errors import ExitCode, UserError
from app.pipeline.engine_loading import load_engine
from app.pipeline.image_saving import check_output as check_picture_output
from app.pipeline.kernel_cache import ensure_kernels
from app.pipeline.mask.frame_index import FrameIndex
from app.pipeline.offline import keys
from app.pipeline.offline.cutting import cuts_of, range_of, segments_of, shown_frames
from app.pipeline.offline.encoder_choice import EncoderChoice, choose_encoder
from app.pipeline.offline.formats import FORMATS, Encoding, check, depth_of
from app.pipeline.offline.job import Job
from app.pipeline.offline.opus import check_sound
from app.pipeline.offline.picture_sink import SUFFIXES, check_folder
from app.pipeline.offline.plan import Plan
from app.pipeline.offline.sources import Source, open_source
from app.pipeline.plates import open_plate
from app.pipeline.video_output import PendingFile
from app.pipeline.video_time import DEFAULT_RATE_HZ, encoder_time_base

MATTE_ENCODING: Final = Encoding(format="h264", full_range=True)
_LOSSLESS_MATTE: Final = Encoding(format="ffv1", depth=8)
_FOLDER: Final = ".{name}.rendering"
_NAME_LIMIT: Final = 200


def plan_job(job: Job, *, notice: Callable[[str], None] = lambda _: None) -> Plan:
    """Decide everything about a delivery. UserError for whatever can't work: files, sizes, formats, encoders.

    Nothing is written. The clip is indexed, which reads its packets (10 minutes of 1080p: 0.4 s).
    """
    check(job.encoding, job.output)
    check_outputs(job)
    ensure_kernels()  # What is looked at here is to look as it does to the workers.
    if job.look.match is not None:
        load_engine(job.weights, device=job.device)  # Refuses weights and devices that can't be had.
    with open_plate(job.plate, fit=job.fit, sync=job.sync) as plate:
        for note in plate.notes:
            notice(note)
    with closing(open_source(job.clip, sequence_rate=job.sequence_rate, hdr=job.hdr)) as source:
        return _plan(_beginning_with(job, source), source)


def check_outputs(job: Job) -> None:
    """UserError (OUTPUT) for outputs that may not be replaced, that are inputs, or whose folder is missing."""
    if job.encoding.alpha != "none" and job.content != "foreground":
        raise UserError(
            f"A {job.content} covers everything: there is nothing for an alpha channel to say.",
            "Add --content foreground for the person alone, or leave the alpha out.",
            code=ExitCode.USAGE,
        )
    extras = job.extras
    kind = FORMATS[job.encoding.format].kind
    if kind == "pictures":
        is_ours = work_folder_of(job.output).is_dir()  # Pictures of an earlier run, which is gone on with.
        overwrite, inputs = job.overwrite or is_ours, (job.clip, *job.inputs)
        check_folder(job.output, stem_of(job), suffix_of(job), overwrite=overwrite, inputs=inputs)
    files = [] if kind == "pictures" else [job.output]
    files += [path for path in (extras.matte, extras.sheet, extras.curves) if path is not None]
    taken: list[Path] = []
    for path in files:
        PendingFile(path, overwrite=job.overwrite, inputs=(*job.inputs, *taken))
        taken.append(path)
    if extras.sheet is not None:
        check_picture_output(extras.sheet)
    if kind == "video" and job.has_sound:
        check_sound(job.clip, job.output.suffix.lower())
    if extras.matte is not None:
        check(matte_encoding(extras.matte), extras.matte)


def stem_of(job: Job) -> str:
    """What numbered pictures of a delivery are called."""
    return job.clip.stem


def suffix_of(job: Job) -> str:
    """The ending of a delivery's pictures."""
    return SUFFIXES[job.encoding.format]


def matte_encoding(path: Path) -> Encoding:
    """How `--matte-out` is written: Matroska without loss, WebM as VP9, the others as H.264, full range."""
    suffix = path.suffix.lower()
    if suffix == ".mkv":
        return _LOSSLESS_MATTE
    return replace(MATTE_ENCODING, format="vp9") if suffix == ".webm" else MATTE_ENCODING


def work_folder_of(output: Path) -> Path:
    """Where a delivery's unfinished work lies: beside it, so that finishing is a rename."""
    name = output.name if len(output.name.encode()) <= _NAME_LIMIT else keys.digest(output.name)[:40]
    return output.absolute().parent / _FOLDER.format(name=name)


def _beginning_with(job: Job, source: Source) -> Job:
    """What follows from the clip's first frame, whichever segment is worked on: a screen's colour, and time zero."""
    start_s = float(source.index.start_pts * source.info.time_base)
    job = replace(job, sync=replace(job.sync, clip_start_s=start_s))
    if job.person.mask is None and job.person.key_color == "auto":
        start = source.index.start_pts
        first = next(iter(source.frames(start, source.index.end_of(start))))
        red, green, blue = screen_colour(first.frame.pixels)
        job = replace(job, person=replace(job.person, key_color=f"#{red:02x}{green:02x}{blue:02x}"))
    if job.person.mask is not None:
        job = replace(job, person=replace(job.person, clip_start_s=start_s))
    return job


def _plan(job: Job, source: Source) -> Plan:
    info, index = source.info, source.index
    size = job.size or within(info.size, job.max_size)
    job = replace(job, size=size)
    first, stop = range_of(index, job.trim, job.max_frames)
    if first == stop:
        raise UserError(
            f"No frame of “{job.clip.name}” lies in the part asked for; it is {index.length_s:.2f} s long.",
            "Choose a later end or an earlier start.",
            code=ExitCode.USAGE,
        )
    cuts = cuts_of(index, first, stop)
    time_base, rate = _clock(job, index, info.average_rate)
    shift_s = _shift_s(job, index, first)
    shown = list(shown_frames(index, first, stop, rate=job.rate, time_base=time_base, shift_s=shift_s))
    segments = segments_of(index, cuts, shown)
    depth = depth_of(job.encoding, info.bit_depth)
    encoder, matte = _encoder(job, depth, size, rate), _matte_encoder(job, info.size, rate)
    bounds = [segment.first_pts for segment in segments] + [segments[-1].stop_pts]
    analysis = keys.analysis_key(job, index, bounds)
    is_cut_short = stop < len(index) or job.trim.to_s is not None
    end = index.end_of(int(index.pts[stop - 1]))
    return Plan(
        job=job,
        folder=work_folder_of(job.output),
        info=info,
        index=index,
        segments=segments,
        size=size,
        depth=depth,
        out_time_base=time_base,
        out_rate=rate,
        sound_delay_s=shift_s,
        sound_until_s=end * index.time_base + shift_s if is_cut_short else None,
        encoder=encoder,
        matte_encoder=matte,
        analysis_key=analysis,
        is_trimmed=job.trim.from_s is not None,
        render_key=keys.render_key(job, analysis, size, depth, encoder, matte, time_base, tuple(shown)),
        notices=(*source.notices, *(choice.notice for choice in (encoder, matte) if choice and choice.notice)),
    )


def within(size: Size, room: Size | None) -> Size:
    """A size (width, height) made smaller to fit into `room`, its aspect kept, sides even; never larger."""
    if room is None or (size[0] <= room[0] and size[1] <= room[1]):
        return size
    scale = min(room[0] / size[0], room[1] / size[1])
    return max(2, 2 * round(scale * size[0] / 2)), max(2, 2 * round(scale * size[1] / 2))


def _clock(job: Job, index: FrameIndex, average: Fraction | None) -> tuple[Fraction, Fraction]:
    """(time base, average rate) of the delivery."""
    if job.rate is not None:
        return 1 / job.rate, job.rate
    return encoder_time_base(index.time_base), average or DEFAULT_RATE_HZ


def _shift_s(job: Job, index: FrameIndex, first: int) -> Fraction:
    """A part of a clip begins at zero; a whole clip where it began, unless that is before zero."""
    start_s = int(index.pts[first]) * index.time_base
    return -start_s if job.trim.from_s is not None else max(Fraction(0), -start_s)


def _encoder(job: Job, depth: int, size: tuple[int, int], rate: Fraction) -> EncoderChoice | None:
    kind = FORMATS[job.encoding.format].kind
    if kind == "pictures":
        return None
    encoding, suffix = job.encoding, job.output.suffix.lower()
    if kind == "preview":
        encoding, suffix = Encoding(format="ffv1", depth=8, alpha=encoding.alpha), ".mkv"
    width, height = size
    wide = (2 * width, height) if job.content == "side-by-side" else size
    is_gray = job.content == "matte"
    return choose_encoder(encoding, depth=depth, size=wide, rate=rate, container_suffix=suffix, content_is_gray=is_gray)


def _matte_encoder(job: Job, size: tuple[int, int], rate: Fraction) -> EncoderChoice | None:
    path = job.extras.matte
    if path is None:
        return None
    return choose_encoder(
        matte_encoding(path), depth=8, size=size, rate=rate, container_suffix=path.suffix.lower(), content_is_gray=True
    )
