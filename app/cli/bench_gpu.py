"""`bench gpu`: what an NVIDIA card does with a frame."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any, Final

from app.cli import options
from app.cli.bench import Answer, kernels
from app.cli.console import Console

DEFAULT_SIZE: Final = (3840, 2160)
DEFAULT_FRAMES: Final = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `bench gpu`."""
    parser.add_argument("--size", type=options.size, metavar="WxH", help="of the frame (default: 3840x2160)")
    parser.add_argument("--frames", type=options.positive_int, metavar="N", help="rounds of each figure (default: 60)")
    parser.add_argument("--weights", help="(default: the shipped default)")
    parser.add_argument(
        "--device", default="cuda", help="cuda, cuda:N, or cpu, which tries the measuring out (default: %(default)s)"
    )


def run(args: argparse.Namespace, console: Console) -> Answer:
    """Measure everything. UserError (USAGE) that says what is missing."""
    from app.pipeline.gpu.gpu_bench import bench_gpu

    compiled = kernels()
    report = bench_gpu(
        args.size or DEFAULT_SIZE, frames=args.frames or DEFAULT_FRAMES, device=args.device, weights=args.weights
    )
    if report["kernel_notice"]:
        console.notice(report["kernel_notice"])
    title = f"{report['device']['name']}, {report['size']}, {report['kernel']} kernel"
    return Answer(report | compiled, title, ("figure", "value"), list(_rows(report)))


def _rows(values: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        label = f"{within}{name}".replace("_", " ")
        if isinstance(value, Mapping):
            yield from _rows(value, f"{label}: ")
        elif value not in ("", None):
            yield label, str(value)
