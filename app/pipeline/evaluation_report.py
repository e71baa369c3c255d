"""From scored pictures to the figures papers print: means by foreground ratio and by subset."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

import numpy as np

from app.pipeline.evaluation import Row

RATIO_BINS: Final = ((0.0, 0.05), (0.05, 0.15), (0.15, 1.0))
"""Foreground share of the picture, from and up to: DoveNet's (Cong et al. 2020) and everybody's since."""

HEADERS: Final = (
    "method",
    "MSE",
    "fMSE",
    "fMSE\nmedian",
    "PSNR\ndB",
    "SSIM",
    "fSSIM",
    "dE00",
    "hue\ndeg",
    "chroma\ngain",
    "worse\n%",
    "identity\nshift",
    "ms",
)

LEGEND: Final = (
    "fg: foreground; fMSE, fSSIM, dE00 (CIEDE2000), hue and chroma gain (CIELAB, against the truth) are of it. "
    "worse: pictures whose fMSE grew. identity shift: dE00 by which an untouched real picture's foreground moves. "
    "ms: the method alone, median."
)


_FRAME = 3  # characters of a table's cell beside its text

_MEANS = (
    "mse",
    "fmse",
    "psnr",
    "ssim",
    "fssim",
    "delta_e",
    "hue_deg",
    "chroma",
    "chroma_gain",
    "identity_shift",
)


@dataclass(frozen=True)
class Summary:
    """One method on one group of pictures: means over pictures, of finite values only.

    fmse_median and time_ms: medians. worse: share, 0..1. psnr is inf, and any figure nan, when it is so on every
    picture. The rest as in `Row`.
    """

    group: str
    pictures: int
    method: str
    mse: float
    fmse: float
    fmse_median: float
    psnr: float
    ssim: float
    fssim: float
    delta_e: float
    hue_deg: float
    chroma: float
    chroma_gain: float
    worse: float
    identity_shift: float
    time_ms: float

    def cells(self) -> list[str]:
        """The row as text, in the order of HEADERS; numbers of one column end in one place."""
        return [
            self.method,
            f"{self.mse:7.2f}",
            f"{self.fmse:7.1f}",
            f"{self.fmse_median:7.1f}",
            f"{self.psnr:5.2f}",
            f"{self.ssim:6.4f}",
            f"{self.fssim:6.4f}",
            f"{self.delta_e:5.2f}",
            "-" if math.isnan(self.hue_deg) else f"{self.hue_deg:5.1f}",
            f"{self.chroma_gain:+6.2f}",
            f"{100 * self.worse:5.1f}",
            f"{self.identity_shift:5.2f}",
            f"{self.time_ms:6.1f}",
        ]

    def as_dict(self) -> dict[str, Any]:
        """For JSON: None where a figure is not finite."""
        return {key: _finite_or_none(value) for key, value in asdict(self).items()}


def summarize(rows: Sequence[Row]) -> list[Summary]:
    """Rows of one size by group (all, foreground ratios, subsets when there are several), then by method."""
    return [summary for name, chosen in _groups(rows) for summary in _by_method(name, chosen)]


def table_rows(summaries: Sequence[Summary]) -> list[list[str]]:
    """The table's rows: each group under a line with its name and its number of pictures."""
    lines: list[list[str]] = []
    group = ""
    for summary in summaries:
        if summary.group != group:
            group = summary.group
            space = [[""] * len(HEADERS)] if lines else []
            heading = f"{group} ({summary.pictures})"
            lines += [*space, [heading] + [""] * (len(HEADERS) - 1)]
        cells = summary.cells()
        lines.append([f"  {cells[0]}", *cells[1:]])
    return lines


def columns_that_fit(rows: Sequence[Sequence[str]], width: int) -> list[list[int]]:
    """Column numbers of one or more tables of at most `width` characters, the first column in each.

    A cut-off number says something else than was measured; a second table does not.
    """
    widths = [
        max(len(line) for text in (head, *column) for line in text.splitlines() or [""])
        for head, column in zip(HEADERS, zip(*rows, strict=True), strict=True)
    ]
    tables = [[0]]
    for column in range(1, len(HEADERS)):
        if len(tables[-1]) > 1 and sum(widths[i] + _FRAME for i in (*tables[-1], column)) + 1 > width:
            tables.append([0])
        tables[-1].append(column)
    return tables


def as_csv(rows: Iterable[Row]) -> str:
    """Every row with a header, numbers as measured, `inf` and `nan` as these words."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Row)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return text.getvalue()


def _groups(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    yield "all", list(rows)
    for low, high in RATIO_BINS:
        inside = [r for r in rows if low <= r.foreground_share < high or r.foreground_share == high == 1.0]
        if inside:
            yield f"{100 * low:.0f}-{100 * high:.0f} % fg", inside
    subsets = list(dict.fromkeys(row.subset for row in rows))
    for subset in subsets if len(subsets) > 1 else ():
        yield subset, [row for row in rows if row.subset == subset]


def _by_method(group: str, rows: Sequence[Row]) -> Iterator[Summary]:
    for method in dict.fromkeys(row.method for row in rows):
        chosen = [row for row in rows if row.method == method]
        mean = {name: _over_finite(np.mean, [getattr(row, name) for row in chosen]) for name in _MEANS}
        yield Summary(
            group=group,
            pictures=len(chosen),
            method=method,
            fmse_median=_over_finite(np.median, [row.fmse for row in chosen]),
            worse=float(np.mean([row.worse for row in chosen])),
            time_ms=_over_finite(np.median, [row.time_ms for row in chosen]),
            **mean,
        )


def _over_finite(statistic: Callable[[Sequence[float]], Any], values: Sequence[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return float(statistic(finite)) if finite else values[0]


def _finite_or_none(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
