import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from app.domain.governor import ANALYSIS, COMPOSITING, DISPLAY, LEVELS, Reading, useful_levels
from app.domain.settings import CameraOptions, MatchOptions, PersonOptions, Settings
from app.pipeline.live.capture import CaptureState
from app.pipeline.live.engine_loader import EngineLoader
from app.pipeline.live.keeping_up import Counts, KeepingUp, reading_of
from app.pipeline.live.live_stats import LiveFigures, WorkMeter
from app.pipeline.live.runner import LiveRunner
from tests.unit.live import scripted
from tests.unit.live.scripted import PLATE_SPEC, SIZE, Finder, World, alpha_of, pixels_of, until

pytestmark = pytest.mark.alone

SETTINGS = Settings(
    plate=PLATE_SPEC,
    camera=CameraOptions(source="a", rate_hz="60", still_levels=0.0),
    match=MatchOptions(strength=0.0),
)


def counts(at_s, persons, **drops):
    worked_s = {DISPLAY: at_s / 2}
    return Counts(at_s, persons, {cause.replace("_", " "): count for cause, count in drops.items()}, worked_s)


@pytest.mark.parametrize(
    ("persons", "drops", "due", "reached"),
    [
        (30, {}, 30, 30),
        (24, {"analysis_was_busy": 6}, 30, 24),
        (24, {"compositing_was_busy": 6}, 30, 24),
        (30, {"the_display_was_busy": 6}, 30, 24),
        (20, {"lost_by_the_source": 10}, 20, 20),
        (12, {}, 12, 12),
        (30, {"analysis_was_busy": 2, "over_the_frame_rate": 30}, 30, 30),
        (0, {"no_clear_outline": 30}, 30, 30),
        (10, {"analysis_failed": 10, "analysis_was_busy": 10}, 30, 20),
    ],
    ids=[
        "all",
        "analysis slow",
        "compositing slow",
        "display slow",
        "source lost some",
        "camera gives less",
        "camera gives more",
        "nobody to be seen",
        "failing and slow",
    ],
)
def test_only_what_the_machine_was_too_slow_for_counts_as_not_reached(persons, drops, due, reached):
    before = counts(10.0, 100, **dict.fromkeys(drops, 7))
    now = counts(11.0, 100 + persons, **{cause: 7 + count for cause, count in drops.items()})
    assert reading_of(before, now, rate_hz=30.0) == Reading(1.0, due, reached, {DISPLAY: 0.5})


def test_display_that_does_nothing_is_not_slow():
    before, now = Counts(1.0, 0, {}, {DISPLAY: 4.0}), Counts(2.0, 30, {"the display was busy": 29}, {DISPLAY: 4.0})
    assert reading_of(before, now, rate_hz=30.0) == Reading(1.0, 30, 30)


def slow(at_s):
    return counts(at_s, 28 * int(at_s), analysis_was_busy=2 * int(at_s))


def test_while_it_waits_or_when_figures_start_over_nothing_is_concluded():
    keeping_up = KeepingUp()
    for second in range(60):
        keeping_up.wait()
        keeping_up.watch(slow(second), SETTINGS)
    assert keeping_up.index == 0
    for second in range(60):
        keeping_up.watch(slow(60 - second), SETTINGS)
    assert keeping_up.index == 0


def test_switched_off_all_work_is_done_again_at_once_and_stays_so():
    keeping_up = KeepingUp()
    for second in range(30):
        keeping_up.watch(slow(second), SETTINGS)
    assert keeping_up.level is LEVELS[-1]
    off = SETTINGS.with_value("camera", "keep_up", False)
    for second in range(30, 60):
        keeping_up.watch(slow(second), off)
        assert keeping_up.level is LEVELS[0]


@pytest.mark.parametrize(
    ("changes", "visited"),
    [
        ({}, [1, 2, 3, 4, 5, 6]),
        ({"camera": CameraOptions(analyse_every=2)}, [2, 3, 4, 5, 6]),
        ({"camera": CameraOptions(analyse_every=6)}, [3, 4, 5, 6]),
        ({"person": PersonOptions(fine_edges=False)}, [1, 2, 4, 5, 6]),
        ({"person": PersonOptions(decontaminate=False)}, [1, 2, 3, 5, 6]),
        ({"person": PersonOptions(model="key")}, [4, 5, 6]),
        ({"plate": "none"}, [5, 6]),
    ],
)
def test_what_would_change_nothing_is_passed_over(changes, visited):
    keeping_up, seen = KeepingUp(), []
    for second in range(40):
        keeping_up.watch(slow(second), replace(Settings(), **changes))
        seen.append(keeping_up.index)
    assert [level for level in dict.fromkeys(seen) if level] == visited


def test_useful_levels_are_all_where_everything_is_on():
    everything = useful_levels(analyse_every=1, fine_edges=True, decontaminate=True, has_mask=True)
    assert everything == frozenset(range(len(LEVELS)))


def test_meter_counts_work_under_way_and_done():
    meter, begun_s = WorkMeter(), time.monotonic()
    assert meter.worked_s(begun_s) == 0
    with meter.at_work():
        assert meter.worked_s(begun_s + 50) == pytest.approx(50, abs=5)
    done_s = meter.worked_s(begun_s + 100)
    assert 0 < done_s < 5
    with pytest.raises(RuntimeError), meter.at_work():
        raise RuntimeError("work failed")
    assert meter.worked_s(begun_s + 100) >= done_s


class Machine:
    """A runner on a camera of 400 frames a second, of which 60 are wanted, and a segmenter that may be slow."""

    def __init__(self, runner, world, finder):
        self.runner, self.world, self.finder = runner, world, finder
        self.look_s = 0.0
        self.seen, self.pictures = [], []
        finder.answer = self.answer
        runner.attach("sink", self.take)

    def answer(self, frame):
        time.sleep(self.look_s)
        return alpha_of(0)

    def take(self, picture):
        self.pictures.append(picture)
        level = self.level
        if not self.seen or self.seen[-1] != level:
            self.seen.append(level)

    @property
    def level(self):
        return self.runner.figures().level

    def start(self, settings=SETTINGS):
        self.runner.start(settings)
        until(lambda: self.world.sources, "the camera")
        self.world.sources[-1].give(1_000_000)
        until(lambda: any(not p.is_cover for p in self.pictures), "a person")
        return self

    def since(self, count=30):
        """More pictures, or frames, until so many have come."""
        before = len(self.pictures)
        until(lambda: len(self.pictures) >= before + count, "pictures")


@pytest.fixture
def machine(monkeypatch):
    monkeypatch.setattr(EngineLoader, "engine", lambda self, name: None)
    monkeypatch.setattr(scripted, "pixels_of", lambda index, **_: FIRST)
    for name, seconds in {"STRAINED_S": 0.3, "CALM_S": 0.6, "RISE_S": 0.3, "PROOF_S": 1.2}.items():
        monkeypatch.setattr(f"app.domain.governor.{name}", seconds)
    monkeypatch.setattr("app.pipeline.live.keeping_up.READ_EVERY_S", 0.1)
    monkeypatch.setattr("app.pipeline.live.runner.WARM_UP_S", 0.0)
    finder, world = Finder(coarse=True), World()
    monkeypatch.setattr("app.pipeline.live.analysis.open_segmenter", lambda choice, size, on_notice: finder)
    made = Machine(LiveRunner(make_capture=world.make_capture), world, finder)
    yield made
    world.end()
    made.runner.stop()
    for thread in made.runner._threads:
        if thread.ident:
            thread.join(10)


FIRST = pixels_of(0)


def test_slow_looks_cost_looks_instead_of_frames_and_come_back_when_there_is_time(machine):
    machine.start()
    machine.look_s = 0.03
    until(lambda: machine.level > 0, "less work")
    looks, held = machine.finder.looks, machine.runner.figures().held
    until(lambda: machine.finder.looks > looks + 3, "looks")
    assert machine.runner.figures().held > held
    machine.look_s = 0.0
    until(lambda: machine.level == 0, "all work")
    assert machine.seen[0] == 0
    assert machine.runner.status.state is CaptureState.LIVE
    assert len(machine.world.sources) == 1
    assert machine.finder.resets <= 1


def test_while_things_warm_up_nothing_is_concluded(machine, monkeypatch):
    monkeypatch.setattr("app.pipeline.live.runner.WARM_UP_S", 1000.0)
    machine.look_s = 0.03
    machine.start()
    machine.since(40)
    assert machine.runner.figures().drops["analysis was busy"] > 0
    assert machine.level == 0


def test_while_the_loops_are_compiled_nothing_is_concluded(machine, monkeypatch):
    monkeypatch.setattr("app.pipeline.live.runner.is_preparing", lambda: True)
    machine.look_s = 0.03
    machine.start()
    machine.since(40)
    assert machine.level == 0
    monkeypatch.setattr("app.pipeline.live.runner.is_preparing", lambda: False)
    until(lambda: machine.level > 0, "less work")


def test_switched_off_frames_go_and_quality_stays(machine):
    machine.start(SETTINGS.with_value("camera", "keep_up", False))
    machine.look_s = 0.05
    machine.since(40)
    assert machine.level == 0
    assert machine.runner.figures().drops["analysis was busy"] > 0
    assert machine.runner.figures().held == 0
    machine.runner.update(SETTINGS)
    until(lambda: machine.level > 0, "less work")
    machine.runner.update(SETTINGS.with_value("camera", "keep_up", False))
    until(lambda: machine.level == 0, "all work")


def test_while_covered_or_unseen_nothing_is_concluded(machine):
    machine.start()
    machine.runner.cover(on=True)
    machine.look_s = 0.05
    machine.since(25)
    assert machine.level == 0
    machine.runner.cover(on=False)
    until(lambda: machine.level > 0, "less work")


def test_display_that_is_too_slow_costs_the_preview(machine):
    done = threading.Event()

    def show():
        meter = machine.runner.stats.meters[DISPLAY]
        while not machine.runner.display.is_closed:
            if machine.runner.display.take() is None:
                continue
            with meter.at_work():
                time.sleep(0.001 if done.is_set() else 0.03)

    viewer = threading.Thread(target=show, daemon=True)
    viewer.start()
    plain = SETTINGS.person
    settings = replace(SETTINGS, person=replace(plain, fine_edges=False, decontaminate=False, model="key"))
    machine.start(settings)
    until(lambda: machine.runner.level.preview_share < 1, "a smaller preview")
    until(lambda: len(machine.seen) > 1, "a picture since")
    assert machine.seen[1] in (5, 6)
    assert machine.runner.figures().loads[DISPLAY] > 0.5
    done.set()
    until(lambda: machine.level == 0, "the whole preview")
    machine.runner.stop()
    viewer.join(10)


def test_loads_of_the_stages_are_among_the_figures(machine):
    machine.start()
    machine.look_s = 0.004
    until(lambda: {ANALYSIS, COMPOSITING} <= machine.runner.figures().loads.keys(), "loads")
    assert all(0 < load <= 1 for load in machine.runner.figures().loads.values())
    assert LiveFigures().level == 0


def test_pictures_are_those_of_their_own_moment_at_every_level(machine):
    machine.start()
    machine.look_s = 0.03
    until(lambda: machine.level > 0, "less work")
    machine.look_s = 0.0
    until(lambda: machine.level == 0, "all work")
    persons = [p for p in machine.pictures if not p.is_cover]
    numbers = [p.frame.index for p in persons]
    assert numbers == sorted(set(numbers))
    assert all(p.composite.shape == (SIZE[1], SIZE[0], 3) for p in persons)
    assert all(np.abs(p.composite[:, -20:].astype(int) - (16, 64, 192)).max() <= 2 for p in persons)
