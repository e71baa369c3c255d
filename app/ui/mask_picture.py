"""Mask mode as it is pictured: the sample with a real correction, carried through its frames."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from app.ui.mask_side import MaskSide

if TYPE_CHECKING:
    from app.ui.mask.mask_desk import MaskDesk
    from app.ui.mask.mask_mode import MaskMode

WaitFor = Callable[[Callable[[], bool]], None]

_COLLAR: Final = ((318, 446), (336, 408), (372, 376), (426, 352), (486, 344))
"""Where the model misses the suit's collar in the first frame, px."""

_BRUSH_PX: Final = 42
_FRAME: Final = 50


def prepare_mask(side: MaskSide, page: str, view: str, *, wait_for: WaitFor) -> None:
    """Show a page of the inspector and a view of the sample, corrected; view by its name in `MaskView`."""
    from app.domain.mask.views import MaskView
    from app.ui.choices import Sample

    mode = side.mode
    if mode.desk is None:
        side.open(Sample.SAMPLE)
        wait_for(lambda: mode.desk is not None and mode.desk.shown is not None)
        _correct(mode, wait_for)
    desk = mode.desk
    if desk is None:
        return
    mode.page.inspector.show_page(page)
    mode.page.bar.choose_view(MaskView[view])
    desk.state.go(desk.session.index.pts_at(_FRAME))
    wait_for(lambda: _is_current(desk))


def _correct(mode: MaskMode, wait_for: WaitFor) -> None:
    from app.domain.mask.brush import BrushSettings, Stroke
    from app.ui.mask.propagate_panel import PropagateWish, Way

    desk, propagation = mode.desk, mode.propagation
    if desk is None or propagation is None:
        return
    wait_for(lambda: len(desk.cache) == len(desk.session.index))
    stroke = Stroke(desk.state.meta.clip.size, BrushSettings(_BRUSH_PX, 0.8))
    for place in _COLLAR:
        stroke.extend(*place)
    planes = desk.state.planes.copy()
    part, inside = stroke.applied(planes, stroke.box, "add"), planes.at(stroke.box)
    inside.value[:], inside.weight[:] = part.value, part.weight
    desk.state.paint(planes, stroke.box, "Brush stroke")
    propagation.start(PropagateWish(Way.TO_OUT))
    wait_for(lambda: not desk.state.is_busy)
    desk.state.mark_saved()


def _is_current(desk: MaskDesk) -> bool:
    shown = desk.shown
    is_there = shown is not None and shown.wanted.pts == desk.state.pts
    return is_there and desk.page.canvas.shown_view is desk.page.canvas.view
