from __future__ import annotations

import io
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import zlib
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from app.domain.errors import ExitCode, UserError
from app.pipeline.offline.disk_room import is_disk_full
from app.pipeline.offline.formats import Encoding
from app.pipeline.offline.picture_sink import PictureSink, check_folder, encode_tiff, encoder_of, left_over
from app.pipeline.png_encoding import encode_png

PROJECT = Path(__file__).parents[3]
PNG = Encoding(format="png")


def noise(*shape: int, dtype=np.uint8, seed: int = 0):
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def read_back(data: bytes):
    """By FFmpeg's own decoders, which share no code with what wrote them."""
    with av.open(io.BytesIO(data)) as file:
        return next(file.decode(video=0)).to_ndarray()


SHAPES = [(1, 1), (1, 1, 3), (3, 1, 4), (1, 7, 3), (17, 23), (65, 31, 3), (130, 9, 4), (64, 64, 4)]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("encode", [encode_png, encode_tiff])
def test_every_sample_comes_back(encode, shape, dtype) -> None:
    for picture in (noise(*shape, dtype=dtype), np.zeros(shape, dtype), np.full(shape, np.iinfo(dtype).max, dtype)):
        found = read_back(encode(picture))
        assert found.dtype == dtype
        assert np.array_equal(found.reshape(shape), picture)


def test_pictures_that_are_parts_of_larger_ones() -> None:
    whole = noise(40, 60, 4, dtype=np.uint16)
    part = whole[3:30:2, 5:50, :3]
    for encode in (encode_png, encode_tiff):
        assert np.array_equal(read_back(encode(part)), part)


def test_png_is_what_the_specification_says() -> None:
    data = encode_png(noise(5, 6, 3))
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    at, names = 8, []
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        names.append(data[at + 4 : at + 8])
        assert zlib.crc32(data[at + 4 : at + 8 + length]) == int.from_bytes(
            data[at + 8 + length : at + 12 + length], "big"
        )
        at += 12 + length
    assert names == [b"IHDR", b"sRGB", b"IDAT", b"IEND"]


def test_colours_are_tagged_and_mattes_are_not(tmp_path: Path) -> None:
    for name, shape in (("colour", (4, 4, 3)), ("cutout", (4, 4, 4)), ("matte", (4, 4))):
        path = tmp_path / f"{name}.png"
        path.write_bytes(encode_png(noise(*shape)))
        with Image.open(path) as image:
            assert ("srgb" in image.info) == (name != "matte")
        path = tmp_path / f"{name}.tif"
        path.write_bytes(encode_tiff(noise(*shape)))
        with tifffile.TiffFile(path) as file:
            assert ("InterColorProfile" in file.pages[0].tags) == (name != "matte")


@pytest.mark.parametrize(("premultiplied", "tag"), [(False, 2), (True, 1)])
def test_tiff_says_what_its_alpha_is(tmp_path: Path, premultiplied: bool, tag: int) -> None:
    path = tmp_path / "a.tif"
    encoding = Encoding(format="tiff", alpha="premultiplied" if premultiplied else "straight")
    path.write_bytes(encoder_of(encoding)(noise(9, 9, 4, dtype=np.uint16)))
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        assert tuple(page.extrasamples) == (tag,)
        assert (page.compression, page.predictor, page.photometric) == (8, 2, 2)
        assert np.array_equal(page.asarray(), noise(9, 9, 4, dtype=np.uint16))


@pytest.mark.parametrize("format", ["png", "tiff"])
def test_depth_is_the_encodings_else_the_pictures(format) -> None:
    eight, sixteen = noise(4, 5, 3), noise(4, 5, 3, dtype=np.uint16)
    for depth, of_eight, of_sixteen in (
        (None, np.uint8, np.uint16),
        (8, np.uint8, np.uint8),
        (16, np.uint16, np.uint16),
    ):
        encode = encoder_of(Encoding(format=format, depth=depth))
        assert read_back(encode(eight)).dtype == of_eight
        assert read_back(encode(sixteen)).dtype == of_sixteen
    assert np.array_equal(
        read_back(encoder_of(Encoding(format=format, depth=16))(eight)), eight.astype(np.uint16) * 257
    )


def test_names_and_numbers(tmp_path: Path) -> None:
    folder = tmp_path / "shot"
    sink = PictureSink(folder, "a [1] %d", encoding=PNG, overwrite=True)
    for number in (0, 7, 999_999, 1_000_000):
        sink.append(noise(2, 2, 3), pts=number * 40, number=number)
    sink.close()
    assert sink.count == 4
    assert sorted(path.name for path in folder.iterdir()) == [
        "a [1] %d_000000.png",
        "a [1] %d_000007.png",
        "a [1] %d_1000000.png",
        "a [1] %d_999999.png",
    ]
    assert left_over(folder, "a [1] %d", ".png", 8) == 2
    with pytest.raises(ValueError, match="picture 3 of 3"):
        PictureSink(folder, "b", encoding=PNG, overwrite=True, total=3).append(noise(2, 2), pts=0, number=3)


def test_workers_fill_one_folder_at_the_same_time_and_one_that_is_killed_writes_its_numbers_again(
    tmp_path: Path,
) -> None:
    code = """
        import sys
        from pathlib import Path
        import numpy as np
        from app.pipeline.offline.formats import Encoding
        from app.pipeline.offline.picture_sink import PictureSink

        first = int(sys.argv[2])
        sink = PictureSink(Path(sys.argv[1]), "s", encoding=Encoding(format="png"), overwrite=True, total=40)
        for number in range(first, first + 20):
            sink.append(np.full((300, 300, 3), number, np.uint8), pts=number, number=number)
            print(number, flush=True)
        sink.close()
    """
    folder = tmp_path / "out"

    def start(first: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", textwrap.dedent(code), str(folder), str(first)]
        return subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)

    with start(0) as killed, start(20) as other:
        assert killed.stdout is not None
        assert [killed.stdout.readline() for _ in range(3)] == ["0\n", "1\n", "2\n"]
        killed.send_signal(signal.SIGKILL)
        assert other.stdout is not None
        other.stdout.read()
    assert other.returncode == 0
    for path in folder.glob("s_??????.png"):
        assert cv2.imread(str(path))[0, 0, 0] == int(path.stem[2:]), "a picture under its name is whole"
    with start(0) as again:
        assert again.stdout is not None
        again.stdout.read()
    assert sorted(path.name for path in folder.iterdir()) == [f"s_{number:06d}.png" for number in range(40)]
    assert {int(cv2.imread(str(path))[0, 0, 0]) for path in folder.iterdir()} == set(range(40))


def test_folder_is_looked_at_before_any_work(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    check_folder(folder, "shot", ".png", overwrite=False)
    assert not folder.exists()
    PictureSink(folder, "shot", encoding=PNG, overwrite=False).append(noise(2, 2), pts=0, number=0)
    (folder / "notes.txt").touch()
    (folder / "shot_12.png").touch()
    for stem, suffix in (("other", ".png"), ("shot", ".tif")):
        check_folder(folder, stem, suffix, overwrite=False)
    with pytest.raises(UserError, match="holds 1 pictures of an earlier export") as caught:
        check_folder(folder, "shot", ".png", overwrite=False)
    assert caught.value.code == ExitCode.OUTPUT
    check_folder(folder, "shot", ".png", overwrite=True)
    with pytest.raises(UserError, match="read from"):
        check_folder(folder, "shot", ".png", overwrite=True, inputs=(folder / ".." / "out",))
    with pytest.raises(UserError, match="read from"):
        PictureSink(folder, "shot", encoding=PNG, overwrite=True, inputs=(folder,))
    with pytest.raises(UserError, match="is a file"):
        check_folder(folder / "notes.txt", "shot", ".png", overwrite=True)
    with pytest.raises(UserError, match="does not exist"):
        check_folder(tmp_path / "none" / "out", "shot", ".png", overwrite=True)


def test_an_earlier_picture_and_an_input_are_not_replaced_unasked(tmp_path: Path) -> None:
    sink = PictureSink(tmp_path, "s", encoding=PNG, overwrite=False)
    sink.append(noise(2, 2), pts=0, number=0)
    before = (tmp_path / "s_000000.png").read_bytes()
    with pytest.raises(UserError, match="exists already"):
        sink.append(noise(3, 3), pts=0, number=0)
    with pytest.raises(UserError, match="in use"):
        PictureSink(tmp_path, "s", encoding=PNG, overwrite=True, inputs=(tmp_path / "s_000000.png",)).append(
            noise(3, 3), pts=0, number=0
        )
    assert (tmp_path / "s_000000.png").read_bytes() == before
    sink.abort()
    sink.abort()
    assert [path.name for path in tmp_path.iterdir()] == ["s_000000.png"]


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 1 MB, where this user may mount one."""
    folder = Path(tempfile.mkdtemp())
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        folder.rmdir()
        pytest.skip("mounting a small tmpfs needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
    folder.rmdir()


@pytest.mark.parametrize("format", ["png", "tiff", "exr"])
def test_a_full_disk_leaves_whole_pictures_only_and_goes_on_once_there_is_room(small_disk: Path, format) -> None:
    picture = noise(200, 200, 3)
    sink = PictureSink(small_disk / "out", "s", encoding=Encoding(format=format), overwrite=True)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(500_000))

    def fill() -> None:
        for number in range(20):
            sink.append(picture, pts=0, number=number)

    with pytest.raises(UserError, match="The disk is full") as caught:
        fill()
    assert caught.value.code == ExitCode.OUTPUT
    assert is_disk_full(caught.value)
    whole = encoder_of(Encoding(format=format))(picture)
    files = list((small_disk / "out").iterdir())
    assert len(files) == sink.count > 0
    assert {path.read_bytes() for path in files} == {whole}
    ballast.unlink()
    sink.append(picture, pts=0, number=sink.count)
