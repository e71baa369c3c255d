"""The brush measured on the real canvas, in a process of its own: the command line imports no window.

`platematch bench mask` starts it as `python -m app.ui.mask.brush_bench`. One JSON object goes to stdout: what
`bench_canvas` says of a frame of 1080p and one of 4K.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any, Final

from PyQt6.QtWidgets import QApplication

from app.domain.compositing import Size
from app.domain.errors import ExitCode, UserError
from app.domain.mask.views import MaskView
from app.pipeline.bench.machine import rss_mb
from app.pipeline.kernel_cache import ensure_kernels
from app.ui.mask.canvas_bench import bench_canvas
from app.ui.qt_environment import display_checked, import_cv2

SIZES: Final[dict[str, Size]] = {"1080p": (1920, 1080), "4k": (3840, 2160)}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(prog="brush_bench")
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--brush", type=float, required=True)
    args = parser.parse_args(argv)
    try:
        report = _measured(args.brush, args.events)
    except UserError as error:
        report = {"error": error.message, "hint": error.hint, "code": int(error.code)}
    sys.stdout.write(json.dumps(report) + "\n")
    return int(report.get("code", ExitCode.OK))


def _measured(brush_px: float, events: int) -> dict[str, Any]:
    import_cv2()
    ensure_kernels()
    with display_checked():
        app = QApplication(sys.argv[:1])
    try:
        found = {
            name: bench_canvas(size, brush_px, MaskView.RUBYLITH, events=events) | {"rss_mb": rss_mb()}
            for name, size in SIZES.items()
        }
    finally:
        app.quit()
    return found


if __name__ == "__main__":
    sys.exit(main())
