"""Figures as pictures for a README; matplotlib is imported here only, and only when one is asked for."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app.domain.errors import ExitCode, UserError
from harmonizer.manifest import write_beside

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DPI: Final = 150
_BLUE, _PALE, _ORANGE, _GREY = "#3465a4", "#a9c0dd", "#d9822b", "0.45"
_NAMES: Final = {
    "640x360": "360p",
    "1280x720": "720p",
    "1920x1080": "1080p",
    "3840x2160": "4K",
    "7680x4320": "8K",
}
"""Sizes with a name and room for it."""


def check_matplotlib() -> None:
    """UserError (FAILED) where matplotlib is missing: said before anything is measured."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise UserError(
            "A plot needs matplotlib, which is not installed.", "Run: pip install matplotlib", code=ExitCode.FAILED
        ) from error


def plot_stages(report: Mapping[str, Any], png: Path) -> None:
    """One bar a stage, ms a frame; parts of a stage are paler. OSError as a write.

    By the mean where there is one: an encoder takes pictures in as they come and works on several at once.
    """
    kind = "mean" if "stages_mean_ms" in report else "median"
    stages: Mapping[str, float] = report["stages_mean_ms" if kind == "mean" else "stages_ms"]
    figure, (axes,) = _figure(1, height=1.2 + 0.27 * len(stages))
    rows = range(len(stages))
    colors = [_PALE if ":" in stage else _BLUE for stage in stages]
    bars = axes.barh(rows, list(stages.values()), 0.7, color=colors)
    axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=8, color=_GREY)
    axes.set_yticks(rows, [_label(stage) for stage in stages])
    axes.invert_yaxis()
    axes.margins(x=0.1, y=0.01)
    axes.set_xlabel(f"{kind} ms a frame")
    axes.set_title(_title(report), fontsize=10, loc="left")
    axes.grid(visible=True, axis="x", color="0.9")
    axes.set_axisbelow(True)
    write_beside(png, _png(figure))


def plot_scale(report: Mapping[str, Any], png: Path) -> None:
    """CPU time over pixels with its line; wall time by threads where more than one number was measured."""
    points: Sequence[Mapping[str, Any]] = report["points"]
    threads: Sequence[int] = report["threads"]
    single = [point for point in points if point["threads"] == min(threads)]
    figure, axes = _figure(2 if len(threads) > 1 else 1, height=4.2)
    _draw_cost(axes[0], single, report)
    if len(threads) > 1:
        _draw_threads(axes[1], points, threads)
    write_beside(png, _png(figure))


def _draw_cost(axes: Axes, points: Sequence[Mapping[str, Any]], report: Mapping[str, Any]) -> None:
    mega = [point["px"] / 1e6 for point in points]
    fit = [report["fixed_ms"] + report["slope_ns_px"] * px for px in mega]
    line = f"line: {report['slope_ns_px']:.2f} ns a pixel, R² = {report['r2_linear']:.4f}"
    axes.plot(mega, fit, color=_BLUE, linewidth=1, linestyle="--", label=line)
    axes.plot(mega, [point["pixel_cpu_ms"] for point in points], "o", color=_BLUE, label="pixel stages")
    looks = [point["matte_match_cpu_ms"] for point in points]
    axes.plot(mega, looks, "s-", color=_ORANGE, linewidth=1, label="matte and match")
    _scale_axes(axes, points)
    axes.set_ylabel("CPU ms a frame")
    axes.set_title("Cost on one thread", fontsize=10, loc="left")
    _finish(axes)


def _draw_threads(axes: Axes, points: Sequence[Mapping[str, Any]], threads: Sequence[int]) -> None:
    for number, count in enumerate(threads):
        of_it = [point for point in points if point["threads"] == count]
        total = [point["pixel_ms"] + point["matte_match_ms"] for point in of_it]
        label = f"{count} thread{'s' if count > 1 else ''}"
        axes.plot([point["px"] / 1e6 for point in of_it], total, "o-", color=f"C{number}", linewidth=1, label=label)
    _scale_axes(axes, points)
    axes.set_ylabel("wall ms a frame, all stages")
    axes.set_title("With more threads", fontsize=10, loc="left")
    _finish(axes)


def _scale_axes(axes: Axes, points: Sequence[Mapping[str, Any]]) -> None:
    """Logarithmic both ways, in plain numbers: what is linear rises by one step a step, what is flat stays."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axes.set_xscale("log")
    axes.set_yscale("log")
    named = {point["px"] / 1e6: _NAMES[point["size"]] for point in points if point["size"] in _NAMES}
    axes.set_xticks(list(named), [f"{mega:.1f}\n{name}" for mega, name in named.items()], fontsize=8)
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda ms, _: f"{ms:g}"))
    axes.yaxis.set_minor_formatter(FuncFormatter(lambda ms, _: f"{ms:g}" if f"{ms:g}"[0] in "25" else ""))
    axes.set_xlabel("megapixels a frame")


def _finish(axes: Axes) -> None:
    axes.grid(visible=True, color="0.9")
    axes.set_axisbelow(True)
    axes.legend(frameon=False, fontsize=8, loc="upper left")


def _figure(columns: int, *, height: float) -> tuple[Figure, Sequence[Axes]]:
    """Drawn by figure alone: pyplot would choose a backend for the whole process."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0 if columns == 1 else 10.0, height), dpi=_DPI, layout="constrained")
    axes = list(figure.subplots(1, columns, squeeze=False)[0])
    for one in axes:
        one.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _label(stage: str) -> str:
    _, colon, part = stage.partition(": ")
    return f"· {part}" if colon else stage


def _title(report: Mapping[str, Any]) -> str:
    rate = f", {report['fps']:.1f} frames/s" if "fps" in report else ", one thread"
    return f"{report['size']}{rate}"


def _png(figure: Figure) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)  # type: ignore[no-untyped-call]
    return buffer.getvalue()
