import json
from fractions import Fraction

import numpy as np
import pytest

from app.domain.errors import ExitCode, UserError
from app.pipeline.matching import MatchSettings, curve_of
from app.pipeline.offline.curve_files import cube_name, cube_text, read_cube, scenes_of, write_curves
from harmonizer.curves import apply_lut, fold, identity_knots

TIME_BASE = Fraction(1, 1000)
FULL = MatchSettings()


def lifted(amount):
    """Knots (1, 3, 65): a soft gamma of each channel, differently strong."""
    inputs = np.linspace(0, 1, 65)
    return np.stack([inputs ** (1 - amount * share) for share in (1.0, 0.5, -0.5)])[None]


def scenes(knots, *, starts=(0,), step_pts=100, match=FULL, skin=None, first_pts=0):
    count = len(knots)
    skin = np.full((count, 3), np.nan) if skin is None else skin
    pts = first_pts + np.arange(count) * step_pts
    return list(
        scenes_of(
            np.array(knots),
            skin,
            pts=pts,
            frames=np.arange(count) * 3,
            scene_starts=[first_pts + start for start in starts],
            stop_pts=int(pts[-1]) + step_pts,
            match=match,
        )
    )


def written(tmp_path, found, **options):
    names = write_curves(
        tmp_path / "curves.json", tmp_path / "luts", found, time_base=TIME_BASE, title="clip", **options
    )
    return json.loads((tmp_path / "curves.json").read_text("utf-8")), names


def trilinear(table, colours):
    """Colours (n, 3) through a table (b, g, r, 3), by scipy."""
    from scipy.interpolate import RegularGridInterpolator

    grid = np.linspace(0, 1, len(table))
    return RegularGridInterpolator((grid, grid, grid), table)(colours[:, ::-1])


def test_a_lut_applied_is_the_curve_applied(tmp_path):
    (scene,) = scenes([lifted(0.3)] * 3)
    _, names = written(tmp_path, [scene])
    colours = np.random.default_rng(0).random((4000, 3))
    wanted = apply_lut(colours[None], fold(lifted(0.3), 4096))[0]
    # Below the second step a gamma bends more than any table of 33 steps can.
    far = (colours > 2 / 32).all(axis=1)
    assert np.abs(trilinear(read_cube(names[0]), colours) - wanted)[far].max() * 255 < 0.5


def test_what_was_written_is_what_is_read(tmp_path):
    curve = fold(lifted(0.4), 1025)
    (tmp_path / "a.cube").write_text(cube_text(curve, title="x"), "utf-8")
    table = read_cube(tmp_path / "a.cube")
    assert table.shape == (33, 33, 33, 3)
    np.testing.assert_allclose(table[0, 0, :, 0], curve[0, ::32], atol=1e-5)
    np.testing.assert_allclose(table[0, :, 0, 1], curve[1, ::32], atol=1e-5)
    np.testing.assert_allclose(table[:, 0, 0, 2], curve[2, ::32], atol=1e-5)


def test_the_file_is_what_resolve_and_adobe_read():
    lines = cube_text(fold(identity_knots()), title='a "quoted"\ntitle').splitlines()
    assert lines[:4] == [
        'TITLE "a quotedtitle"',
        "LUT_3D_SIZE 33",
        "DOMAIN_MIN 0.0 0.0 0.0",
        "DOMAIN_MAX 1.0 1.0 1.0",
    ]
    assert lines[4:6] == ["0.000000 0.000000 0.000000", "0.031250 0.000000 0.000000"]
    assert lines[-1] == "1.000000 1.000000 1.000000"
    assert len(lines) == 4 + 33**3


def test_a_scene_has_the_median_of_its_curves_which_is_monotone():
    rng = np.random.default_rng(1)
    knots = [np.sort(rng.random((1, 3, 65)), axis=-1) for _ in range(7)]
    (scene,) = scenes(knots)
    assert scene.curve.shape == (3, 65)
    assert (np.diff(scene.curve, axis=1) >= 0).all()
    np.testing.assert_allclose(scene.curve, np.median([k[0] for k in knots], axis=0), atol=1e-9)


def test_strength_and_skin_are_as_in_the_pictures():
    skin = np.tile([0.8, 0.6, 0.5], (2, 1))
    match = MatchSettings(strength=0.5, protect_skin=0.7)
    (scene,) = scenes([lifted(0.4)] * 2, match=match, skin=skin)
    wanted = curve_of(lifted(0.4), match, skin[0], entries=1025)[:, ::16]
    np.testing.assert_array_equal(scene.curves[0], wanted)
    (plain,) = scenes([lifted(0.4)] * 2)
    assert np.abs(plain.curves - scene.curves).max() > 0.02
    (off,) = scenes([lifted(0.4)], match=MatchSettings(strength=0))
    np.testing.assert_allclose(off.curves[0], np.tile(np.linspace(0, 1, 65), (3, 1)), atol=1e-12)


def test_every_scene_has_its_own_lut_and_its_place_in_time(tmp_path):
    found = scenes([lifted(0.1)] * 130 + [lifted(0.4)] * 10, starts=(0, 13000), first_pts=5000)
    report, names = written(tmp_path, found)
    assert [name.name for name in names] == ["scene_001_00m00s.cube", "scene_002_00m13s.cube", "curves.json"]
    first, second = report["scenes"]
    assert (first["lut"], second["lut"]) == ("scene_001_00m00s.cube", "scene_002_00m13s.cube")
    assert (first["start_s"], first["end_s"], first["start_pts"], first["end_pts"]) == (0, 13, 5000, 18000)
    assert (second["start_s"], second["end_s"]) == (13, 14)
    assert report["version"] == 1
    assert Fraction(report["time_base"]) == TIME_BASE
    assert second["keys"][0] | {"red": 0, "green": 0, "blue": 0} == {
        "time_s": 13.0,
        "frame": 390,
        "pts": 18000,
        "red": 0,
        "green": 0,
        "blue": 0,
    }


def test_a_curve_at_rest_has_a_key_a_second():
    report = [key["time_s"] for key in _keys_of(scenes([lifted(0.2)] * 35))]
    assert report == [0, 1, 2, 3, 3.4]


def _keys_of(found):
    from app.pipeline.offline.curve_files import _described

    return _described(found[0], 0, TIME_BASE)["keys"]


def test_between_keys_no_curve_is_further_off_than_can_be_seen():
    amounts = np.concatenate([np.full(20, 0.1), np.linspace(0.1, 0.4, 15), np.full(20, 0.4), [0.1] * 5])
    found = scenes([lifted(amount) for amount in amounts])
    keys = _keys_of(found)
    assert len(keys) < len(amounts)
    at = [key["time_s"] for key in keys]
    for channel, name in enumerate(("red", "green", "blue")):
        shown = np.array([key[name] for key in keys])
        for row, pts in enumerate(found[0].pts):
            between = [np.interp(float(pts * TIME_BASE), at, shown[:, n]) for n in range(65)]
            assert np.abs(between - found[0].curves[row, channel]).max() * 255 <= 0.51


def test_a_scene_without_anybody_has_no_lut(tmp_path):
    nobody = np.full((1, 3, 65), np.nan)
    found = scenes([nobody] * 10 + [lifted(0.2)] * 10, starts=(0, 1000))
    report, names = written(tmp_path, found)
    assert [name.name for name in names] == ["scene_002_00m01s.cube", "curves.json"]
    assert report["scenes"][0]["lut"] is None
    assert report["scenes"][0]["keys"] == []


def test_either_kind_of_file_may_be_left_out(tmp_path):
    found = scenes([lifted(0.2)] * 3)
    assert [p.name for p in write_curves(None, tmp_path / "l", found, time_base=TIME_BASE, title="")] == [
        "scene_001_00m00s.cube"
    ]
    assert write_curves(tmp_path / "c.json", None, found, time_base=TIME_BASE, title="") == (tmp_path / "c.json",)
    assert json.loads((tmp_path / "c.json").read_text())["scenes"][0]["lut"] is None
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.json", "l"]


def test_what_exists_is_kept_unless_it_may_be_replaced(tmp_path):
    (tmp_path / "curves.json").write_text("mine")
    with pytest.raises(UserError) as caught:
        written(tmp_path, scenes([lifted(0.2)]), overwrite=False)
    assert caught.value.code == ExitCode.OUTPUT
    assert (tmp_path / "curves.json").read_text() == "mine"
    assert not list(tmp_path.glob("*.part*"))
    with pytest.raises(UserError):
        written(tmp_path, scenes([lifted(0.2)]), inputs=[tmp_path / "curves.json"])


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "luts").write_text("a file")
    with pytest.raises(UserError) as caught:
        written(tmp_path, scenes([lifted(0.2)]))
    assert caught.value.code == ExitCode.OUTPUT


def test_names_sort_by_time():
    assert cube_name(1, 12.9) == "scene_001_00m12s.cube"
    assert cube_name(42, 3725) == "scene_042_62m05s.cube"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "LUT_3D_SIZE 2\n0 0 0\n",
        "LUT_3D_SIZE 999\n",
        "LUT_3D_SIZE 99999999999999999999\n",
        "LUT_3D_SIZE -2\n" + "0 0 0\n" * 8,
        "LUT_3D_SIZE 2\n" + "0 0\n" * 8,
        "LUT_3D_SIZE 2\n" + "0 0 0\n" * 7 + "0 0\n",
        "LUT_3D_SIZE 2\n" + "0 0 nan\n" * 8,
        "LUT_3D_SIZE 2\n" + "a b c\n" * 8,
        "\udcff",
    ],
)
def test_what_is_no_lut_is_refused(tmp_path, text):
    path = tmp_path / "bad.cube"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UserError) as caught:
        read_cube(path)
    assert caught.value.code == ExitCode.BAD_INPUT


def test_so_is_one_that_is_missing(tmp_path):
    with pytest.raises(UserError):
        read_cube(tmp_path / "none.cube")
