import os
from pathlib import Path

import numpy as np
import pytest

from app.pipeline.images import load_image
from app.pipeline.settings_store import settings_path
from app.ui import screenshots
from app.ui.screenshots import Shot, all_shots, run_screenshots, take_shots

pytestmark = pytest.mark.alone

SIZE_PX = (1120, 640)


def test_every_shot_has_a_name_of_its_own_and_both_themes_are_there():
    shots = all_shots()
    assert len({shot.name for shot in shots}) == len(shots)
    assert {shot.theme for shot in shots} == {"dark", "light"}
    pages = {"camera", "person", "match", "placement", "output", "tool", "time", "adjust"}
    assert {shot.page for shot in shots} == pages


def test_the_window_is_pictured_in_every_mode_and_theme(qapp, tmp_path, monkeypatch):
    """PLATEMATCH_SCREENSHOTS=FOLDER keeps the pictures, of all pages and views, to be looked at."""
    kept = os.environ.get("PLATEMATCH_SCREENSHOTS")
    if not kept:
        monkeypatch.setattr(screenshots, "SETTLED_PICTURES", 4)
    few = (
        Shot("live-dark"),
        Shot("cover-dark", is_covered=True),
        Shot("live-light", "light", page="output"),
        Shot("render-light", "light", view="SPLIT", mode="RENDER"),
        Shot("mask-dark", page="time", view="RUBYLITH", mode="MASK"),
    )
    paths = take_shots(qapp, Path(kept or tmp_path), shots=all_shots() if kept else few, size_px=SIZE_PX)
    pictures = {path.stem: load_image(path).pixels for path in paths}
    assert {pixels.shape[:2] for pixels in pictures.values()} == {SIZE_PX[::-1]}
    for name, pixels in pictures.items():
        header = pixels[2:8].mean()
        assert header > 200 if "light" in name else header < 80, name
    if not kept:
        person = [pixels[120:420, 300:600].astype(int) for pixels in pictures.values()]
        assert np.abs(person[0] - person[1]).mean() > 20


def test_nobody_s_own_settings_are_read_or_written(qapp, tmp_path):
    settings_path().parent.mkdir(parents=True)
    settings_path().write_text("mine")
    shots = (Shot("render", mode="RENDER"),)
    [path] = run_screenshots(tmp_path / "new" / "folder", shots=shots, size_px=SIZE_PX)
    assert path.is_file()
    assert settings_path().read_text() == "mine"
    assert [file.name for file in settings_path().parent.iterdir()] == ["settings.json"]
