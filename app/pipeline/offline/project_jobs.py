"""From a mask project to a delivery's job: its corrections, locks and range, looked at as a whole like any clip."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from app.domain.mask.document import MaskDocument, Span
from app.pipeline.color_tags import Hdr
from app.pipeline.look_settings import look_of, segmenter_choice_of
from app.pipeline.mask.frame_index import FrameIndex
from app.pipeline.mask.masks_in import ProjectMedia, check_clip
from app.pipeline.mask.project_render import span_of
from app.pipeline.offline.job import Job, Trim
from app.pipeline.offline.sources import open_source
from app.pipeline.segmenter_choice import SegmenterChoice


def project_job(
    document: MaskDocument, media: ProjectMedia, output: Path, *, whole: bool = False, hdr: Hdr = "refuse"
) -> Job:
    """The job of a project's in-out range, or of the whole clip; the caller adds how it is encoded.

    media: where its files are now. UserError when the clip can't be opened, or is not the one the corrections are for.
    """
    settings = document.meta.settings
    with closing(open_source(media.clip, sequence_rate=Job.sequence_rate, hdr=hdr)) as source:
        check_clip(document, source.info)
        trim = trim_of(span_of(document, whole=whole), source.index)
    person = segmenter_choice_of(settings.person) if media.mask is None else SegmenterChoice(mask=media.mask)
    return Job(
        clip=media.clip,
        plate=settings.plate,
        output=output,
        look=look_of(settings),
        person=person,
        trim=trim,
        weights=settings.match.model,
        hdr=hdr,
        document=document,
    )


def trim_of(span: Span, index: FrameIndex) -> Trim:
    """The same frames in seconds from the clip's first one; a range beginning there is the clip's own beginning."""

    def seconds(pts: int) -> float:
        return float((pts - index.start_pts) * index.time_base)

    first = None if span.first_pts is None else max(0.0, seconds(span.first_pts))
    # The last frame belongs to the range: it ends before the tick after it.
    return Trim(first, None if span.last_pts is None else max(0.0, seconds(span.last_pts + 1)))
