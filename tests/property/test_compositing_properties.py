import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from app.domain.compositing import blend, fit_plate
from app.domain.placement import Placement, apply_placement

sides = st.integers(1, 24)


@st.composite
def layers(draw):
    height, width = draw(sides), draw(sides)
    pixels = hnp.arrays(np.uint8, (height, width, 3))
    return draw(pixels), draw(pixels), draw(hnp.arrays(np.uint8, (height, width)))


@given(layers())
@settings(deadline=None, max_examples=150)
def test_blend_equals_the_float64_formula_rounded(parts):
    foreground, plate, alpha = parts
    weight = alpha.astype(np.float64)[..., None] / 255
    expected = np.floor(weight * foreground + (1 - weight) * plate + 0.5)
    np.testing.assert_array_equal(blend(foreground, plate, alpha), expected)


@given(layers())
@settings(deadline=None, max_examples=100)
def test_blend_stays_between_foreground_and_plate(parts):
    foreground, plate, alpha = parts
    composite = blend(foreground, plate, alpha)
    assert (composite >= np.minimum(foreground, plate)).all()
    assert (composite <= np.maximum(foreground, plate)).all()


@given(layers())
@settings(deadline=None, max_examples=60)
def test_swapping_the_layers_and_inverting_alpha_changes_nothing(parts):
    foreground, plate, alpha = parts
    np.testing.assert_array_equal(blend(foreground, plate, alpha), blend(plate, foreground, 255 - alpha))


@given(
    layers(),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.sampled_from(["cover", "contain", "stretch"]),
)
@settings(deadline=None, max_examples=150)
def test_a_fitted_plate_always_has_exactly_the_size_asked_for(parts, size, mode):
    assert fit_plate(parts[0], size, mode).shape == (size[1], size[0], 3)


@given(
    layers(),
    st.floats(0.05, 4),
    st.floats(-1.5, 1.5),
    st.floats(-1.5, 1.5),
    st.booleans(),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
)
@settings(deadline=None, max_examples=150)
def test_a_placed_foreground_never_covers_more_than_it_did(parts, scale, offset_x, offset_y, mirror, size):
    pixels, _, alpha = parts
    placement = Placement(scale=scale, offset_x=offset_x, offset_y=offset_y, mirror=mirror)
    placed, coverage = apply_placement(pixels, alpha, placement, size)
    assert placed.shape == (size[1], size[0], 3)
    assert coverage.shape == (size[1], size[0])
    assert coverage.max() <= alpha.max()
