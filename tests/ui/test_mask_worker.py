import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from app.domain.settings import Settings
from app.pipeline.mask.frame_index import read_index
from app.pipeline.mask.looking import final_alpha
from app.pipeline.mask.masks_in import ProjectMedia, mask_ref
from app.pipeline.mask.matte_cache import Judged, MatteCache, cache_key
from app.pipeline.mask.sessions import new_document
from app.ui.mask.mask_player import ThumbnailMaker
from app.ui.mask.mask_worker import MaskWorker, Wanted
from tests.support.media import corrupt, write_clip
from tests.ui.helpers import GREEN_SPEC, portrait, wait_until
from tests.unit.mask.projects import edit_of

SIZE = (320, 180)


class Desk:
    """A worker on a clip, and what it answered."""

    def __init__(self, folder, clip, *, mask=None, settings=None):
        document = new_document(clip, folder, settings or replace(Settings(), plate=GREEN_SPEC))
        if mask is not None:
            document = replace(document, meta=replace(document.meta, mask=mask_ref(mask, folder)))
        self.folder, self.document, self.index = folder, document, read_index(clip)
        self.cache = MatteCache(folder / "cache" / "mattes", key=cache_key(document.meta), size=document.meta.clip.size)
        self.media = ProjectMedia(clip, mask)
        self.worker = MaskWorker(self.media, self.index, self.cache)
        self.shown, self.failures = [], []
        self.worker.shown.connect(self.shown.append)
        self.worker.failed.connect(self.failures.append)

    def wanted(self, place, *, match=False, document=None, ghosts=(None, None)):
        pts = ghosts if ghosts == (None, None) else tuple(None if g is None else self.index.pts_at(g) for g in ghosts)
        return Wanted(self.index.pts_at(place), document or self.document, match, pts)

    def ask(self, wanted):
        """Ask, and wait for the last answer: the one with the match, where that was wanted."""
        self.worker.show(wanted)
        wait_until(lambda: self.is_answered(wanted))
        return self.shown[-1]

    def is_answered(self, wanted):
        assert self.shown, self.failures
        assert self.shown[-1].wanted is wanted
        assert self.shown[-1].layers.plate is not None or not wanted.wants_match

    def session(self):
        """As what makes thumbnails needs it."""
        store = SimpleNamespace(folder=self.folder)
        return SimpleNamespace(store=store, document=self.document, media=self.media, index=self.index)

    def close(self):
        self.worker.stop()
        self.cache.close()


@pytest.fixture
def desks(qapp, tmp_path):
    made = []

    def desk(clip, **values):
        made.append(Desk(tmp_path, clip, **values))
        return made[-1]

    yield desk
    for one in made:
        one.close()


@pytest.fixture
def given(tmp_path):
    """A mask for all frames: no network is needed."""
    alpha = np.zeros(SIZE[::-1], np.uint8)
    alpha[40:, 30:150] = 255
    Image.fromarray(alpha).save(tmp_path / "mask.png")
    return tmp_path / "mask.png"


@pytest.fixture
def desk(desks, portrait_clip, given):
    return desks(portrait_clip, mask=given)


def test_a_frame_comes_with_its_alpha_alone_and_then_with_the_match(desk):
    wanted = desk.wanted(3, match=True)
    shown = desk.ask(wanted)
    first = next(one for one in desk.shown if one.wanted is wanted)
    assert (first.layers.plate, first.curve) == (None, None)
    assert shown.layers.table.shape == (256, 3)
    assert shown.curve.shape == (3, 256)
    assert shown.frame.pts == wanted.pts
    assert np.array_equal(shown.layers.pixels, shown.frame.pixels)
    assert not desk.failures


def test_of_many_requests_the_last_is_answered_and_none_after_it(desk):
    for place in range(24):
        desk.worker.show(desk.wanted(place))
    last = desk.wanted(24)
    desk.ask(last)
    desk.worker.stop()
    assert desk.shown[-1].wanted is last
    assert [one.wanted.pts for one in desk.shown] == sorted(one.wanted.pts for one in desk.shown)


def test_the_same_frame_with_another_document_is_not_decoded_again(desk):
    first = desk.ask(desk.wanted(5))
    other = desk.document.with_frames({desk.index.pts_at(5): edit_of(1, size=SIZE)})
    second = desk.ask(desk.wanted(5, document=other))
    assert second.frame is first.frame


def test_a_frame_that_is_known_comes_from_the_cache(desk):
    alpha = np.full(SIZE[::-1], 99, np.uint8)
    desk.cache.put(desk.index.pts_at(2), alpha, Judged(1.0, is_cut=False))
    assert np.array_equal(desk.ask(desk.wanted(2)).layers.alpha, alpha)


def test_neighbours_come_with_their_corrections(desk):
    pts = desk.index.pts_at(8)
    document = desk.document.with_frames({pts: edit_of(3, size=SIZE)})
    before, after = desk.ask(desk.wanted(3, document=document, ghosts=(None, 8))).layers.ghosts
    assert before is None
    plain = desk.ask(desk.wanted(8)).layers.alpha
    assert np.array_equal(after, final_alpha(document, pts, plain))
    assert not np.array_equal(after, plain)


def test_a_neighbour_that_is_no_frame_of_the_clip_is_left_out(desk):
    wanted = Wanted(desk.index.pts_at(3), desk.document, False, (-1, desk.index.pts_at(5)))
    before, after = desk.ask(wanted).layers.ghosts
    assert before is None
    assert after is not None
    assert not desk.failures


def noise(width, height, index):
    return np.random.default_rng(index).integers(0, 255, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def damaged_clip(tmp_path):
    """The frames in its middle can't be decoded."""
    clip = write_clip(tmp_path / "clip.mov", frames=8, size=SIZE, codec="png", pix_fmt="rgb24", draw=noise)
    return corrupt(clip, start=0.5, length_bytes=3000)


def damaged_place(desk):
    for place in range(len(desk.index)):
        desk.failures.clear()
        wanted = desk.wanted(place)
        desk.worker.show(wanted)
        wait_until(lambda wanted=wanted: bool(desk.failures) or bool(desk.shown and desk.shown[-1].wanted is wanted))
        if desk.failures:
            return place
    raise AssertionError("no frame is damaged")


def test_a_damaged_frame_is_said_and_the_next_one_shown(desks, damaged_clip, given):
    desk = desks(damaged_clip, mask=given)
    place = damaged_place(desk)
    assert "damaged" in desk.failures[0].message
    desk.failures.clear()
    desk.ask(desk.wanted(place + 1))
    desk.ask(desk.wanted(0, ghosts=(None, place)))
    assert not desk.failures


def test_thumbnails_leave_a_damaged_frame_out_and_go_on(desks, damaged_clip, given):
    desk = desks(damaged_clip, mask=given)
    bad = damaged_place(desk)

    made, maker = [], ThumbnailMaker(desk.session())
    maker.made.connect(lambda pts, image: made.append((pts, image.height())))
    maker.make(desk.index.pts.tolist(), (200, 46))
    wait_until(lambda: len(made) == 7)
    maker.stop()
    assert desk.index.pts_at(bad) not in dict(made)
    assert set(dict(made).values()) == {46}


def test_thumbnails_of_a_clip_that_is_gone_come_to_an_end(desks, portrait_clip, given):
    desk = desks(portrait_clip, mask=given)

    desk.media = ProjectMedia(portrait_clip.with_name("gone.mp4"))
    maker = ThumbnailMaker(desk.session())
    maker.make(desk.index.pts.tolist(), (200, 46))
    taken = threading.Event()
    maker._mailbox.errand(taken.set)
    assert taken.wait(20)
    maker.stop()


def test_a_plate_that_is_missing_is_said_and_the_frame_is_shown_without_it(desk, tmp_path):
    settings = replace(desk.document.meta.settings, plate=str(tmp_path / "gone.png"))
    document = replace(desk.document, meta=replace(desk.document.meta, settings=settings))
    desk.worker.show(desk.wanted(1, match=True, document=document))
    wait_until(lambda: bool(desk.failures))
    assert "gone.png" in desk.failures[0].message
    assert [one.layers.plate for one in desk.shown] == [None]
    desk.ask(desk.wanted(1, match=True))


def test_a_mask_that_is_missing_is_said(desk, given):
    given.unlink()
    desk.worker.show(desk.wanted(1))
    wait_until(lambda: bool(desk.failures))
    assert "mask.png" in desk.failures[0].message
    assert not desk.shown


def test_a_clip_that_is_gone_is_said(desks, given, tmp_path):
    clip = write_clip(tmp_path / "clip.mp4", frames=2, size=SIZE, draw=portrait)
    desk = desks(clip, mask=given)
    desk.close()
    clip.unlink()
    desk.worker = MaskWorker(desk.media, desk.index, desk.cache)
    desk.worker.failed.connect(desk.failures.append)
    desk.worker.show(desk.wanted(0))
    wait_until(lambda: bool(desk.failures))
    assert "clip.mp4" in desk.failures[0].message
    desk.worker.show(desk.wanted(1))


def test_stopping_ends_both_threads_and_what_waits_is_not_begun(desk):
    held, taken = threading.Event(), threading.Event()
    desk.worker._mailbox.errand(lambda: (taken.set(), held.wait(20)))
    assert taken.wait(20)
    desk.worker.show(desk.wanted(4, match=True))
    desk.worker._mailbox.close()
    held.set()
    desk.worker.stop()
    assert not {one.name for one in threading.enumerate()} & {"mask-layers", "scrubber"}
    assert not desk.shown


def test_one_frame_is_a_clip_too(desks, tmp_path, given):
    desk = desks(write_clip(tmp_path / "one.mp4", frames=1, size=SIZE, draw=portrait), mask=given)
    assert desk.ask(desk.wanted(0)).layers.alpha[100, 100] == 255


def test_frames_of_4k_come_whole(desks, tmp_path):
    size = (3840, 2160)
    Image.fromarray(np.full(size[::-1], 255, np.uint8)).save(tmp_path / "mask.png")
    clip = write_clip(tmp_path / "large.mp4", frames=1, size=size)
    desk = desks(clip, mask=tmp_path / "mask.png")
    layers = desk.ask(desk.wanted(0)).layers
    assert layers.size == size
    assert layers.alpha.min() == 255
