import cv2
import numpy as np

from app.domain.edge_view import edges_over

PINK = np.array((255, 60, 172))


def scene():
    rng = np.random.default_rng(0)
    return rng.integers(60, 200, (90, 160, 3)).astype(np.uint8)


def disc(softness=0):
    alpha = np.zeros((90, 160), np.uint8)
    cv2.circle(alpha, (80, 45), 25, 255, -1)
    return cv2.GaussianBlur(alpha, (0, 0), softness) if softness else alpha


def test_inside_is_the_picture_and_outside_the_dimmed_one():
    shown, alpha = edges_over(scene(), disc()), disc()
    far_in = cv2.erode(alpha, np.ones((7, 7))) == 255
    far_out = cv2.dilate(alpha, np.ones((7, 7))) == 0
    assert np.array_equal(shown[far_in], scene()[far_in])
    assert np.abs(shown[far_out] - 0.35 * scene()[far_out]).max() <= 1.5


def test_half_coverage_is_coloured_most():
    alpha = disc(softness=6)
    distance = np.abs(edges_over(scene(), alpha).astype(int) - PINK).max(axis=2)
    half = np.abs(alpha.astype(int) - 128) < 6
    nearly_full = alpha > 245
    assert half.any()
    assert distance[half].max() < 20
    assert np.median(distance[nearly_full]) > 60


def test_hard_edge_has_a_thin_line_all_around():
    shown = edges_over(scene(), disc())
    pink = np.abs(shown.astype(int) - PINK).max(axis=2) < 3
    contours, _ = cv2.findContours(disc(), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    edge = contours[0][:, 0]
    assert pink[edge[:, 1], edge[:, 0]].all()
    assert pink.sum() < 3 * len(edge)


def test_nobody_and_everybody_have_no_edge():
    assert np.array_equal(edges_over(scene(), np.full((90, 160), 255, np.uint8)), scene())
    nobody = edges_over(scene(), np.zeros((90, 160), np.uint8))
    assert np.abs(nobody - 0.35 * scene()).max() <= 1.5
