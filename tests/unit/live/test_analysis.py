from dataclasses import replace

import cv2
import numpy as np
import pytest

from app.domain.errors import UserError
from app.domain.governor import LEVELS, Level
from app.domain.settings import CameraOptions, MatchOptions, OutputOptions, PersonOptions, PlacementOptions, Settings
from app.pipeline.live import analysis as analysis_module
from app.pipeline.live import engine_loader
from app.pipeline.live.analysis import FULL_COVERAGE, MAX_HELD_FRAMES, LiveAnalyser
from app.pipeline.live.engine_loader import EngineLoader
from app.pipeline.live.intake import MAX_SIDE_PX
from app.pipeline.live.live_plates import COVER_RGB, KEY_GREEN
from app.pipeline.matching import Matcher
from app.pipeline.stages import Compositor
from harmonizer import Harmonizer
from harmonizer.weights import load_shipped
from tests.unit.live.scripted import PLATE, PLATE_SPEC, ROOM, Finder, alpha_of, captured_of, room_pixels, until

SIZE = (320, 180)
SETTINGS = Settings(
    plate=PLATE_SPEC,
    camera=CameraOptions(still_levels=0.0),
    person=PersonOptions(decontaminate=False),
    match=MatchOptions(strength=1.0),
)


@pytest.fixture(scope="module")
def engine():
    return Harmonizer(load_shipped())


@pytest.fixture
def finder(monkeypatch):
    made = Finder()
    monkeypatch.setattr(analysis_module, "open_segmenter", lambda choice, size, on_notice: made)
    return made


class Stream:
    """One analyser and what becomes of the frames it gets."""

    def __init__(self):
        self.failures = []
        self.analyser = LiveAnalyser(lambda error: self.failures.append(str(error)))
        self.compositor = Compositor()

    def apply(self, settings=SETTINGS, **changes):
        for name, value in changes.items():
            group, _, field = name.partition("_")
            settings = settings.with_value(group, field, value)
        self.analyser.apply(settings)
        return self

    def see(self, index, **options):
        return self.analyser.analyse(captured_of(index, **options))

    def shown(self, index, **options):
        result = self.see(index, **options)
        return self.compositor.compose(result.analysed, result.look)


@pytest.fixture
def stream(finder, monkeypatch):
    monkeypatch.setattr(EngineLoader, "engine", lambda self, name: None)
    made = Stream()
    yield made
    made.analyser.close()


@pytest.fixture
def matched(finder, engine, monkeypatch):
    monkeypatch.setattr(EngineLoader, "engine", lambda self, name: engine)
    made = Stream()
    yield made
    made.analyser.close()


def textured(seed=0, size=SIZE):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(60, 200, (size[1] // 10, size[0] // 10, 3)).astype(np.uint8)
    return cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)


def walker(left, *, room=ROOM, size=SIZE):
    """A textured person 80 px wide on a textured room."""
    pixels = (textured(1, size) // 4 + np.array(room) * 0.75).astype(np.uint8)
    person = (textured(2, (80, size[1])) // 2 + np.array((0, 90, 60))).astype(np.uint8)
    pixels[:, left : left + 80] = person
    return pixels


def box(left, *, size=SIZE, width=80):
    alpha = np.zeros((size[1], size[0]), np.float32)
    alpha[:, left : left + width] = 1
    return alpha


def small(alpha):
    return cv2.resize(alpha, (160, 90), interpolation=cv2.INTER_AREA)


def test_without_any_settings_the_room_is_not_shown(stream):
    rendered = stream.shown(0)
    assert room_pixels(rendered.composite) == 0
    assert (rendered.composite[rendered.alpha == 0] == COVER_RGB).all()


def test_person_on_plate_and_plate_as_cover(stream):
    result = stream.apply().see(3)
    rendered = stream.compositor.compose(result.analysed, result.look)
    assert np.array_equal(rendered.alpha > 0, alpha_of(3) > 0)
    assert (rendered.composite[rendered.alpha == 0] == PLATE).all()
    assert (result.plate == PLATE).all()
    assert not result.held
    assert not result.is_transparent


@pytest.mark.parametrize("before", [None, "none", PLATE_SPEC])
def test_plate_that_cannot_be_opened_is_said_once_and_never_shows_the_room(stream, before):
    if before:
        stream.apply(replace(SETTINGS, plate=before)).see(0)
    bad = replace(SETTINGS, plate="/there/is/nothing.png")
    for i in range(1, 5):
        stream.apply(bad)
        rendered = stream.shown(i)
        expected = PLATE if before == PLATE_SPEC else COVER_RGB
        assert room_pixels(rendered.composite) == 0
        assert (rendered.composite[rendered.alpha == 0] == expected).all()
    assert len(stream.failures) == 1


@pytest.mark.parametrize("share", [1.0, FULL_COVERAGE + 0.01])
def test_matte_over_nearly_everything_is_no_matte(stream, finder, share):
    finder.answer = lambda frame: np.full((72, 128), share, np.float32)
    result = stream.apply().see(0)
    assert result.analysed is None
    assert (result.plate == PLATE).all()


@pytest.mark.parametrize("every", [1, 3])
def test_nothing_of_an_invalid_matte_shines_through_the_next_ones(stream, finder, every):
    finder.coarse = True
    truth = small(box(120))
    stream.apply(camera_analyse_every=every, person_steadiness_s=0.6)
    pixels = walker(120)
    finder.answer = lambda frame: truth
    clean = stream.see(0, pixels=pixels).analysed.alpha
    finder.answer = lambda frame: np.ones_like(truth)
    if every == 1:
        assert [stream.see(i, pixels=pixels).analysed for i in range(1, 41)] == [None] * 40
    else:
        carried = [stream.see(i, pixels=pixels).analysed for i in range(1, 41)]
        assert carried[every - 1 :] == [None] * (41 - every)
    finder.answer = lambda frame: truth
    after = stream.see(41, pixels=pixels).analysed.alpha
    far = cv2.dilate(clean, np.ones((15, 15))) == 0
    assert far.mean() > 0.5
    assert after[far].max() <= clean[far].max() + 2


def test_blurred_room_is_never_the_cover(stream):
    result = stream.apply(replace(SETTINGS, plate="blur:3")).see(0)
    assert room_pixels(result.analysed.plate) > 0
    assert (result.plate == COVER_RGB).all()


def test_none_shows_the_frame_bit_exact_looks_at_nothing_and_says_so(stream, finder):
    stream.apply(replace(SETTINGS, plate="none", person=PersonOptions(light_wrap=1.0)))
    result = stream.see(4)
    rendered = stream.compositor.compose(result.analysed, result.look)
    assert np.array_equal(rendered.composite, captured_of(4).frame.pixels)
    assert result.shows_room
    assert (result.plate == COVER_RGB).all()
    assert finder.looks == 0


def test_none_may_be_moved_and_has_the_covers_colour_around_it(stream):
    stream.apply(replace(SETTINGS, plate="none", placement=PlacementOptions(scale=0.5)))
    rendered = stream.shown(4)
    assert (rendered.composite[:30] == COVER_RGB).all()


def test_transparent_is_key_green_unmatched_and_without_light_of_the_green(matched):
    transparent = replace(SETTINGS, plate="transparent", person=PersonOptions(light_wrap=1.0, decontaminate=False))
    result = matched.apply(transparent).see(4)
    rendered = matched.compositor.compose(result.analysed, result.look)
    assert result.is_transparent
    assert (rendered.composite[rendered.alpha == 0] == KEY_GREEN).all()
    inside = rendered.alpha == 255
    assert np.array_equal(rendered.composite[inside], rendered.frame.pixels[inside])


def test_live_plate_shows_its_picture(stream):
    stream.apply(replace(SETTINGS, plate="pattern"))
    last = [0]

    def colours():
        last[0] += 1
        rendered = stream.shown(last[0])
        return len(np.unique(rendered.composite[rendered.alpha == 0], axis=0)) >= 6

    until(colours, "the pattern")
    stream.analyser.rest()
    until(colours, "the pattern again")


def test_strength_zero_is_the_pasted_picture_and_one_is_not(matched):
    pasted = matched.apply(match_strength=0.0).shown(0)
    assert np.array_equal(pasted.composite, pasted.pasted)
    whole = matched.apply(match_strength=1.0).shown(1)
    assert not np.array_equal(whole.composite, whole.pasted)


def test_frozen_curve_stays_thaws_and_jumps_when_matched_anew(matched):
    settings = replace(SETTINGS, match=MatchOptions(smoothing_s=2.0))
    dark = (captured_of(0).frame.pixels * 0.3).astype(np.uint8)
    held = matched.apply(settings).see(0).analysed.table
    matched.analyser.freeze(frozen=True)
    for i in range(1, 4):
        assert np.array_equal(matched.see(i, pixels=dark).analysed.table, held)
    matched.analyser.rematch()
    jumped = matched.see(4, pixels=dark).analysed.table
    assert not np.array_equal(jumped, held)
    assert np.array_equal(matched.see(5).analysed.table, jumped)
    matched.analyser.freeze(frozen=False)
    tables = [matched.see(i).analysed.table for i in range(6, 16)]
    assert not np.array_equal(tables[-1], jumped)


def test_rematch_does_not_come_from_the_last_curve(matched, finder):
    slow = replace(SETTINGS, match=MatchOptions(smoothing_s=2.0))
    finder.answer = lambda frame: alpha_of(0)
    dark = (captured_of(0).frame.pixels * 0.3).astype(np.uint8)
    matched.apply(slow).see(0)
    drifting = matched.see(1, pixels=dark).analysed.table
    matched.analyser.rematch()
    jumped = matched.see(2, pixels=dark).analysed.table
    fresh = Stream()
    target = fresh.apply(slow).see(2, pixels=dark).analysed.table
    fresh.analyser.close()
    assert np.array_equal(jumped, target)
    assert not np.array_equal(drifting, target)


def test_freeze_before_the_engine_is_there_holds_the_first_curve(stream, engine, monkeypatch):
    stream.apply().analyser.freeze(frozen=True)
    assert stream.see(0).analysed.table is None
    monkeypatch.setattr(EngineLoader, "engine", lambda self, name: engine)
    first = stream.see(1).analysed.table
    assert first is not None
    dark = (captured_of(2).frame.pixels * 0.3).astype(np.uint8)
    assert np.array_equal(stream.see(2, pixels=dark).analysed.table, first)


def test_changed_smoothing_and_strength_keep_the_curve_going(matched, finder, monkeypatch):
    monkeypatch.setattr(analysis_module, "ESTIMATE_EVERY_S", 0.0)
    finder.answer = lambda frame: alpha_of(0)
    dark = (captured_of(0).frame.pixels * 0.3).astype(np.uint8)

    def second(smoothing_s):
        one = Stream()
        one.apply(match_smoothing_s=2.0).see(0)
        found = one.apply(match_smoothing_s=smoothing_s).see(1, pixels=dark).analysed.table.astype(int)
        one.analyser.rematch()
        target = one.see(2, pixels=dark).analysed.table.astype(int)
        one.analyser.close()
        return found, target

    unchanged, target = second(2.0)
    changed, _ = second(1.9)
    assert np.abs(changed - unchanged).max() <= 2
    assert np.abs(changed - target).max() > 10


def test_still_scene_is_held_and_looked_at_anew_often_enough(stream, finder):
    finder.answer = lambda frame: alpha_of(0)
    stream.apply(camera_still_levels=0.6)
    pixels = captured_of(0).frame.pixels
    held = [stream.see(i, pixels=pixels).held for i in range(3 * (MAX_HELD_FRAMES + 1))]
    assert held == ([False] + [True] * MAX_HELD_FRAMES) * 3
    assert finder.looks == 3


def test_moving_scene_is_never_held(stream, finder):
    stream.apply(camera_still_levels=0.6)
    assert not any(stream.see(i).held for i in range(12))
    assert finder.looks == 12


def test_hand_in_a_corner_ends_the_holding(stream, finder):
    finder.answer = lambda frame: alpha_of(0)
    stream.apply(camera_still_levels=0.6)
    pixels = captured_of(0).frame.pixels
    waving = pixels.copy()
    waving[-12:, -14:] = (210, 160, 130)
    assert [stream.see(i, pixels=p).held for i, p in enumerate([pixels, pixels, waving])] == [False, True, False]


def test_threshold_of_zero_never_holds(stream):
    stream.apply(camera_still_levels=0.0)
    pixels = captured_of(0).frame.pixels
    assert not any(stream.see(i, pixels=pixels).held for i in range(5))


def test_slow_drift_is_noticed_though_each_step_is_small(stream, finder):
    finder.answer = lambda frame: alpha_of(0)
    stream.apply(camera_still_levels=1.5)
    pixels = captured_of(0).frame.pixels.astype(int)
    brighter = [np.clip(pixels + i // 2, 0, 255).astype(np.uint8) for i in range(8)]
    held = [stream.see(i, pixels=p).held for i, p in enumerate(brighter)]
    assert not all(held[1:])


def test_held_frame_shows_its_own_pixels(stream, finder):
    finder.answer = lambda frame: alpha_of(0)
    stream.apply(camera_still_levels=3.0)
    pixels = captured_of(0).frame.pixels
    stream.see(0, pixels=pixels)
    brighter = np.clip(pixels.astype(int) + 2, 0, 255).astype(np.uint8)
    result = stream.see(1, pixels=brighter)
    assert result.held
    assert np.array_equal(result.analysed.frame.pixels, brighter)


def test_every_change_of_settings_is_looked_at_anew_even_when_all_is_still(stream, finder):
    finder.answer = lambda frame: alpha_of(0)
    stream.apply(camera_still_levels=0.6)
    pixels = captured_of(0).frame.pixels
    assert stream.see(0, pixels=pixels).held is False
    assert stream.see(1, pixels=pixels).held is True
    grown = stream.apply(camera_still_levels=0.6, person_grow_px=4.0).see(2, pixels=pixels)
    assert not grown.held
    assert (grown.analysed.alpha > 0).sum() > (alpha_of(0) > 0).sum()


def overlap(alpha, left):
    found, truth = alpha > 127, box(left) > 0
    return (found & truth).sum() / (found | truth).sum()


def test_mask_is_carried_along_between_looks(stream, finder):
    finder.coarse = True
    finder.answer = lambda frame: small(box(60 + 3 * frame.index))
    stream.apply(camera_analyse_every=3, person_steadiness_s=0.0)
    results = [stream.see(i, pixels=walker(60 + 3 * i)) for i in range(9)]
    assert [r.held for r in results] == [False, True, True] * 3
    assert finder.looks == 3
    for i, result in enumerate(results):
        assert overlap(result.analysed.alpha, 60 + 3 * i) > 0.93


def test_mask_is_not_carried_over_a_cut(stream, finder):
    finder.coarse = True
    lefts = [60, 60, 180, 180]
    finder.answer = lambda frame: small(box(lefts[frame.index]))
    stream.apply(camera_analyse_every=6, person_steadiness_s=0.0)
    for i, left in enumerate(lefts):
        pixels = walker(left) if i < 2 else 255 - walker(left)
        result = stream.see(i, pixels=pixels)
        assert result.held == (i in (1, 3))
        assert overlap(result.analysed.alpha, left) > 0.93


def test_mask_is_not_carried_to_where_the_picture_is_another(stream, finder):
    """Something else is where the person was, while most of the picture stays: no cut, but no person either."""
    finder.coarse = True
    finder.answer = lambda frame: small(box(60 if frame.index == 0 else 200))
    stream.apply(camera_analyse_every=6, person_steadiness_s=0.0)
    stream.see(0, pixels=walker(60))
    gone = walker(200)
    gone[:, 60:140] = textured(7)[:, 60:140]
    result = stream.see(1, pixels=gone)
    assert not result.held
    assert overlap(result.analysed.alpha, 200) > 0.93


@pytest.mark.parametrize(("users", "levels", "looks"), [(1, 1, 12), (1, 3, 4), (2, 1, 6), (3, 2, 4), (4, 3, 3)])
def test_the_mask_is_looked_for_as_seldom_as_user_or_level_want(stream, finder, users, levels, looks):
    finder.coarse = True
    finder.answer = lambda frame: small(box(60))
    stream.apply(camera_analyse_every=users).analyser.reduce(Level(analyse_every=levels))
    for i in range(12):
        stream.see(i, pixels=walker(60))
    assert finder.looks == looks


def test_a_level_takes_edges_away_and_gives_them_back_without_a_jump(finder, monkeypatch):
    """What is remembered goes on: after a while at another level all is as if it had never been."""
    monkeypatch.setattr(EngineLoader, "engine", lambda self, name: None)
    finder.coarse = True
    finder.answer = lambda frame: small(box(60)) * (0.9 + 0.1 * (frame.index % 2))
    pixels = walker(60)
    always, once = Stream(), Stream()
    mattes = []
    for i in range(12):
        for one in (always, once):
            one.apply(person_decontaminate=True, person_steadiness_s=0.6)
            if one is once:
                one.analyser.reduce(LEVELS[-1] if 4 <= i < 8 else LEVELS[0])
        mattes.append([one.see(i, pixels=pixels) for one in (always, once)])
    assert all(np.array_equal(a.analysed.alpha, b.analysed.alpha) for a, b in mattes[:4])
    plain = mattes[4][1]
    assert not np.array_equal(plain.analysed.alpha, mattes[4][0].analysed.alpha)
    assert np.array_equal(plain.analysed.foreground, pixels)
    assert not plain.look.decontaminate
    difference = [np.abs(a.analysed.alpha.astype(int) - b.analysed.alpha).max() for a, b in mattes[8:]]
    assert difference[0] <= 30
    assert mattes[8][1].look == mattes[8][0].look
    assert finder.resets == 0
    for one in (always, once):
        one.analyser.close()


def test_colours_are_estimated_more_seldom_at_a_level_and_go_on_being_followed(matched, finder, monkeypatch):
    estimates, real = [], Matcher.table

    def counted(self, *args, **options):
        estimates.append(not options["again"])
        return real(self, *args, **options)

    monkeypatch.setattr(Matcher, "table", counted)
    finder.answer = lambda frame: alpha_of(0)
    matched.apply()
    for level in (LEVELS[0], LEVELS[2]):
        matched.analyser.reduce(level)
        estimates.clear()
        tables = [matched.see(i).analysed.table for i in range(30)]
        assert all(table is not None for table in tables)
        assert sum(estimates) == pytest.approx(30 / 3 / level.analyse_every, abs=1)


def test_person_who_jumps_back_does_not_get_the_mask_of_where_they_were(stream, finder):
    finder.coarse = True
    lefts = [60, 66, 60, 60]
    finder.answer = lambda frame: small(box(lefts[frame.index]))
    stream.apply(camera_analyse_every=6, camera_still_levels=0.6, person_steadiness_s=0.0)
    for i, left in enumerate(lefts):
        result = stream.see(i, pixels=walker(left))
        assert overlap(result.analysed.alpha, left) > 0.93


def test_colour_key_is_looked_for_in_every_frame(monkeypatch):
    monkeypatch.setattr(EngineLoader, "engine", lambda self, name: None)
    stream = Stream().apply(camera_analyse_every=4, person_model="key")
    pixels = [walker(60 + 3 * i) for i in range(5)]
    for i, picture in enumerate(pixels):
        picture[:, : 60 + 3 * i] = picture[:, 140 + 3 * i :] = (0, 177, 64)
        result = stream.see(i, pixels=picture)
        assert not result.held
        assert overlap(result.analysed.alpha, 60 + 3 * i) > 0.85
    stream.analyser.close()


def test_mask_is_not_carried_over_a_gap_or_into_another_stream(stream, finder):
    finder.coarse = True
    finder.answer = lambda frame: small(box(60))
    stream.apply(camera_analyse_every=6, camera_still_levels=0.6)
    pixels = walker(60)
    stream.see(0, pixels=pixels)
    assert stream.see(1, pixels=pixels).held
    stream.analyser.start_over()
    assert not stream.see(2, pixels=pixels).held
    assert not stream.see(3, pixels=pixels, time_s=60.0).held
    assert not stream.see(4, pixels=pixels, time_s=2.0).held


def test_segmenter_is_opened_anew_only_for_another_model_or_size(monkeypatch):
    monkeypatch.setattr(EngineLoader, "engine", lambda self, name: None)
    opened = []

    def open_one(choice, size, on_notice):
        opened.append(Finder())
        return opened[-1]

    monkeypatch.setattr(analysis_module, "open_segmenter", open_one)
    stream = Stream().apply()
    for i in range(3):
        stream.see(i)
    assert len(opened) == 1
    stream.apply(person_model="square").see(4)
    assert [one.closed for one in opened] == [True, False]
    stream.analyser.close()
    assert opened[-1].closed


def test_large_frames_are_made_smaller_first(stream, finder):
    finder.answer = lambda frame: np.pad(np.ones((90, 100), np.float32), ((0, 0), (30, 30)))
    huge = np.full((2160, 3840, 3), ROOM, np.uint8)
    result = stream.apply().see(0, pixels=huge)
    assert max(result.analysed.frame.size) == MAX_SIDE_PX
    assert result.analysed.plate.shape == (1080, 1920, 3)


@pytest.mark.parametrize(
    ("wanted", "size"), [("source", (128, 72)), ("640x480", (640, 480)), ("1280x720", (1280, 720))]
)
def test_output_has_the_size_asked_for(stream, finder, wanted, size):
    rendered = stream.apply(replace(SETTINGS, output=OutputOptions(size=wanted))).shown(3)
    assert rendered.composite.shape == (size[1], size[0], 3)
    assert room_pixels(rendered.composite[: size[1] // 8, -10:]) == 0


def test_crop_leaves_out_the_margins_and_keeps_the_output(stream, finder):
    seen = []

    def look(frame):
        seen.append(frame.pixels.copy())
        return np.ones(frame.pixels.shape[:2], np.float32) * 0.5

    finder.answer = look
    pixels = textured(0, (128, 72))
    crop = PlacementOptions(crop_left=0.25, crop_right=0.125, crop_top=0.25, crop_bottom=0.125)
    result = stream.apply(replace(SETTINGS, placement=crop)).see(0, pixels=pixels)
    assert np.array_equal(seen[0], pixels[18:63, 32:112])
    assert result.analysed.plate.shape == (72, 128, 3)


def test_crop_that_would_leave_nothing_is_not_made(stream):
    crop = PlacementOptions(crop_left=0.45, crop_right=0.45)
    assert stream.apply(replace(SETTINGS, placement=crop)).see(0).analysed.frame.size == (128, 72)


def test_mirror_flips_the_person_and_not_the_plate(stream):
    plain = stream.apply(replace(SETTINGS, plate="forest")).shown(2)
    mirrored = stream.apply(replace(SETTINGS, plate="forest", placement=PlacementOptions(mirror=True))).shown(2)
    inside = np.fliplr(plain.alpha) == 255
    assert np.array_equal(mirrored.composite[inside], np.fliplr(plain.composite)[inside])
    outside = (plain.alpha == 0) & ~inside
    assert np.array_equal(mirrored.composite[outside], plain.composite[outside])


def test_auto_framing_brings_the_person_gently_to_the_middle(stream, finder):
    lefts = [100] * 3 + [30] * 90
    finder.answer = lambda frame: box(lefts[min(frame.index, len(lefts) - 1)], width=50)
    stream.apply(placement_auto_frame=True)
    middles, offsets = [], []
    for i, left in enumerate(lefts):
        result = stream.see(i, pixels=walker(left))
        rendered = stream.compositor.compose(result.analysed, result.look)
        person = np.nonzero((np.abs(rendered.composite.astype(int) - PLATE).max(axis=2) > 12).any(axis=0))[0]
        middles.append((person[0] + person[-1] + 1) / 2)
        offsets.append(result.look.placement.offset_x)
        assert 1.0 <= result.look.placement.scale <= 2.5
    assert middles[0] == pytest.approx(SIZE[0] / 2, abs=6)
    assert middles[-1] == pytest.approx(SIZE[0] / 2, abs=8)
    assert np.abs(np.diff(offsets)).max() < 0.07 * abs(offsets[-1] - offsets[0])
    still = stream.apply().see(93, pixels=walker(30))
    assert still.look.placement.offset_x == 0


def test_low_light_lift_raises_the_median_before_the_person_is_looked_for(stream, finder):
    medians = []
    finder.answer = lambda frame: medians.append(np.median(frame.pixels)) or alpha_of(frame.index)
    dark = (textured(0, (128, 72)) // 5).astype(np.uint8)
    stream.apply(camera_low_light=1.0).see(0, pixels=dark)
    stream.apply(camera_low_light=0.0).see(1, pixels=dark)
    assert medians[1] == np.median(dark)
    assert medians[0] > 2 * medians[1]


def test_locked_white_balance_holds_the_rooms_colour_through_changes_of_settings(stream, finder):
    finder.answer = lambda frame: box(120)
    warm = np.array((1.15, 1.0, 0.88))
    grey = walker(120, room=(120, 120, 120))
    for i in range(130):
        tint = 1 + (warm - 1) * min(1.0, i / 40)
        pixels = np.clip(grey * tint, 0, 255).astype(np.uint8)
        # Somebody moves a slider now and then: that must not lock the colour anew.
        stream.apply(camera_lock_white_balance=True, person_feather_px=float(i // 5 % 2) / 2)
        finder.answer = lambda frame, i=i: box(0, width=SIZE[0]) if i % 30 == 17 else box(120)
        result = stream.see(i, pixels=pixels)
        assert (result.analysed is None) == (i % 30 == 17)
        if result.analysed is not None:
            seen = result.analysed.frame.pixels
    room = seen[box(120) == 0].mean(axis=0)
    given = grey[box(120) == 0].mean(axis=0)
    drifted = pixels[box(120) == 0].mean(axis=0)
    assert np.abs(drifted / drifted.mean() - given / given.mean()).max() > 0.1
    assert np.abs(room / room.mean() - given / given.mean()).max() < 0.03


def test_engine_that_fails_to_load_is_said_once_and_the_picture_goes_on(finder, monkeypatch):
    asked = []

    def fail(name):
        asked.append(name)
        raise UserError("The colour network can't be used.", "Reinstall.")

    monkeypatch.setattr(engine_loader, "load_engine", fail)
    stream = Stream().apply()
    stream.see(0)
    until(lambda: stream.failures, "a word")
    results = [stream.see(i) for i in range(1, 6)]
    assert asked == ["platematch-s"]
    assert stream.failures == ["The colour network can't be used. Reinstall."]
    assert all(result.analysed.table is None for result in results)
    stream.analyser.close()


def test_engine_that_breaks_in_an_unforeseen_way_is_said_too(finder, monkeypatch):
    def fail(name):
        raise RuntimeError("bad CPU")

    monkeypatch.setattr(engine_loader, "load_engine", fail)
    stream = Stream().apply()
    stream.see(0)
    until(lambda: stream.failures, "a word")
    assert "bad CPU" in stream.failures[0]
    stream.analyser.close()


def test_picture_is_pasted_until_the_engine_is_there_and_keeps_it_while_another_loads(finder, engine, monkeypatch):
    import threading

    may_load, asked = threading.Event(), []

    def load(name):
        asked.append(name)
        assert may_load.wait(10)
        return engine

    monkeypatch.setattr(engine_loader, "load_engine", load)
    stream = Stream().apply()
    assert stream.see(0).analysed.table is None
    may_load.set()
    indices = iter(range(1, 10_000))
    until(lambda: stream.see(next(indices)).analysed.table is not None, "the engine")
    may_load.clear()
    stream.apply(match_model="s2crnet-s")
    assert stream.see(next(indices)).analysed.table is not None
    until(lambda: asked == ["platematch-s", "s2crnet-s"], "the other engine")
    may_load.set()
    stream.analyser.close()


def test_curve_is_estimated_ten_times_a_second_and_smoothed_in_between(matched, engine, monkeypatch):
    estimates, estimate = [], engine.estimate
    monkeypatch.setattr(engine, "estimate", lambda *a, **k: estimates.append(1) or estimate(*a, **k))
    matched.apply(match_smoothing_s=1.0)
    tables = [matched.see(index).analysed.table for index in range(31)]
    assert 9 <= len(estimates) <= 12
    assert all(table is not None for table in tables)


def test_another_plate_is_matched_with_its_first_frame(matched, engine, monkeypatch):
    matched.see(0)
    matched.see(1)
    estimates, estimate = [], engine.estimate
    monkeypatch.setattr(engine, "estimate", lambda *a, **k: estimates.append(1) or estimate(*a, **k))
    matched.apply(SETTINGS.with_value("", "plate", "#e0a010"))
    matched.see(2)
    assert estimates == [1]
