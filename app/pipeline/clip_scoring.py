"""Pictures against the real clip they were recoloured from: fMSE, PSNR and CO2Net's temporal loss."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.compositing import Table, blend
from app.domain.frame import Pixels
from app.domain.steadiness import Flow, carry
from app.pipeline.video_scenes import FilmedClip
from harmonizer.curves import Lut, apply_lut8, lut8
from harmonizer.metrics import PEAK, fmse
from harmonizer.temporal import temporal_loss, warp_weight


@dataclass(frozen=True)
class PictureScore:
    """Means over a clip's frames and pairs of frames; nan where there were none."""

    fmse: float
    psnr_db: float
    temporal_loss: float


class ClipScorer:
    """Holds a clip's truth and motion, and scores renderings against them, inside the person's box.

    The flow between real frames is DIS (Kroeger et al., ECCV 2016), where CO2Net has FlowNet2.
    """

    def __init__(self, clip: FilmedClip) -> None:
        box = _common_box(clip)
        self.box = box
        self.reals = [np.ascontiguousarray(f.pixels[box]) for f in clip.frames]
        self.mattes = [np.ascontiguousarray(m[box]) for m in clip.mattes]
        self._motion = [None, *(self._pair(i, cut=clip.cuts[i]) for i in range(1, len(self.reals)))]

    def _pair(self, i: int, *, cut: bool) -> tuple[Flow, npt.NDArray[np.float32]] | None:
        if cut:
            return None
        dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        before, now = (cv2.cvtColor(p, cv2.COLOR_RGB2GRAY) for p in self.reals[i - 1 : i + 1])
        flow = np.asarray(dis.calc(now, before, np.empty(0, np.float32)), np.float32)
        mask = carry((self.mattes[i - 1] > 127).astype(np.float32), flow)
        return flow, warp_weight(mask, carry(self.reals[i - 1].astype(np.float32), flow), self.reals[i])

    def score(self, outputs: Iterable[Pixels | None]) -> PictureScore:
        """Score one rendering a frame (cropped to `box`); None where the person was not found."""
        errors, losses, last = [], [], None
        for i, output in enumerate(outputs):
            if output is not None:
                errors.append(fmse(output, self.reals[i], self.mattes[i]))
                motion = self._motion[i]
                if motion is not None and last is not None:
                    losses.append(temporal_loss(carry(last.astype(np.float32), motion[0]), output, motion[1]))
            last = output
        psnr_db = [math.inf if e == 0 else 10 * math.log10(PEAK**2 / e) for e in errors]
        return PictureScore(_mean(errors), _mean(psnr_db), _mean(losses))


def _mean(values: Sequence[float]) -> float:
    known = [v for v in values if not math.isnan(v)]
    return math.nan if not known else sum(known) / len(known)


_Box = tuple[slice, slice]
_MARGIN_PX: Final = 16
_MIN_FLOW_PX: Final = 64


def _common_box(clip: FilmedClip) -> _Box:
    """The person's box over the whole clip, with room for motion; large enough for the flow."""
    left, top, width, height = cv2.boundingRect(np.maximum.reduce(clip.mattes))
    rows, columns = clip.mattes[0].shape
    return _widened(top, top + height, rows), _widened(left, left + width, columns)


def _widened(start: int, end: int, limit: int) -> slice:
    margin = max(_MARGIN_PX, (_MIN_FLOW_PX - (end - start) + 1) // 2)
    return slice(max(0, start - margin), min(limit, end + margin))


IDENTITY: Final = np.broadcast_to(np.linspace(0.0, 1.0, 256), (3, 256))


def rendered(scorer: ClipScorer, recolouring: Sequence[Table], curves: Sequence[Lut | None]) -> Iterator[Pixels | None]:
    """Composites within the scorer's box: the recoloured person through a curve, over the real frame."""
    for real, matte, known, curve in zip(scorer.reals, scorer.mattes, recolouring, curves, strict=True):
        if curve is None:
            yield None
        else:
            both = lut8(curve)[known, np.arange(3)]
            yield blend(apply_lut8(real, both), real, matte)
