"""`render`: the person of a video, or of many, on a new plate."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.cli import render_many
from app.cli.console import Console
from app.cli.looks import look_from
from app.cli.paths import check_output
from app.cli.render_job import facts_of, job_from
from app.cli.render_watch import Watched
from app.domain.errors import ExitCode, UserError
from app.pipeline.offline.estimating import estimate, size_text, time_text
from app.pipeline.offline.executors import PoolExecutor
from app.pipeline.offline.formats import FORMATS
from app.pipeline.offline.job import Job
from app.pipeline.offline.running import Options, run_job
from app.pipeline.offline.workers import Executor
from app.pipeline.threads import share_cores


def run(args: argparse.Namespace, console: Console) -> ExitCode:
    """Render the clip, or all of them; UserError as the parts raise it."""
    if not args.clips and not args.manifest:
        raise UserError("There is no clip to render.", "Name a video, or --manifest.", code=ExitCode.USAGE)
    look_from(args)  # Refuses what can't be before anything is opened.
    share_cores()
    if render_many.is_many(args):
        with executor_of(args) as executor:
            return render_many.run(args, console, executor)
    job = job_from(args, Path(args.clips[0]))
    check_outputs(job)
    return _estimate(job, args, console) if args.estimate else _render(job, args, console)


def check_outputs(job: Job) -> None:
    """UserError (OUTPUT) for files that may not be written, said before anything is opened."""
    extras = job.extras
    files = [path for path in (extras.matte, extras.sheet, extras.curves) if path is not None]
    files += [job.output] if FORMATS[job.encoding.format].kind != "pictures" else []
    for path in files:
        check_output(path, inputs=job.inputs, overwrite=job.overwrite)


def _render(job: Job, args: argparse.Namespace, console: Console) -> ExitCode:
    options = Options(fresh=args.fresh, verify=args.verify)
    with executor_of(args) as executor, Watched(console, job.clip.name) as watched:
        result = run_job(job, executor, watched.control, watched.report, options)
    console.tell(result.notices)
    console.say(f"{job.output}: {result.frames} frames, {result.fps:.1f} frames/s")
    if console.is_json:
        console.result(facts_of(result, console.notices))
    return ExitCode.OK


@contextmanager
def executor_of(args: argparse.Namespace) -> Iterator[Executor | None]:
    """Who does the work; None is this process."""
    if args.cluster is None and args.workers == 1:
        yield None
        return
    executor = _cluster(args) if args.cluster is not None else PoolExecutor(args.workers)
    try:
        yield executor
    finally:
        executor.close()


def _cluster(args: argparse.Namespace) -> Executor:
    from app.pipeline.offline.cluster import RayExecutor

    return RayExecutor(None if args.cluster == "local" else args.cluster, transfer=args.transfer)


def _estimate(job: Job, args: argparse.Namespace, console: Console) -> ExitCode:
    workers = args.workers or PoolExecutor().workers
    found = estimate(job, workers=workers)
    if console.is_json:
        console.result(
            {"output": str(job.output), "frames": found.frames, "bytes": found.size_bytes, "seconds": found.seconds}
        )
    else:
        console.table(
            str(job.output),
            ("frames", "about", "takes about"),
            [(str(found.frames), size_text(found.size_bytes), time_text(found.seconds))],
        )
    return ExitCode.OK
