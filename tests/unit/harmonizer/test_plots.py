import math
import sys

import numpy as np
import pytest
from PIL import Image

from harmonizer.training.plots import draw_log, plot_log, read_log

LOG = "step,loss,val_fmse_published,val_fmse_monotone\n250,0.92,1238.9,1429.4\n500,0.79,1052.7,945.5\n"


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(LOG)
    return path


def test_a_log_becomes_a_picture_beside_nothing_else(log, tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)  # Of other tests of this process.
    plot_log(log, tmp_path / "log.png")
    with Image.open(tmp_path / "log.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    assert pixels.shape[0] > 400
    assert pixels.shape[1] > 800
    colours = {tuple(c) for c in pixels.reshape(-1, 3).tolist()}
    assert {(31, 119, 180), (255, 127, 14)} <= colours  # a line of its own for each head
    assert sorted(p.name for p in tmp_path.iterdir()) == ["log.csv", "log.png"]
    assert "matplotlib.pyplot" not in sys.modules


def test_columns_are_read_as_numbers_and_what_is_not_finite_as_a_gap(log):
    log.write_text(LOG + "750,inf,nan,700\n")
    columns = read_log(log)
    assert columns["step"] == [250, 500, 750]
    assert columns["val_fmse_monotone"] == [1429.4, 945.5, 700]
    assert math.isnan(columns["loss"][2])
    assert draw_log(columns).startswith(b"\x89PNG")


def test_one_line_and_a_log_without_validation_are_drawn_too(log):
    for text in (LOG[: LOG.index("500")], "step,loss\n1,0.5\n2,0.4\n", "step,loss,val_fmse_a\n1,nan,nan\n"):
        log.write_text(text)
        assert draw_log(read_log(log)).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "holds no log"),
        (b"step,loss,val_fmse_a\n", "has no line yet"),
        (b"a,b\n1,2\n", "is no log of a training run: its columns are a, b"),
        (b"step,loss,speed\n1,2,3\n", "is no log"),
        (b"step,loss\n1,2\n3\n", "line 3 of .* is not 2 numbers"),
        (b"step,loss\n1,two\n", "line 2 of .* is not 2 numbers"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\xff\xfe", "holds no log"),
        (b'step,loss\n1,"2\n', "holds no log"),
    ],
)
def test_garbled_logs_are_value_errors_and_leave_the_old_picture(log, tmp_path, content, reason):
    log.write_bytes(content)
    png = tmp_path / "log.png"
    png.write_bytes(b"older")
    with pytest.raises(ValueError, match=reason):
        plot_log(log, png)
    assert png.read_bytes() == b"older"


def test_a_missing_log_and_an_unwritable_picture_are_os_errors(log, tmp_path):
    with pytest.raises(FileNotFoundError):
        plot_log(tmp_path / "gone.csv", tmp_path / "log.png")
    with pytest.raises(OSError, match="No such file"):
        plot_log(log, tmp_path / "no folder" / "log.png")
