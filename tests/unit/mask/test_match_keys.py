import numpy as np
import pytest

from app.pipeline.matching import Matcher, MatchKey, MatchSettings
from harmonizer import SmoothingSettings
from harmonizer.curves import fold, lut8

SLOW = MatchSettings(strength=0.8, smoothing=SmoothingSettings("ema", tau_s=1.0))


def bent(level):
    """Knots of a curve through (0.5, level) in every channel."""
    return np.tile(np.array([0.0, level, 1.0]), (1, 3, 1))


def table_of(knots, strength):
    return lut8(fold(knots, strength=strength))


def matcher(key_at=None, settings=SLOW):
    made = Matcher(None, settings)
    made.key_at = key_at
    return made


def between(start_s, end_s, key):
    return lambda time_s: key if start_s <= time_s <= end_s else None


def run(one, levels, step_s=0.1):
    return [one.settle(bent(level), index * step_s) for index, level in enumerate(levels)]


def test_without_a_key_nothing_is_another_table():
    assert np.array_equal(run(matcher(), [0.3, 0.6])[1], run(matcher(lambda _: None), [0.3, 0.6])[1])


def test_a_strength_counts_in_place_of_the_settings():
    (table,) = run(matcher(between(0, 1, MatchKey(strength=0.25))), [0.3])
    assert np.array_equal(table, table_of(bent(0.3), 0.25))


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_strengths_at_the_ends(strength):
    (table,) = run(matcher(between(0, 1, MatchKey(strength=strength))), [0.3])
    assert np.array_equal(table, table_of(bent(0.3), strength))


def test_a_locked_curve_holds_with_the_strength_that_is_set():
    (table,) = run(matcher(between(0, 1, MatchKey(knots=bent(0.9)))), [0.3])
    assert np.array_equal(table, table_of(bent(0.9), 0.8))
    (table,) = run(matcher(between(0, 1, MatchKey(0.5, bent(0.9)))), [0.3])
    assert np.array_equal(table, table_of(bent(0.9), 0.5))


def test_a_curve_locked_as_a_table_comes_back_to_the_last_level():
    found = fold(bent(0.3))
    (table,) = run(matcher(between(0, 1, MatchKey(1.0, np.round(found, 5)[np.newaxis]))), [0.7])
    assert np.array_equal(table, table_of(bent(0.3), 1.0))


def test_the_curve_is_followed_meanwhile_and_goes_on_smoothly_afterwards():
    levels = [0.3, 0.7, 0.4, 0.6, 0.5, 0.2]
    free = run(matcher(), levels)
    keyed = run(matcher(between(0.15, 0.35, MatchKey(knots=bent(0.9)))), levels)
    for index in (0, 1, 4, 5):
        assert np.array_equal(free[index], keyed[index])
    for index in (2, 3):
        assert np.array_equal(keyed[index], table_of(bent(0.9), 0.8))


def test_what_is_shown_is_the_curve_found_whatever_is_keyed():
    keyed, free = matcher(between(0, 9, MatchKey(0.1, bent(0.9)))), matcher()
    assert keyed.shown is None
    for one in (keyed, free):
        run(one, [0.3, 0.7])
    assert np.array_equal(keyed.shown, free.shown)


def test_with_nobody_there_no_key_makes_a_table():
    assert matcher(between(0, 9, MatchKey(knots=bent(0.9)))).settle(None, 0.0) is None


def test_a_frozen_match_stays_the_one_that_was_found():
    one = matcher(between(0, 9, MatchKey(knots=bent(0.9))))
    run(one, [0.3])
    one.frozen = True
    alpha = np.full((8, 8), 255, np.uint8)
    pixels = np.zeros((8, 8, 3), np.uint8)
    table = one.table(pixels, alpha, pixels, plate_key="a", is_static=True, time_s=0.1)
    assert np.array_equal(table, table_of(bent(0.3), 0.8))


def test_skin_is_protected_from_a_locked_curve_too():
    reddish = np.concatenate([bent(0.9)[:, :1], bent(0.5)[:, 1:2], bent(0.3)[:, 2:]], axis=1)
    tables = []
    for protect in (0.0, 1.0):
        one = matcher(between(0, 9, MatchKey(knots=reddish)), MatchSettings(protect_skin=protect))
        one._skin = (0.0, np.array([0.75, 0.55, 0.45]))
        tables += run(one, [0.5])
    assert not np.array_equal(*tables)
