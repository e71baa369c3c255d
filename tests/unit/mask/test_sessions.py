import threading
from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest
from PIL import Image

from app.domain.errors import UserError
from app.domain.mask.adjusting import Adjustment
from app.domain.settings import PersonOptions, Settings
from app.pipeline.given_matte import GivenMatte
from app.pipeline.mask.masks_in import ProjectMedia, mask_ref
from app.pipeline.mask.matte_cache import Judged
from app.pipeline.mask.model_chain import clip_analysis
from app.pipeline.mask.project_store import ProjectStore
from app.pipeline.mask.sessions import CACHE, MATTES, new_document, session_of
from app.pipeline.video_reader import VideoReader
from tests.support.media import corrupt, write_clip

SIZE = (96, 64)
WAIT_S = 20.0
VFR = [0, 40, 50, 500, 510, 900, 901, 1500]


class Opened:
    """A session of a clip with its cache, and what an analysis of it said."""

    def __init__(self, folder, clip, *, mask=None, settings=None):
        document = new_document(clip, folder, settings or Settings())
        if mask is not None:
            document = replace(document, meta=replace(document.meta, mask=mask_ref(mask, folder)))
        self.document = document
        self.session = session_of(ProjectStore.create(document.meta), document, ProjectMedia(clip, mask))
        self.cache = self.session.open_cache(document)
        self.judged, self.ends = [], []

    def analyse(self, *, stop_after=None):
        """Go through the clip, to its end or until so many new frames are known."""
        done = threading.Event()

        def judge(pts, judged):
            self.judged.append(pts)
            if len(self.judged) == stop_after:
                analysis.pause(paused=True)
                done.set()

        def end(error):
            self.ends.append(error)
            done.set()

        analysis = clip_analysis(self.document, self.session.media, self.cache, on_judged=judge, on_end=end)
        analysis.start()
        assert done.wait(WAIT_S)
        analysis.stop()
        return self

    def levels(self):
        """The middle of every matte, in the clip's order."""
        mattes = [self.cache.get(int(pts)) for pts in self.session.index.pts]
        return [None if one is None else int(one[SIZE[1] // 2, SIZE[0] // 2]) for one in mattes]

    def close(self):
        self.cache.close()
        self.session.store.close()


@pytest.fixture
def opened(tmp_path):
    all_opened = []

    def open_clip(clip, **values):
        all_opened.append(Opened(tmp_path, clip, **values))
        return all_opened[-1]

    yield open_clip
    for one in all_opened:
        one.close()


def clip_of(path, **values):
    return write_clip(path, size=SIZE, **values)


def flat(levels):
    return lambda width, height, index: np.full((height, width, 3), levels[index], np.uint8)


def test_a_new_project_moves_edge_settings_where_they_can_be_changed_at_will(tmp_path):
    clip = clip_of(tmp_path / "clip.mp4")
    person = PersonOptions(grow_px=-2.0, feather_px=3.0, threshold=0.4)
    document = new_document(clip, tmp_path / "talk.platematch", Settings(person=person))
    assert document.meta.adjustment == Adjustment(grow_px=-2.0, feather_px=3.0)
    assert document.meta.settings.person == replace(person, grow_px=0.0, feather_px=0.0)
    assert document.meta.clip.size == SIZE
    assert document.meta.clip.media.relative == "../clip.mp4"
    assert document.frames == {}


def test_a_clip_that_cannot_be_read_is_said(tmp_path):
    (tmp_path / "notes.mp4").write_text("no video")
    with pytest.raises(UserError, match=r"notes\.mp4"):
        new_document(tmp_path / "notes.mp4", tmp_path, Settings())


def test_another_clip_than_the_projects_is_refused(tmp_path):
    document = new_document(clip_of(tmp_path / "a.mp4"), tmp_path, Settings())
    other = write_clip(tmp_path / "b.mp4", size=(64, 48))
    store = ProjectStore.create(document.meta)
    try:
        with pytest.raises(UserError, match="not the clip of this project"):
            session_of(store, document, ProjectMedia(other))
    finally:
        store.close()


def test_the_model_goes_through_a_whole_clip_as_a_reader_gives_it(opened, tmp_path):
    one = opened(clip_of(tmp_path / "clip.mp4", frames=5)).analyse()
    assert one.ends == [None]
    with VideoReader(tmp_path / "clip.mp4") as reader:
        pts = [frame.pts for frame in reader]
    assert one.judged == pts == one.session.index.pts.tolist()


@pytest.mark.parametrize("times", [[7], VFR], ids=["one frame", "variable rate"])
def test_few_frames_and_uneven_ones_each_get_their_given_mask(opened, tmp_path, times):
    clip = clip_of(tmp_path / "clip.mp4", pts=times, time_base=Fraction(1, 1000))
    folder = tmp_path / "masks"
    folder.mkdir()
    for index in range(len(times)):
        Image.fromarray(np.full(SIZE[::-1], 20 + 10 * index, np.uint8)).save(folder / f"mask_{index}.png")
    one = opened(clip, mask=folder).analyse()
    assert one.ends == [None]
    assert one.cache.is_finished
    assert one.levels() == [20 + 10 * index for index in range(len(times))]


def test_a_given_film_is_in_step_with_a_clip_that_begins_late_also_after_a_stop(opened, tmp_path):
    levels = [8 * index for index in range(25)]
    clip = clip_of(tmp_path / "clip.mkv", frames=25, start_pts=75)
    film = clip_of(tmp_path / "film.mkv", frames=25, draw=flat(levels), codec="ffv1", pix_fmt="bgr0")
    one = opened(clip, mask=film).analyse(stop_after=9)
    assert len(one.cache) == 9
    one.analyse()
    assert one.ends == [None]
    assert one.levels() == pytest.approx(levels, abs=1)


def test_a_film_keeps_its_step_when_frames_are_asked_for_backwards(tmp_path):
    levels = [8 * index for index in range(25)]
    clip = clip_of(tmp_path / "clip.mkv", frames=25, start_pts=75)
    film = clip_of(tmp_path / "film.mkv", frames=25, draw=flat(levels), codec="ffv1", pix_fmt="bgr0")
    given = GivenMatte(film)
    try:
        with VideoReader(clip) as reader:
            frames = list(reader)
        for index in (0, 20, 10, 3, 24, 23, 0, 5):
            assert given.segment(frames[index]).mean() * 255 == pytest.approx(levels[index], abs=1)
    finally:
        given.close()


def test_damaged_frames_have_no_matte_and_the_clip_is_known_all_the_same(opened, tmp_path):
    clip = clip_of(tmp_path / "clip.mov", frames=12, codec="png", pix_fmt="rgb24", draw=noise)
    corrupt(clip, start=0.5, length_bytes=3000)
    still = tmp_path / "mask.png"
    Image.fromarray(np.full(SIZE[::-1], 200, np.uint8)).save(still)
    one = opened(clip, mask=still).analyse()
    assert one.ends == [None]
    assert one.cache.is_finished
    assert 0 < len(one.cache) < len(one.session.index)
    assert set(one.judged) <= set(one.session.index.pts.tolist())


def noise(width, height, index):
    return np.random.default_rng(index).integers(0, 255, (height, width, 3), dtype=np.uint8)


def test_a_mask_of_another_shape_is_said_and_ends_the_pass(opened, tmp_path):
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(tmp_path / "square.png")
    one = opened(clip_of(tmp_path / "clip.mp4"), mask=tmp_path / "square.png").analyse()
    (error,) = one.ends
    assert isinstance(error, UserError)
    assert not one.cache.is_finished


def test_a_4k_frame_goes_in_and_comes_out_whole(opened, tmp_path):
    size = (3840, 2160)
    clip = write_clip(tmp_path / "large.mp4", frames=1, size=size)
    mask = np.zeros(size[::-1], np.uint8)
    cv2.circle(mask, (1900, 1000), 700, 255, -1)
    Image.fromarray(mask).save(tmp_path / "mask.png")
    one = opened(clip, mask=tmp_path / "mask.png").analyse()
    assert np.array_equal(one.cache.get(one.session.index.pts_at(0)), mask)


def test_mattes_are_the_documents_own_another_mask_starts_over(opened, tmp_path):
    one = opened(clip_of(tmp_path / "clip.mp4", frames=3)).analyse()
    one.cache.close()
    Image.fromarray(np.zeros(SIZE[::-1], np.uint8)).save(tmp_path / "mask.png")
    masked = replace(one.document, meta=replace(one.document.meta, mask=mask_ref(tmp_path / "mask.png", tmp_path)))
    one.cache = one.session.open_cache(masked)
    assert (len(one.cache), one.cache.is_finished) == (0, False)


@pytest.mark.parametrize("linked", [CACHE, f"{CACHE}/{MATTES}"])
def test_a_link_where_mattes_are_kept_never_has_another_file_written_over(opened, tmp_path, linked):
    outside = tmp_path / "outside"
    outside.mkdir()
    precious = outside / MATTES
    precious.write_bytes(b"mine")
    one = opened(clip_of(tmp_path / "clip.mp4", frames=1))
    one.cache.close()
    folder = one.session.store.folder
    (folder / CACHE / MATTES).unlink()
    if linked == CACHE:
        (folder / CACHE).rmdir()
    (folder / linked).symlink_to(outside if linked == CACHE else precious)
    one.cache = one.session.open_cache(one.document)
    one.analyse()
    assert len(one.cache) == 1
    assert precious.read_bytes() == b"mine"
    assert (folder / CACHE / MATTES).stat().st_size > 0
    assert not (folder / CACHE).is_symlink()


def test_a_pipe_where_mattes_are_kept_is_not_waited_for(opened, tmp_path):
    import os

    one = opened(clip_of(tmp_path / "clip.mp4", frames=1))
    one.cache.close()
    place = one.session.store.folder / CACHE / MATTES
    place.unlink()
    os.mkfifo(place)
    one.cache = one.session.open_cache(one.document)
    one.analyse()
    assert place.is_file()
    assert len(one.cache) == 1


def test_where_mattes_cannot_be_kept_they_are_found_all_the_same(opened, tmp_path):
    one = opened(clip_of(tmp_path / "clip.mp4", frames=2))
    one.cache.close()
    place = one.session.store.folder / CACHE
    (place / MATTES).unlink()
    place.rmdir()
    place.write_text("no folder")
    one.cache = one.session.open_cache(one.document)
    one.cache.put(0, np.full(SIZE[::-1], 9, np.uint8), Judged(1.0, is_cut=False))
    assert (one.cache.get(0) == 9).all()
    assert place.read_text() == "no folder"
