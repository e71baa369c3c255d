"""A mask project ready to be worked on: its store, its files and the table of its clip's frames."""

from __future__ import annotations

import logging
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from app.domain.mask.adjusting import Adjustment
from app.domain.mask.document import Clip, MaskDocument, Meta
from app.domain.settings import Settings
from app.pipeline.mask.frame_index import FrameIndex, read_index
from app.pipeline.mask.masks_in import ProjectMedia, check_clip
from app.pipeline.mask.matte_cache import MatteCache, cache_key
from app.pipeline.mask.media_refs import media_ref
from app.pipeline.mask.project_store import ProjectStore
from app.pipeline.video_reader import VideoReader

log = logging.getLogger(__name__)

CACHE: Final = "cache"
"""Of a project's folder: what can be made again."""

MATTES: Final = "mattes"


@dataclass(frozen=True)
class Session:
    """document: to begin with; store is told of every later one."""

    store: ProjectStore
    document: MaskDocument
    media: ProjectMedia
    index: FrameIndex

    def open_cache(self, document: MaskDocument) -> MatteCache:
        """The model's mattes with a document's settings: in the project's folder.

        Where they can't be written there, they are kept until it is closed. OSError when there is no room for that.
        """
        key, size = cache_key(document.meta), document.meta.clip.size
        try:
            return MatteCache(self.store.folder / CACHE / MATTES, key=key, size=size)
        except OSError as error:
            log.warning("the masks found will not be kept: %s", error)
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            return MatteCache(Path(folder) / MATTES, key=key, size=size)


def new_document(clip: Path, folder: Path, settings: Settings) -> MaskDocument:
    """A project of a clip with nothing done yet; folder: where it will lie. UserError when the clip can't be read.

    The edge is moved and softened by the project's own adjustment: it can be changed without finding the mattes anew.
    """
    with VideoReader(clip) as reader:
        info = reader.info
    person = settings.person
    return MaskDocument(
        Meta(
            Clip(media_ref(clip, folder), info.size, info.time_base),
            settings=replace(settings, person=replace(person, grow_px=0.0, feather_px=0.0)),
            adjustment=Adjustment(grow_px=person.grow_px, feather_px=person.feather_px),
        )
    )


def session_of(store: ProjectStore, document: MaskDocument, media: ProjectMedia) -> Session:
    """The session of an open project. UserError when its clip can't be read, or is another one."""
    with VideoReader(media.clip) as reader:
        check_clip(document, reader.info)
    return Session(store, document, media, read_index(media.clip))
