import gc
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PyQt6.QtCore import QFile, QSize
from PyQt6.QtGui import QIcon, QImage, QPainter, QPalette
from PyQt6.QtWidgets import QPushButton

from app.domain.errors import ExitCode, UserError
from app.domain.settings import GROUPS
from app.ui import resources
from app.ui.resources import icon, load_resources
from app.ui.theme import apply_theme
from assets.compile_resources import COMPILED, ROOT, SOURCE, compile_to

ICON_FILES = {path.stem for path in (ROOT / "assets" / "icons").glob("*.svg")}
ASKED = re.compile(r"""\bicon(?:_name)?(?:=|\()\s*["']([a-z-]+)["']""")


def listed():
    """`:/` path -> file, as the qrc has it."""
    found = {}
    for group in ElementTree.parse(SOURCE).getroot():
        for entry in group:
            found[f":{group.get('prefix')}/{entry.get('alias')}"] = ROOT / entry.text
    return found


def asked_by_the_code():
    return {name for path in (ROOT / "app" / "ui").rglob("*.py") for name in ASKED.findall(path.read_text("utf-8"))}


def ink_of(image):
    """Colour (r, g, b) of the most covered pixel, and how much is covered at all (0..1)."""
    image = image.convertToFormat(QImage.Format.Format_ARGB32)
    pixels = [image.pixelColor(x, y) for y in range(image.height()) for x in range(image.width())]
    strongest = max(pixels, key=lambda colour: colour.alpha())
    return strongest.getRgb()[:3], sum(colour.alphaF() for colour in pixels) / len(pixels)


def palette_ink(qapp, role, group=QPalette.ColorGroup.Active):
    return qapp.palette().color(group, role).getRgb()[:3]


def close(one, other):
    return all(abs(a - b) <= 2 for a, b in zip(one, other, strict=True))


def test_the_compiled_resources_are_those_of_the_sources(tmp_path):
    """Fails when an icon or plate changed without `python -m assets.compile_resources`; says so without Qt's tool."""
    again = tmp_path / "again.rcc"
    compile_to(again)
    assert again.read_bytes() == COMPILED.read_bytes(), "stale: run python -m assets.compile_resources"


def test_every_listed_file_exists_and_is_found_under_its_path(qapp):
    load_resources()
    for path, source in listed().items():
        file = QFile(path)
        assert file.open(QFile.OpenModeFlag.ReadOnly), path
        assert file.readAll().data() == source.read_bytes(), path


def test_every_icon_of_the_folder_is_listed_and_every_icon_asked_for_exists():
    names = {Path(path).stem for path in listed() if path.startswith(":/icons/")}
    assert names == ICON_FILES
    assert asked_by_the_code() - ICON_FILES == set()
    assert {"reset", "camera", "chevron-down"} <= asked_by_the_code(), "the pattern that looks for icons is wrong"
    assert set(GROUPS) <= ICON_FILES, "the inspector's tabs have the icons of their groups' names"


@pytest.mark.parametrize("name", sorted(ICON_FILES))
def test_an_icon_is_of_the_set_and_inside_its_frame(qapp, name):
    root = ElementTree.parse(ROOT / "assets" / "icons" / f"{name}.svg").getroot()
    wanted = {"viewBox": "0 0 24 24", "fill": "none", "stroke": "currentColor", "stroke-width": "1.75"}
    assert {key: root.get(key) for key in wanted} == wanted
    apply_theme(qapp, "dark")
    image = icon(name).pixmap(QSize(48, 48), 1.0).toImage()
    _, share = ink_of(image)
    assert 0.02 < share < 0.6
    rim = [image.pixelColor(i, j).alpha() for i in range(48) for j in (0, 47)]
    rim += [image.pixelColor(j, i).alpha() for i in range(48) for j in (0, 47)]
    assert max(rim) < 40, "something is cut off at the edge"


def test_an_icon_has_the_colours_of_the_theme_and_follows_it(qapp):
    apply_theme(qapp, "dark")
    stop, size = icon("stop"), QSize(24, 24)
    dark, _ = ink_of(stop.pixmap(size, 2.0).toImage())
    assert close(dark, palette_ink(qapp, QPalette.ColorRole.WindowText))
    apply_theme(qapp, "light")
    light, _ = ink_of(stop.pixmap(size, 2.0).toImage())
    assert close(light, palette_ink(qapp, QPalette.ColorRole.WindowText))
    assert not close(dark, light)
    on, _ = ink_of(stop.pixmap(size, 2.0, QIcon.Mode.Normal, QIcon.State.On).toImage())
    selected, _ = ink_of(stop.pixmap(size, 2.0, QIcon.Mode.Selected).toImage())
    assert on == selected
    assert close(on, palette_ink(qapp, QPalette.ColorRole.HighlightedText))


def test_a_disabled_icon_is_fainter(qapp):
    apply_theme(qapp, "dark")
    stop, size = icon("stop"), QSize(24, 24)
    _, normal = ink_of(stop.pixmap(size, 1.0).toImage())
    _, disabled = ink_of(stop.pixmap(size, 1.0, QIcon.Mode.Disabled).toImage())
    assert disabled < 0.7 * normal


@pytest.mark.parametrize("ratio", [1.0, 1.5, 2.0])
def test_an_icon_is_drawn_at_the_density_of_the_screen(qapp, ratio):
    pixmap = icon("camera").pixmap(QSize(20, 20), ratio)
    assert (pixmap.width(), pixmap.devicePixelRatio()) == (round(20 * ratio), ratio)
    target = QImage(round(20 * ratio), round(20 * ratio), QImage.Format.Format_ARGB32_Premultiplied)
    target.setDevicePixelRatio(ratio)
    target.fill(0)
    painter = QPainter(target)
    icon("camera").paint(painter, 0, 0, 20, 20)
    painter.end()
    assert bytes(target.constBits().asarray(target.sizeInBytes())) == bytes(
        pixmap.toImage().constBits().asarray(target.sizeInBytes())
    )


def test_icons_outlive_whoever_made_them(qapp, qtbot):
    button = QPushButton()
    qtbot.addWidget(button)
    button.setIcon(icon("camera"))
    copy = QIcon(button.icon())
    gc.collect()
    button.grab()
    copy.addFile("")  # Qt clones the engine before it changes an icon
    gc.collect()
    assert ink_of(copy.pixmap(QSize(24, 24), 1.0).toImage())[1] > 0
    assert not button.grab().isNull()


def test_an_unknown_icon_is_a_mistake_of_the_code(qapp):
    with pytest.raises(KeyError, match="no-such-icon"):
        icon("no-such-icon")


@pytest.mark.parametrize("content", [None, b"", b"no resources", COMPILED.read_bytes()[:1000]])
def test_missing_or_damaged_resources_are_said_in_a_sentence(tmp_path, content, monkeypatch):
    if content is not None:
        (tmp_path / "resources.rcc").write_bytes(content)
    monkeypatch.setattr(resources.resources, "files", lambda _package: tmp_path)
    with pytest.raises(UserError, match="missing or damaged") as caught:
        load_resources()
    assert caught.value.code is ExitCode.FAILED
    assert "compile_resources" in caught.value.hint
