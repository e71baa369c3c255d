"""What the columns of a manifest mean, beside clip, plate and output."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar, get_args

from app.cli import options
from app.cli.render_parser import rate, time_s
from app.pipeline.offline.batch_jobs import OptionOf
from app.pipeline.offline.job import Content, Job
from app.pipeline.offline.presets import preset_named

T = TypeVar("T")


def _parsed(parse: Callable[[str], T], text: str) -> T:
    """As on the command line. ValueError with its sentence."""
    try:
        return parse(text)
    except argparse.ArgumentTypeError as error:
        raise ValueError(str(error)) from error


def _deliver(job: Job, text: str) -> Job:
    preset = preset_named(text)
    output = Path(f"{job.output.stem or 'clip'}{preset.suffix}")
    return replace(
        job,
        encoding=preset.encoding,
        content=preset.content,
        max_size=preset.max_size,
        output=job.output.parent / output,
    )


def _content(job: Job, text: str) -> Job:
    known: tuple[Content, ...] = get_args(Content)
    for content in known:
        if text.lower() == content:
            return replace(job, content=content)
    raise ValueError(f"“{text}” can't be shown; there are {', '.join(known)}")


COLUMNS: Final[Mapping[str, OptionOf]] = MappingProxyType(
    {
        "deliver": _deliver,
        "from": lambda job, text: replace(job, trim=replace(job.trim, from_s=_parsed(time_s, text))),
        "to": lambda job, text: replace(job, trim=replace(job.trim, to_s=_parsed(time_s, text))),
        "fps": lambda job, text: replace(job, rate=_parsed(rate, text)),
        "size": lambda job, text: replace(job, size=_parsed(options.size, text)),
        "content": _content,
    }
)
"""For `jobs_of`, in the order they are applied: a delivery's contents can be changed by `content`."""
