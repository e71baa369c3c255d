from fractions import Fraction

import av
import numpy as np
import pytest

from app.domain.errors import ExitCode, UserError
from app.domain.frame import Frame
from app.pipeline.plates import DEFAULT_PLATES, BlurPlate, open_plate
from tests.unit.pipeline_images import picture_files as files

SIZE = (64, 36)


def frame_at(time_s=0.0, *, pixels=None, index=0):
    if pixels is None:
        pixels = np.random.default_rng(5).integers(0, 256, (72, 128, 3), dtype=np.uint8)
    return Frame(pixels, pts=round(time_s * 1000), time_base=Fraction(1, 1000), index=index)


def test_every_default_opens_by_its_name_and_is_fitted_to_the_size_asked_for():
    keys = set()
    for name in DEFAULT_PLATES:
        with open_plate(name) as plate:
            assert plate.is_static
            assert plate.pixels(frame_at(), SIZE).shape == (36, 64, 3)
            keys.add(plate.key)
    assert len(keys) == len(DEFAULT_PLATES)


def test_a_still_plate_is_fitted_once_a_size_and_cannot_be_written_to():
    with open_plate("studio") as plate:
        first = plate.pixels(frame_at(0), SIZE)
        key = plate.key
        assert plate.pixels(frame_at(1, index=1), SIZE) is first
        assert plate.key == key
        assert not first.flags.writeable
        assert plate.pixels(frame_at(2), (32, 32)).shape == (32, 32, 3)
        assert plate.key != key


@pytest.fixture
def stripes(tmp_path):
    """A 3:1 picture: red, green, blue."""
    pixels = np.zeros((30, 90, 3), np.uint8)
    for channel in range(3):
        pixels[:, 30 * channel : 30 * channel + 30, channel] = 255
    path = tmp_path / "stripes.png"
    path.write_bytes(files.encode(pixels, "PNG"))
    return path


def test_a_picture_is_fitted_as_asked(stripes):
    with open_plate(str(stripes)) as cover, open_plate(str(stripes), fit="contain", fill=(9, 8, 7)) as contain:
        assert (cover.pixels(frame_at(), (30, 30)) == (0, 255, 0)).all()
        shown = contain.pixels(frame_at(), (90, 90))
    assert (shown[0] == (9, 8, 7)).all()
    assert (shown[45, 0] == (255, 0, 0)).all()
    assert cover.key != contain.key


def test_a_transparent_plate_shows_the_fill_colour_and_says_so(tmp_path):
    pixels = np.full((8, 8, 4), 255, np.uint8)
    pixels[:, :4, 3] = 0
    path = tmp_path / "logo.png"
    path.write_bytes(files.encode(pixels, "PNG"))
    with open_plate(str(path), fill=(10, 20, 30)) as plate:
        shown = plate.pixels(frame_at(), (8, 8))
        assert "transparent" in plate.notes[-1]
    assert (shown[:, :4] == (10, 20, 30)).all()
    assert (shown[:, 4:] == 255).all()


@pytest.mark.parametrize(
    ("spec", "rgb"),
    [
        ("#204060", (32, 64, 96)),
        ("#f08", (255, 0, 136)),
        ("color:#ABCDEF", (171, 205, 239)),
        ("color:teal", (0, 128, 128)),
        ("colour:White", (255, 255, 255)),
    ],
)
def test_colours(spec, rgb):
    with open_plate(spec) as plate:
        assert plate.is_static
        assert (plate.pixels(frame_at(), SIZE) == rgb).all()


@pytest.mark.parametrize("spec", ["#12", "#12345g", "color:ultramauve", "blur:wide", "blur:-3"])
def test_colours_and_blurs_that_cannot_be_read_are_refused_as_such(spec):
    with pytest.raises(UserError, match=spec):
        open_plate(spec)


def test_blur_shows_each_frame_softened():
    frame = frame_at(index=3)
    with open_plate("blur:12") as plate:
        assert not plate.is_static
        soft = plate.pixels(frame, frame.size)
        key = plate.key
        plate.pixels(frame_at(index=4), frame.size)
        assert plate.key != key
    assert soft.shape == frame.pixels.shape
    assert soft.std() < frame.pixels.std() / 4
    assert soft.mean() == pytest.approx(frame.pixels.mean(), abs=2)


def test_a_larger_radius_blurs_more_and_plain_blur_goes_with_the_size():
    frame = frame_at()
    spread = [open_plate(spec).pixels(frame, frame.size).std() for spec in ("blur:2", "blur:6", "blur:20")]
    assert spread[0] > spread[1] > spread[2]
    np.testing.assert_array_equal(
        open_plate("blur").pixels(frame, frame.size), open_plate("blur:2.16").pixels(frame, frame.size)
    )


def test_blur_leaves_no_halo_of_who_is_hidden():
    pixels = np.zeros((72, 128, 3), np.uint8)
    pixels[20:, 50:80] = 255
    hide = pixels[..., 0].copy()
    shown = BlurPlate(16).pixels(frame_at(pixels=pixels), (128, 72), hide=hide)
    assert shown[hide == 0].max() <= 2


def write_video(path, colours, *, size=(64, 48), rate=10):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "1", "bf": "0"})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv444p"
        for colour in colours:
            picture = np.full((size[1], size[0], 3), colour, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


RED, GREEN, BLUE = (220, 20, 20), (20, 220, 20), (20, 20, 220)


def dominant(pixels):
    return "rgb"[int(pixels.reshape(-1, 3).mean(axis=0).argmax())]


def test_a_video_plate_follows_the_frames_times_and_loops(tmp_path):
    path = tmp_path / "clip.mp4"
    write_video(path, [RED, GREEN, BLUE])
    with open_plate(str(path)) as plate:
        assert not plate.is_static
        shown = [dominant(plate.pixels(frame_at(t), SIZE)) for t in (0.0, 0.05, 0.1, 0.2, 0.31, 0.45)]
        assert shown == ["r", "r", "g", "b", "r", "g"]
        key = plate.key
        again = plate.pixels(frame_at(0.46), SIZE)
        assert plate.key == key
        assert again is plate.pixels(frame_at(0.47), SIZE)
        assert dominant(plate.pixels(frame_at(0.0), SIZE)) == "r"  # somebody sought back
        assert plate.key != key


def test_a_picture_is_known_by_its_content_a_video_too(tmp_path, stripes):
    misnamed = tmp_path / "clip.mp4"
    misnamed.write_bytes(stripes.read_bytes())
    with open_plate(str(misnamed)) as plate:
        assert plate.is_static
    video = tmp_path / "picture.png"
    write_video(tmp_path / "v.mp4", [RED])
    video.write_bytes((tmp_path / "v.mp4").read_bytes())
    with open_plate(str(video)) as plate:
        assert not plate.is_static


def test_an_unknown_plate_is_answered_with_what_there_is():
    with pytest.raises(UserError) as caught:
        open_plate("sunsett")
    assert caught.value.code == ExitCode.BAD_INPUT
    assert all(name in caught.value.hint for name in DEFAULT_PLATES)


@pytest.mark.parametrize("data", [b"", b"some text", b"\x89PNG\r\n\x1a\n cut off"])
def test_a_file_that_is_no_plate_is_refused(tmp_path, data):
    path = tmp_path / "plate.jpg"
    path.write_bytes(data)
    with pytest.raises(UserError):
        open_plate(str(path))


@pytest.mark.parametrize("spec", ["", ".", "\0"])
def test_odd_names_are_refused(spec):
    with pytest.raises(UserError):
        open_plate(spec)
