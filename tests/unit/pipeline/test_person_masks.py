import io
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from app.domain.errors import ExitCode, UserError
from app.pipeline.demo_source import demo_frames
from app.pipeline.person_masks import doubt, mask_people, pictures_to_mask
from harmonizer.training.pictures import Collection, load_pictures
from tests.support.datasets import save

SIZE = (320, 180)


@pytest.fixture(scope="module")
def portrait():
    return next(iter(demo_frames(size=SIZE, rate=Fraction(12), seconds=0.1))).pixels


@pytest.fixture
def people(tmp_path, portrait):
    """Three portraits, a wall with nobody, and a broken file."""
    folder = tmp_path / "people"
    for i in range(3):
        save(folder / f"{i}.jpg", np.roll(portrait, 4 * i, axis=1))
    save(folder / "wall.png", np.full((180, 320, 3), 120, np.uint8))
    (folder / "z.jpg").write_bytes(b"junk")
    return folder


def run(source, target, ticks=None):
    return mask_people(
        source, target, notice=pytest.fail, tick=lambda: None if ticks is None else ticks.append(1)
    )  # fmt: skip


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def shifted_mask(share, grey=0.0):
    """A mask with this share of its rows white and this share grey."""
    mask = np.zeros((100, 100), np.uint8)
    mask[: round(100 * share)] = 255
    mask[round(100 * share) : round(100 * (share + grey))] = 128
    return mask


def test_people_are_masked_and_the_rest_is_named(people, tmp_path):
    target, ticks = tmp_path / "deep" / "masked", []
    result = run(people, target, ticks)
    assert (result.written, result.kept, len(ticks)) == (3, 0, 5)
    assert result.left_out[0] == "wall.png: nobody was found"
    assert result.left_out[1].startswith("z.jpg: ")
    assert sorted(contents(target)) == [*(f"images/{i}.jpg" for i in range(3)), *(f"masks/{i}.png" for i in range(3))]
    assert (target / "images" / "0.jpg").read_bytes() == (people / "0.jpg").read_bytes()
    with Image.open(target / "masks" / "0.png") as mask:
        coverage = np.asarray(mask)
    assert coverage.shape == (180, 320)
    assert coverage[120:, 150:170].mean() > 240  # the chest
    assert coverage[:, :20].mean() < 10
    loaded = load_pictures([Collection(target)], side_px=64)
    assert len(loaded) == 3
    assert bool(loaded.has_mask.all())
    assert loaded.broken == ()


def test_an_interrupted_run_goes_on_and_gives_the_same(people, tmp_path):
    whole = tmp_path / "whole"
    run(people, whole)

    def stop():
        raise KeyboardInterrupt

    target = tmp_path / "target"
    with pytest.raises(KeyboardInterrupt):
        mask_people(people, target, notice=pytest.fail, tick=stop)
    assert len(contents(target)) == 2
    (target / "images" / "1.jpg").write_bytes((people / "1.jpg").read_bytes())  # killed between the two writes
    again = run(people, target)
    assert (again.written, again.kept) == (2, 1)
    assert contents(target) == contents(whole)
    before = {p: p.stat().st_mtime_ns for p in target.rglob("*")}
    third = run(people, target)
    assert (third.written, third.kept, third.left_out) == (0, 3, again.left_out)
    assert {p: p.stat().st_mtime_ns for p in target.rglob("*")} == before


def test_pictures_of_one_name_never_replace_each_other(people, tmp_path, portrait):
    save(people / "0.png", portrait[:, ::-1])
    target = tmp_path / "target"
    result = run(people, target)
    assert "0.png: another picture of this name is there already" in result.left_out
    before = contents(target)
    save(tmp_path / "other" / "1.jpg", portrait[:, ::-1])
    save(tmp_path / "other" / "new.jpg", portrait)
    other = run(tmp_path / "other", target)
    assert other.written == 1
    assert other.left_out == ("1.jpg: another picture of this name is there already",)
    assert {name: data for name, data in contents(target).items() if "new" not in name} == before


@pytest.mark.parametrize("kind", ["jpg", "png", "webp"])
def test_turned_pictures_are_stored_upright_so_that_mask_and_pixels_agree(tmp_path, portrait, kind):
    exif = Image.Exif()
    exif[274] = 6  # stored turned left, to be shown turned right
    (tmp_path / "people").mkdir()
    turned = Image.fromarray(portrait).transpose(Image.Transpose.ROTATE_90)
    turned.save(tmp_path / "people" / f"a.{kind}", exif=exif, quality=95)
    for kept in (0, 1):
        assert run(tmp_path / "people", tmp_path / "out").kept == kept
    stored = Image.open(io.BytesIO((tmp_path / "out" / "images" / f"a.{kind}").read_bytes()))
    assert stored.size == SIZE
    assert stored.getexif().get(274, 1) == 1
    assert np.abs(np.asarray(stored.convert("RGB"), int) - portrait).mean() < 4
    with Image.open(tmp_path / "out" / "masks" / "a.png") as mask:
        assert mask.size == SIZE


def test_doubtful_masks_are_told_with_the_figure():
    assert doubt(shifted_mask(0.4)) is None
    assert doubt(shifted_mask(0.4, grey=0.05)) is None
    assert doubt(shifted_mask(0.0)) == "nobody was found"
    assert doubt(shifted_mask(0.01)) == "what was found covers 1.0 % of the picture"
    assert doubt(shifted_mask(0.95)) == "what was found covers 95.0 % of the picture"
    assert doubt(shifted_mask(0.3, grey=0.3)) == "50 % of the mask is undecided"


def test_folders_that_cannot_be_are_refused(people, tmp_path):
    (tmp_path / "empty").mkdir()
    for source, text in ((tmp_path / "gone", "no folder"), (tmp_path / "empty", "no picture")):
        with pytest.raises(UserError, match=text) as raised:
            pictures_to_mask(source, tmp_path / "out")
        assert raised.value.code == ExitCode.BAD_INPUT
    save(tmp_path / "set" / "images" / "a.png", np.zeros((9, 9, 3), np.uint8))
    inside = [(people, people), (people, people / "out"), (tmp_path / "set" / "images", tmp_path / "set")]
    for source, target in inside:
        before = contents(tmp_path)
        with pytest.raises(UserError, match="belongs to the pictures") as raised:
            run(source, target)
        assert raised.value.code == ExitCode.OUTPUT
        assert contents(tmp_path) == before
    assert len(pictures_to_mask(people, tmp_path / "people-masked")) == 5


def test_nobody_at_all_and_targets_that_are_files_are_sentences(people, tmp_path):
    for path in people.glob("*.jpg"):
        path.unlink()
    with pytest.raises(
        UserError, match=r"None of 1 pictures shows a person to cut out: wall.png: nobody was found"
    ) as e:
        run(people, tmp_path / "out")
    assert e.value.code == ExitCode.BAD_INPUT
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="can't be written") as e:
        run(people, tmp_path / "file")
    assert e.value.code == ExitCode.OUTPUT
    assert (tmp_path / "file").read_text() == "mine"


def test_a_missing_model_ends_the_run_instead_of_leaving_everything_out(people, tmp_path, monkeypatch):
    def missing(*_args, **_kwargs):
        raise UserError("The model is missing.", code=ExitCode.MODEL)

    monkeypatch.setattr("app.pipeline.person_masks.open_segmenter", missing)
    with pytest.raises(UserError, match="The model is missing") as raised:
        run(people, tmp_path / "out")
    assert raised.value.code == ExitCode.MODEL
