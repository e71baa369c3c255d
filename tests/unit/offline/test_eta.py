import pytest

from app.pipeline.offline.eta import Estimator


class Clock:
    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        return self.now_s


def run(costs, frames, *, guess=None):
    """ETA against the truth at every tenth of the way; two workers are one that is twice as fast."""
    clock = Clock()
    estimator = Estimator({"analyse": frames, "render": frames}, total=2 * frames, now_s=clock)
    estimator.guess(guess or {})
    whole_s = frames * sum(costs.values())
    errors = {}
    for stage in ("analyse", "render"):
        estimator.begin(stage)
        for done in range(1, frames + 1):
            clock.now_s += costs[stage]
            estimator.within(stage, (done - 1) // 100, (done - 1) % 100 + 1)
            progress = estimator.progress(stage)
            left_s = whole_s - clock.now_s
            share = round(10 * clock.now_s / whole_s)
            if progress.eta_s is not None and left_s > 0.05 * whole_s:
                errors.setdefault(share, []).append(abs(progress.eta_s - left_s) / left_s)
    return errors, progress


def test_eta_is_honest_after_a_tenth_when_a_trial_told_the_costs():
    errors, progress = run({"analyse": 0.01, "render": 0.03}, 1000, guess={"analyse": 0.011, "render": 0.028})
    assert max(max(e) for share, e in errors.items() if share >= 1) < 0.15
    assert progress.done == progress.total == 2000


def test_without_a_trial_the_first_pass_says_something_about_the_second():
    errors, _ = run({"analyse": 0.01, "render": 0.02}, 1000)
    assert max(max(e) for share, e in errors.items() if share >= 1) < 0.3


def test_a_pause_is_no_pace():
    clock = Clock()
    estimator = Estimator({"analyse": 100, "render": 0}, total=100, now_s=clock)
    estimator.begin("analyse")
    clock.now_s += 1
    estimator.within("analyse", 0, 50)
    clock.now_s += 1000
    estimator.held(1000)
    clock.now_s += 0.2
    estimator.within("analyse", 0, 60)
    assert estimator.progress("analyse").eta_s == pytest.approx(0.8, rel=0.01)


def test_a_segment_that_is_done_again_does_not_count_twice():
    estimator = Estimator({"analyse": 10, "render": 0}, total=10)
    estimator.begin("analyse")
    for frames in (3, 8, 2, 9):
        estimator.within("analyse", 0, frames)
    assert estimator.progress("analyse").done == 9
