import json
import math

import numpy as np
import pytest

from app.cli import main
from app.domain.frame import Frame
from app.pipeline.bench import lookahead
from app.pipeline.bench.clips import ClipWish, clip_for
from app.pipeline.bench.lookahead import Pair
from harmonizer.curves import identity_knots


def test_ratios_of_nothing_are_no_error():
    assert Pair(6.0, 2.0).ratio == 3
    assert Pair(1.0, 0.0).ratio == math.inf
    assert math.isnan(Pair(0.0, 0.0).ratio)


def looks(values, every=3):
    """Frames at rest whose estimated curve is lifted by a value each."""
    nothing = np.zeros((8, 8, 3), np.uint8)
    for i, value in enumerate(values):
        frame = Frame(nothing, i, lookahead._STILL_TICK, i)
        estimate = (identity_knots() * 0.5 + value, 0.2) if i % every == 0 else None
        yield lookahead._Look(frame, nothing, np.zeros((8, 8), np.float32), i == 0, estimate)


def test_settling_lag_and_flicker_are_told_from_the_curves():
    count, rng = lookahead.STILL_FRAMES, np.random.default_rng(0)
    step = np.where(np.arange(count) < count // 2, 0.1, 0.3) + 0.003 * rng.standard_normal(count)
    seen = list(looks(step))
    raw, causal, ahead = (
        lookahead._causal(seen, lookahead.SmoothingSettings("none")),
        lookahead._causal(seen),
        lookahead._ahead(seen),
    )
    assert lookahead._curve_flicker(ahead, seen) < lookahead._curve_flicker(causal, seen)
    assert lookahead._settling_s(ahead, raw, seen) <= lookahead._settling_s(causal, raw, seen)
    assert lookahead._lag_s(raw, raw, seen) == 0
    late = [raw[max(0, i - 4)] for i in range(count)]
    assert lookahead._lag_s(late, raw, seen) == pytest.approx(4 / 30)


def test_the_command_measures_a_clip(capsys, monkeypatch):
    monkeypatch.setattr(lookahead, "STILL_FRAMES", 70)
    monkeypatch.setattr(lookahead, "_SWITCH", 35)
    with clip_for(ClipWish(size=(320, 180), frames=40)) as clip:
        assert main(["bench", "lookahead", str(clip), "--frames", "40", "--json"]) == 0
    report = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    (figures,) = report["clips"]
    assert figures["frames"] == 40
    assert figures["curve_flicker"]["ahead"] < figures["curve_flicker"]["causal"]
    assert figures["cell_flicker"]["ahead"] < figures["cell_flicker"]["causal"]
