import csv
import io
import math
from fractions import Fraction

import numpy as np
import pytest

from app.domain.errors import ExitCode, UserError
from app.domain.frame import Frame
from app.pipeline.clip_scoring import IDENTITY, ClipScorer, rendered
from app.pipeline.curve_recording import REST_RATE_HZ, CurveRecorder, Moment, RestRecord, record_moving, replay
from app.pipeline.matching import Matcher, MatchSettings
from app.pipeline.plate_kinds import ImagePlate
from app.pipeline.video_evaluation import (
    BEFORE_FRAMES,
    LIGHT_CHANGE,
    PLATE_CHANGE,
    PLATE_CUT,
    SMOOTHINGS,
    Measurement,
    evaluate_video,
    rest_measurement,
    settling_of,
    smoothing_name,
)
from app.pipeline.video_evaluation_report import HEADERS, as_csv, steadiest, summarize, tables
from app.pipeline.video_scenes import (
    LIGHTS,
    FilmedClip,
    Light,
    PlayedPlate,
    film,
    known_curve,
    own_background,
    sensor_noise,
)
from harmonizer import Harmonizer, SmoothingSettings
from harmonizer.curves import identity_knots, lut8
from harmonizer.weights import load_shipped
from tests.support.media import write_clip

SIZE = (96, 80)
FRAMES = 10
DARK, BRIGHT = 0.5 * identity_knots(), identity_knots()


def texture(shift=0):
    """Smooth, so that an optical flow can follow it: waves moved right by `shift` px."""
    y, x = np.mgrid[: SIZE[1], : SIZE[0]].astype(np.float64)
    waves = [np.sin((x - shift) / 5.0 + c) + np.cos(y / 6.0 - c) for c in range(3)]
    return (128 + 45 * np.stack(waves, axis=-1)).astype(np.uint8)


def matte():
    alpha = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    alpha[16:72, 24:72] = 255
    return alpha


def clip(step_px=1):
    frames = tuple(Frame(texture(i * step_px), i, Fraction(1, 25), i) for i in range(FRAMES))
    plates = tuple(own_background(f.pixels, matte()) for f in frames)
    return FilmedClip("waves.mp4", frames, (matte(),) * FRAMES, plates, (False,) * FRAMES)


@pytest.fixture(scope="module")
def engine():
    return Harmonizer(load_shipped(), name="shipped")


def jump(first=DARK, second=BRIGHT, *, before=BEFORE_FRAMES, after=90):
    stages = [first] * before + [second] * after
    return [Moment(i / 30, knots, i == 0) for i, knots in enumerate(stages)]


def test_known_curves_do_what_they_are_called():
    identity = known_curve(Light())
    assert np.array_equal(identity, np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1))
    mid = {name: known_curve(light)[128].astype(int) for name, light in LIGHTS.items()}
    assert (mid["dark"] < 100).all()
    assert mid["warm"][0] > 128 > mid["warm"][2]
    assert mid["cool"][0] < 128 < mid["cool"][2]
    assert (known_curve(LIGHTS["veil"])[0] > 40).all()
    assert all((np.diff(known_curve(light).astype(int), axis=0) >= 0).all() for light in LIGHTS.values())


def test_one_stop_is_half_the_light():
    half = known_curve(Light(stops=-1.0))[255, 0] / 255
    assert ((half + 0.055) / 1.055) ** 2.4 == pytest.approx(0.5, abs=0.01)


def test_own_background_hides_the_person_and_keeps_the_rest():
    pixels = np.full((SIZE[1], SIZE[0], 3), 60, np.uint8)
    pixels[matte() > 0] = 250
    plate = own_background(pixels, matte())
    assert plate.max() <= 62
    assert np.array_equal(plate[0], pixels[0])


def test_sensor_noise_is_as_strong_as_said_and_fresh_each_time():
    rng = np.random.default_rng(0)
    grey = np.full((100, 100, 3), 128, np.uint8)
    noisy = sensor_noise(grey, rng)
    assert noisy.astype(float).std() == pytest.approx(math.sqrt(2**2 + 3.5**2 * 128 / 255), rel=0.05)
    assert not np.array_equal(noisy, sensor_noise(grey, rng))


def test_recorder_gives_the_matchers_own_tables_and_replay_repeats_them(engine):
    settings = MatchSettings()
    recorder, plain, tables = CurveRecorder(engine), Matcher(engine, settings), []
    empty = np.zeros_like(matte())
    for i in range(12):
        alpha = empty if i == 5 else matte()
        scene = {"plate_key": i // 4, "is_static": i < 8, "time_s": i / 25}
        arguments = texture(9 * i), alpha, texture(i // 4)
        tables.append(plain.table(*arguments, **scene))
        assert np.array_equal(recorder.table(*arguments, **scene), tables[-1])
        if i == 9:
            plain.reset()
            recorder.reset()
    replayed = [None if c is None else lut8(c) for c in replay(recorder.moments, settings.smoothing)]
    assert all(np.array_equal(a, b) for a, b in zip(replayed, tables, strict=True))
    assert [i for i, m in enumerate(recorder.moments) if m.starts_over] == [0, 4, 5, 10]
    assert recorder.moments[5].knots is None


def test_truth_scores_perfectly_and_a_recolouring_does_not():
    scorer = ClipScorer(clip())
    truth = scorer.score(scorer.reals)
    assert (truth.fmse, truth.psnr_db) == (0.0, math.inf)
    dark = scorer.score(rendered(scorer, [known_curve(LIGHTS["dark"])] * FRAMES, [IDENTITY] * FRAMES))
    assert dark.fmse > 500
    assert dark.psnr_db == pytest.approx(10 * math.log10(255**2 / dark.fmse), abs=0.2)


def test_motion_is_followed_and_flicker_is_not_mistaken_for_it():
    scorer = ClipScorer(clip(step_px=2))
    steady = scorer.score(scorer.reals).temporal_loss
    blinking = [np.clip(p.astype(int) + 6 * (i % 2), 0, 255).astype(np.uint8) for i, p in enumerate(scorer.reals)]
    assert steady < 12
    assert scorer.score(blinking).temporal_loss == pytest.approx(steady + 3 * 6**2, rel=0.2)


def test_frames_without_a_person_and_cuts_are_left_out():
    filmed = clip()
    cut = FilmedClip(filmed.name, filmed.frames, filmed.mattes, filmed.plates, (False, *(True,) * (FRAMES - 1)))
    scorer = ClipScorer(cut)
    score = scorer.score([None, scorer.reals[1], *(None,) * (FRAMES - 2)])
    assert score.fmse == 0.0
    assert math.isnan(score.temporal_loss)


def test_moving_scene_is_matched_to_its_own_background(engine):
    filmed = clip()
    moments = record_moving(filmed, [known_curve(LIGHTS["dark"])] * FRAMES, engine)
    assert [m.time_s for m in moments] == [f.time_s for f in filmed.frames]
    assert [m.starts_over for m in moments] == [True] + [False] * (FRAMES - 1)
    assert all(m.knots is not None for m in moments)


def test_a_cut_of_the_clip_starts_the_match_over(engine):
    filmed = clip()
    cuts = tuple(i == 4 for i in range(FRAMES))
    filmed = FilmedClip(filmed.name, filmed.frames, filmed.mattes, filmed.plates, cuts)
    moments = record_moving(filmed, [known_curve(Light())] * FRAMES, engine)
    assert [i for i, m in enumerate(moments) if m.starts_over] == [0, 4]


def test_settling_follows_the_time_constant():
    frame_s = 1 / 30
    for tau_s in (0.1, 0.2, 0.4):
        measured_s = settling_of(jump(), SmoothingSettings("ema", tau_s=tau_s))
        assert measured_s == pytest.approx(math.log(10) * tau_s, abs=1.01 * frame_s)
    assert settling_of(jump(), SmoothingSettings("none")) == 0.0
    assert settling_of(jump(), SmoothingSettings("ema", tau_s=10.0)) == math.inf


def test_a_match_that_starts_over_settles_at_once():
    moments = [Moment(m.time_s, m.knots, m.starts_over or i == BEFORE_FRAMES) for i, m in enumerate(jump())]
    assert settling_of(moments, SmoothingSettings("ema", tau_s=1.0)) == 0.0


def test_nobody_in_between_gives_no_settling_time():
    moments = jump()
    moments[50] = Moment(moments[50].time_s, None, True)
    assert math.isnan(settling_of(moments, SmoothingSettings()))


def resting(knots):
    """Everybody at level 100: the mean colour is the table's entry there."""
    histograms = np.zeros((len(knots), 3, 256))
    histograms[:, :, 100] = 7
    return RestRecord([Moment(i / 30, k, i == 0) for i, k in enumerate(knots)], histograms)


def rest_score(record, smoothing):
    return rest_measurement(record, smoothing, clip="c", weights="w", scene="rest")


def test_flicker_at_rest_is_that_of_the_rendered_colour():
    blinking = [identity_knots() * (1.0 + 0.02 * (i % 2) - 0.02) for i in range(75)]
    score = rest_score(resting(blinking), SmoothingSettings("none"))
    assert score.colour_step_levels == pytest.approx(2.0)
    assert score.colour_step_max_levels == pytest.approx(2.0)
    assert score.colour_step_max_unrounded_levels == pytest.approx(2.0)
    ramp = np.linspace(0, 1, 256)
    assert score.curve_step_levels == pytest.approx(255 * 0.02 * math.sqrt((ramp**2).mean()), rel=1e-3)
    assert rest_score(resting(blinking), SmoothingSettings()).curve_step_levels < 0.3 * score.curve_step_levels


def test_rest_without_a_person_measures_nothing():
    score = rest_score(resting([None] * 75), SmoothingSettings())
    assert (score.curve_step_levels, score.colour_step_levels) == (None, None)


def test_default_smoothing_is_among_the_compared_and_names_are_distinct():
    names = [smoothing_name(s) for s in SMOOTHINGS]
    assert smoothing_name(SmoothingSettings()) in names
    assert len(set(names)) == len(names)


def measured(smoothing, *, colour, light_s, plate_s=0.0, weights="w"):
    return [
        Measurement("c", weights, smoothing, "dark", fmse=10.0, psnr_db=38.0, temporal_loss=3.0),
        Measurement("c", weights, smoothing, "veil", fmse=20.0, psnr_db=35.0, temporal_loss=5.0),
        Measurement("c", weights, smoothing, "rest", colour_step_levels=colour),
        Measurement("d", weights, smoothing, "rest", colour_step_levels=colour / 2),
        Measurement("c", weights, smoothing, PLATE_CHANGE, settling_s=plate_s),
        Measurement("c", weights, smoothing, PLATE_CUT, settling_s=0.1),
        Measurement("c", weights, smoothing, LIGHT_CHANGE, settling_s=light_s),
        Measurement("d", weights, smoothing, LIGHT_CHANGE, settling_s=0.1),
    ]


def test_summary_takes_means_worst_steps_and_slowest_settling():
    (summary,) = summarize(measured("a", colour=0.2, light_s=0.4))
    assert (summary.fmse, summary.temporal_loss) == (15.0, 4.0)
    assert (summary.colour_step_levels, summary.light_settling_s) == (0.2, 0.4)
    assert summary.meets_targets


@pytest.mark.parametrize("change", [{"colour": 0.31}, {"light_s": 0.6}, {"light_s": math.inf}, {"plate_s": math.nan}])
def test_targets_are_missed_by_flicker_by_slowness_and_by_what_was_not_measured(change):
    (summary,) = summarize(measured("a", **({"colour": 0.2, "light_s": 0.4} | change)))
    assert not summary.meets_targets


def test_the_steadiest_that_meets_the_targets_is_chosen_for_each_network():
    rows = [
        *measured("quick", colour=0.2, light_s=0.1),
        *measured("good", colour=0.1, light_s=0.4),
        *measured("slow", colour=0.01, light_s=2.0),
        *measured("slow", colour=0.01, light_s=2.0, weights="other"),
    ]
    summaries = summarize(rows)
    assert {name: s.smoothing for name, s in steadiest(summaries).items()} == {"w": "good"}
    given = summarize([Measurement("c", "", "untouched composite", "dark", fmse=99.0)])
    by_network = tables([*given, *summaries])
    assert all(len(row) == len(HEADERS) for rows in by_network.values() for row in rows)
    assert [row[-1] for row in by_network["w"]] == ["", "yes", "yes *", "no"]
    assert [row[0] for row in by_network["other"]] == ["untouched composite", "slow"]


def test_csv_and_json_know_no_infinity():
    rows = [Measurement("c, 1.mp4", "w", "none", LIGHT_CHANGE, settling_s=math.inf)]
    (line,) = csv.DictReader(io.StringIO(as_csv(rows)))
    assert (line["clip"], line["settling_s"], line["fmse"]) == ("c, 1.mp4", "", "")
    assert summarize(rows)[0].as_dict()["light_settling_s"] is None


def test_played_plate_cuts_when_it_should():
    shots = [ImagePlate(np.full((8, 8, 3), level, np.uint8)) for level in (10, 200)]
    plate = PlayedPlate(*shots, cut_index=2)
    frames = [Frame(texture(), i, Fraction(1, 30), i) for i in range(4)]
    shown = []
    for frame in frames:
        shown.append(int(plate.pixels(frame, (8, 8))[0, 0, 0]))
        assert plate.key == ("played", frame.index)
    assert shown == [10, 10, 200, 200]
    assert not plate.is_static


class NotingEngine(Harmonizer):
    """The real engine, noting when a plate is looked at."""

    time_s, looks = 0.0, ()

    def embed_plate(self, plate, alpha=None):
        self.looks += (self.time_s,)
        return super().embed_plate(plate, alpha)


def test_a_video_plate_cuts_just_after_the_matcher_looked_at_it():
    noting = NotingEngine(load_shipped())
    matcher = Matcher(noting)
    times_s = [float(Fraction(i, REST_RATE_HZ)) for i in range(BEFORE_FRAMES + 8)]
    for i, noting.time_s in enumerate(times_s):
        matcher.table(texture(), matte(), texture(), plate_key=i, is_static=False, time_s=noting.time_s)
    assert times_s[BEFORE_FRAMES - 1] in noting.looks
    assert times_s[BEFORE_FRAMES] not in noting.looks


def test_clip_without_a_person_too_short_or_missing_is_refused(tmp_path):
    def grey(width, height, _index):
        return np.full((height, width, 3), 120, np.uint8)

    room = write_clip(tmp_path / "room.mp4", frames=12, size=(160, 96), draw=grey)
    short = write_clip(tmp_path / "short.mp4", frames=3, size=(160, 96), draw=grey)
    for path, sentence in ((room, "Nobody"), (short, "only 3 frames"), (tmp_path / "none.mp4", "none.mp4")):
        with pytest.raises(UserError, match=sentence) as refused:
            film(path, max_frames=20, notice=lambda _: None)
        assert refused.value.code == ExitCode.BAD_INPUT


def test_unknown_weights_are_refused_before_any_clip_is_read(tmp_path):
    with pytest.raises(UserError) as refused:
        evaluate_video(
            [tmp_path / "none.mp4"],
            ["nonsense"],
            max_frames=10,
            rest_s=2.0,
            notice=lambda _: None,
            tick=lambda: None,
        )
    assert refused.value.code == ExitCode.MODEL
