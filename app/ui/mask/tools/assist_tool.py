"""Assist: clicks and scribbles say what is meant, its outline is found, and Enter takes it."""

from __future__ import annotations

import math
from functools import partial
from typing import Final

import cv2
import numpy as np

from app.domain.compositing import Size
from app.domain.frame import Alpha8
from app.domain.mask.areas import Area, Point
from app.domain.mask.assist import CLICK_PX, assisted, click_scribble, scribble_box
from app.domain.mask.brush import Paint
from app.domain.mask.planes import NOWHERE, Box
from app.ui.mask.gestures import Button, Gesture
from app.ui.mask.tools.base import Draft, Easel, Tool
from app.ui.text import tr

_KEY: Final = "assist"
_REFERENCE_PX: Final = 1080
"""The height of the frame that CLICK_PX is told for."""


class AssistTool(Tool):
    """Left says person, right says not; with Shift a box is drawn around what is looked at.

    Where only the right button was used, what it points at is taken out of the mask.
    """

    def __init__(self, easel: Easel) -> None:
        super().__init__(easel)
        self._scribbles: dict[Button, Alpha8] = {}
        self._line: list[Point] = []
        self._box: Box | None = None
        self._draws_box = False

    @property
    def is_pending(self) -> bool:
        """Whether something was said and not yet accepted."""
        return self.draft is not None

    def begin(self, gesture: Gesture) -> None:
        """Start a click, a scribble or a box."""
        if self.draft is None:
            self.draft = Draft(self.easel)
        self._line, self._draws_box = [(gesture.x, gesture.y)], gesture.shift

    def go_on(self, gesture: Gesture) -> None:
        """Draw it out."""
        if not self._line:
            return
        if self._draws_box:
            self._box = self._dragged(gesture)
            self.easel.canvas.show_rectangle(self._box)
        else:
            self._line.append((gesture.x, gesture.y))
            self.easel.canvas.show_path(self._line)

    def end(self, gesture: Gesture) -> None:
        """Look for what is meant."""
        if not self._line or self.draft is None:
            return
        line, self._line = self._line, []
        if not self._draws_box:
            self._scribble(line, gesture.button)
        if self._scribbles:
            self._look()
        else:
            self._say(tr("Now click what is meant inside the box"))

    def accept(self) -> None:
        """Make what is shown a step."""
        if self.draft is None or self.draft.box.is_empty:
            return
        draft = self.draft
        self._forget()
        self.draft = draft
        self.commit(tr("Assist"))

    def step_back(self) -> None:
        """Begin anew: what clicks said together can't be parted."""
        self.cancel()

    def cancel(self) -> None:
        """Forget what was said and found."""
        if self.is_pending:
            self._forget()
        super().cancel()

    def _look(self) -> None:
        if self.draft is None:
            return
        wanted, other, paint = self._meaning(self.easel.frame.size)
        box = scribble_box(wanted, other) if self._box is None else self._box
        pixels, prior = self.easel.frame.pixels, self.easel.final_alpha(self.draft.before)
        if paint == "remove":
            prior = np.subtract(255, prior, dtype=np.uint8)
        self._say(tr("Looking for its outline …"))
        work = partial(assisted, pixels, box, wanted.copy(), other.copy(), prior, only_alike=paint == "remove")
        self.easel.compute(_KEY, work, partial(self._show_found, paint))

    def _meaning(self, size: Size) -> tuple[Alpha8, Alpha8, Paint]:
        """What is wanted, what is not, and what to paint there."""
        nothing = np.zeros((size[1], size[0]), np.uint8)
        person, rest = (self._scribbles.get(button, nothing) for button in (Button.LEFT, Button.RIGHT))
        return (person, rest, "add") if Button.LEFT in self._scribbles else (rest, nothing, "remove")

    def _show_found(self, paint: Paint, area: Area) -> None:
        if self.draft is None:
            return
        box, coverage = area
        self.draft.reset()
        self.draft.lay(coverage, box, paint)
        self.easel.canvas.show_path(_outline(box, coverage), closed=True)
        found = tr("Enter accepts, Esc drops, more clicks refine")
        self._say(tr("Nothing found there: click again, or Esc") if box.is_empty else found)

    def _scribble(self, line: list[Point], button: Button) -> None:
        """Draw the line into what the button says; the last word on a pixel counts."""
        size = self.easel.frame.size
        drawn = click_scribble(line[0], size)
        radius = max(1, round(CLICK_PX * min(size) / _REFERENCE_PX))
        path = np.floor(np.array(line)).astype(np.int32)
        cv2.polylines(drawn, [path], False, (255.0,), 2 * radius + 1)
        for told, scribble in self._scribbles.items():
            if told is not button:
                scribble[drawn > 0] = 0
        mine = self._scribbles.get(button)
        self._scribbles[button] = drawn if mine is None else np.maximum(mine, drawn)

    def _dragged(self, gesture: Gesture) -> Box:
        (x0, y0), (x1, y1) = self._line[0], (gesture.x, gesture.y)
        left, right, top, bottom = min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1)
        whole = Box(math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom))
        return whole.within(self.easel.frame.size)

    def _say(self, words: str) -> None:
        self.easel.canvas.set_note(words)

    def _forget(self) -> None:
        self.easel.forget(_KEY)
        self._scribbles, self._line, self._box = {}, [], None
        self.easel.canvas.show_path([])
        self.easel.canvas.show_rectangle(None)
        self._say("")


def _outline(box: Box, coverage: Alpha8) -> list[Point]:
    """Around the largest piece, px of the picture; nothing where there is none."""
    if box == NOWHERE:
        return []
    inside = np.where(coverage > 127, np.uint8(255), np.uint8(0))
    contours, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return []
    largest = max(contours, key=cv2.contourArea)
    return [(box.x0 + x + 0.5, box.y0 + y + 0.5) for x, y in np.asarray(largest, float).reshape(-1, 2)]
