import os
from fractions import Fraction
from importlib.util import find_spec

import av
import cv2
import numpy as np
import pytest
from skimage import data

from app.domain.cells import grid_for
from app.domain.frame import Frame
from app.domain.person_region import whole_frame
from app.pipeline.segmentation import LiteRtSelfieSegmenter, MediaPipeSelfieSegmenter, SelfieSegmenter

RATE_HZ = 30

needs_mediapipe = pytest.mark.skipif(find_spec("mediapipe") is None, reason="mediapipe has no wheel here")


def frame_of(pixels, index=0):
    return Frame(np.array(pixels), index, Fraction(1, RATE_HZ), index)


def astronaut(width=1280, height=720):
    """The photograph fitted into a frame's middle, over a grey wall."""
    side = height
    photo = cv2.resize(data.astronaut(), (side, side), interpolation=cv2.INTER_AREA)
    pixels = np.full((height, width, 3), 110, np.uint8)
    left = (width - side) // 2
    pixels[:, left : left + side] = photo
    return pixels


def clip_frames(path, wanted):
    with av.open(str(path)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index in wanted:
                yield frame_of(frame.to_ndarray(format="rgb24"), index)
            if index >= max(wanted):
                return


@pytest.fixture(scope="module", params=["landscape", "square"])
def model(request):
    return request.param


@pytest.fixture(scope="module")
def both_engines(model):
    """The same model on LiteRT and in MediaPipe."""
    litert, mediapipe = LiteRtSelfieSegmenter(model), MediaPipeSelfieSegmenter(model)
    yield litert, mediapipe
    mediapipe.close()


def largest_difference(segmenters, frames):
    for segmenter in segmenters:
        segmenter.reset()
    return max(float(np.abs(np.subtract(*(s.segment(f) for s in segmenters))).max()) for f in frames)


@needs_mediapipe
def test_both_engines_give_the_same_alpha_of_a_photograph(both_engines):
    assert largest_difference(both_engines, [frame_of(data.astronaut()), frame_of(astronaut())]) <= 1e-3


@needs_mediapipe
@pytest.mark.parametrize("clip", ["portrait-720p.mp4", "juggler-720p.mp4", "webcam-walk.mkv"])
def test_both_engines_give_the_same_alpha_of_real_clips(both_engines, shared_data, clip):
    frames = list(clip_frames(shared_data / "clips" / clip, {0, 20, 21, 40}))
    assert largest_difference(both_engines, frames) <= 1e-3


@needs_mediapipe
def test_sampling_as_mediapipe_does_gives_its_own_mask_of_the_whole_frame(model):
    """MediaPipe is given the full-size frame here: its own scaling of input and output is in the result."""
    import mediapipe

    pixels = astronaut()
    segmenter = LiteRtSelfieSegmenter(model, follow=False, scaling="mediapipe")
    ours = cv2.resize(segmenter.segment(frame_of(pixels)), pixels.shape[1::-1])
    with mediapipe.solutions.selfie_segmentation.SelfieSegmentation(model == "landscape") as theirs:
        assert np.abs(ours - theirs.process(pixels).segmentation_mask).max() <= 1e-3


def test_the_astronaut_is_found_and_the_room_is_not():
    alpha = LiteRtSelfieSegmenter("square").segment(frame_of(data.astronaut()))
    side = grid_for(512, 512).columns
    assert alpha.shape == (side, side)
    face, suit, wall = (100, 223), (350, 150), (60, 420)
    at = {spot: alpha[spot[0] * side // 512, spot[1] * side // 512] for spot in (face, suit, wall)}
    assert at[face] > 0.95
    assert at[suit] > 0.95
    assert at[wall] < 0.05


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (641, 359), (300, 900)])
def test_any_frame_size_is_taken(size):
    width, height = size
    alpha = LiteRtSelfieSegmenter("landscape").segment(frame_of(np.zeros((height, width, 3), np.uint8)))
    assert alpha.dtype == np.float32
    assert 0 <= alpha.min() <= alpha.max() <= 1


class Painted:
    """A network that marks the brightly coloured part of what it is shown: a person for tests."""

    size = (256, 144)

    def __init__(self):
        self.closed = False

    def infer(self, thumbnail):
        return (thumbnail[..., 0] > 128).astype(np.float32)

    def close(self):
        self.closed = True


def scene(*boxes, size=(1920, 1080), level=255):
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    for left, top, right, bottom in boxes:
        pixels[top:bottom, left:right] = level
    return pixels


def covered(alpha, box, cell_px=8):
    """Mean alpha inside a box given in px."""
    left, top, right, bottom = (v // cell_px for v in box)
    return float(alpha[top:bottom, left:right].mean())


PERSON = (800, 320, 1040, 960)


def test_it_looks_closer_at_a_small_person_from_the_first_frame_on():
    segmenter = SelfieSegmenter(Painted(), name="painted")
    alpha = segmenter.segment(frame_of(scene(PERSON)))
    assert covered(alpha, PERSON) > 0.99
    assert float(alpha.sum()) == pytest.approx(30 * 80, rel=0.05)
    region = segmenter._state.region
    assert region.area < whole_frame(grid_for(1920, 1080)).area / 3


def test_a_standing_person_costs_one_inference_a_frame_and_two_surveys_a_second():
    segmenter = SelfieSegmenter(Painted(), name="painted")
    segmenter.segment(frame_of(scene(PERSON)))
    at_start = segmenter.inferences
    for index in range(1, RATE_HZ + 1):
        segmenter.segment(frame_of(scene(PERSON), index))
    assert segmenter.inferences - at_start == RATE_HZ + 2


def test_a_moving_person_is_never_cut_off():
    segmenter = SelfieSegmenter(Painted(), name="painted")
    for index in range(10):
        shift = 120 * index
        box = (PERSON[0] + shift - 560, PERSON[1], PERSON[2] + shift - 560, PERSON[3])
        # Red is dark in luma: the picture changes too little to look like a scene cut.
        assert covered(segmenter.segment(frame_of(scene(box, level=(200, 0, 0)), index)), box) > 0.99


def test_a_second_person_is_taken_in_within_half_a_second():
    segmenter = SelfieSegmenter(Painted(), name="painted")
    other = (160, 320, 400, 960)
    for index in range(5):
        segmenter.segment(frame_of(scene(PERSON), index))
    alphas = [segmenter.segment(frame_of(scene(PERSON, other), index)) for index in range(5, 22)]
    assert covered(alphas[-1], other) > 0.99
    assert covered(alphas[-1], PERSON) > 0.99


def test_a_person_who_leaves_is_gone_at_once_and_found_again_at_once():
    segmenter = SelfieSegmenter(Painted(), name="painted")
    segmenter.segment(frame_of(scene(PERSON)))
    assert segmenter.segment(frame_of(scene(), 1)).max() == 0
    elsewhere = (160, 320, 400, 960)
    assert covered(segmenter.segment(frame_of(scene(elsewhere), 2)), elsewhere) > 0.99


def test_everybody_is_found_at_once_after_a_scene_cut():
    segmenter = SelfieSegmenter(Painted(), name="painted")
    other = (160, 320, 400, 960)
    segmenter.segment(frame_of(scene(PERSON)))
    after = np.maximum(scene(PERSON, other), 100)
    alpha = segmenter.segment(frame_of(after, 1))
    assert covered(alpha, other) > 0.99
    assert covered(alpha, PERSON) > 0.99


def test_what_only_shows_when_looked_at_closely_is_dropped():
    class Gullible(Painted):
        """Sees a person in a dim thing, but only when that fills its view."""

        def infer(self, thumbnail):
            close_up = np.count_nonzero(thumbnail[..., 0]) > 0.2 * thumbnail[..., 0].size
            return (thumbnail[..., 0] > (40 if close_up else 170)).astype(np.float32)

    segmenter = SelfieSegmenter(Gullible(), name="gullible")
    segmenter.segment(frame_of(scene(PERSON, level=190)))
    alphas = [segmenter.segment(frame_of(scene(PERSON, level=150), index)) for index in range(1, 34)]
    assert alphas[3].max() == 1
    assert alphas[-1].max() == 0


def test_disagreements_that_are_not_in_a_row_drop_nobody():
    class Fickle(Painted):
        """Misses a small person in every other look at the whole frame."""

        wide_looks = 0

        def infer(self, thumbnail):
            alpha = super().infer(thumbnail)
            if alpha.mean() > 0.2:
                return alpha
            self.wide_looks += 1
            return alpha * (self.wide_looks % 2)

    network = Fickle()
    segmenter = SelfieSegmenter(network, name="fickle")
    alphas = [segmenter.segment(frame_of(scene(PERSON), index)) for index in range(5 * RATE_HZ)]
    assert network.wide_looks > 8
    assert min(covered(alpha, PERSON) for alpha in alphas) > 0.99


def test_another_frame_size_starts_over():
    segmenter = SelfieSegmenter(Painted(), name="painted")
    segmenter.segment(frame_of(scene(PERSON)))
    alpha = segmenter.segment(frame_of(scene((100, 100, 200, 300), size=(640, 360)), 1))
    assert alpha.shape == (grid_for(640, 360).rows, grid_for(640, 360).columns)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("follow", [True, False])
def test_output_that_is_no_number_means_nobody_and_is_said_once(value, follow):
    class Broken(Painted):
        def infer(self, thumbnail):
            alpha = super().infer(thumbnail)
            alpha[0, 0] = value
            return alpha

    notices = []
    segmenter = SelfieSegmenter(Broken(), name="broken", follow=follow, on_notice=notices.append)
    for index in range(3):
        assert segmenter.segment(frame_of(scene(PERSON), index)).max() == 0
    assert segmenter.broken_outputs == 3
    assert len(notices) == 1


def test_opening_the_engine_leaves_the_terminal_clean_and_usable(capfd):
    LiteRtSelfieSegmenter("landscape")
    os.write(2, b"still here")
    assert capfd.readouterr().err == "still here"


def test_closing_releases_the_engine():
    network = Painted()
    SelfieSegmenter(network, name="painted").close()
    assert network.closed


def test_a_model_that_is_missing_ends_with_the_model_exit_code(monkeypatch):
    from app.domain.errors import ExitCode, UserError
    from app.pipeline import model_files

    monkeypatch.setattr(model_files, "_mediapipe_folder", lambda: None)
    with pytest.raises(UserError, match="not on this machine") as caught:
        LiteRtSelfieSegmenter("square")
    assert caught.value.code == ExitCode.MODEL
