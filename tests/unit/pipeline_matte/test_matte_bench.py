import numpy as np
import pytest

from app.domain.errors import ExitCode, UserError
from app.pipeline.bench.matte import bench_matte
from app.pipeline.moving_people import FRAMINGS, render_clip, scenes

SIZE = (640, 360)


@pytest.fixture(scope="module")
def report(request):
    data = request.getfixturevalue("shared_data")
    return bench_matte(data, clips=3, frames=4, size=SIZE)


def test_refinement_beats_bilinear_and_the_usual_guided_filter_in_every_measure(report):
    bilinear, guided, _whole, ours = report.methods
    for other in (bilinear, guided):
        assert ours.iou > other.iou
        assert ours.mad < other.mad
        assert ours.edge_mad < other.edge_mad
        assert ours.flicker < other.flicker


def test_on_the_same_network_output_refinement_alone_beats_both(report):
    bilinear, guided, whole, _ours = report.methods
    for other in (bilinear, guided):
        assert whole.edge_mad < other.edge_mad
        assert whole.flicker < other.flicker


def test_the_report_prints_as_a_table_and_as_json(report):
    assert [row[0] for row in report.rows()] == [m.name for m in report.methods]
    assert {len(row) for row in report.rows()} == {len(report.headers())}
    assert report.as_dict()["methods"][0]["name"] == "bilinear"
    assert (report.clips, report.frames, report.split) == (3, 4, "held-out")


def test_clips_are_the_same_every_time_and_move(shared_data):
    scene = next(scenes(shared_data, split="tuning", count=1, size=SIZE))
    once, again = ([f.pixels for f, _, _ in render_clip(scene, 3)] for _ in range(2))
    np.testing.assert_array_equal(once, again)
    assert np.abs(once[0].astype(int) - once[2]).max() > 60


def test_truth_composite_and_foreground_fit_together(shared_data):
    for scene in scenes(shared_data, split="tuning", count=len(FRAMINGS), size=SIZE):
        frame, alpha, foreground = next(render_clip(scene, 1))
        assert alpha.shape == (360, 640)
        assert alpha.max() == 255
        inside, outside = alpha == 255, alpha == 0
        assert np.abs(frame.pixels[inside].astype(int) - foreground[inside]).mean() < 3
        assert np.abs(frame.pixels[outside].astype(int) - scene.plate[outside]).mean() < 3


def test_the_halves_share_neither_people_nor_plates(shared_data):
    halves = [
        [(s.person.alpha.tobytes(), s.plate.tobytes()) for s in scenes(shared_data, split=split, count=4, size=SIZE)]
        for split in ("tuning", "held-out")
    ]
    for kind in (0, 1):
        assert not {pair[kind] for pair in halves[0]} & {pair[kind] for pair in halves[1]}


def test_a_folder_without_people_is_refused(tmp_path):
    with pytest.raises(UserError, match="people and backgrounds") as caught:
        bench_matte(tmp_path, clips=1, frames=1)
    assert caught.value.code == ExitCode.BAD_INPUT
