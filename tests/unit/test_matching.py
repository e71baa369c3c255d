import numpy as np
import pytest

from app.pipeline.matching import MOVING_PLATE_REFRESH_S, Matcher, MatchSettings, apply_table, coarse_box
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
