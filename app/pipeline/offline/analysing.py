"""The first pass over a segment: what the model sees in each frame, and which curve fits now and then.

Nothing is carried over from the segment before but a few frames' warm-up of the segmenter, so segments can be gone
through in any order, anywhere.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.cells import cell_picture, grid_for
from app.domain.decontamination import decontaminate
from app.domain.frame import Alpha, Alpha8, Frame, Pixels
from app.domain.lookahead import analyse_mattes
from app.domain.segment_mattes import SegmentMattes
from app.domain.skin import Colour
from app.domain.steadiness import is_cut
from app.pipeline.analyser import ESTIMATE_EVERY_S, Finish, finished_matte, looked_for, plate_pixels
from app.pipeline.matching import Matcher
from app.pipeline.matte import MatteRefiner
from app.pipeline.offline.control import Frames
from app.pipeline.offline.plan import Plan, Segment
from app.pipeline.offline.sources import Source
from app.pipeline.plates import Plate
from app.pipeline.segmentation import Segmenter
from app.pipeline.stats import StageClock

WARM_UP_FRAMES: Final = 6
"""The segmenter looks near where somebody stood: so many frames before the segment show it where that is."""

MATTE_PREFIX: Final = "matte_"
"""Of the names of arrays that are mattes: most of a file, and not always wanted."""

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class SegmentAnalysis:
    """What is known of a segment's T frames.

    pts (T,) int64. area (T,): share of the frame that the person covers, 0..1. cuts (T,) bool: another scene begins
    here; never for the segment's first frame, for which the pictures at the ends tell. first, last: those pictures
    (rows, columns, 3). mattes: at one value a cell, None where the segmenter's own are used as they are. at (N,) int64:
    pts of the frames with an estimate. knots (N, S, 3, K + 1), skin (N, 3): NaN where there is none.
    """

    pts: Array
    area: Array
    cuts: Array
    first: Pixels
    last: Pixels
    mattes: SegmentMattes | None
    at: Array
    knots: Array
    skin: Array

    def to_arrays(self) -> dict[str, Array]:
        """As plain arrays, for a file."""
        plain: dict[str, Array] = {
            name: getattr(self, name) for name in ("pts", "area", "cuts", "first", "last", "at", "knots", "skin")
        }
        mattes: Mapping[str, Array] = {} if self.mattes is None else self.mattes.to_arrays()
        return plain | {f"{MATTE_PREFIX}{name}": array for name, array in mattes.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Self:
        """Out of a file. KeyError or ValueError when it is none."""
        names = {name for name in arrays if name.startswith(MATTE_PREFIX)}
        mattes = {name.removeprefix(MATTE_PREFIX): arrays[name] for name in names}
        plain = {name: array for name, array in arrays.items() if name not in names}
        return cls(mattes=SegmentMattes.from_arrays(mattes) if mattes else None, **plain)


class Analyser:
    """Goes through one segment after the other; keeps nothing of one for the next but open files and models."""

    def __init__(
        self,
        plan: Plan,
        *,
        source: Source,
        segmenter: Segmenter,
        plate: Plate,
        matcher: Matcher | None,
        finish: Finish | None,
        clock: StageClock,
    ) -> None:
        self._clock = clock
        self._last: deque[Frame] = deque(maxlen=WARM_UP_FRAMES)
        self._plan, self._source, self._plate = plan, source, plate
        self._segmenter, self._matcher, self._finish = segmenter, matcher, finish

    def analyse(self, segment: Segment, frames: Frames) -> SegmentAnalysis:
        """The whole segment. UserError as its parts raise it; what `frames` raises leaves."""
        found = _Found()
        self._segmenter.reset()
        refiner = MatteRefiner(self._plan.job.look.matte)
        if self._matcher is not None:
            self._matcher.reset()
        for frame, coarse in self._looked(segment):
            self._take(frame, coarse, refiner, found)
            frames(len(found.pts))
        with self._clock.time("steady both ways"):
            return found.analysis(self._plan.job.look.matte.tau_s)

    def _looked(self, segment: Segment) -> Iterator[tuple[Frame, Alpha]]:
        for frame in self._clock.timed("decode", self._with_warm_up(segment)):
            with self._clock.time("segment"):
                coarse = looked_for(self._segmenter, frame)
            if frame.pts >= segment.first_pts:
                yield frame, coarse

    def _with_warm_up(self, segment: Segment) -> Iterator[Frame]:
        """The segment's frames and a few before; those are still here if the segment before was worked on last."""
        index, last = self._plan.index, self._last
        place = index.first_from(segment.first_pts)
        warm_up = [int(pts) for pts in index.pts[max(0, place - WARM_UP_FRAMES) : place]]
        begin = segment.first_pts
        if self._segmenter.coarse and warm_up:
            if [frame.pts for frame in last] == warm_up:
                yield from tuple(last)
            else:
                begin = warm_up[0]
        for item in self._source.frames(begin, segment.stop_pts):
            last.append(item.frame)
            yield item.frame

    def _take(self, frame: Frame, coarse: Alpha, refiner: MatteRefiner, found: _Found) -> None:
        picture = cell_picture(frame.pixels, grid_for(*frame.size))
        is_new_scene = found.begins_scene(picture)
        cells = refiner.cells_of(frame, coarse, picture) if self._segmenter.coarse else None
        found.add(frame, picture, coarse if cells is None else cells, is_cut=is_new_scene, is_coarse=cells is not None)
        if self._matcher is None or not (is_new_scene or found.is_due(frame)):
            return
        with self._clock.time("match"):
            if cells is None:
                alpha = finished_matte(coarse, self._plan.job.look.matte)
            else:
                alpha = refiner.enlarged(frame, picture, cells)
            found.note(frame, self._estimate(frame, alpha, picture))

    def _estimate(self, frame: Frame, alpha: Alpha8, picture: Pixels) -> tuple[Array, Colour | None] | None:
        assert self._matcher is not None  # noqa: S101  (the caller looked)
        alpha = alpha if self._finish is None else self._finish(frame, alpha)
        plate = plate_pixels(self._plate, frame, self._plan.size, alpha)
        is_clean = self._plan.job.look.decontaminate
        pixels = decontaminate(frame.pixels, alpha, picture=picture) if is_clean else frame.pixels
        return self._matcher.found(
            pixels,
            alpha,
            plate,
            plate_key=self._plate.key,
            is_static=self._plate.is_static,
            time_s=frame.time_s,
        )


class _Found:
    """What has been found in a segment so far."""

    def __init__(self) -> None:
        self.pts: list[int] = []
        self._times_s: list[float] = []
        self._areas: list[float] = []
        self._cuts: list[bool] = []
        self._pictures: list[Pixels] = []
        self._cells: list[Array] = []
        self._estimates: list[tuple[int, Array | None, Colour | None]] = []
        self._last_luma: Pixels | None = None
        self._estimated_s = float("-inf")

    def begins_scene(self, picture: Pixels) -> bool:
        luma = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
        cut = self._last_luma is not None and is_cut(self._last_luma, luma)
        self._last_luma = luma
        return cut

    def add(self, frame: Frame, picture: Pixels, alpha: Alpha, *, is_cut: bool, is_coarse: bool) -> None:
        self.pts.append(frame.pts)
        self._times_s.append(frame.time_s)
        self._areas.append(float(alpha.mean()))
        self._cuts.append(is_cut)
        if is_coarse:
            self._pictures.append(picture)
            self._cells.append(alpha.astype(np.float16))
        else:
            self._pictures[1:] = [picture]  # Only those at the ends are asked for.

    def is_due(self, frame: Frame) -> bool:
        return frame.time_s - self._estimated_s >= ESTIMATE_EVERY_S

    def note(self, frame: Frame, estimate: tuple[Array, Colour | None] | None) -> None:
        self._estimated_s = frame.time_s
        self._estimates.append((frame.pts, *(estimate or (None, None))))

    def analysis(self, tau_s: float) -> SegmentAnalysis:
        shape = next((knots.shape for _, knots, _ in self._estimates if knots is not None), (1, 3, 2))
        count = len(self._estimates)
        knots, skin = np.full((count, *shape), np.nan), np.full((count, 3), np.nan)
        for place, (_, curve, colour) in enumerate(self._estimates):
            if curve is not None:
                knots[place] = curve
            if colour is not None:
                skin[place] = colour
        nothing = np.zeros((1, 1, 3), np.uint8)
        return SegmentAnalysis(
            pts=np.array(self.pts, np.int64),
            area=np.array(self._areas, np.float32),
            cuts=np.array(self._cuts, bool),
            first=self._pictures[0] if self._pictures else nothing,
            last=self._pictures[-1] if self._pictures else nothing,
            mattes=analyse_mattes(self._pictures, self._cells, self._times_s, tau_s=tau_s) if self._cells else None,
            at=np.array([pts for pts, _, _ in self._estimates], np.int64),
            knots=knots,
            skin=skin,
        )
