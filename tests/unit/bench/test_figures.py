import time

import pytest

from app.pipeline.bench.figures import StageTimes, line_fit, percentiles, rss_facts, slope


def test_a_line_is_found_with_its_slope_and_offset_and_explains_everything():
    fit = line_fit([1.0, 2.0, 4.0], [5.0, 7.0, 11.0])
    assert fit.slope == pytest.approx(2)
    assert fit.offset == pytest.approx(3)
    assert fit.r2 == pytest.approx(1)


def test_r2_is_what_a_line_explains_of_points_that_are_on_none():
    # By hand: the best line through (0,0) (1,2) (2,1) is 0.5 x + 0.5; residuals 0.5, 1, 0.5; spread 2.
    assert line_fit([0.0, 1.0, 2.0], [0.0, 2.0, 1.0]).r2 == pytest.approx(1 - 1.5 / 2)


def test_a_square_is_told_from_a_line():
    xs = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert line_fit(xs, [x**3 for x in xs]).r2 < 0.95


def test_equal_values_are_a_flat_line():
    fit = line_fit([1.0, 2.0], [7.0, 7.0])
    assert fit.slope == pytest.approx(0)
    assert fit.r2 == 1


@pytest.mark.parametrize(("xs", "ys"), [([1.0], [1.0]), ([2.0, 2.0], [1.0, 3.0]), ([1.0, 2.0], [1.0])])
def test_what_is_no_line_is_refused(xs, ys):
    with pytest.raises(ValueError, match="two different points"):
        line_fit(xs, ys)


def test_a_steady_rise_is_found_and_a_flat_line_has_none():
    assert slope([0.0, 1.0, 2.0], [5.0, 7.0, 9.0]) == pytest.approx(2)
    assert slope([0.0, 1.0, 2.0], [5.0, 5.0, 5.0]) == pytest.approx(0)
    assert slope([0.0], [5.0]) == 0


def test_memory_that_grows_at_first_and_then_holds_has_no_late_slope():
    facts = rss_facts([(0.0, 100.0), (1.0, 110.0), (2.0, 125.0), (3.0, 120.0), (4.0, 120.0), (5.0, 120.0)])
    assert facts["rss_mb"] == 125
    assert facts["rss_start_mb"] == 100
    assert facts["rss_end_mb"] == 120
    assert facts["rss_slope_mb_min"] > 0
    assert facts["rss_slope_late_mb_min"] == pytest.approx(0)


def test_percentiles_of_nothing_are_none():
    assert percentiles([], (50, 95)) == [None, None]
    assert percentiles([1.0, 2.0, 3.0], (50,)) == [2.0]


def clock_of(monkeypatch, calls_ms):
    """A stage clock that found these (wall, CPU) ms, in calls of one stage."""
    now = {"wall": 0.0, "cpu": 0.0}
    monkeypatch.setattr(time, "perf_counter", lambda: now["wall"])
    monkeypatch.setattr(time, "process_time", lambda: now["cpu"])
    times = StageTimes()
    for wall_ms, cpu_ms in calls_ms:
        with times.time("work"):
            now["wall"] += wall_ms / 1000
            now["cpu"] += cpu_ms / 1000
    return times


def test_stages_are_timed_by_wall_and_by_cpu(monkeypatch):
    times = clock_of(monkeypatch, [(2.0, 1.0), (4.0, 1.0), (6.0, 4.0)])
    figures = times.figures()["work"]
    assert (figures.ms, figures.mean_ms, figures.cpu_ms) == (4.0, 4.0, 1.0)
    assert figures.p95_ms == pytest.approx(5.8)
    assert figures.cpu_p95_ms == pytest.approx(3.7)
    assert times.medians_ms() == {"work": 4.0}


def test_the_first_calls_are_left_out_but_never_more_than_a_quarter(monkeypatch):
    assert clock_of(monkeypatch, [(100.0, 1.0), *[(1.0, 1.0)] * 3]).figures()["work"].mean_ms == 1.0
    assert clock_of(monkeypatch, [*[(100.0, 1.0)] * 5, *[(1.0, 1.0)] * 35]).figures()["work"].mean_ms == 1.0


def test_a_stage_that_fails_is_counted_too(monkeypatch):
    times = StageTimes()
    with pytest.raises(RuntimeError), times.time("work"):
        raise RuntimeError
    assert list(times.figures()) == ["work"]
