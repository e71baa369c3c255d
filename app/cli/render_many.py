"""`render` of many clips: several named, folders of them, or a manifest."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

from app.cli.batch_options import COLUMNS
from app.cli.console import Console
from app.cli.render_job import facts_of, job_from
from app.domain.errors import ExitCode, UserError
from app.pipeline.offline.batch import BatchResult, Entry, run_batch
from app.pipeline.offline.batch_jobs import jobs_of
from app.pipeline.offline.control import Control, Progress
from app.pipeline.offline.formats import FORMATS
from app.pipeline.offline.job import Job
from app.pipeline.offline.manifest import Refused
from app.pipeline.offline.picture_sequence import find_pictures
from app.pipeline.offline.presets import preset_named
from app.pipeline.offline.running import JobResult, Options, run_job
from app.pipeline.offline.workers import Executor


def is_many(args: argparse.Namespace) -> bool:
    """Whether the command names more than one clip: a folder that holds no numbered pictures holds clips."""
    if args.manifest or len(args.clips) > 1:
        return True
    clip = Path(args.clips[0])
    if not clip.is_dir():
        return False
    try:
        find_pictures(clip)
    except UserError:
        return True
    return False


def run(args: argparse.Namespace, console: Console, executor: Executor | None) -> ExitCode:
    """Render all of them; one that fails stops none of the others. UserError when nothing can be begun at all."""
    folder = Path(args.output)
    suffix = preset_named(args.deliver).suffix if args.deliver else _suffix(args)
    first = Path(args.clips[0]) if args.clips else Path("clip.mp4")
    template = job_from(args, first, folder / f"clip{suffix}")
    jobs, refused = jobs_of(
        [Path(clip) for clip in args.clips],
        template,
        folder,
        manifest=Path(args.manifest) if args.manifest else None,
        options=COLUMNS,
    )
    if not jobs:
        raise refused[0].error if refused else UserError("There is no clip in it.", "Name a folder of videos.")
    _make(folder)
    for one in refused:
        console.notice(f"{one.where}: {one.error}")
    options = Options(fresh=args.fresh, verify=args.verify)
    with console.progress("rendering", len(jobs)) as ticker:

        def on_event(entry: Entry[JobResult]) -> None:
            if entry.state in ("done", "failed", "stopped"):
                ticker.tick(entry.job.clip.name)

        result = run_batch(
            jobs,
            partial(_run_one, executor, options),
            at_once=2 if args.cluster else 1,
            on_event=on_event,
        )
    _tell(result, refused, console)
    if result.code is ExitCode.OK and refused:
        return refused[0].error.code
    return result.code


def _run_one(
    executor: Executor | None, options: Options, job: Job, control: Control, report: Callable[[Progress], None]
) -> JobResult:
    return run_job(job, executor, control, report, options)


def _suffix(args: argparse.Namespace) -> str:
    """The ending of outputs that no delivery names: MP4, or a folder for picture formats."""
    containers = FORMATS[args.format or "h264"].suffixes
    return containers[0] if containers else ""


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"The folder “{folder}” can't be made ({error.strerror}).", "Choose another.", code=ExitCode.OUTPUT
        ) from error


def _tell(result: BatchResult[JobResult], refused: list[Refused], console: Console) -> None:
    for entry in result.entries:
        console.tell(f"{entry.job.clip.name}: {note}" for note in (entry.result.notices if entry.result else ()))
    if not console.is_json:
        console.table("deliveries", ("clip", "state", "time", ""), result.rows)
        return
    done = [facts_of(entry.result, []) for entry in result.entries if entry.result is not None]
    failed = [
        {"clip": str(entry.job.clip), "state": entry.state, "error": str(entry.error or "")}
        for entry in result.entries
        if entry.result is None
    ]
    failed += [{"clip": one.where, "state": "refused", "error": str(one.error)} for one in refused]
    console.result({"done": done, "failed": failed, "seconds": round(result.seconds, 3), "notices": console.notices})
