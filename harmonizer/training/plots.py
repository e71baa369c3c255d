"""A training run's log as a picture: loss and validation error over steps."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harmonizer.weights import write_beside

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STEP, _LOSS, _FMSE = "step", "loss", "val_fmse_"
_DPI: Final = 120

Columns = dict[str, list[float]]


def read_log(log_csv: Path) -> Columns:
    """Columns of a run's `log.csv` by name: `step`, `loss` and `val_fmse_<head>`.

    ValueError when it is empty or holds anything but these; OSError when it can't be read.
    """
    try:
        header, *lines = csv.reader(io.StringIO(log_csv.read_text("utf-8")), strict=True)
    except (csv.Error, ValueError) as error:
        raise ValueError(f"{log_csv} holds no log ({str(error)[:80]})") from error
    if header[:2] != [_STEP, _LOSS] or not all(name.startswith(_FMSE) for name in header[2:]):
        raise ValueError(f"{log_csv} is no log of a training run: its columns are {', '.join(header)[:80]}")
    if not lines:
        raise ValueError(f"{log_csv} has no line yet")
    rows = [_numbers(line, len(header), where=f"line {i} of {log_csv}") for i, line in enumerate(lines, 2)]
    return dict(zip(header, map(list, zip(*rows, strict=True)), strict=True))


def plot_log(log_csv: Path, png: Path) -> None:
    """Draw a run's `log.csv` into a PNG file, written beside and renamed.

    ValueError and OSError as `read_log`; OSError too when the picture can't be written. Needs matplotlib.
    """
    write_beside(png, draw_log(read_log(log_csv)))


def draw_log(columns: Columns) -> bytes:
    """The loss, and below it each head's validation fMSE with its last and best value, as PNG bytes.

    Drawn by figure and canvas alone: pyplot would choose a backend for the whole process.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    steps = columns[_STEP]
    heads = {name.removeprefix(_FMSE): values for name, values in columns.items() if name.startswith(_FMSE)}
    figure = Figure(figsize=(8.0, 6.0 if heads else 3.4), dpi=_DPI, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots(2 if heads else 1, 1, sharex=True, squeeze=False)[:, 0]
    _draw_line(axes[0], steps, columns[_LOSS], label="", color="0.25")
    axes[0].set_ylabel("training loss")
    for i, (head, values) in enumerate(heads.items()):
        _draw_line(axes[1], steps, values, label=f"{head}: {_figures(values)}", color=f"C{i}")
    if heads:
        axes[1].set_ylabel("validation fMSE")
        axes[1].legend(frameon=False)
    axes[-1].set_xlabel("step")
    buffer = io.BytesIO()
    canvas.print_png(buffer)  # type: ignore[no-untyped-call]
    return buffer.getvalue()


def _numbers(line: Sequence[str], count: int, *, where: str) -> list[float]:
    try:
        numbers = [float(text) for text in line]
    except ValueError:
        numbers = []
    if len(numbers) != count:
        raise ValueError(f"{where} is not {count} numbers")
    return [value if math.isfinite(value) else math.nan for value in numbers]


def _figures(values: Sequence[float]) -> str:
    finite = [value for value in values if not math.isnan(value)]
    return f"last {finite[-1]:.0f}, best {min(finite):.0f}" if finite else "no finite value"


def _draw_line(axes: Axes, steps: Sequence[float], values: Sequence[float], *, label: str, color: str) -> None:
    axes.plot(
        steps, values, label=label, color=color, linewidth=1.6, marker="o" if len(steps) < 60 else "", markersize=3
    )
    axes.grid(visible=True, color="0.9")
    axes.spines[["top", "right"]].set_visible(False)
