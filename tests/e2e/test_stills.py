import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms


def save(path, pixels):
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def portrait(tmp_path, person_pictures):
    return save(tmp_path / "me.png", person_pictures[0])


def read(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def test_composite_puts_the_person_on_the_plate(run_json, portrait, tmp_path):
    out = tmp_path / "out.png"
    code, result = run_json("composite", portrait, "--plate", "#20c040", "-o", out)
    assert code == 0
    assert result["match"]["device"] == "cpu"
    pixels = read(out)
    assert np.abs(pixels[:40, :40] - [0x20, 0xC0, 0x40]).max() <= 1
    assert np.abs(pixels[120:, 150:170] - [0x20, 0xC0, 0x40]).max() > 40


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_composite_writes_every_picture_format(run, portrait, tmp_path, suffix):
    out = tmp_path / f"out{suffix}"
    assert run("composite", portrait, "--plate", "studio", "-o", out)[0] == 0
    with Image.open(out) as picture:
        assert picture.size == (320, 180)


def plate_exif(path):
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[:, :40] = (250, 10, 10)
    Image.fromarray(pixels).save(path.with_suffix(".jpg"), exif=exif, quality=95)
    return path.with_suffix(".jpg"), (250, 10, 10)


def plate_cmyk(path):
    Image.new("CMYK", (80, 60), (0, 255, 255, 0)).save(path.with_suffix(".jpg"), quality=95)
    return path.with_suffix(".jpg"), None


def plate_16_bit(path):
    cv2.imwrite(str(path.with_suffix(".png")), np.full((60, 80, 3), (40 * 257, 90 * 257, 160 * 257), np.uint16))
    return path.with_suffix(".png"), (160, 90, 40)


def plate_animated(path):
    frames = [Image.new("RGB", (80, 60), colour) for colour in ((10, 200, 10), (200, 10, 10))]
    frames[0].save(path.with_suffix(".png"), save_all=True, append_images=frames[1:])
    return path.with_suffix(".png"), (10, 200, 10)


def plate_transparent(path):
    Image.new("RGBA", (80, 60), (30, 60, 250, 255)).save(path.with_suffix(".png"))
    return path.with_suffix(".png"), (30, 60, 250)


def plate_with_profile(path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.new("RGB", (80, 60), (12, 140, 90)).save(path.with_suffix(".png"), icc_profile=profile)
    return path.with_suffix(".png"), (12, 140, 90)


@pytest.mark.parametrize(
    "make", [plate_exif, plate_cmyk, plate_16_bit, plate_animated, plate_transparent, plate_with_profile]
)
def test_plates_of_every_kind_show_their_colour(run, portrait, tmp_path, make):
    plate, colour = make(tmp_path / "plate")
    out = tmp_path / "out.png"
    assert run("composite", portrait, "--plate", plate, "-o", out)[0] == 0
    corner = read(out)[:20, :20].mean(axis=(0, 1))
    if colour is None:  # red ink on paper, whatever the press: clearly red
        assert corner[0] > 150 > 2 * min(corner[1:])
    else:
        assert np.abs(corner - colour).max() < 6


def checkerboard(dtype, top):
    rng = np.random.default_rng(0)
    return (rng.random((60, 80, 3)) * top).astype(dtype)


def mask_file(path, size=(80, 60), box=(20, 15, 60, 45)):
    mask = np.zeros(size[::-1], np.uint8)
    mask[box[1] : box[3], box[0] : box[2]] = 255
    cv2.imwrite(str(path), mask)
    return path, mask > 0


@pytest.mark.parametrize("kind", ["8 bit", "16 bit"])
def test_harmonize_changes_only_what_is_under_the_mask(run, tmp_path, kind):
    dtype, top = (np.uint8, 110) if kind == "8 bit" else (np.uint16, 28000)
    composite = checkerboard(dtype, top)
    mask, inside = mask_file(tmp_path / "mask.png")
    composite[inside] = composite[inside] * 2
    cv2.imwrite(str(tmp_path / "in.png"), composite)
    out = tmp_path / "out.png"
    assert run("harmonize", tmp_path / "in.png", "--mask", mask, "-o", out)[0] == 0
    result = cv2.imread(str(out), cv2.IMREAD_UNCHANGED)
    assert result.dtype == dtype
    assert np.array_equal(result[~inside], composite[~inside])
    assert not np.array_equal(result[inside], composite[inside])


def test_harmonize_with_an_empty_mask_changes_nothing_and_says_so(run_json, tmp_path):
    composite = checkerboard(np.uint8, 255)
    cv2.imwrite(str(tmp_path / "in.png"), composite)
    cv2.imwrite(str(tmp_path / "mask.png"), np.zeros((60, 80), np.uint8))
    out = tmp_path / "out.png"
    code, result = run_json("harmonize", tmp_path / "in.png", "--mask", tmp_path / "mask.png", "-o", out)
    assert code == 0
    assert any("empty" in n for n in result["notices"])
    assert np.array_equal(cv2.imread(str(out)), composite)


def test_mask_of_another_size_is_resized_with_a_notice(run_json, tmp_path):
    cv2.imwrite(str(tmp_path / "in.png"), checkerboard(np.uint8, 255))
    mask, _ = mask_file(tmp_path / "mask.png", size=(160, 120), box=(40, 30, 120, 90))
    code, result = run_json("harmonize", tmp_path / "in.png", "--mask", mask, "-o", tmp_path / "out.png")
    assert code == 0
    assert any("resized" in n for n in result["notices"])


def test_mask_of_another_shape_is_refused(run, tmp_path):
    cv2.imwrite(str(tmp_path / "in.png"), checkerboard(np.uint8, 255))
    mask, _ = mask_file(tmp_path / "mask.png", size=(80, 80), box=(10, 10, 50, 50))
    code, _, err = run("harmonize", tmp_path / "in.png", "--mask", mask, "-o", tmp_path / "out.png")
    assert code == 3
    assert "2 %" in err
    assert not (tmp_path / "out.png").exists()


def test_unknown_picture_ending_is_refused_before_any_work(run, portrait, tmp_path):
    code, _, err = run("composite", portrait, "--plate", "studio", "-o", tmp_path / "out.xyz")
    assert code == 4
    assert ".png" in err


def test_unreadable_picture(run, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing more")
    code, *_ = run("composite", tmp_path / "broken.jpg", "--plate", "studio", "-o", tmp_path / "out.png")
    assert code == 3
