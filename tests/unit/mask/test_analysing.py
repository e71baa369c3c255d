import threading
from fractions import Fraction

import cv2
import numpy as np
import pytest

from app.domain.errors import UserError
from app.domain.frame import Frame
from app.pipeline.analyser import FrameAnalyser
from app.pipeline.looks import Look
from app.pipeline.mask.analysing import ClipAnalysis
from app.pipeline.mask.matte_cache import MatteCache
from app.pipeline.plates import open_plate
from app.pipeline.stats import StageClock

SIZE = (128, 72)
FRAMES = 60
CUT_AT = 40
WAIT_S = 20.0


def picture(index):
    """A disc that drifts over a textured wall; the wall is another one from CUT_AT on."""
    rng = np.random.default_rng(1 if index < CUT_AT else 2)
    wall = rng.integers(0, 255, (SIZE[1] // 8, SIZE[0] // 8, 3), dtype=np.uint8)
    pixels = cv2.resize(wall, SIZE, interpolation=cv2.INTER_NEAREST)
    cv2.circle(pixels, (30 + index, 36), 20, (250, 240, 230), -1)
    return pixels


def frames_of(count=FRAMES):
    return [Frame(picture(i), pts=400 + 10 * i, time_base=Fraction(1, 250), index=i) for i in range(count)]


class Finder:
    """A segmenter with a memory: its guess follows the disc with a lag, and flickers."""

    name = "finder"

    def __init__(self, *, coarse=True, fails_at=None):
        self.coarse, self._fails_at = coarse, fails_at
        self.seen, self.is_closed = [], False
        self._state = None

    def segment(self, frame):
        self.seen.append(frame.index)
        if frame.index == self._fails_at:
            raise UserError("It can't be found.", "Try another.")
        guess = np.zeros((36, 64), np.float32)
        cv2.circle(guess, (15 + frame.index // 2, 18), 9 + frame.index % 3, 1.0, -1)
        self._state = guess if self._state is None else self._state + 0.4 * (guess - self._state)
        return self._state.copy()

    def reset(self):
        self._state = None

    def close(self):
        self.is_closed = True


class Pass:
    """One analysis of in-memory frames and what it said."""

    def __init__(self, cache, *, frames=None, finder=None, pause_after=None):
        self.judged, self.ends, self.drawn = [], [], []
        self.finder = finder or Finder()
        self.cache = cache
        self.opened = 0
        self._frames = frames_of() if frames is None else frames
        self._pause_after = pause_after
        self._changed = threading.Condition()
        self.analysis = ClipAnalysis(
            cache, open_frames=self._draw, open_analyser=self._open, on_judged=self._judge, on_end=self._end
        )

    def _draw(self):
        for frame in self._frames:
            self._note(self.drawn, frame.index)
            yield frame

    def _open(self):
        self.opened += 1
        plate = open_plate("#000000")
        return FrameAnalyser(segmenter=self.finder, plate=plate, look=Look(), matcher=None, clock=StageClock())

    def _judge(self, pts, judged):
        if len(self.judged) + 1 == self._pause_after:
            self.analysis.pause(paused=True)
        self._note(self.judged, (pts, judged))

    def _end(self, error):
        self._note(self.ends, error)

    def _note(self, items, item):
        with self._changed:
            items.append(item)
            self._changed.notify_all()

    def wait(self, condition):
        with self._changed:
            assert self._changed.wait_for(condition, WAIT_S)

    def run(self):
        """To its end."""
        self.analysis.start()
        self.wait(lambda: self.ends)
        self.analysis.stop()
        return self

    def run_until_paused(self):
        """Up to `pause_after`, and then ended."""
        self.analysis.start()
        self.wait(lambda: len(self.judged) == self._pause_after)
        self.analysis.stop()
        return self


@pytest.fixture
def opened(tmp_path):
    caches = []

    def open_cache(name="mattes"):
        caches.append(MatteCache(tmp_path / "cache" / name, key=b"k" * 32, size=SIZE))
        return caches[-1]

    yield open_cache
    for cache in caches:
        cache.close()


def mattes(cache):
    return {frame.pts: cache.get(frame.pts) for frame in frames_of()}


def test_every_frame_gets_its_matte_and_judgement_in_order(opened):
    done = Pass(opened()).run()
    assert done.ends == [None]
    assert done.cache.is_finished
    assert [pts for pts, _ in done.judged] == [frame.pts for frame in frames_of()]
    assert dict(done.judged) == done.cache.judged
    assert all(0 <= one.confidence <= 1 for _, one in done.judged)
    assert done.finder.is_closed


def test_a_cut_is_told_at_its_first_frame_only(opened):
    done = Pass(opened()).run()
    assert [pts for pts, one in done.judged if one.is_cut] == [400 + 10 * CUT_AT]


@pytest.mark.parametrize("stop_after", [1, 30, CUT_AT, 59])
def test_a_pass_that_goes_on_finds_what_one_in_one_go_finds(opened, stop_after):
    whole = Pass(opened("whole")).run()
    cache = opened("parts")
    first = Pass(cache, pause_after=stop_after).run_until_paused()
    assert first.ends == []
    assert len(cache) == stop_after
    second = Pass(cache).run()
    assert [pts for pts, _ in second.judged] == [frame.pts for frame in frames_of()[stop_after:]]
    for pts, alpha in mattes(whole.cache).items():
        assert np.array_equal(alpha, cache.get(pts))
    assert cache.judged == whole.cache.judged


def test_a_pass_goes_on_in_a_file_that_was_closed(opened):
    whole = Pass(opened("whole")).run()
    cache = opened("parts")
    Pass(cache, pause_after=33).run_until_paused()
    cache.close()
    again = Pass(opened("parts")).run()
    assert len(again.judged) == FRAMES - 33
    for pts, alpha in mattes(whole.cache).items():
        assert np.array_equal(alpha, again.cache.get(pts))


def test_that_a_clip_was_gone_through_is_known_when_its_file_is_opened_again(opened):
    done = Pass(opened(), frames=frames_of(3)).run()
    done.cache.finish()
    done.cache.close()
    again = opened()
    assert again.is_finished
    assert len(again) == len(again.judged) == 3
    half = Pass(opened("half"), pause_after=2).run_until_paused()
    half.cache.close()
    assert not opened("half").is_finished


def test_it_holds_between_two_frames_and_goes_on(opened):
    held = Pass(opened(), pause_after=3)
    held.analysis.start()
    held.wait(lambda: held.drawn[-1:] == [3])
    assert len(held.cache) == 3
    held.analysis.pause(paused=False)
    held.wait(lambda: held.ends)
    held.analysis.stop()
    assert len(held.cache) == FRAMES


def test_it_holds_too_while_it_passes_what_is_known(opened):
    cache = opened()
    Pass(cache, pause_after=55).run_until_paused()
    held = Pass(cache)
    held.analysis.pause(paused=True)
    held.analysis.start()
    held.wait(lambda: held.drawn)
    assert held.drawn == [0]
    held.analysis.pause(paused=False)
    held.wait(lambda: held.ends)
    held.analysis.stop()
    assert len(cache) == FRAMES


def test_stopping_while_it_holds_ends_it_in_silence(opened):
    held = Pass(opened(), pause_after=5).run_until_paused()
    assert held.ends == []
    assert held.finder.is_closed
    assert len(held.cache) == 5
    assert not held.cache.is_finished


def test_stopping_before_the_start_or_twice_is_nothing(opened):
    idle = Pass(opened())
    idle.analysis.stop()
    idle.analysis.stop()
    assert idle.drawn == []


def test_an_error_on_the_way_is_told_and_what_was_found_stays(opened):
    failed = Pass(opened(), finder=Finder(fails_at=7)).run()
    (error,) = failed.ends
    assert isinstance(error, UserError)
    assert len(failed.cache) == 7
    assert not failed.cache.is_finished
    assert failed.finder.is_closed
    assert Pass(failed.cache).run().ends == [None]


def test_a_clip_that_breaks_off_is_told(opened):
    def broken():
        yield from frames_of(4)
        raise UserError("The clip ends here.", "Take another.")

    failed = Pass(opened(), frames=broken()).run()
    assert [str(error) for error in failed.ends] != [None]
    assert len(failed.cache) == 4


def test_no_room_is_said_in_a_sentence(opened, monkeypatch):
    cache = opened()
    full = Pass(cache)
    monkeypatch.setattr(cache, "_file", FullDisk(cache._file))
    full.run()
    (error,) = full.ends
    assert isinstance(error, UserError)
    assert "No space" in error.message
    assert len(cache) == 0


class FullDisk:
    """A file on a disk with room for a few bytes."""

    def __init__(self, file):
        self._file = file

    def write(self, data):
        return self._file.write(data[:20])

    def __getattr__(self, name):
        return getattr(self._file, name)


def test_frames_that_are_left_out_do_not_stop_it_nor_come_back(opened):
    kept = [frame for frame in frames_of() if frame.index not in (0, 20, 21, 59)]
    done = Pass(opened(), frames=kept).run()
    assert len(done.cache) == FRAMES - 4
    assert done.cache.is_finished


def test_a_clip_of_one_frame_and_one_of_none(opened):
    one = Pass(opened("one"), frames=frames_of(1)).run()
    assert len(one.judged) == 1
    none = Pass(opened("none"), frames=[]).run()
    assert none.ends == [None]
    assert none.opened == 0
