from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.domain.errors import ExitCode, UserError
from app.domain.frame import Frame
from app.pipeline.live.pictures import Finished
from app.pipeline.recording.snapshot import save_snapshot
from tests.unit.recording.helpers import finished


def person() -> Finished:
    """A green person in a red room, with a soft edge."""
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:] = (255, 0, 0)
    ramp = np.clip(np.linspace(-2, 3, 64), 0, 1)
    alpha = np.repeat(np.round(255 * ramp).astype(np.uint8)[None], 48, axis=0)
    cover = alpha[..., None] / 255
    mixed = np.round(cover * np.array([0, 200, 0]) + (1 - cover) * pixels).astype(np.uint8)
    return Finished(np.full((30, 40, 3), 77, np.uint8), 0.0, Frame(mixed, 0, Fraction(1, 30), 0), alpha)


def test_a_snapshot_is_the_composite_to_the_last_bit(tmp_path: Path) -> None:
    path = save_snapshot(person(), tmp_path)
    assert path.name.startswith("PlateMatch 20")
    with Image.open(path) as image:
        assert image.mode == "RGB"
        assert np.array_equal(np.asarray(image), person().composite)


def test_snapshots_of_the_same_second_do_not_overwrite_each_other(tmp_path: Path) -> None:
    paths = {save_snapshot(finished(level, 0.0), tmp_path) for level in range(4)}
    assert {int(np.asarray(Image.open(path)).max()) for path in paths} == {0, 1, 2, 3}
    assert set(tmp_path.iterdir()) == paths


def test_a_transparent_snapshot_hides_nothing_of_the_room(tmp_path: Path) -> None:
    path = save_snapshot(person(), tmp_path, transparent=True)
    with Image.open(path) as image:
        stored = np.asarray(image.convert("RGBA"))
    alpha = person().alpha
    assert alpha is not None
    assert np.array_equal(stored[..., 3], alpha)
    assert not stored[alpha == 0][:, :3].any()
    edge = (alpha > 0) & (alpha < 255)
    source = person().frame
    assert source is not None
    assert (stored[edge][:, 0].astype(int) < source.pixels[edge][:, 0]).all()
    assert stored[alpha == 255][:, 1].min() == 200


def test_a_cover_has_nobody_to_cut_out(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Nobody") as refused:
        save_snapshot(finished(3, 0.0), tmp_path, transparent=True)
    assert refused.value.code is ExitCode.OUTPUT
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="gone"):
        save_snapshot(finished(3, 0.0), tmp_path / "gone")
