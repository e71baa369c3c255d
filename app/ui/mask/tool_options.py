"""The tools of Mask mode by name and key, and how each of them is set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final

from PyQt6.QtCore import QObject, pyqtSignal

from app.domain.mask.areas import FEATHER_PX, TOLERANCE
from app.domain.mask.brush import FLOW, HARDNESS, OPACITY, BrushSettings, Paint
from app.domain.mask.smart_brush import TOLERANCE as COLOUR_TOLERANCE
from app.domain.setting_kinds import choice, kinds_of, number, toggle

SIZE_PX: Final = (1.0, 600.0)
"""Of the brushes: what a slider can still set to the pixel, and more than a head in 4K."""

_STEP: Final = 1.15


class ToolKind(Enum):
    """The tools in the order of the strip; the value is also the icon's name."""

    BRUSH = "brush"
    ERASER = "eraser"
    RESTORE = "restore-brush"
    EDGE = "edge-brush"
    SMART = "smart-brush"
    LASSO = "lasso"
    POLYGON = "polygon"
    FILL = "fill"
    CLEAN_UP = "clean-up"
    ASSIST = "assist"

    @property
    def label(self) -> str:
        """Its name."""
        return _WORDS[self][0]

    @property
    def key(self) -> str:
        """The key that takes it in hand."""
        return _WORDS[self][1]

    @property
    def hint(self) -> str:
        """What it does, in one sentence."""
        return _WORDS[self][2]

    @property
    def option_names(self) -> tuple[str, ...]:
        """Which of the options it follows, in the order they are shown."""
        return _OPTION_NAMES[self]

    @property
    def has_ring(self) -> bool:
        """Whether it paints with a round brush."""
        return "size_px" in self.option_names


_WORDS: Final[Mapping[ToolKind, tuple[str, str, str]]] = {
    ToolKind.BRUSH: ("Brush", "B", "Adds to the person; the right button takes away, Shift draws a straight line"),
    ToolKind.ERASER: ("Eraser", "E", "Takes away from the person; the right button adds"),
    ToolKind.RESTORE: ("Back to the model", "H", "Takes your corrections back where you paint"),
    ToolKind.EDGE: ("Edge brush", "G", "Finds hair and soft edges anew inside the band you paint"),
    ToolKind.SMART: ("Smart brush", "M", "A brush that stops where the colour changes"),
    ToolKind.LASSO: ("Lasso", "A", "Adds what you draw around; the right button or Ctrl takes away"),
    ToolKind.POLYGON: ("Polygon", "P", "Click corner by corner; Enter closes it, Backspace takes the last one back"),
    ToolKind.FILL: ("Fill", "F", "Fills what is alike around the point you click"),
    ToolKind.CLEAN_UP: ("Clean up", "C", "Fills small holes and removes specks, in the rectangle you drag"),
    ToolKind.ASSIST: (
        "Assist",
        "S",
        "Click or scribble on what belongs to the person, with the right button on what does not; Shift drags a box",
    ),
}

_BRUSH_NAMES: Final = ("size_px", "hardness", "opacity", "flow", "uses_pressure")

_OPTION_NAMES: Final[Mapping[ToolKind, tuple[str, ...]]] = {
    ToolKind.BRUSH: _BRUSH_NAMES,
    ToolKind.ERASER: _BRUSH_NAMES,
    ToolKind.RESTORE: _BRUSH_NAMES,
    ToolKind.EDGE: ("size_px", "hardness", "is_fine"),
    ToolKind.SMART: ("paint", "size_px", "hardness", "opacity", "color_tolerance", "uses_pressure"),
    ToolKind.LASSO: ("paint", "feather_px"),
    ToolKind.POLYGON: ("paint", "feather_px"),
    ToolKind.FILL: ("paint", "fills", "tolerance", "is_contiguous", "feather_px"),
    ToolKind.CLEAN_UP: ("max_area_px",),
    ToolKind.ASSIST: (),
}

_SAME: Final = {ToolKind.ERASER: ToolKind.BRUSH, ToolKind.RESTORE: ToolKind.BRUSH}
"""Three ends of one brush: X and the right button change what it does, not its size."""


@dataclass(frozen=True, slots=True)
class ToolOptions:
    """All settings a tool may have; each tool follows its `option_names`."""

    paint: Paint = choice(  # noqa: RUF009 a value, as in the other settings
        "add",
        "Paints",
        "What the left button does; X swaps adding and removing",
        {"add": "Add", "remove": "Remove", "restore": "Back to the model"},
    )
    size_px: float = number(
        80,
        "Size",
        "Diameter in pixels of the clip ([ and ], or drag with Alt)",
        low=SIZE_PX[0],
        high=SIZE_PX[1],
        step=1,
        unit="px",
    )
    hardness: float = number(
        0.5, "Hardness", "How far the full effect reaches out", low=HARDNESS[0], high=HARDNESS[1], step=0.05, unit="%"
    )
    opacity: float = number(
        1.0, "Opacity", "The most that one stroke covers", low=OPACITY[0], high=OPACITY[1], step=0.05, unit="%"
    )
    flow: float = number(
        1.0, "Flow", "How quickly a stroke builds up to its opacity", low=FLOW[0], high=FLOW[1], step=0.01, unit="%"
    )
    color_tolerance: float = number(
        0.5,
        "Tolerance",
        "How different colours may be before the brush stops",
        low=COLOUR_TOLERANCE.low,
        high=COLOUR_TOLERANCE.high,
        step=COLOUR_TOLERANCE.step,
        unit=COLOUR_TOLERANCE.unit,
    )
    uses_pressure: bool = toggle(True, "Pen pressure", "A pen pressed lightly covers less")
    fills: str = choice(
        "mask", "Looks at", "Where it looks for what is alike", {"mask": "The mask", "colour": "The picture"}
    )
    tolerance: float = number(
        24, "Tolerance", "How far values may differ to be alike", low=TOLERANCE[0], high=TOLERANCE[1], step=1
    )
    is_contiguous: bool = toggle(True, "Connected only", "Stops at the first thing that is different")
    feather_px: float = number(
        1.0, "Feather", "Softens the edge of the area", low=FEATHER_PX[0], high=FEATHER_PX[1], step=0.5, unit="px"
    )
    max_area_px: float = number(
        400, "Largest", "Holes and specks up to this area are cleaned up", low=1, high=10000, step=1, unit="px²"
    )
    is_fine: bool = toggle(True, "Refine", "A slower, finer result replaces the first one after a moment")

    @property
    def brush(self) -> BrushSettings:
        """The settings of a stroke."""
        return BrushSettings(self.size_px, self.hardness, self.opacity, self.flow)


class ToolOptionsModel(QObject):
    """Every tool's options, remembered while another one is in hand. changed: some are other ones."""

    changed = pyqtSignal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._by_tool = {kind: ToolOptions() for kind in ToolKind if kind not in _SAME}
        self._by_tool[ToolKind.EDGE] = ToolOptions(size_px=60)

    def of(self, kind: ToolKind) -> ToolOptions:
        """A tool's options; brush, eraser and the way back to the model share theirs."""
        return self._by_tool[_SAME.get(kind, kind)]

    def change(self, kind: ToolKind, **values: Any) -> None:
        """Set some of a tool's options. KeyError for an unknown name, ValueError for a value out of its limits."""
        kinds = kinds_of(ToolOptions)
        for name, value in values.items():
            if not kinds[name].accepts(value):
                raise ValueError(f"{name} can't be {value!r}")
        new = replace(self.of(kind), **values)
        if new != self.of(kind):
            self._by_tool[_SAME.get(kind, kind)] = new
            self.changed.emit()

    def resize(self, kind: ToolKind, *, steps: int = 0, by_px: float = 0.0, harder: float = 0.0) -> None:
        """Make a brush larger by steps of a key or by so many px, and harder by a part of its radius."""
        if not kind.has_ring:
            return
        options = self.of(kind)
        size = options.size_px * _STEP**steps + by_px
        if steps:
            size = max(round(size), options.size_px + 1) if steps > 0 else min(round(size), options.size_px - 1)
        self.change(
            kind,
            size_px=min(max(size, SIZE_PX[0]), SIZE_PX[1]),
            hardness=min(max(options.hardness + harder, HARDNESS[0]), HARDNESS[1]),
        )
