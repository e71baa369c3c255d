"""`project deliver`: a mask project through the same passes as `render`, with every format and alpha."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.cli.console import Console
from app.cli.render import check_outputs, executor_of
from app.cli.render_job import encoding_from, extras_from, facts_of
from app.cli.render_watch import Watched
from app.pipeline.mask.project_media import SavedProject
from app.pipeline.offline.job import Job
from app.pipeline.offline.presets import preset_named
from app.pipeline.offline.project_jobs import project_job
from app.pipeline.offline.running import Options, run_job
from app.pipeline.threads import share_cores


def run(args: argparse.Namespace, console: Console, project: SavedProject) -> dict[str, Any]:
    """Deliver a saved project; what is to be said of it. UserError as the parts raise it."""
    job = job_from(args, project)
    check_outputs(job)
    share_cores()
    options = Options(fresh=args.fresh, verify=args.verify)
    with executor_of(args) as executor, Watched(console, job.clip.name) as watched:
        result = run_job(job, executor, watched.control, watched.report, options)
    console.tell(result.notices)
    console.say(f"{job.output}: {result.frames} frames, {result.fps:.1f} frames/s")
    return facts_of(result, console.notices)


def job_from(args: argparse.Namespace, project: SavedProject) -> Job:
    """The job of a saved project. UserError (USAGE) for values that can't be, and for files that are missing."""
    output = Path(args.output)
    preset = None if args.deliver is None else preset_named(args.deliver)
    return replace(
        project_job(project.document, project.files(), output, whole=args.whole, hdr=args.hdr),
        encoding=encoding_from(args, output, preset),
        content=args.content or (preset.content if preset else "composite"),
        extras=extras_from(args),
        size=args.size,
        max_size=preset.max_size if preset else None,
        rate=args.fps,
        device=args.device,
        has_sound=not args.no_sound,
        overwrite=args.overwrite,
    )
