"""A project's mattes as files: a video, or a folder of pictures, grey or with the cut-out person."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from app.domain.errors import ExitCode, UserError
from app.domain.frame import Alpha8, Frame
from app.domain.mask.document import MaskDocument
from app.pipeline.analyser import FrameAnalyser
from app.pipeline.encode_settings import FORMATS, EncodeSettings
from app.pipeline.handover import WriteBehind, read_ahead
from app.pipeline.image_saving import SAVE_SUFFIXES
from app.pipeline.kernel_cache import ensure_kernels
from app.pipeline.look_settings import look_of
from app.pipeline.looks import Analysed
from app.pipeline.mask.looking import finish_of
from app.pipeline.mask.masks_in import ProjectMedia, opened_clip
from app.pipeline.mask.picture_folder import PictureFolder
from app.pipeline.mask.project_render import Report, encoding_of, nobody, span_of, until_end
from app.pipeline.plates import ColourPlate
from app.pipeline.segmentation import Segmenter
from app.pipeline.stats import StageClock
from app.pipeline.video_info import VideoInfo
from app.pipeline.video_time import rescaled
from app.pipeline.video_writer import VideoWriter

AHEAD_FRAMES: Final = 3
BEHIND_FRAMES: Final = 3


@dataclass(frozen=True, slots=True)
class MatteWish:
    """rgba: pictures of the cut-out person instead of the matte. whole: the clip from end to end, not the range."""

    rgba: bool = False
    whole: bool = False
    overwrite: bool = False


def export_matte(
    document: MaskDocument,
    media: ProjectMedia,
    output: Path,
    wish: MatteWish = MatteWish(),
    *,
    on_notice: Callable[[str], None],
    report: Report = nobody,
) -> int:
    """Write the final alpha of every frame; returns how many frames were written.

    output: `.mkv` is written without loss (FFV1, grey); the other video endings are H.264 (.webm: VP9), full range. Any
    other name is a folder, made if it is missing, that gets a PNG a frame, named after the clip and the frame's number
    from 0: the matte in grey, or the straight foreground with the matte as its alpha, empty where that is 0, so that
    the room is in none of them. Frames are gone through, and times and the in-out range kept, as `render_project` does.

    UserError as the parts raise it. A video appears when it is whole; of pictures those written stay when the rest
    fails or is cancelled, and `on_notice` is told how many there are.
    """
    ensure_kernels()
    _check_name(output, wish)
    span = span_of(document, whole=wish.whole)
    count = 0
    with opened_clip(document, media, on_notice=on_notice) as (reader, segmenter), ExitStack() as stack:
        append = stack.enter_context(_target(output, reader.info, document, media, wish, on_notice))
        frames = stack.enter_context(closing(_finished(document, until_end(reader, span), segmenter, report)))
        behind = stack.enter_context(WriteBehind(append, depth=BEHIND_FRAMES))
        for analysed in frames:
            if analysed.frame.pts in span:
                behind.put(analysed)
                count += 1
    return count


def is_video(output: Path) -> bool:
    """Whether a matte of this name becomes a video, not a folder of pictures."""
    return output.suffix.lower() in FORMATS


def _check_name(output: Path, wish: MatteWish) -> None:
    if output.suffix.lower() in SAVE_SUFFIXES:
        raise UserError(
            f"“{output.name}” is one picture's name; mattes are one picture a frame.",
            "Name a folder, or a video such as matte.mkv.",
            code=ExitCode.OUTPUT,
        )
    if wish.rgba and is_video(output):
        raise UserError("The cut-out person is written as pictures.", "Name a folder.", code=ExitCode.OUTPUT)


def _finished(
    document: MaskDocument, frames: Iterable[Frame], segmenter: Segmenter, report: Report
) -> Generator[Analysed, None, None]:
    """Every frame with its final matte, from the same chain as a render's; the plate plays no part."""
    look = replace(look_of(document.meta.settings), match=None)
    plate = ColourPlate((0, 0, 0))
    analyser = FrameAnalyser(segmenter=segmenter, plate=plate, look=look, matcher=None, clock=StageClock())
    analyser.finish = finish_of(document)
    with (
        closing(read_ahead(frames, depth=AHEAD_FRAMES)) as ahead,
        closing(read_ahead(map(analyser.find, ahead), depth=AHEAD_FRAMES)) as found,
    ):
        for count, item in enumerate(found, 1):
            report(count)
            yield analyser.complete(item, item.frame.size)


Append = Callable[[Analysed], None]


def _target(
    output: Path,
    info: VideoInfo,
    document: MaskDocument,
    media: ProjectMedia,
    wish: MatteWish,
    on_notice: Callable[[str], None],
) -> AbstractContextManager[Append]:
    inputs = media.inputs(document)
    if is_video(output):
        encoding = encoding_of(matte_encoding(output), span_of(document, whole=wish.whole))
        return _film(
            VideoWriter(
                output,
                width=info.width,
                height=info.height,
                time_base=info.time_base,
                average_rate=info.average_rate,
                settings=encoding,
                inputs=inputs,
                overwrite=wish.overwrite,
            ),
            on_notice,
        )
    layers = cutout if wish.rgba else matte_of
    return _pictures(PictureFolder(output, media.clip.stem, overwrite=wish.overwrite, inputs=inputs), layers, on_notice)


def matte_encoding(output: Path) -> EncodeSettings:
    """How a matte video of this name is encoded: Matroska without loss, the others as `render --matte-out` does."""
    if output.suffix.lower() == ".mkv":
        return EncodeSettings(gray=True, codec="ffv1", pix_fmt="gray")
    return EncodeSettings(gray=True)


def matte_of(analysed: Analysed) -> Alpha8:
    """The final alpha (H, W) uint8."""
    return analysed.alpha


def cutout(analysed: Analysed) -> npt.NDArray[np.uint8]:
    """The straight foreground and its final alpha, (H, W, 4) uint8; 0 where nothing of it is to be seen."""
    rgba = np.dstack([analysed.foreground, analysed.alpha])
    rgba[analysed.alpha == 0] = 0
    return rgba


@contextmanager
def _film(writer: VideoWriter, on_notice: Callable[[str], None]) -> Iterator[Append]:
    with writer:

        def append(analysed: Analysed) -> None:
            frame = analysed.frame
            writer.append_alpha(analysed.alpha, pts=rescaled(frame.pts, frame.time_base, writer.time_base))

        yield append
    right_px, bottom_px = writer.padded
    if right_px + bottom_px:
        on_notice(f"The codec takes even sizes only: {right_px} x {bottom_px} px were added.")


@contextmanager
def _pictures(
    folder: PictureFolder, layers: Callable[[Analysed], npt.NDArray[np.uint8]], on_notice: Callable[[str], None]
) -> Iterator[Append]:
    def append(analysed: Analysed) -> None:
        folder.append(analysed.frame.index, layers(analysed))

    try:
        yield append
    except BaseException:
        if folder.count:
            on_notice(f"{folder.count} finished pictures are in “{folder.path}”.")
        raise
    finally:
        folder.close()
    if folder.left_over:
        on_notice(f"{folder.left_over} pictures of an earlier export are still in “{folder.path}”.")
