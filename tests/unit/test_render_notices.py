from dataclasses import replace

import pytest

from app.pipeline.render import RenderResult
from app.pipeline.render_notices import notices_of

CLEAN = RenderResult(
    frames=10,
    frames_without_person=0,
    seconds=1.0,
    stages_ms={},
    peak_rss_mb=100.0,
    padded=(0, 0),
    audio_packets=3,
    audio_cut_short=False,
)


def test_nothing_is_said_of_a_clean_render():
    assert notices_of(CLEAN, None) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"frames_without_person": 4}, "4 of 10"),
        ({"padded": (1, 0)}, "1 x 0 px"),
        ({"audio_cut_short": True}, "sound"),
    ],
)
def test_each_fact_is_said_once(change, said):
    (notice,) = notices_of(replace(CLEAN, **change), None)
    assert said in notice
