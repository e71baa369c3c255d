import numpy as np
import pytest

from app.domain.decontamination import decontaminate


def portrait(width=640, height=360, seed=1):
    """A soft-edged disc of known colour over a striped room: pixels, alpha, true foreground."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    distance = np.hypot(x - width / 2, y - height / 2)
    alpha = np.clip((height / 3 - distance) / 8 + 0.5, 0, 1)
    alpha8 = (alpha * 255 + 0.5).astype(np.uint8)
    foreground = np.dstack((60 + x / 16, 40 + y / 12, np.full_like(x, 50)))
    room = np.where(((x // 40) % 2 == 0)[..., None], (235, 240, 230), (180, 220, 240)).astype(np.float32)
    noise = np.random.default_rng(seed).normal(0, 2, foreground.shape)
    pixels = foreground * (alpha8 / 255.0)[..., None] + room * (1 - alpha8 / 255.0)[..., None] + noise
    return np.clip(pixels + 0.5, 0, 255).astype(np.uint8), alpha8, foreground


def rim_error(pixels, alpha8, foreground):
    """Mean colour error where alpha is between 0 and 1, weighted by alpha: what a new plate would show."""
    rim = (alpha8 > 0) & (alpha8 < 255)
    weight = alpha8[rim] / 255.0
    off = pixels[rim].astype(float) - foreground[rim]
    return float((np.abs(off).mean(axis=1) * weight).sum() / weight.sum())


def test_the_old_room_leaves_the_rim():
    pixels, alpha8, foreground = portrait()
    before = rim_error(pixels, alpha8, foreground)
    after = rim_error(decontaminate(pixels, alpha8), alpha8, foreground)
    assert before > 30
    assert after < before / 5


def test_it_works_at_sizes_that_do_not_divide_into_cells():
    pixels, alpha8, foreground = portrait(1003, 571)
    after = rim_error(decontaminate(pixels, alpha8), alpha8, foreground)
    assert after < rim_error(pixels, alpha8, foreground) / 5


def test_the_input_is_not_changed_and_a_matte_without_edge_costs_nothing():
    pixels, alpha8, _ = portrait()
    pixels.setflags(write=False)
    assert decontaminate(pixels, alpha8) is not pixels
    assert decontaminate(pixels, np.zeros_like(alpha8)) is pixels
    assert decontaminate(pixels, np.full_like(alpha8, 255)) is pixels


def test_sizes_must_agree():
    with pytest.raises(ValueError, match="alpha"):
        decontaminate(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5), np.uint8))


def test_known_people_over_photographs_lose_their_rim(shared_data):
    from app.pipeline.moving_people import render_clip, scenes

    before, after = [], []
    for scene in scenes(shared_data, split="held-out", count=3, size=(1280, 720)):
        for frame, alpha8, foreground in render_clip(scene, 1):
            fixed = decontaminate(frame.pixels, alpha8)
            before.append(rim_error(frame.pixels, alpha8, foreground))
            after.append(rim_error(fixed, alpha8, foreground))
    assert np.mean(after) < 0.5 * np.mean(before)
