from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from app.domain.frame import Frame
from app.domain.mask.adjusting import Adjustment, adjusted
from app.domain.mask.correction import Correction
from app.domain.mask.document import AdjustedSpan, FrameEdit, MaskDocument, MatchSpan, Span
from app.domain.mask.planes import Planes, corrected
from app.pipeline.analyser import Found, FrameAnalyser
from app.pipeline.looks import Look
from app.pipeline.mask.looking import final_alpha, finish_of, follow, match_keys_of
from app.pipeline.plates import open_plate
from app.pipeline.stages import FrameProcessor
from app.pipeline.stats import StageClock
from tests.unit.mask.projects import SIZE, meta_of

RAMP = ((0.0, 0.25, 1.0), (0.0, 0.5, 1.0), (0.0, 0.75, 1.0))


def model_alpha(seed=0):
    """Soft noise: every level occurs."""
    return np.random.default_rng(seed).integers(0, 256, SIZE[::-1], dtype=np.uint8)


def painted_planes():
    planes = Planes.empty(SIZE)
    planes.value[20:60, 30:120], planes.weight[20:60, 30:120] = 200, 128
    planes.weight[70:90, 10:50] = 255
    return planes


def painted(document, pts):
    return document.with_frames({pts: FrameEdit(Correction.of(painted_planes()))})


def test_a_frame_nothing_is_said_of_keeps_the_models_alpha():
    alpha = model_alpha()
    assert final_alpha(painted(MaskDocument(meta_of()), 50), 0, alpha) is alpha


def test_the_adjustment_comes_first_and_the_hand_has_the_last_word():
    adjustment = Adjustment(low=0.3, high=0.6, grow_px=3, feather_px=2)
    document = painted(MaskDocument(meta_of(adjustment=adjustment)), 50)
    alpha = model_alpha()
    before = alpha.copy()
    final = final_alpha(document, 50, alpha)
    assert np.array_equal(final, corrected(adjusted(alpha, adjustment), painted_planes()))
    assert (final[70:90, 10:50] == 0).all()
    assert np.array_equal(alpha, before)


def test_a_ranges_adjustment_goes_for_its_frames_only():
    shrunk = Adjustment(grow_px=-2)
    document = MaskDocument(meta_of(adjusted_spans=(AdjustedSpan(Span(10, 20), shrunk),)))
    alpha = np.where(np.arange(SIZE[0]) > 90, 255, 0).astype(np.uint8) * np.ones((SIZE[1], 1), np.uint8)
    for pts, is_in in ((9, False), (10, True), (20, True), (21, False)):
        assert np.array_equal(final_alpha(document, pts, alpha), adjusted(alpha, shrunk) if is_in else alpha)


def test_read_only_mattes_do():
    alpha = model_alpha()
    alpha.setflags(write=False)
    document = painted(MaskDocument(meta_of(adjustment=Adjustment(feather_px=3))), 1)
    assert final_alpha(document, 1, alpha).shape == alpha.shape


@pytest.mark.parametrize(
    "time_base", [Fraction(1, 90_000), Fraction(1, 1000), Fraction(1001, 30_000), Fraction(1, 10**9)]
)
@pytest.mark.parametrize("start", [0, -7, 3 * 10**8])
def test_keys_begin_and_end_at_their_very_frames(time_base, start):
    meta = meta_of(match_spans=(MatchSpan(Span(start + 100, start + 200), strength=0.5),))
    meta = replace(meta, clip=replace(meta.clip, time_base=time_base))
    key_at = match_keys_of(meta)
    for pts in (start, start + 99, start + 100, start + 137, start + 200, start + 201):
        frame = Frame(np.zeros((2, 2, 3), np.uint8), pts, time_base, 0)
        assert (key_at(frame.time_s) is not None) == (start + 100 <= pts <= start + 200)


def test_of_spans_that_overlap_the_last_counts():
    spans = (MatchSpan(Span(), strength=0.25), MatchSpan(Span(90_000, None), knots=RAMP))
    key_at = match_keys_of(meta_of(match_spans=spans))
    early, late = key_at(0.5), key_at(1.0)
    assert (early.strength, early.knots) == (0.25, None)
    assert late.strength is None
    assert late.knots.shape == (1, 3, 3)
    assert np.array_equal(late.knots[0], RAMP)


def test_without_spans_there_is_no_key():
    assert match_keys_of(meta_of())(0.0) is None


class Guess:
    """A segmenter that sees a soft, moving edge, wherever the hand was."""

    coarse = True
    name = "guess"

    def segment(self, frame):
        ramp = np.clip((np.arange(64) - 20 - frame.index) / 10, 0, 1).astype(np.float32)
        return np.tile(ramp, (36, 1))

    def reset(self):
        pass

    def close(self):
        pass


def frame_at(index):
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 255, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    pixels[:, 80 + index :] //= 4
    return Frame(pixels, pts=3000 * index, time_base=Fraction(1, 90_000), index=index)


def analyser_of(finish=None):
    analyser = FrameAnalyser(
        segmenter=Guess(), plate=open_plate("#204080"), look=Look(match=None), matcher=None, clock=StageClock()
    )
    analyser.finish = finish
    return analyser


def test_what_the_hand_did_is_not_remembered_by_the_frames_after():
    document = painted(MaskDocument(meta_of()), 3000 * 2)
    plain, edited = analyser_of(), analyser_of(finish_of(document))
    for index in range(6):
        alphas = [one.matte(one.find(frame_at(index))) for one in (plain, edited)]
        expected = corrected(alphas[0], painted_planes()) if index == 2 else alphas[0]
        assert np.array_equal(alphas[1], expected)
    assert not np.array_equal(corrected(alphas[0], painted_planes()), alphas[0])


def test_the_matte_alone_is_the_matte_of_the_whole_analysis():
    document = painted(MaskDocument(meta_of(adjustment=Adjustment(low=0.2))), 3000)
    alone, whole = analyser_of(finish_of(document)), analyser_of(finish_of(document))
    for index in range(3):
        frame = frame_at(index)
        alpha = alone.matte(alone.find(frame))
        assert np.array_equal(alpha, whole.analyse(frame, SIZE).alpha)


def test_a_held_picture_is_not_finished_twice():
    halved = MaskDocument(meta_of(adjustment=Adjustment(low=0.4)))
    analyser = analyser_of(finish_of(halved))
    first = analyser.analyse(frame_at(0), SIZE)
    second = analyser.analyse(frame_at(1), SIZE, held=first)
    assert np.array_equal(first.alpha, second.alpha)


def test_a_carried_guess_is_finished_as_well():
    document = painted(MaskDocument(meta_of()), 0)
    analyser = analyser_of(finish_of(document))
    coarse = Guess().segment(frame_at(0))
    carried = analyser.analyse(frame_at(0), SIZE, coarse=coarse).alpha
    assert np.array_equal(carried, analyser_of(finish_of(document)).matte(Found(frame_at(0), coarse)))
    assert (carried[70:90, 10:50] == 0).all()


def test_a_chain_follows_with_or_without_a_match():
    document = painted(MaskDocument(meta_of()), 0)
    chain = FrameProcessor(segmenter=Guess(), plate=open_plate("#204080"), look=Look(match=None), matcher=None)
    follow(document, chain)
    rendered = chain.process(frame_at(0), SIZE)
    assert (rendered.alpha[70:90, 10:50] == 0).all()
    assert (rendered.composite[70:90, 10:50] == (0x20, 0x40, 0x80)).all()
