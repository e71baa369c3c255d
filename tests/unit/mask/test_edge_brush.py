import importlib

import cv2
import numpy as np
import pytest

from app.domain.mask.brush import BrushSettings, Stroke
from app.domain.mask.edge_brush import edge_values
from app.domain.mask.planes import NOWHERE, Box, Planes, box_of, corrected, painted
from app.pipeline.mask import edge_matting
from app.pipeline.mask.edge_matting import refined_edge

SIZE = (200, 160)


def hair(seed=1):
    """-> pixels, true alpha, the rough alpha of a model, and a band around the strands."""
    rng = np.random.default_rng(seed)
    large = np.zeros((640, 800), np.uint8)
    cv2.circle(large, (400, 640), 280, 255, -1)
    for angle in rng.uniform(-2.6, -0.5, 90):
        start = np.array([400, 640]) + 260 * np.array([np.cos(angle), np.sin(angle)])
        lean = angle + rng.normal(0, 0.3)
        end = start + rng.uniform(60, 150) * np.array([np.cos(lean), np.sin(lean)])
        cv2.line(large, start.astype(int).tolist(), end.astype(int).tolist(), 255, 5, cv2.LINE_AA)
    truth = cv2.resize(large, SIZE, interpolation=cv2.INTER_AREA)
    rows, columns = np.mgrid[:160, :200]
    ground = np.stack([150 + 40 * np.sin(columns / 37), 160 + 30 * np.cos(rows / 29), 140 + columns / 10], -1)
    part = truth[..., None] / 255
    pixels = part * np.array([70, 45, 30]) + (1 - part) * ground + rng.normal(0, 2, (160, 200, 3))
    rough = np.clip(cv2.GaussianBlur(truth.astype(float), (0, 0), 7), 0, 255).astype(np.uint8)
    band = np.zeros_like(truth)
    cv2.circle(band, (100, 160), 112, 255, -1)
    cv2.circle(band, (100, 160), 55, 0, -1)
    return np.clip(pixels, 0, 255).astype(np.uint8), truth, rough, band


def difference(alpha, truth, band):
    return np.abs(alpha.astype(float) - truth)[band > 0].mean()


def laid_over(alpha, band, box, values):
    planes = painted(Planes.empty(SIZE).at(box), band[box.rows_columns], values)
    result = alpha.copy()
    result[box.rows_columns] = corrected(alpha[box.rows_columns], planes)
    return result


@pytest.mark.parametrize("seed", [1, 2])
def test_it_finds_the_strands_that_the_model_has_blurred(seed):
    pixels, truth, rough, band = hair(seed)
    box, values = edge_values(pixels, rough, band, box_of(band))
    found = laid_over(rough, band, box, values)
    assert difference(found, truth, band) < 0.4 * difference(rough, truth, band)
    np.testing.assert_array_equal(found[band == 0], rough[band == 0])


def test_closed_form_matting_does_it_no_worse():
    pytest.importorskip("pymatting")
    pixels, truth, rough, band = hair()
    box, values = edge_values(pixels, rough, band, box_of(band))
    refined = refined_edge(pixels, rough, band, box_of(band))
    assert (refined.method, refined.reason, refined.box) == ("closed-form", "", box)
    fast = laid_over(rough, band, box, values)
    finer = laid_over(rough, band, box, refined.values)
    assert difference(finer, truth, band) < 1.05 * difference(fast, truth, band)


@pytest.mark.parametrize("trouble", ["too large", "missing", "fails"])
def test_the_fast_version_steps_in_and_the_reason_is_given(trouble, monkeypatch):
    pixels, _, rough, band = hair()
    box, values = edge_values(pixels, rough, band, box_of(band))

    class GivesUp:
        def cf_laplacian(self, *_, **__):
            raise ValueError("did not converge")

    def imported(name):
        if trouble == "missing":
            raise ImportError(name)
        return GivesUp()

    if trouble != "too large":
        monkeypatch.setattr(importlib, "import_module", imported)
    limit = 1000 if trouble == "too large" else edge_matting.MAX_PX
    refined = refined_edge(pixels, rough, band, box_of(band), max_px=limit)
    assert refined.method == "guided"
    assert refined.reason
    assert refined.box == box
    np.testing.assert_array_equal(refined.values, values)


def test_a_stroke_is_a_band():
    pixels, truth, rough, _ = hair()
    stroke = Stroke(SIZE, BrushSettings(size_px=60, hardness=1))
    stroke.extend(40, 90)
    stroke.extend(100, 60)
    stroke.extend(160, 90)
    box, values = edge_values(pixels, rough, stroke.coverage, stroke.box)
    found = laid_over(rough, stroke.coverage, box, values)
    assert difference(found, truth, stroke.coverage) < 0.6 * difference(rough, truth, stroke.coverage)


def test_an_empty_band_changes_nothing():
    pixels, _, rough, band = hair()
    for box in (NOWHERE, Box(0, 0, 10, 10), Box(500, 500, 600, 600)):
        assert edge_values(pixels, rough, np.zeros_like(band), box)[0] == NOWHERE
        assert refined_edge(pixels, rough, np.zeros_like(band), box).box == NOWHERE


@pytest.mark.parametrize("size", [(1, 1), (1, 30), (30, 1), (7, 5)])
def test_a_band_over_the_whole_of_a_tiny_frame_is_no_trouble(size):
    width, height = size
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    alpha = np.full((height, width), 200, np.uint8)
    band = np.full((height, width), 255, np.uint8)
    box, values = edge_values(pixels, alpha, band, Box(0, 0, width, height))
    assert box == Box(0, 0, width, height)
    assert values.shape == alpha.shape
    assert refined_edge(pixels, alpha, band, Box(0, 0, width, height)).values.shape == alpha.shape


def test_values_of_their_own_are_laid_by_the_coverage():
    values = np.array([[0, 100, 200, 255]], np.uint8)
    coverage = np.array([[0, 128, 255, 255]], np.uint8)
    planes = painted(Planes.empty((4, 1)), coverage, values)
    assert planes.value.tolist() == [[0, 100, 200, 255]]
    assert planes.weight.tolist() == coverage.tolist()
