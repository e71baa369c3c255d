"""How a picture is to be made, what is known of a frame, and the finished frame."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cached_property

from app.domain.compositing import Table, blend
from app.domain.frame import Alpha8, Frame, Pixels
from app.domain.placement import Placement, apply_placement
from app.pipeline.matching import MatchSettings
from app.pipeline.matte import MatteSettings


@dataclass(frozen=True)
class Look:
    """All that decides how the picture is made, given its inputs.

    match: None pastes only. decontaminate: estimate the foreground's own colour along the edge.
    light_wrap: 0..1, how much of the plate's light spills over the edge.
    """

    matte: MatteSettings = field(default_factory=MatteSettings)
    match: MatchSettings | None = field(default_factory=MatchSettings)
    placement: Placement = field(default_factory=Placement)
    decontaminate: bool = True
    light_wrap: float = 0.0


@dataclass(frozen=True)
class Rendered:
    """A finished frame and what it was made of.

    frame: the source. alpha (h, w): the matte at the source's size. foreground (h, w, 3): source colours
    with a clean edge, before the match. plate and composite (H, W, 3): output size. table: the curve used.
    """

    frame: Frame
    alpha: Alpha8
    foreground: Pixels
    plate: Pixels
    composite: Pixels
    placement: Placement
    table: Table | None

    @property
    def has_person(self) -> bool:
        """Whether the matte covers anything at all."""
        return bool(self.alpha.any())

    @cached_property
    def pasted(self) -> Pixels:
        """The same composite without the match and without light wrap."""
        size = (self.plate.shape[1], self.plate.shape[0])
        pixels, placed_alpha = apply_placement(self.foreground, self.alpha, self.placement, size)
        return blend(pixels, self.plate, placed_alpha)


@dataclass(frozen=True)
class Analysed:
    """A frame with all that is known of it, before anything is put together.

    alpha (h, w): as in `Rendered`. clean: gives the foreground (h, w, 3), as there, and makes it when it is first
    wanted: by the match where the curve is estimated, else by the compositor, whose thread has less to do. plate
    (H, W, 3): at the output's size. plate_key: of that picture. table: the curve to use, None for none.
    """

    frame: Frame
    alpha: Alpha8
    clean: Callable[[], Pixels]
    plate: Pixels
    plate_key: Hashable
    table: Table | None

    @property
    def foreground(self) -> Pixels:
        """Source colours with a clean edge."""
        return self.clean()
