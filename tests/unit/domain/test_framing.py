import numpy as np
import pytest

from app.domain.framing import Person, find_person, follow, framed
from app.domain.placement import Placement, apply_placement

FRAME = (640, 360)


def person_alpha(centre_x, top, *, width=0.2, bottom=1.0, size=FRAME):
    alpha = np.zeros((size[1], size[0]), np.uint8)
    left, right = (round((centre_x + sign * width / 2) * size[0]) for sign in (-1, 1))
    alpha[round(top * size[1]) : round(bottom * size[1]), max(0, left) : right] = 255
    return alpha


def run(alphas, framing=None, start_s=0.0):
    path = []
    for i, alpha in enumerate(alphas):
        framing = follow(framing, find_person(alpha), time_s=start_s + i / 30)
        path.append(framing)
    return path


def test_person_is_found_and_nobody_is_none():
    found = find_person(person_alpha(0.3, 0.25))
    assert found.centre_x == pytest.approx(0.3, abs=0.02)
    assert found.top == pytest.approx(0.25, abs=0.03)
    assert found.bottom == 1.0
    assert find_person(np.zeros((360, 640), np.uint8)) is None


def test_arm_stretched_out_below_the_head_does_not_move_the_middle():
    alpha = person_alpha(0.5, 0.2)
    alpha[260:300, 320:630] = 255
    assert find_person(alpha).centre_x == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("by_hand", [1.0, 0.8])
@pytest.mark.parametrize("out_size", [(640, 360), (640, 480), (480, 480), (960, 360)])
def test_person_stands_in_the_middle_of_the_output(out_size, mirror, by_hand):
    alpha = person_alpha(0.3, 0.4, bottom=0.9)
    placement = Placement(scale=by_hand, mirror=mirror)
    there = framed(placement, run([alpha])[-1], frame_size=FRAME, out_size=out_size)
    _, placed = apply_placement(np.zeros((*alpha.shape, 3), np.uint8), alpha, there, out_size)
    rows, columns = np.nonzero(placed > 127)
    assert (columns.min() + columns.max() + 1) / 2 == pytest.approx(out_size[0] / 2, abs=0.02 * out_size[0])
    assert rows.max() + 1 == pytest.approx(out_size[1], abs=0.04 * out_size[1])


def test_frame_waits_while_a_person_only_leans():
    path = run([person_alpha(0.5 + 0.03 * np.sin(i / 5), 0.3) for i in range(90)])
    assert len({(round(f.scale, 6), round(f.offset_x, 6)) for f in path}) == 1


def test_frame_follows_a_step_gently_and_arrives():
    path = run([person_alpha(0.3, 0.3)] * 10 + [person_alpha(0.7, 0.3)] * 120)
    offsets = np.array([f.offset_x for f in path])
    whole = abs(offsets[-1] - offsets[0])
    assert whole > 0.3
    assert np.abs(np.diff(offsets)).max() < 0.07 * whole
    assert (np.diff(offsets[9:]) <= 1e-12).all()
    assert 0.45 * whole < abs(offsets[10 + 12] - offsets[0]) < 0.55 * whole
    assert path[-1].scale * (0.5 - 0.7) == pytest.approx(offsets[-1], abs=0.04)


def test_nobody_there_holds_the_frame_and_coming_back_does_not_jump():
    path = run([person_alpha(0.3, 0.3)] * 5 + [np.zeros((360, 640), np.uint8)] * 300 + [person_alpha(0.7, 0.3)])
    assert path[4].offset_x == path[304].offset_x
    assert abs(path[305].offset_x - path[304].offset_x) < 0.03
    assert follow(None, None, time_s=1.0) is None


def test_zoom_and_shift_never_leave_their_limits():
    rng = np.random.default_rng(3)
    framing = None
    for i in range(400):
        top = rng.uniform(0, 0.99)
        person = Person(rng.uniform(0, 1), top, rng.uniform(top, 1.0))
        framing = follow(framing, person, time_s=i * rng.choice((0.03, 0.5, 0.0)))
        assert 1.0 <= framing.scale <= 2.5
        assert abs(framing.offset_x) <= 1.25
        assert 0 <= framing.offset_y <= 2.5


def test_without_a_frame_the_placement_is_that_set_by_hand():
    placement = Placement(scale=0.7, offset_x=0.1)
    assert framed(placement, None, frame_size=FRAME, out_size=FRAME) is placement
