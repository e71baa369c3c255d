import numpy as np
import pytest

from app.pipeline.live.live_stats import LiveStats
from app.pipeline.live.notices import QUIET_S, Repeats
from app.pipeline.live.rate import RateCap


def finish(stats, times_s, *, held=False, is_cover=False):
    for time_s in times_s:
        stats.finished(time_s, held=held, is_cover=is_cover)


def test_rate_is_that_of_the_last_two_seconds():
    stats = LiveStats()
    finish(stats, np.arange(0, 3, 1 / 10))
    finish(stats, np.arange(3, 6, 1 / 30))
    assert stats.figures(6.0).fps == pytest.approx(30, rel=0.02)
    assert stats.figures(20.0).fps == 0


def test_latencies_are_percentiles_of_what_was_shown():
    stats = LiveStats()
    assert stats.figures(0.0).latency_p50_ms is None
    for latency_ms in range(1, 101):
        stats.shown(10.0, 10.0 + latency_ms / 1000)
    figures = stats.figures(11.0)
    assert figures.latency_p50_ms == pytest.approx(50.5)
    assert figures.latency_p95_ms == pytest.approx(95.05)


def test_causes_are_counted_apart_and_added_to_those_counted_elsewhere():
    stats = LiveStats()
    stats.dropped("a")
    stats.dropped("a", 2)
    stats.dropped("b")
    stats.dropped("c", 0)
    assert stats.figures(0.0, elsewhere={"a": 4, "d": 5, "e": 0}).drops == {"a": 7, "b": 1, "d": 5}


def test_held_and_covered_are_counted_among_all_and_reset_forgets():
    stats = LiveStats()
    finish(stats, [0.0, 0.1], held=True)
    finish(stats, [0.2, 0.3])
    finish(stats, [0.4], is_cover=True)
    figures = stats.figures(0.5)
    assert (figures.frames, figures.held, figures.covered) == (5, 2, 1)
    assert figures.held_share == pytest.approx(0.4)
    stats.reset()
    empty = stats.figures(0.5)
    assert (empty.frames, empty.fps, empty.held_share, empty.drops) == (0, 0.0, 0.0, {})


def passed(times_s, rate_hz):
    cap = RateCap()
    return [time_s for time_s in times_s if cap.allows(time_s, rate_hz=rate_hz)]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("camera_hz", [25.0, 29.97, 30.0, 30.2])
def test_cap_drops_no_frame_of_an_uneven_camera_at_the_rate_wished(seed, camera_hz):
    rng = np.random.default_rng(seed)
    times_s = np.sort(100 + np.arange(900) / camera_hz + rng.uniform(-0.014, 0.014, 900))
    assert len(passed(times_s, 30)) == 900


def test_frame_that_was_held_up_does_not_cost_the_one_after_it():
    times_s = np.arange(100) / 30
    times_s[50] += 0.05
    times_s[51:53] = np.maximum(times_s[51:53], times_s[50] + 0.001)
    assert len(passed(np.sort(times_s), 30)) == 100


@pytest.mark.parametrize(("camera_hz", "wished_hz"), [(60, 30), (30, 15), (30, 24), (120, 60)])
def test_cap_lets_through_the_wished_share_of_a_faster_camera(camera_hz, wished_hz):
    rng = np.random.default_rng(1)
    times_s = np.arange(20 * camera_hz) / camera_hz + rng.uniform(-0.002, 0.002, 20 * camera_hz)
    kept = passed(times_s, wished_hz)
    assert len(kept) == pytest.approx(20 * wished_hz, rel=0.02)
    assert max(np.diff(kept)) < 2.6 / wished_hz


def test_cap_goes_on_after_a_long_pause_without_a_burst():
    times_s = [*np.arange(60) / 60, *(1000 + np.arange(600) / 60)]
    kept = [t for t in passed(times_s, 30) if t >= 1000]
    assert len(kept) == pytest.approx(300, abs=8)


def test_failure_that_goes_on_is_news_once_and_again_after_a_quiet_time():
    repeats = Repeats()
    frames_s = np.arange(0, 10, 1 / 30)
    assert [repeats.is_news("broken", t) for t in frames_s].count(True) == 1
    assert not repeats.is_news("broken", 10.0 + 0.9 * QUIET_S)
    assert repeats.is_news("broken", 10.0 + 2.5 * QUIET_S)


def test_two_failures_in_turn_are_each_said_once():
    repeats = Repeats()
    said = [text for i in range(100) if repeats.is_news(text := "ab"[i % 2], i / 30)]
    assert said == ["a", "b"]


def test_failure_is_said_again_after_another_one_took_its_place():
    repeats = Repeats()
    said = [text for i in range(300) if repeats.is_news(text := "aba"[i // 100], i / 10)]
    assert said == ["a", "b", "a"]
