from fractions import Fraction

import numpy as np
import pytest

from app.domain.errors import ExitCode, UserError
from app.domain.frame import Frame
from app.domain.placement import Placement
from app.pipeline.analyser import FrameAnalyser
from app.pipeline.looks import Look
from app.pipeline.matching import Matcher, MatchSettings
from app.pipeline.plates import open_plate
from app.pipeline.stages import Compositor, FrameProcessor
from app.pipeline.stats import StageClock
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
    assert list(processor.clock.medians_ms()) == [
        "segment",
        "thumbnail",
        "refine",
        "plate",
        "match",
        "clean edge",
        "composite",
    ]


class Scripted:
    """Gives the alphas it is handed, one a frame, at low resolution; counts its looks."""

    coarse = True
    name = "scripted"

    def __init__(self, *alphas):
        self.alphas = list(alphas)
        self.looks = self.resets = 0

    def segment(self, frame):
        self.looks += 1
        return self.alphas.pop(0) if len(self.alphas) > 1 else self.alphas[0]

    def reset(self):
        self.resets += 1

    def close(self):
        pass


def half(side, value=1.0):
    alpha = np.zeros((36, 64), np.float32)
    columns = slice(0, 32) if side == "left" else slice(32, 64)
    alpha[:, columns] = value
    return alpha


def analyser_of(segmenter, plate, look=None):
    return FrameAnalyser(
        segmenter=segmenter, plate=plate, look=look or Look(match=None), matcher=None, clock=StageClock()
    )


BIG = (256, 144)


def grey(index, level=120):
    pixels = np.random.default_rng(4).integers(level - 8, level + 8, (BIG[1], BIG[0], 3)).astype(np.uint8)
    return Frame(pixels, pts=index, time_base=Fraction(1, 25), index=index)


def test_held_frame_keeps_the_matte_shows_the_new_picture_and_looks_at_nothing():
    segmenter = Scripted(half("left"), half("right"))
    with open_plate("#102030") as plate:
        analyser = analyser_of(segmenter, plate)
        first = analyser.analyse(grey(0), BIG)
        second = analyser.analyse(grey(1, level=124), BIG, held=first)
    assert segmenter.looks == 1
    assert second.alpha is first.alpha
    assert second.frame.index == 1
    assert second.foreground.mean() > first.foreground.mean() + 2


def test_carried_alpha_is_used_instead_of_a_look():
    segmenter = Scripted(half("left"))
    with open_plate("#102030") as plate:
        analyser = analyser_of(segmenter, plate)
        analyser.analyse(grey(0), BIG)
        assert np.array_equal(analyser.coarse, half("left"))
        analyser.start_over()
        carried = analyser.analyse(grey(1), BIG, coarse=half("right"))
    assert segmenter.looks == 1
    assert carried.alpha[:, -8:].min() == 255
    assert carried.alpha[:, :8].max() == 0
    assert np.array_equal(analyser.coarse, half("right"))


def test_starting_over_lets_nothing_of_an_earlier_matte_shine_through():
    with open_plate("#102030") as plate:
        segmenter = Scripted(np.ones((36, 64), np.float32), half("left"))
        analyser = analyser_of(segmenter, plate)
        analyser.analyse(grey(0), BIG)
        analyser.start_over()
        assert analyser.coarse is None
        after = analyser.analyse(grey(1), BIG)
    assert segmenter.resets == 1
    assert after.alpha[:, -40:].max() == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_answer_that_is_no_number_is_refused_and_leaves_no_trace(bad):
    broken = half("left")
    broken[3, 5] = bad
    with open_plate("#102030") as plate:
        analyser = analyser_of(Scripted(half("left"), broken, half("left")), plate)
        first = analyser.analyse(grey(0), BIG)
        with pytest.raises(UserError) as refusal:
            analyser.analyse(grey(1), BIG)
        after = analyser.analyse(grey(2), BIG)
    assert refusal.value.code is ExitCode.MODEL
    assert np.abs(after.alpha.astype(int) - first.alpha).max() <= 1


def test_processor_is_analyser_and_compositor_one_after_the_other():
    look = Look(match=None, light_wrap=0.5, placement=Placement(scale=0.7, mirror=True))
    with open_plate("forest") as plate:
        processor = FrameProcessor(segmenter=DiscSegmenter(), plate=plate, look=look, matcher=None)
        whole = processor.process(frame(), SIZE)
        analysed = analyser_of(DiscSegmenter(), plate, look).analyse(frame(), SIZE)
        parts = Compositor().compose(analysed, look)
    assert np.array_equal(whole.composite, parts.composite)


def test_compositor_takes_the_light_of_the_plate_it_is_given():
    look = Look(match=None, decontaminate=False, light_wrap=1.0)
    compositor, fresh = Compositor(), []
    for spec in ("#ffffff", "#000000", "#ffffff"):
        with open_plate(spec) as plate:
            analysed = analyser_of(DiscSegmenter(), plate, look).analyse(frame(), SIZE)
        fresh.append((compositor.compose(analysed, look).composite, Compositor().compose(analysed, look).composite))
    assert all(np.array_equal(kept, new) for kept, new in fresh)
    assert not np.array_equal(fresh[0][0], fresh[1][0])
