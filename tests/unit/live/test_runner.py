import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from app.domain.errors import UserError
from app.domain.settings import CameraOptions, MatchOptions, PersonOptions, Settings
from app.pipeline.live import runner as runner_module
from app.pipeline.live.capture import CaptureState
from app.pipeline.live.engine_loader import EngineLoader
from app.pipeline.live.live_plates import COVER_RGB
from app.pipeline.live.runner import LiveRunner
from app.pipeline.stages import Compositor
from tests.unit.live.scripted import (
    PLATE,
    PLATE_SPEC,
    SIZE,
    Finder,
    World,
    alpha_of,
    left_of,
    number_in,
    room_pixels,
    until,
)

pytestmark = pytest.mark.alone

SETTINGS = Settings(
    plate=PLATE_SPEC,
    camera=CameraOptions(source="a", rate_hz="60", still_levels=0.0),
    person=PersonOptions(decontaminate=False),
    match=MatchOptions(strength=0.0),
)


class Live:
    """A runner on a scripted camera, with all that left it."""

    def __init__(self, world, finder):
        self.world, self.finder = world, finder
        self.notices, self.states, self.pictures = [], [], []
        self.runner = LiveRunner(
            on_status=lambda status: self.states.append(status.state),
            on_notice=lambda error: self.notices.append(str(error)),
            make_capture=world.make_capture,
        )
        self.runner.attach("sink", self.pictures.append)

    def start(self, settings=SETTINGS):
        self.runner.start(settings)
        until(lambda: self.world.sources, "the camera to be opened")
        return self

    @property
    def camera(self):
        return self.world.sources[-1]

    def live(self):
        """Give frames until a person is shown and nothing is under way any more."""
        before = len(self.pictures)
        until(lambda: self.persons(before) or self.give(), "a person")
        until(lambda: self.camera.left == 0 and self.persons()[-1].frame.index == self.camera.index, "the last frame")
        return self

    def give(self, count=1):
        if self.camera.left == 0:
            self.camera.give(count)

    def persons(self, since=0):
        return [p for p in self.pictures[since:] if not p.is_cover]

    def covers(self, since=0):
        return [p for p in self.pictures[since:] if p.is_cover]

    def step(self):
        """One more frame, until its own picture has gone out."""
        self.camera.give()
        wanted = self.camera.index + 1 if self.camera.left else self.camera.index
        until(lambda: any(p.frame.index >= wanted for p in self.persons()), "the frame's picture")

    def fail(self, cause, count=1):
        """More frames, until they are counted as lost for that cause."""
        for _ in range(count):
            before = self.drops(cause)
            self.camera.give()
            until(lambda before=before: self.drops(cause) > before, cause)

    def drops(self, cause):
        return self.runner.figures().drops.get(cause, 0)

    def settle(self):
        """Wait until all that is under way has left, and a cover went out after it."""
        before = len(self.pictures)
        until(lambda: self.covers(before), "a cover")


@pytest.fixture
def world():
    return World()


@pytest.fixture
def finder(monkeypatch):
    made = Finder()
    monkeypatch.setattr("app.pipeline.live.analysis.open_segmenter", lambda choice, size, on_notice: made)
    return made


@pytest.fixture
def live(world, finder, monkeypatch):
    monkeypatch.setattr(EngineLoader, "engine", lambda self, name: None)
    monkeypatch.setattr("app.pipeline.live.rate._BURST_FRAMES", 1e9)
    made = Live(world, finder)
    yield made
    world.end()
    made.runner.stop()
    for picture in made.pictures:
        assert room_pixels(picture.composite) == 0
    for thread in made.runner._threads:
        if thread.ident:
            thread.join(10)


@pytest.fixture
def gate(monkeypatch):
    """Holds compositing until it is opened."""
    opened, entered, real = threading.Event(), threading.Event(), Compositor.compose
    opened.set()

    def compose(self, analysed, look):
        rendered = real(self, analysed, look)
        if not opened.is_set():
            entered.set()
            assert opened.wait(15)
        return rendered

    monkeypatch.setattr(Compositor, "compose", compose)
    opened.entered = entered
    yield opened
    opened.set()


def is_plain(picture, rgb):
    return bool((picture.composite == rgb).all())


def test_person_stands_on_the_plate_bit_exact(live):
    live.start().live()
    last = live.persons()[-1]
    expected = np.where(alpha_of(last.frame.index)[..., None] > 0, last.frame.pixels, np.uint8(PLATE))
    assert np.array_equal(last.composite, expected)
    assert live.runner.latest.finished in live.pictures


def test_before_anything_is_loaded_only_covers_go_out(live, monkeypatch):
    may_open = threading.Event()

    def slow(choice, size, on_notice):
        assert may_open.wait(15)
        return live.finder

    monkeypatch.setattr("app.pipeline.live.analysis.open_segmenter", slow)
    live.start().give(3)
    until(lambda: live.runner.status.state is CaptureState.LIVE, "the camera")
    live.settle()
    assert live.persons() == []
    assert all(is_plain(p, COVER_RGB) for p in live.pictures)
    may_open.set()
    live.live()


def nan(frame):
    return np.full((SIZE[1], SIZE[0]), np.nan, np.float32)


def some_nan(frame):
    alpha = alpha_of(frame.index)
    alpha[0, 0] = np.nan
    return alpha


def broken(frame):
    raise RuntimeError("tensor went away")


@pytest.mark.parametrize("answer", [nan, some_nan, broken], ids=["nan", "some nan", "raises"])
def test_failing_segmentation_is_covered_counted_and_said_once(live, answer):
    live.start().live()
    good = live.finder.answer
    live.finder.answer = answer
    before = len(live.pictures)
    live.fail("analysis failed", 6)
    assert live.persons(before) == []
    assert all(is_plain(p, PLATE) for p in live.covers(before))
    assert len(live.covers(before)) >= 6
    assert len(live.notices) == 1
    live.finder.answer = good
    live.live()


def test_matte_that_is_all_person_is_covered(live):
    live.start().live()
    good = live.finder.answer
    live.finder.answer = lambda frame: np.ones((SIZE[1], SIZE[0]), np.float32)
    before = len(live.pictures)
    live.fail("no clear outline", 5)
    assert live.persons(before) == []
    live.finder.answer = good
    live.live()


def test_another_failure_is_said_too(live):
    live.start().live()
    live.finder.answer = broken
    live.fail("analysis failed", 3)
    live.finder.answer = nan
    live.fail("analysis failed", 3)
    live.finder.answer = broken
    live.fail("analysis failed", 3)
    assert len(live.notices) == 2


def test_failure_is_said_again_after_it_had_been_over(live, monkeypatch):
    live.start().live()
    good = live.finder.answer
    live.finder.answer = broken
    live.fail("analysis failed", 3)
    live.finder.answer = good
    live.live()
    monkeypatch.setattr("app.pipeline.live.notices.QUIET_S", -1.0)
    live.finder.answer = broken
    live.fail("analysis failed")
    assert len(live.notices) == 2


@pytest.mark.parametrize("first", [PLATE_SPEC, "none"])
def test_plate_that_cannot_be_opened_never_shows_the_room(live, first):
    bad = replace(SETTINGS, plate="/there/is/no/such.png")
    if first == "none":
        live.start(replace(SETTINGS, plate="none")).live()
        live.runner.update(bad)
        changed = len(live.pictures)
    else:
        live.start(bad)
        changed = 0
    live.live()
    live.step()
    shown = live.persons(changed)
    assert shown
    assert all((p.composite[p.alpha == 0] == COVER_RGB).all() for p in shown)
    assert len(live.notices) == 1
    del live.pictures[:changed]


def test_plate_that_cannot_be_opened_leaves_the_one_before(live):
    live.start().live()
    live.runner.update(replace(SETTINGS, plate="/there/is/no/such.png"))
    live.step()
    last = live.persons()[-1]
    assert (last.composite[last.alpha == 0] == PLATE).all()


def test_model_that_cannot_be_had_is_covered_until_another_is_chosen(live, monkeypatch):
    live.start().live()

    def missing(choice, size, on_notice):
        if choice.model == "square":
            raise UserError("The model is missing.", "Reinstall.")
        return live.finder

    monkeypatch.setattr("app.pipeline.live.analysis.open_segmenter", missing)
    live.runner.update(replace(SETTINGS, person=replace(SETTINGS.person, model="square")))
    before = len(live.pictures)
    live.fail("analysis failed", 5)
    assert live.persons(before) == []
    assert live.notices == ["The model is missing. Reinstall."]
    live.runner.update(SETTINGS)
    live.live()


def test_panic_covers_even_a_picture_that_is_being_put_together(live, gate):
    live.start().live()
    gate.clear()
    live.camera.give()
    assert gate.entered.wait(15)
    live.runner.cover(on=True)
    moment = len(live.pictures)
    assert live.pictures[-1].is_cover
    assert live.runner.latest.rendered is None
    assert live.runner.display.take(0).rendered is None
    gate.set()
    frames = live.runner.figures().frames
    live.camera.give(10)
    until(lambda: live.runner.figures().frames > frames + 2, "pictures")
    assert live.persons(moment) == []
    assert live.runner.is_covered
    live.runner.cover(on=False)
    live.live()


def test_panic_while_pictures_stream_lets_none_through(live):
    live.start().live()
    live.camera.give(100_000)
    for _ in range(15):
        until(lambda: live.persons(len(live.pictures) - 1), "a person")
        live.runner.cover(on=True)
        moment = len(live.pictures)
        until(lambda moment=moment: len(live.pictures) > moment + 3, "covers")
        assert live.persons(moment) == []
        live.runner.cover(on=False)


def test_no_room_after_a_background_was_chosen_instead_of_none(live, gate):
    live.start(replace(SETTINGS, plate="none")).live()
    gate.clear()
    live.camera.give()
    assert gate.entered.wait(15)
    live.runner.update(SETTINGS)
    changed = len(live.pictures)
    assert room_pixels(live.pictures[changed - 1].composite) > 0
    gate.set()
    live.live()
    live.step()
    assert all(room_pixels(p.composite) == 0 for p in live.pictures[changed:])
    del live.pictures[:changed]


def test_lost_camera_is_covered_with_the_reason_and_outputs_go_on(live):
    live.start().live()
    live.camera.lose()
    until(lambda: CaptureState.LOST in live.states, "the loss")
    until(lambda: len(live.world.sources) > 1, "another try")
    before = len(live.pictures)
    live.camera.lose()
    until(lambda: len(live.covers(before)) > 4, "covers")
    assert live.persons(before) == []
    live.live()


def test_without_any_frame_the_plate_covers_and_another_one_is_shown_when_chosen(live):
    live.start()
    until(lambda: live.covers() and is_plain(live.covers()[-1], PLATE), "the plate")
    live.runner.update(SETTINGS.with_value("", "plate", "#e0a010"))
    until(lambda: is_plain(live.covers()[-1], (224, 160, 16)), "the other plate")
    live.runner.update(SETTINGS.with_value("", "plate", "blur"))
    until(lambda: is_plain(live.covers()[-1], COVER_RGB), "a plain colour: there is no room to blur")
    assert live.persons() == []


def test_reason_of_a_loss_is_written_on_the_cover(live, monkeypatch):
    live.start().live()
    patient = live.runner._capture
    patient._retry_s = (60.0,)
    live.camera.lose()
    until(lambda: live.runner.status.state is CaptureState.LOST, "the loss")
    live.settle()
    live.settle()
    written = live.pictures[-1].composite
    assert written.max() > 200
    live.runner.cover(on=True)
    assert is_plain(live.pictures[-1], PLATE)


def test_picture_from_before_a_loss_is_not_shown_after_it(live, gate):
    live.start().live()
    gate.clear()
    live.camera.give()
    assert gate.entered.wait(15)
    live.camera.lose()
    until(lambda: len(live.world.sources) > 1, "the camera to come back")
    live.camera.give()
    until(lambda: live.runner.status.state is CaptureState.LIVE and live.camera.left == 0, "the camera")
    before = len(live.pictures)
    gate.set()
    live.live()
    assert all(p.captured_s >= live.runner.status.opened_s for p in live.persons(before))
    assert live.drops("the source had just changed") >= 1


def test_stalled_picture_is_covered_and_not_repeated(live):
    live.start().live()
    before = len(live.pictures)
    until(lambda: len(live.covers(before)) >= 2, "covers")
    assert live.persons(before) == []
    assert is_plain(live.pictures[-1], PLATE)
    live.live()


def test_every_mask_meets_its_own_frame_and_every_frame_is_accounted_for(live, monkeypatch):
    answer, compose = live.finder.answer, Compositor.compose
    shown = []

    def slowly(frame):
        time.sleep(0.001 * (frame.index % 9))
        return answer(frame)

    def compose_slowly(self, analysed, look):
        time.sleep(0.001 * (analysed.frame.index % 7))
        return compose(self, analysed, look)

    def show():
        while not live.runner.display.is_closed:
            picture = live.runner.display.take()
            if picture is not None and picture.rendered is not None:
                shown.append(picture)
                time.sleep(0.001 * (len(shown) % 11))

    monkeypatch.setattr(Compositor, "compose", compose_slowly)
    live.finder.answer = slowly
    display = threading.Thread(target=show, daemon=True)
    display.start()
    total = 300
    live.start().camera.give(total)
    until(lambda: live.camera.left == 0, "all frames")
    until(lambda: len(shown) + sum(live.runner.figures().drops.values()) == total, "every frame's fate")
    numbers = [picture.finished.frame.index for picture in shown]
    assert numbers == sorted(set(numbers))
    assert len(numbers) > 20
    drops = live.runner.figures().drops
    assert min(drops[cause] for cause in ("analysis was busy", "the display was busy")) > 0
    for picture in shown:
        index, left = picture.finished.frame.index, left_of(picture.finished.frame.index)
        assert np.array_equal(picture.finished.alpha > 0, alpha_of(index) > 0)
        assert number_in(picture.finished.composite, left) == index % 200
    live.runner.stop()
    display.join(10)


def test_slow_compositing_drops_older_analyses_and_counts_them(live, gate):
    live.start().live()
    gate.clear()
    live.camera.give()
    assert gate.entered.wait(15)
    looks = live.finder.looks
    for i in range(1, 5):
        live.camera.give()
        until(lambda i=i: live.finder.looks == looks + i, "a look")
    until(lambda: live.drops("compositing was busy") == 3, "three drops")
    gate.set()
    newest = live.camera.index
    until(lambda: live.persons() and live.persons()[-1].frame.index == newest, "the newest")


def test_more_frames_than_wished_are_dropped_by_name(live, monkeypatch):
    monkeypatch.setattr("app.pipeline.live.rate._BURST_FRAMES", 3.0)
    live.start(replace(SETTINGS, camera=replace(SETTINGS.camera, rate_hz="15"))).live()
    live.camera.give(60)
    until(lambda: live.camera.left == 0, "all frames")
    until(lambda: live.drops("over the frame rate") > 0, "drops")


def test_stop_does_not_wait_for_a_segmenter_that_hangs(live, monkeypatch):
    monkeypatch.setattr(runner_module, "STOP_S", 0.2)
    live.start().live()
    release, entered = threading.Event(), threading.Event()

    def hang(frame):
        entered.set()
        assert release.wait(15)
        return alpha_of(frame.index)

    live.finder.answer = hang
    live.camera.give()
    assert entered.wait(15)
    live.world.end()
    live.runner.stop()
    alive = [t.name for t in live.runner._threads if t.is_alive()]
    handed = len(live.pictures)
    release.set()
    until(lambda: not any(t.is_alive() for t in live.runner._threads), "the threads")
    assert alive == ["live-analysis"]
    assert len(live.pictures) == handed
    assert live.finder.closed


def test_stop_ends_all_threads_and_may_come_twice_or_before_a_start(live):
    live.start().live()
    live.world.end()
    live.runner.stop()
    live.runner.stop()
    assert not any(t.is_alive() for t in live.runner._threads)
    assert live.runner.status.state is CaptureState.STOPPED
    LiveRunner().stop()


def opened(live):
    return [source for source in live.world.sources if not source.closed]


def idle(live):
    """Make nobody look, and have the camera answer so that it can be let go of."""
    live.runner.show_preview(seen=False)
    until(lambda: live.give() or live.runner.status.state is CaptureState.PAUSED, "the pause")


def test_camera_is_released_while_nobody_looks_and_comes_back(live):
    live.start().live()
    live.runner.detach("sink")
    live.runner.attach("unwatched", live.pictures.append, lambda: False)
    idle(live)
    assert opened(live) == []
    tries = len(live.world.asked)
    before = len(live.pictures)
    live.settle()
    assert live.persons(before) == []
    assert len(live.world.asked) == tries
    live.runner.show_preview(seen=True)
    until(lambda: opened(live), "the camera")
    live.live()


def test_watched_output_keeps_the_camera_on_and_wakes_it(live):
    live.start().live()
    live.runner.detach("sink")
    watched = threading.Event()
    live.runner.attach("call", live.pictures.append, watched.is_set)
    idle(live)
    watched.set()
    until(lambda: opened(live), "the camera")
    live.live()
    before = len(live.pictures)
    live.settle()
    assert live.runner.status.state is CaptureState.LIVE
    assert before


def test_another_source_chosen_while_nobody_looks_waits(live):
    live.start().live()
    live.runner.detach("sink")
    idle(live)
    live.runner.update(replace(SETTINGS, camera=replace(SETTINGS.camera, source="b")))
    until(lambda: opened(live) == [], "the release")
    live.runner.show_preview(seen=True)
    until(lambda: opened(live) and opened(live)[0].spec == "b", "the other camera")


def test_output_that_raises_is_switched_off_and_said_once_while_others_go_on(live):
    tried, later = [], []

    def fails(picture):
        tried.append(picture)
        raise OSError("pipe broke")

    live.runner.attach("pipe", fails)
    live.runner.attach("later", later.append)
    live.start().live()
    live.step()
    assert len(tried) == 1
    assert [p for p in later if not p.is_cover]
    assert len(live.notices) == 1
    assert "pipe" in live.notices[0]


def test_output_that_cannot_say_whether_it_is_watched_does_not_hold_the_watch_up(live):
    def fails():
        raise OSError("no answer")

    live.start().live()
    live.runner.detach("sink")
    live.runner.attach("odd", live.pictures.append, fails)
    idle(live)
    assert len(live.notices) == 1


def test_compositing_that_fails_is_covered_and_goes_on(live, monkeypatch):
    live.start().live()
    real = Compositor.compose

    def fails(self, analysed, look):
        raise MemoryError("no room")

    monkeypatch.setattr(Compositor, "compose", fails)
    before = len(live.pictures)
    live.fail("compositing failed", 4)
    assert live.persons(before) == []
    assert len(live.notices) == 1
    monkeypatch.setattr(Compositor, "compose", real)
    live.live()


def test_analysis_that_cannot_even_begin_is_said_and_covered(live, monkeypatch):
    def fails(*_):
        raise ImportError("libtorch is broken")

    monkeypatch.setattr("app.pipeline.live.analysis.LiveAnalyser", fails)
    live.start().give(3)
    until(lambda: live.notices, "a word")
    live.settle()
    assert "libtorch is broken" in live.notices[0]
    assert live.persons() == []


def test_only_source_size_rate_and_white_balance_open_the_source_again(live):
    live.start().live()
    camera = SETTINGS.camera
    for settings in (
        replace(SETTINGS, plate="#ffffff"),
        replace(SETTINGS, camera=replace(camera, low_light=0.5, analyse_every=2, still_levels=1)),
        replace(SETTINGS, person=replace(SETTINGS.person, grow_px=-1)),
        replace(SETTINGS, placement=replace(SETTINGS.placement, mirror=True)),
    ):
        live.runner.update(settings)
        live.step()
        assert len(live.world.asked) == 1
    for i, changed in enumerate(
        (
            replace(camera, rate_hz="30"),
            replace(camera, rate_hz="30", size="640x480"),
            replace(camera, rate_hz="30", size="640x480", lock_white_balance=True),
            replace(camera, source="b"),
        ),
        start=2,
    ):
        live.runner.update(replace(SETTINGS, camera=changed))
        until(lambda i=i: live.give() or len(live.world.asked) == i, "the source")
    assert [spec for spec, _ in live.world.asked] == ["a", "a", "a", "a", "b"]
    assert live.world.asked[2][1].size == (640, 480)
    assert live.world.asked[3][1].lock_white_balance


def test_settings_show_from_the_next_frame_on(live):
    live.start().live()
    live.runner.update(replace(SETTINGS, plate="#ffffff"))
    live.step()
    last = live.persons()[-1]
    assert (last.composite[last.alpha == 0] == 255).all()


def test_switching_sources_starts_every_memory_over(live):
    live.start().live()
    resets = live.finder.resets
    live.runner.update(replace(SETTINGS, camera=replace(SETTINGS.camera, source="b")))
    until(lambda: live.give() or live.camera.spec == "b", "the other camera")
    live.live()
    assert live.finder.resets > resets


def test_transparent_background_goes_out_as_green_and_says_so(live):
    live.start(replace(SETTINGS, plate="transparent")).live()
    assert live.runner.latest.is_transparent
    last = live.persons()[-1]
    assert (last.composite[last.alpha == 0] == (0, 177, 64)).all()


def test_hidden_preview_does_not_count_as_a_busy_display(live):
    live.start().live()
    live.runner.reset_figures()
    live.runner.show_preview(seen=False)
    for _ in range(5):
        live.step()
    assert live.drops("the display was busy") <= 1


def test_figures_start_over_when_asked(live):
    live.start().live()
    for _ in range(3):
        live.step()
    assert live.runner.figures().frames > 0
    assert live.drops("the display was busy") > 0
    live.runner.reset_figures()
    assert live.drops("the display was busy") == 0
