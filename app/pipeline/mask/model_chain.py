"""What finds the mattes a project corrects, and the pass over its clip that finds them all."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

from app.domain.frame import Frame
from app.domain.mask.document import MaskDocument
from app.pipeline.analyser import FrameAnalyser
from app.pipeline.kernel_cache import ensure_kernels, is_compiled, prepare_kernels
from app.pipeline.look_settings import look_of
from app.pipeline.mask.analysing import ClipAnalysis
from app.pipeline.mask.masks_in import ProjectMedia, segmenter_for
from app.pipeline.mask.matte_cache import Judged, MatteCache
from app.pipeline.plates import open_plate
from app.pipeline.stats import StageClock
from app.pipeline.video_reader import VideoReader

log = logging.getLogger(__name__)


def open_mask_analyser(document: MaskDocument, mask: Path | None) -> FrameAnalyser:
    """The chain as a render has it, for its mattes only; close its segmenter. UserError as `segmenter_for`."""
    settings = document.meta.settings
    segmenter = segmenter_for(document, mask, on_notice=log.warning)
    return FrameAnalyser(
        segmenter=segmenter, plate=open_plate("#000000"), look=look_of(settings), matcher=None, clock=StageClock()
    )


def clip_analysis(
    document: MaskDocument,
    media: ProjectMedia,
    cache: MatteCache,
    *,
    on_judged: Callable[[int, Judged], None],
    on_end: Callable[[BaseException | None], None],
) -> ClipAnalysis:
    """The pass over the project's clip that fills the cache; it is not started yet."""

    def open_analyser() -> FrameAnalyser:
        # The compiled loops, as a render has them: their twins' mattes differ by a few pixels along the edge. They are
        # not waited for while they are being compiled: the pass has to end when somebody stops it.
        (ensure_kernels if is_compiled() else prepare_kernels)()
        return open_mask_analyser(document, media.mask)

    return ClipAnalysis(
        cache,
        open_frames=lambda: _frames(media.clip),
        open_analyser=open_analyser,
        on_judged=on_judged,
        on_end=on_end,
    )


def _frames(clip: Path) -> Iterator[Frame]:
    with VideoReader(clip) as reader:
        yield from reader
