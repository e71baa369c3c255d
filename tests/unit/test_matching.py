import numpy as np
import pytest

from app.domain.compositing import apply_table
from app.pipeline.matching import MOVING_PLATE_REFRESH_S, Matcher, MatchSettings, coarse_box
from harmonizer import Harmonizer, SmoothingSettings
from harmonizer.weights import load_shipped

SIZE = (160, 120)


class CountingEngine(Harmonizer):
    """The real engine, counting how often a plate is embedded."""

    embedded = 0

    def embed_plate(self, plate, alpha=None):
        self.embedded += 1
        return super().embed_plate(plate, alpha)


@pytest.fixture
def engine():
    return CountingEngine(load_shipped())


def picture(seed, level=255):
    """Noise up to a level: pictures of different brightness ask for different curves."""
    return np.random.default_rng(seed).integers(0, level, (SIZE[1], SIZE[0], 3)).astype(np.uint8)


def person():
    alpha = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    alpha[30:110, 50:110] = 255
    return alpha


def table(matcher, *, time_s, plate=0, key="a", is_static=True, alpha=None, pixels=7):
    alpha = person() if alpha is None else alpha
    seen, behind = picture(pixels, 255 if pixels == 7 else 90), picture(plate, 120 + 60 * plate)
    return matcher.table(seen, alpha, behind, plate_key=key, is_static=is_static, time_s=time_s)


def test_still_plate_is_embedded_once(engine):
    matcher = Matcher(engine)
    for i in range(5):
        table(matcher, time_s=i / 25)
    assert engine.embedded == 1


def test_another_still_plate_is_embedded_and_starts_over_at_once(engine):
    slow = MatchSettings(smoothing=SmoothingSettings("ema", tau_s=100.0))
    matcher = Matcher(engine, slow)
    first = table(matcher, time_s=0.0)
    changed = table(matcher, time_s=0.04, plate=2, key="b")
    fresh = table(Matcher(engine, slow), time_s=0.04, plate=2, key="b")
    assert np.array_equal(changed, fresh)
    assert not np.array_equal(changed, first)


def test_moving_plate_is_embedded_at_a_bounded_rate(engine):
    matcher = Matcher(engine)
    frames = 50
    for i in range(frames):
        table(matcher, time_s=i / 25, plate=i % 3, key=i, is_static=False)
    assert engine.embedded <= 1 + frames / 25 / MOVING_PLATE_REFRESH_S


def test_curve_is_smoothed_over_time_and_reset_lets_go(engine):
    matcher = Matcher(engine, MatchSettings(smoothing=SmoothingSettings("ema", tau_s=1.0)))
    start = table(matcher, time_s=0.0, pixels=7).astype(int)
    target = table(Matcher(engine), time_s=0.0, pixels=8).astype(int)
    step = table(matcher, time_s=0.04, pixels=8).astype(int)
    assert np.abs(step - start).max() < np.abs(step - target).max()
    matcher.reset()
    assert np.array_equal(table(matcher, time_s=0.08, pixels=8), target)


def test_nobody_in_the_picture_gives_no_table_and_forgets_the_last_one(engine):
    matcher = Matcher(engine, MatchSettings(smoothing=SmoothingSettings("ema", tau_s=100.0)))
    table(matcher, time_s=0.0, pixels=7)
    assert table(matcher, time_s=0.04, alpha=np.zeros((SIZE[1], SIZE[0]), np.uint8)) is None
    back = table(matcher, time_s=0.08, pixels=8)
    assert np.array_equal(back, table(Matcher(engine), time_s=0.0, pixels=8))


def test_strength_zero_is_the_identity(engine):
    assert np.array_equal(table(Matcher(engine, MatchSettings(strength=0.0)), time_s=0.0)[:, 0], np.arange(256))


def test_table_is_applied_under_the_matte_and_nowhere_else():
    pixels, alpha = picture(3), person()
    lut = np.repeat(np.arange(256, dtype=np.uint8)[::-1, None], 3, axis=1)
    out = apply_table(pixels, alpha, np.ascontiguousarray(lut))
    assert np.array_equal(out[alpha > 0], 255 - pixels[alpha > 0])
    assert np.array_equal(out[:30], pixels[:30])
    assert apply_table(pixels, np.zeros_like(alpha), lut) is pixels


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (64, 64), (321, 123)])
def test_coarse_box_holds_the_whole_foreground(size):
    alpha = np.zeros(size[::-1], np.uint8)
    assert coarse_box(alpha) is None
    alpha[size[1] // 2 :, size[0] // 2 :] = 255
    x0, y0, x1, y1 = coarse_box(alpha)
    assert x0 <= size[0] // 2 + 4
    assert y0 <= size[1] // 2 + 4
    assert (x1, y1) == size


def skin_person(rgb=(198, 145, 116)):
    pixels = picture(7)
    pixels[40:90, 60:100] = rgb
    return pixels


def table_of(matcher, pixels, *, time_s=0.0):
    return matcher.table(pixels, person(), picture(2, 200), plate_key="a", is_static=True, time_s=time_s)


def test_frozen_curve_stays_while_the_picture_changes_and_rematch_jumps_and_holds(engine):
    matcher = Matcher(engine)
    held = table(matcher, time_s=0.0, pixels=7)
    matcher.frozen = True
    for i in range(1, 4):
        assert np.array_equal(table(matcher, time_s=i / 25, pixels=8), held)
    matcher.rematch()
    jumped = table(matcher, time_s=0.2, pixels=8)
    assert np.array_equal(jumped, table(Matcher(engine), time_s=0.2, pixels=8))
    assert not np.array_equal(jumped, held)
    assert np.array_equal(table(matcher, time_s=0.24, pixels=7), jumped)


def test_cut_while_frozen_keeps_the_curve(engine):
    matcher = Matcher(engine)
    held = table(matcher, time_s=0.0, pixels=7)
    matcher.frozen = True
    matcher.reset()
    assert np.array_equal(table(matcher, time_s=0.04, pixels=8), held)


def test_frozen_before_anything_was_shown_holds_the_first_curve(engine):
    matcher = Matcher(engine)
    matcher.frozen = True
    first = table(matcher, time_s=0.0, pixels=7)
    assert first is not None
    assert np.array_equal(table(matcher, time_s=0.04, pixels=8), first)


def test_strength_may_be_changed_while_frozen(engine):
    matcher = Matcher(engine)
    table(matcher, time_s=0.0)
    matcher.frozen = True
    matcher.settings = MatchSettings(strength=0.0)
    assert np.array_equal(table(matcher, time_s=0.04)[:, 1], np.arange(256))


def test_thawed_curve_follows_again(engine):
    matcher = Matcher(engine, MatchSettings(smoothing=SmoothingSettings("none")))
    held = table(matcher, time_s=0.0, pixels=7)
    matcher.frozen = True
    table(matcher, time_s=0.04, pixels=8)
    matcher.frozen = False
    assert not np.array_equal(table(matcher, time_s=0.08, pixels=8), held)


def test_estimate_holds_again_only_for_its_own_plate(engine):
    settings = MatchSettings(smoothing=SmoothingSettings("none"))
    matcher = Matcher(engine, settings)
    first = matcher.table(picture(7), person(), picture(0, 120), plate_key="a", is_static=True, time_s=0.0)
    dark = picture(8, 60)
    kept = matcher.table(dark, person(), picture(0, 120), plate_key="a", is_static=True, time_s=0.04, again=True)
    assert np.array_equal(kept, first)
    other = matcher.table(dark, person(), picture(2, 240), plate_key="b", is_static=True, time_s=0.08, again=True)
    fresh = Matcher(engine, settings).table(dark, person(), picture(2, 240), plate_key="b", is_static=True, time_s=0.08)
    assert np.array_equal(other, fresh)
    assert engine.embedded == 3


def test_changed_smoothing_goes_on_from_the_curve_shown(engine):
    matcher = Matcher(engine, MatchSettings(smoothing=SmoothingSettings("ema", tau_s=1.0)))
    start = table(matcher, time_s=0.0, pixels=7).astype(int)
    target = table(Matcher(engine), time_s=0.0, pixels=8).astype(int)
    matcher.settings = MatchSettings(smoothing=SmoothingSettings("ema", tau_s=2.0))
    step = table(matcher, time_s=0.04, pixels=8).astype(int)
    assert np.abs(step - start).max() < np.abs(step - target).max()


def test_another_subject_is_estimated_anew_even_while_all_stands_still(engine):
    from harmonizer import SemanticClass

    matcher = Matcher(engine, MatchSettings(smoothing=SmoothingSettings("none")))
    still = {"plate_key": "a", "is_static": True, "again": True}
    matcher.table(picture(7), person(), picture(0), time_s=0.0, **still)
    matcher.settings = MatchSettings(smoothing=SmoothingSettings("none"), label=SemanticClass.FOOD)
    asked = []
    engine.estimate = lambda *args, **options: asked.append(options["label"])
    matcher.table(picture(7), person(), picture(0), time_s=0.04, **still)
    assert asked == [SemanticClass.FOOD]


def hue_shift(curve, rgb):
    change = np.array([int(curve[level, c]) - level for c, level in enumerate(rgb)], float)
    return np.abs(change - change.mean()).max()


def test_protected_skin_keeps_its_hue_and_takes_the_brightness(engine):
    rgb = (198, 145, 116)
    free = table_of(Matcher(engine), skin_person(rgb))
    safe = table_of(Matcher(engine, MatchSettings(protect_skin=1.0)), skin_person(rgb))
    assert hue_shift(free, rgb) > 4
    steps = np.diff(safe.astype(int) - np.arange(256)[:, None], axis=1)
    assert np.abs(steps).max() <= 1
    assert np.abs(safe.astype(float).mean(axis=1) - free.astype(float).mean(axis=1)).max() < 2


def test_without_skin_or_wish_the_table_is_the_same_to_the_bit(engine):
    no_skin = np.where(person()[..., None] > 0, np.uint8((30, 60, 160)), picture(7)).astype(np.uint8)
    plain = table_of(Matcher(engine), no_skin)
    assert np.array_equal(table_of(Matcher(engine, MatchSettings(protect_skin=1.0)), no_skin), plain)
    free = table_of(Matcher(engine), skin_person())
    matcher = Matcher(engine, MatchSettings(protect_skin=1.0))
    assert not np.array_equal(table_of(matcher, skin_person()), free)
    matcher.settings = MatchSettings(protect_skin=0.0)
    assert np.array_equal(table_of(matcher, skin_person()), free)
