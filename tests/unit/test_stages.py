from fractions import Fraction

import numpy as np
import pytest

from app.domain.frame import Frame
from app.domain.placement import Placement
from app.pipeline.matching import Matcher, MatchSettings
from app.pipeline.plates import open_plate
from app.pipeline.stages import FrameProcessor, Look
from harmonizer import Harmonizer, NetworkConfig, S2CRNet

SIZE = (96, 64)


class DiscSegmenter:
    """A given matte: a disc, as `GivenMatte` would deliver it."""

    coarse = False
    name = "disc"

    def segment(self, frame):
        width, height = frame.size
        y, x = np.mgrid[:height, :width]
        return np.asarray((x - width / 2) ** 2 + (y - height / 2) ** 2 < 18**2, np.float32)

    def reset(self):
        pass

    def close(self):
        pass


def frame(index=0, level=None):
    rng = np.random.default_rng(index)
    pixels = rng.integers(0, 255, (SIZE[1], SIZE[0], 3)) if level is None else np.full((SIZE[1], SIZE[0], 3), level)
    return Frame(pixels.astype(np.uint8), pts=index, time_base=Fraction(1, 25), index=index)


def process(look=None, plate="#102030", frames=1, matcher=None):
    with open_plate(plate) as opened:
        processor = FrameProcessor(segmenter=DiscSegmenter(), plate=opened, look=look or Look(), matcher=matcher)
        results = [processor.process(frame(i), SIZE) for i in range(frames)]
    return results[-1]


def test_inside_is_the_person_and_outside_the_plate_bit_exact():
    rendered = process(Look(match=None, decontaminate=False))
    inside = rendered.alpha == 255
    assert np.array_equal(rendered.composite[inside], rendered.frame.pixels[inside])
    assert (rendered.composite[rendered.alpha == 0] == (0x10, 0x20, 0x30)).all()
    assert np.array_equal(rendered.composite, rendered.pasted)


def test_given_matte_is_not_refined_but_grown_when_asked():
    from app.pipeline.matte import MatteSettings

    plain = process(Look(match=None))
    grown = process(Look(match=None, matte=MatteSettings(grow_px=4)))
    assert set(np.unique(plain.alpha)) == {0, 255}
    assert (grown.alpha > 0).sum() > 1.2 * (plain.alpha > 0).sum()


def test_blurred_room_does_not_glow_with_the_person():
    with open_plate("blur:8") as plate:
        processor = FrameProcessor(segmenter=DiscSegmenter(), plate=plate, look=Look(match=None), matcher=None)
        white_person = np.full((SIZE[1], SIZE[0], 3), 40, np.uint8)
        alpha = DiscSegmenter().segment(frame())
        white_person[alpha > 0] = 255
        rendered = processor.process(Frame(white_person, 0, Fraction(1, 25), 0), SIZE)
    outside = rendered.composite[rendered.alpha == 0]
    assert int(outside.max()) <= 48


def test_placement_moves_the_person_and_light_wrap_brightens_the_edge():
    moved = process(Look(match=None, placement=Placement(scale=0.5, offset_x=0.25)))
    assert (moved.composite[:, : SIZE[0] // 2] == (0x10, 0x20, 0x30)).all()
    plain = process(Look(match=None, decontaminate=False), plate="#ffffff")
    wrapped = process(Look(match=None, decontaminate=False, light_wrap=1.0), plate="#ffffff")
    assert wrapped.composite.astype(int).sum() > plain.composite.astype(int).sum()


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_match_changes_nothing_at_strength_zero(strength):
    engine = Harmonizer(S2CRNet(NetworkConfig(head="monotone", thumbnail_px=64)))
    engine.network.fusion["cr1"].fc_b_1.fc1.bias.data[64::66] = 0.4  # lift
    settings = MatchSettings(strength=strength)
    rendered = process(Look(match=settings, decontaminate=False), matcher=Matcher(engine, settings))
    assert np.array_equal(rendered.composite, rendered.pasted) == (strength == 0.0)


def test_stages_are_timed_by_name():
    with open_plate("#102030") as plate:
        processor = FrameProcessor(segmenter=DiscSegmenter(), plate=plate, look=Look(match=None), matcher=None)
        processor.process(frame(), SIZE)
    assert list(processor.clock.medians_ms()) == ["segment", "refine", "plate", "clean edge", "match", "composite"]
