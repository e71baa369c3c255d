from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from app.domain.compositing import blend
from app.domain.errors import UserError
from app.domain.mask.adjusting import Adjustment
from app.domain.mask.correction import Correction
from app.domain.mask.document import AdjustedSpan, FrameEdit, MatchSpan, Span
from app.domain.mask.planes import Planes
from app.domain.mask.views import Layers
from app.domain.mask.views import final_alpha as painted_alpha
from app.domain.settings import PersonOptions, Settings
from app.pipeline.encode_settings import EncodeSettings
from app.pipeline.mask.looking import final_alpha
from app.pipeline.mask.masks_in import ProjectMedia, mask_ref
from app.pipeline.mask.model_chain import clip_analysis, open_mask_analyser
from app.pipeline.mask.project_render import RenderWish, render_project
from app.pipeline.mask.project_store import ProjectStore
from app.pipeline.mask.seeking import FrameSeeker
from app.pipeline.mask.sessions import new_document, session_of
from app.pipeline.video_reader import VideoReader
from app.ui.mask import layer_maker
from app.ui.mask.layer_maker import LayerMaker
from tests.support.media import write_clip
from tests.ui.helpers import GREEN, GREEN_SPEC, portrait, wait_until

SIZE = (320, 180)
LOSSLESS = RenderWish(encoding=EncodeSettings(codec="ffv1", pix_fmt="bgr0"))
STILL = replace(Settings(), plate="studio").with_value("match", "smoothing_s", 0.0)


class Bench:
    """A session of a clip, with its cache and what makes its layers."""

    def __init__(self, folder, clip, settings=STILL, mask=None):
        document = new_document(clip, folder, settings)
        if mask is not None:
            document = replace(document, meta=replace(document.meta, mask=mask_ref(mask, folder)))
        self.document = document
        self.session = session_of(ProjectStore.create(document.meta), document, ProjectMedia(clip, mask))
        self.index = self.session.index
        self.cache = self.session.open_cache(document)
        self.seeker = FrameSeeker(clip, self.index)
        self.maker = LayerMaker(self.cache, mask, first=lambda: self.frame(0))

    def frame(self, place):
        return self.seeker.at(self.index.pts_at(place))

    def analyse(self):
        ends = []
        analysis = clip_analysis(
            self.document, self.session.media, self.cache, on_judged=lambda *_: None, on_end=ends.append
        )
        analysis.start()
        wait_until(lambda: bool(ends))
        analysis.stop()
        assert ends == [None]
        return self

    def painted(self, place, document=None):
        """The document with a soft correction on a frame: over the wall, and a hole in the person."""
        planes = Planes.empty(SIZE)
        planes.value[30:80, 200:280], planes.weight[30:80, 200:280] = 255, 180
        planes.weight[100:140, 60:110] = 255
        document = document or self.document
        return document.with_frames({self.index.pts_at(place): FrameEdit(Correction.of(planes))})

    def composite(self, place, document):
        """What the matched view shows of a frame."""
        frame = self.frame(place)
        layers = self.maker.whole(frame, document, self.maker.plain(frame, document))
        alpha = painted_alpha(layers.alpha, document.edit_at(frame.pts).correction.planes())
        return blend(layers.foreground, layers.plate, alpha, table=layers.table)

    def close(self):
        self.maker.close()
        self.seeker.close()
        self.cache.close()
        self.session.store.close()


@pytest.fixture
def benches(qapp, tmp_path):
    made = []

    def bench(clip, **values):
        made.append(Bench(tmp_path, clip, **values))
        return made[-1]

    yield bench
    for one in made:
        one.close()


@pytest.fixture
def bench(benches, portrait_clip):
    return benches(portrait_clip)


def rendered(document, clip, path):
    render_project(document, ProjectMedia(clip), path, LOSSLESS, on_notice=lambda _: None)
    with VideoReader(path) as reader:
        return [frame.pixels for frame in reader]


def test_a_frame_looks_as_its_project_renders_it(bench, portrait_clip, tmp_path):
    index = bench.analyse().index
    meta = replace(
        bench.document.meta,
        adjustment=Adjustment(low=0.1, high=0.9, feather_px=1.5),
        adjusted_spans=(AdjustedSpan(Span(index.pts_at(18), None), Adjustment(grow_px=2.0)),),
        match_spans=(
            MatchSpan(Span(index.pts_at(5), index.pts_at(8)), strength=0.4),
            MatchSpan(Span(index.pts_at(12), index.pts_at(14)), knots=((0.0, 0.2, 1.0),) * 3),
        ),
    )
    document = bench.painted(6, bench.painted(13, replace(bench.document, meta=meta)))
    film = rendered(document, portrait_clip, tmp_path / "render.mkv")
    for place in (0, 6, 12, 13, 18, 24):  # A render estimates the curve for every third of these; 13's is locked.
        assert np.array_equal(bench.composite(place, document), film[place]), place


def test_colours_that_are_smoothed_over_time_are_near(benches, portrait_clip, tmp_path):
    bench = benches(portrait_clip, settings=replace(Settings(), plate="studio")).analyse()
    film = rendered(bench.document, portrait_clip, tmp_path / "render.mkv")
    for place in (0, 12, 24):
        difference = np.abs(bench.composite(place, bench.document).astype(int) - film[place])
        assert np.percentile(difference, 99) <= 6
        assert difference.max() <= 16


def test_a_frame_the_analysis_has_not_reached_is_looked_at_by_itself(bench):
    frame = bench.frame(9)
    analyser = open_mask_analyser(bench.document, None)
    try:
        alone = analyser.matte(analyser.find(frame))
    finally:
        analyser.segmenter.close()
    bench.maker.model_alpha(bench.frame(2), bench.document)
    assert np.array_equal(bench.maker.model_alpha(frame, bench.document), alone)


def test_what_the_analysis_finds_counts_from_then_on(bench):
    before = bench.maker.model_alpha(bench.frame(9), bench.document)
    bench.analyse()
    after = bench.maker.model_alpha(bench.frame(9), bench.document)
    assert np.array_equal(after, bench.cache.get(bench.index.pts_at(9)))
    assert before is not after


def test_plain_layers_are_adjusted_without_the_hand_and_ghosts_have_all(bench):
    document = replace(bench.document, meta=replace(bench.document.meta, adjustment=Adjustment(grow_px=-3)))
    frame = bench.frame(4)
    plain = bench.maker.plain(frame, document)
    painted = bench.painted(4, document)
    assert np.array_equal(bench.maker.plain(frame, painted).alpha, plain.alpha)
    ghost = bench.maker.ghost(frame, painted)
    assert np.array_equal(ghost, final_alpha(painted, frame.pts, bench.maker.model_alpha(frame, document)))
    assert (ghost[100:140, 60:110] == 0).all()


def test_the_persons_place_and_the_light_around_them_wait_for_the_render(bench):
    settings = bench.document.meta.settings.with_value("placement", "mirror", True)
    settings = settings.with_value("person", "light_wrap", 0.5)
    moved = replace(bench.document, meta=replace(bench.document.meta, settings=settings))
    assert np.array_equal(bench.composite(3, moved), bench.composite(3, bench.document))


def test_with_nobody_there_there_is_a_plate_and_no_match(benches, tmp_path):
    Image.fromarray(np.zeros(SIZE[::-1], np.uint8)).save(tmp_path / "nobody.png")
    clip = write_clip(tmp_path / "clip.mp4", frames=2, size=SIZE, draw=portrait)
    bench = benches(clip, mask=tmp_path / "nobody.png", settings=replace(Settings(), plate=GREEN_SPEC))
    frame = bench.frame(1)
    layers = bench.maker.whole(frame, bench.document, bench.maker.plain(frame, bench.document))
    assert (layers.table, bench.maker.curve) == (None, None)
    assert (layers.plate == GREEN).all()


def test_a_locked_match_shows_while_the_curve_found_can_still_be_had(bench):
    locked = MatchSpan(Span(), knots=((0.0, 0.9, 1.0),) * 3)
    document = replace(bench.document, meta=replace(bench.document.meta, match_spans=(locked,)))
    frame = bench.frame(0)
    plain = bench.maker.plain(frame, document)
    free = bench.maker.whole(frame, bench.document, plain)
    found = bench.maker.curve
    keyed = bench.maker.whole(frame, document, plain)
    assert not np.array_equal(free.table, keyed.table)
    assert np.array_equal(bench.maker.curve, found)


def test_a_plate_that_is_missing_is_said_and_another_one_does(bench, tmp_path):
    def with_plate(spec):
        meta = bench.document.meta
        return replace(bench.document, meta=replace(meta, settings=replace(meta.settings, plate=spec)))

    frame = bench.frame(0)
    plain = bench.maker.plain(frame, bench.document)
    with pytest.raises(UserError, match=r"gone\.png"):
        bench.maker.whole(frame, with_plate(str(tmp_path / "gone.png")), plain)
    layers = bench.maker.whole(frame, with_plate(GREEN_SPEC), plain)
    assert (layers.plate == GREEN).all()


class Counting:
    """A segmenter that counts what it is asked."""

    coarse = True
    name = "counting"

    def __init__(self):
        self.seen = []

    def segment(self, frame):
        self.seen.append(frame.index)
        return np.full((18, 32), 0.5, np.float32)

    def reset(self):
        pass

    def close(self):
        pass


def test_mattes_of_the_last_frames_looked_at_are_kept(bench, monkeypatch):
    finder = Counting()

    def opened(document, mask):
        analyser = open_mask_analyser(document, mask)
        analyser.segmenter.close()
        analyser.segmenter = finder
        return analyser

    monkeypatch.setattr(layer_maker, "open_mask_analyser", opened)
    for place in (0, 1, 2, 1, 0, 2):
        bench.maker.model_alpha(bench.frame(place), bench.document)
    assert finder.seen == [0, 1, 2]
    for place in range(3, 12):
        bench.maker.model_alpha(bench.frame(place), bench.document)
    bench.maker.model_alpha(bench.frame(0), bench.document)
    assert finder.seen == [*range(12), 0]


def flat(levels):
    return lambda width, height, index: np.full((height, width, 3), levels[index], np.uint8)


def test_a_given_film_fits_whatever_frame_of_a_late_clip_is_looked_at(benches, tmp_path):
    levels = [8 * index for index in range(25)]
    clip = write_clip(tmp_path / "clip.mkv", frames=25, size=SIZE, start_pts=75, draw=portrait)
    film = write_clip(tmp_path / "film.mkv", frames=25, size=SIZE, draw=flat(levels), codec="ffv1", pix_fmt="bgr0")
    bench = benches(clip, mask=film)
    for place in (20, 3, 24, 10, 0):
        alpha = bench.maker.model_alpha(bench.frame(place), bench.document)
        assert alpha.mean() == pytest.approx(levels[place], abs=1)


def screen_then_noise(width, height, index):
    """A green screen in the first frame; later its border is covered by something else."""
    pixels = np.full((height, width, 3), GREEN, np.uint8)
    if index > 0:
        pixels[:40] = pixels[-40:] = (200, 30, 30)
    pixels[80:100, 100:200] = (220, 180, 150)
    return pixels


def test_a_screens_colour_is_that_of_the_clips_first_frame(benches, tmp_path):
    clip = write_clip(tmp_path / "clip.mkv", frames=3, size=SIZE, draw=screen_then_noise, codec="ffv1", pix_fmt="bgr0")
    bench = benches(clip, settings=replace(STILL, person=PersonOptions(model="key")))
    alpha = bench.maker.model_alpha(bench.frame(2), bench.document)
    bench.analyse()
    assert np.array_equal(alpha, bench.cache.get(bench.index.pts_at(2)))
    assert alpha[60, 20] == 0
    assert alpha[90, 150] == 255


def test_another_mask_is_another_matte_at_once(benches, portrait_clip, tmp_path):
    Image.fromarray(np.full(SIZE[::-1], 77, np.uint8)).save(tmp_path / "mask.png")
    bench = benches(portrait_clip, mask=tmp_path / "mask.png")
    assert (bench.maker.model_alpha(bench.frame(0), bench.document) == 77).all()
    without = replace(bench.document, meta=replace(bench.document.meta, mask=None))
    assert len(np.unique(bench.maker.model_alpha(bench.frame(0), without))) > 2


def test_layers_are_not_written_to(bench):
    bench.analyse()
    frame = bench.frame(0)
    layers = bench.maker.plain(frame, bench.document)
    assert isinstance(layers, Layers)
    before = layers.alpha.copy()
    bench.maker.whole(frame, bench.painted(0), layers)
    assert np.array_equal(layers.alpha, before)
