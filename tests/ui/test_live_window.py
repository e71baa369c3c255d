import json
import threading
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QInputDialog,
    QLineEdit,
    QListWidget,
    QSlider,
    QTabBar,
)

from app.domain.settings import GROUPS, Settings
from app.pipeline.control_client import call, token_path
from app.pipeline.images import load_image, save_image
from app.pipeline.live import virtual_camera_help
from app.pipeline.live.capture import CaptureState
from app.pipeline.settings_store import save_settings, settings_path
from app.ui.choices import Mode, View
from app.ui.live import outputs
from tests.support.media import write_clip
from tests.ui.helpers import GREEN, GREEN_SPEC, WALL, color_at, picture, settle, shown_window, wait_until
from tests.ui.live_helpers import (
    ROOM,
    button,
    drop,
    has,
    is_matched,
    near,
    room_share,
    set_value,
    shown_live,
    until_shown,
)

pytestmark = pytest.mark.alone

RED = (220, 30, 20)


@pytest.fixture(autouse=True)
def no_leaked_threads():
    """Another source is another thread of the one window here; `shown_window` looks when that is closed."""


def flat(width, height, _index, colour=RED):
    return np.full((height, width, 3), colour, np.uint8)


# Backgrounds


def test_no_plate_shows_the_room_because_that_was_asked_for(live):
    live.workspace.plates.choose("none")
    until_shown(live, lambda w: room_share(w) > 0.3)


def test_blurred_is_the_room_without_its_edges(live):
    live.workspace.plates.choose("blur")
    until_shown(live, lambda w: near(color_at(w, *ROOM), WALL, 12))


def test_transparent_is_a_checkerboard_in_the_preview(live):
    live.workspace.plates.choose("transparent")
    until_shown(
        live, lambda w: has(picture(w), (204, 204, 204), 3) > 0.15 and has(picture(w), (160, 160, 160), 3) > 0.15
    )
    assert room_share(live) < 0.002


def test_a_picture_dropped_anywhere_is_a_plate(live, tmp_path):
    save_image(tmp_path / "red.png", flat(160, 90, 0))
    drop(live, tmp_path / "red.png")
    until_shown(live, lambda w: near(color_at(w, *ROOM), RED))
    assert live.model.settings.plate == str(tmp_path / "red.png")


def test_a_video_dropped_on_the_strip_is_a_plate_and_elsewhere_the_source(live, tmp_path):
    source = live.model.settings.camera.source
    clip = write_clip(tmp_path / "red.mp4", frames=10, size=(160, 90), draw=flat)
    drop(live, clip, on=live.workspace.plates)
    until_shown(live, lambda w: near(color_at(w, *ROOM), RED, 8))
    assert (live.model.settings.plate, live.model.settings.camera.source) == (str(clip), source)
    other = write_clip(tmp_path / "other.mp4", frames=10, size=(160, 90), draw=flat)
    drop(live, other)
    assert live.model.settings.camera.source == str(other)
    wait_until(lambda: "160 \u00d7 90" in live.live.desk.facts().source_text)


def test_a_folder_adds_all_its_pictures(live, tmp_path):
    for name in ("a", "b"):
        save_image(tmp_path / f"{name}.png", flat(32, 18, 0))
    live.workspace.add_folder(tmp_path)
    specs = live.workspace.plates.specs()
    assert {str(tmp_path / "a.png"), str(tmp_path / "b.png")} <= set(specs)
    assert live.model.settings.plate == GREEN_SPEC


def test_another_source_can_stand_behind(live):
    live.workspace.add_source("pattern", "Test pattern")
    assert live.model.settings.plate == "pattern"
    until_shown(live, lambda w: has(picture(w), (191, 0, 0), 10) > 0.02)
    assert room_share(live) < 0.03


# What goes out


def video(path):
    """(frames (N, H, W, 3), pts in s) of a file, read by PyAV alone."""
    import av

    with av.open(str(path)) as source:
        frames = list(source.decode(video=0))
    return np.stack([f.to_ndarray(format="rgb24") for f in frames]), [float(f.pts * f.time_base) for f in frames]


def test_a_recording_has_the_plate_and_never_the_room(live, qtbot):
    desk, controls = live.live.desk, live.workspace.controls
    controls.record.click()
    wait_until(lambda: desk.is_recording and desk.outputs.recording.frames >= 12)
    assert controls.record.text() == "Stop"
    wait_until(lambda: any(text.startswith("0:0") for text in live.workspace.status.shown))
    controls.pause.click()
    wait_until(lambda: desk.is_paused)
    controls.pause.click()
    wait_until(lambda: desk.is_recording and not desk.is_paused)
    controls.record.click()
    wait_until(lambda: "Recorded" in live.messages.message)
    assert controls.record.text() == "Record"
    assert button(live.messages, "Play")
    name = live.messages.message.split("“")[1].split("”")[0]
    path = next(iter(sorted(p for p in _folder(live).iterdir() if p.name == name)))
    frames, times = video(path)
    assert len(frames) >= 12
    assert frames.shape[1:] == (180, 320, 3)
    assert all(later > earlier for earlier, later in pairwise(times))
    assert near(np.median(frames[:, 40:60, -30:-5], axis=(0, 1, 2)), GREEN, 8)
    assert max(has(frame, WALL, 30) for frame in frames) < 0.002
    assert not [p for p in _folder(live).iterdir() if ".part" in p.name]


def _folder(window):
    return Path(window.model.settings.output.folder)


def test_a_snapshot_is_the_picture_as_it_is(live, qtbot):
    before = set(_folder(live).glob("*.png"))
    qtbot.keyClick(live, Qt.Key.Key_S)
    wait_until(lambda: "Saved" in live.messages.message)
    [path] = set(_folder(live).glob("*.png")) - before
    pixels = load_image(path).pixels
    assert pixels.shape == (180, 320, 3)
    assert near(pixels[60, -20], GREEN)
    assert has(pixels, WALL, 24) < 0.002


def test_cover_shows_the_plate_alone_at_once_and_the_person_again(live, qtbot):
    desk, cover = live.live.desk, live.workspace.controls.cover
    qtbot.keyClick(live, Qt.Key.Key_C)
    assert desk.runner.is_covered
    assert desk.runner.latest.rendered is None
    assert has(desk.runner.latest.finished.composite, GREEN, 2) == 1
    wait_until(lambda: has(picture(live)[40:], GREEN, 2) == 1)
    assert cover.isChecked()
    assert "Covered" in live.workspace.preview.note
    for view in View:
        live.header.choose_view(view)
        shown = []
        live.workspace.preview.painted.connect(lambda shown=shown: shown.append(1))
        wait_until(lambda shown=shown: len(shown) > 3)
        assert has(picture(live)[40:], WALL, 24) == 0, view
    live.header.choose_view(View.MATCHED)
    cover.click()
    wait_until(lambda: is_matched(live))
    assert not cover.isChecked()


def test_without_a_virtual_camera_one_message_says_what_is_missing(live, monkeypatch):
    missing = virtual_camera_help.Probe(ok=False, message="Nothing to feed.", hint="Install something.")
    monkeypatch.setattr(outputs, "probe_virtual_camera", lambda _device: missing)
    said = []
    live.live.desk.outputs.failed.connect(said.append)
    live.workspace.controls.camera.click()
    wait_until(lambda: live.messages.message == "Nothing to feed.")
    assert live.messages.hint == "Install something."
    wait_until(lambda: not live.workspace.controls.camera.isChecked())
    assert len(said) == 1
    assert not live.live.desk.is_feeding


def test_a_source_that_is_not_there_is_named_on_a_card_that_helps(live, tmp_path):
    live.live.set_source(str(tmp_path / "gone.mp4"))
    card = live.live.card
    wait_until(lambda: card.isVisible())
    words = [label.text() for label in card.findChildren(type(card._reason))]
    assert any("gone.mp4" in text for text in words)
    assert room_share(live) == 0
    assert card.parentWidget().rect().contains(card.geometry())
    button(card, "Try the sample").click()
    wait_until(lambda: live.live.desk.status.state is CaptureState.LIVE and not card.isVisible())
    assert live.model.settings.camera.source == "sample"


# What is kept


def ask(window, kind):
    """The question that is open."""
    wait_until(lambda: any(d.isVisible() for d in window.findChildren(kind)))
    return next(d for d in window.findChildren(kind) if d.isVisible())


def entry(menu, words):
    menu.aboutToShow.emit()
    return next(action for action in menu.actions() if action.text().startswith(words))


def submenu(menu, words):
    return entry(menu, words).menu()


def test_presets_are_saved_called_by_key_renamed_and_handed_on(live, qtbot, tmp_path):
    menu = live.presets.menu
    set_value(live, "match", "strength", 0.4)
    entry(menu, "Save as").trigger()
    dialog = ask(live, QInputDialog)
    dialog.setTextValue("Talk")
    dialog.accept()
    set_value(live, "match", "strength", 0.9)
    live.workspace.preview.setFocus()
    qtbot.keyClick(live, Qt.Key.Key_1)
    wait_until(lambda: live.model.settings.match.strength == 0.4)
    assert "Talk" in live.messages.message
    next(a for a in submenu(menu, "Edit “Talk”").actions() if a.text().startswith("Rename")).trigger()
    dialog = ask(live, QInputDialog)
    dialog.setTextValue("Evening")
    dialog.accept()
    assert [preset.name for preset in live.presets.presets()] == ["Evening"]
    next(a for a in submenu(menu, "Edit “Evening”").actions() if a.text().startswith("Export")).trigger()
    files = ask(live, QFileDialog)
    save_under(qtbot, files, tmp_path / "evening")
    wait_until(lambda: len(list(tmp_path.iterdir())) == 1)
    next(a for a in submenu(menu, "Edit “Evening”").actions() if a.text().startswith("Delete")).trigger()
    assert live.presets.presets() == ()
    entry(menu, "Import").trigger()
    save_under(qtbot, ask(live, QFileDialog), next(tmp_path.iterdir()))
    wait_until(lambda: len(live.presets.presets()) == 1)
    [preset] = live.presets.presets()
    assert (preset.name, preset.slot, preset.settings.match.strength) == ("Evening", None, 0.4)
    next(a for a in submenu(menu, "Edit “Evening”").actions() if a.text().startswith("Delete")).trigger()
    assert entry(menu, "No presets yet")


def save_under(qtbot, dialog, path):
    name = dialog.findChild(QLineEdit)
    name.setText(str(path))
    qtbot.keyClick(name, Qt.Key.Key_Return)


def test_a_drag_of_a_slider_is_one_step_back_and_forth(live, qtbot):
    live.workspace.inspector.show_page("match")
    slider = live.workspace.inspector.control("match", "strength").slider
    slider.setSliderDown(True)
    for position in (90, 70, 50, 30):
        slider.setSliderPosition(position)
    slider.setSliderDown(False)
    assert live.model.settings.match.strength == 0.3
    qtbot.keyClick(live, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert live.model.settings.match.strength == 1.0
    assert slider.value() == 100
    qtbot.keyClick(live, Qt.Key.Key_Y, Qt.KeyboardModifier.ControlModifier)
    assert live.model.settings.match.strength == 0.3


def test_the_theme_is_chosen_in_the_menu_and_dresses_all(live, qapp):
    menu = live.header.more.menu()
    shades = {}
    for words in ("Theme: light", "Theme: dark"):
        next(a for a in menu.actions() if a.text() == words).trigger()
        image = live.header.grab().toImage()
        shades[words] = image.pixelColor(image.width() // 2, 3).lightness()
    assert shades["Theme: light"] > 200
    assert shades["Theme: dark"] < 70
    assert live.memory.interface.theme == "dark"


def test_render_keeps_the_settings_and_lets_go_of_the_camera(live, portrait_clip):
    set_value(live, "person", "feather_px", 3.0)
    live.workspace.plates.choose("transparent")
    button(live.header, "Render").click()
    wait_until(lambda: live.live.desk.status.state is CaptureState.PAUSED, timeout_s=5)
    assert live.model.settings.plate == "sunset"
    live.open_clip(portrait_clip)
    settle(live)
    strip = live.workspace.plates._list
    hidden = [strip.item(row).text() for row in range(strip.count()) if strip.item(row).isHidden()]
    assert {"None", "Transparent"} <= set(hidden)
    assert live.model.settings.person.feather_px == 3.0
    assert not live.workspace.controls.isVisible()
    assert live.workspace.transport.isVisible()
    button(live.header, "Live").click()
    wait_until(lambda: live.live.desk.status.state is CaptureState.LIVE)
    assert not live.workspace.transport.isVisible()
    assert live.workspace.controls.isVisible()
    assert not any(strip.item(row).isHidden() for row in range(strip.count()))


def test_a_minimised_window_lets_go_of_the_camera(live):
    live.showMinimized()
    wait_until(lambda: live.live.desk.status.state is CaptureState.PAUSED, timeout_s=5)
    live.showNormal()
    wait_until(lambda: is_matched(live))


def test_programs_outside_control_the_window_when_that_is_on(live):
    def ask_for(command, **arguments):
        answers = []

        def work():
            try:
                answers.append(call(command, arguments, token_path()))
            except Exception as error:
                answers.append(error)

        thread = threading.Thread(target=work, name="another-program")
        thread.start()
        wait_until(lambda: bool(answers))
        thread.join()
        return answers[0]

    assert "not running" in str(ask_for("stats"))
    set_value(live, "output", "control", True)
    stats = ask_for("stats")
    assert stats["source_state"] == "live"
    assert stats["covered"] is False
    assert ask_for("panic", state="on") == {}
    assert live.live.desk.runner.is_covered
    assert live.workspace.controls.cover.isChecked()
    ask_for("panic", state="off")
    ask_for("settings-set", group="match", name="strength", value=0.25)
    assert live.model.settings.match.strength == 0.25
    assert live.workspace.inspector.control("match", "strength").value == 0.25
    ask_for("plate", name="#102030")
    until_shown(live, lambda w: near(color_at(w, *ROOM), (16, 32, 48)))
    ask_for("view", name="matte")
    assert live.workspace.preview.view is View.MATTE
    assert "no view" in str(ask_for("view", name="upside down"))
    ask_for("record-start")
    wait_until(lambda: live.live.desk.is_recording and live.live.desk.outputs.recording.frames > 3)
    assert ask_for("stats")["files"]
    ask_for("record-stop")
    wait_until(lambda: "Recorded" in live.messages.message)
    set_value(live, "output", "control", False)
    assert "not running" in str(ask_for("stats"))


# The window itself


def test_every_visible_control_of_every_page_has_a_name_and_is_reached_by_tab(live):
    for group in GROUPS:
        live.workspace.inspector.show_page(group)
        live.workspace.inspector.page(group).more.button.setChecked(True)
        kinds = (QAbstractButton, QSlider, QListWidget, QComboBox, QDoubleSpinBox, QTabBar)
        controls = [c for kind in kinds for c in live.findChildren(kind) if c.isVisible()]
        assert len(controls) >= 20
        for control in controls:
            name = control.accessibleName() or getattr(control, "text", str)()
            assert name, (group, control, control.parent())
            assert control.focusPolicy() & Qt.FocusPolicy.TabFocus, (group, name)


def test_tab_goes_through_the_whole_window_and_comes_round(live, qtbot):
    live.activateWindow()
    wait_until(live.isActiveWindow)
    live.header.source.setFocus()
    seen = []
    for _ in range(120):
        widget = QApplication.focusWidget()
        assert widget is not None
        if widget in seen:
            break
        seen.append(widget)
        qtbot.keyClick(widget, Qt.Key.Key_Tab)
    assert seen[0] is QApplication.focusWidget()
    work = live.workspace
    for wanted in (work.preview, work.controls.record, work.controls.cover, live.header.presets, live.header.more):
        assert wanted in seen
    assert any(work.plates.isAncestorOf(widget) for widget in seen)
    assert any(work.inspector.isAncestorOf(widget) for widget in seen)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_nothing_is_cut_off_in_the_smallest_window(live, theme):
    live._use_theme(theme)
    live.resize(live.minimumSize())
    live.live.desk.toggle_recording()
    wait_until(lambda: live.workspace.controls.pause.isVisible())
    for group in GROUPS:
        live.workspace.inspector.show_page(group)
        QApplication.processEvents()
        for part in (live.header, live.workspace.controls, live.workspace.plates, live.workspace.inspector):
            for control in part.findChildren(QAbstractButton):
                if control.isVisible() and not control.visibleRegion().isEmpty():
                    assert control.width() >= control.sizeHint().width() or not control.text(), control.text()
        for control in live.workspace.controls.findChildren(QAbstractButton):
            assert live.rect().contains(control.mapTo(live, control.rect().bottomRight())), control.text()
    live._use_theme("dark")


# Windows of their own


def test_settings_and_own_plates_are_there_in_the_next_window(qapp, portrait_clip, plain, tmp_path):
    save_image(tmp_path / "wall.png", flat(32, 18, 0))
    with shown_window(qapp, Mode.LIVE, source="pattern") as window:
        window.model.replace(replace(plain, match=replace(plain.match, strength=0.35)))
        window.workspace.add_plate(tmp_path / "wall.png")
        wait_until(lambda: window.model.settings.plate == str(tmp_path / "wall.png"))
        window.header.choose_view(View.EDGES)
    with shown_window(qapp, Mode.LIVE) as window:
        assert window.model.settings == replace(
            plain, match=replace(plain.match, strength=0.35), plate=str(tmp_path / "wall.png")
        )
        assert window.workspace.plates.current == str(tmp_path / "wall.png")
        assert window.workspace.preview.view is View.EDGES
        assert window.messages.message == ""


def test_a_broken_setting_costs_itself_and_a_note(qapp, plain):
    save_settings(settings_path(), plain)
    data = json.loads(settings_path().read_text())
    data["match"]["strength"] = "very"
    data["person"]["feather_px"] = 7.0
    settings_path().write_text(json.dumps(data))
    with shown_window(qapp, Mode.LIVE) as window:
        assert window.model.settings == replace(plain, person=replace(plain.person, feather_px=7.0))
        assert "could not be read" in window.messages.message
        assert "match.strength" in window.messages.hint


def test_a_damaged_settings_file_does_not_keep_the_window_from_opening(qapp):
    settings_path().parent.mkdir(parents=True)
    settings_path().write_text('{"version": 1, "match"')
    with shown_window(qapp, Mode.LIVE, source="pattern") as window:
        assert window.model.settings == replace(Settings(), camera=replace(Settings().camera, source="pattern"))
        assert "settings.json" in window.messages.hint


def test_closing_while_it_records_finishes_the_file(qapp, portrait_clip, tmp_path):
    with shown_live(qapp, portrait_clip, tmp_path) as window:
        window.workspace.controls.record.click()
        wait_until(lambda: window.live.desk.is_recording and window.live.desk.outputs.recording.frames >= 8)
    [path] = tmp_path.iterdir()
    assert ".part" not in path.name
    frames, _times = video(path)
    assert len(frames) >= 8
    assert near(np.median(frames[:, 40:60, -30:-5], axis=(0, 1, 2)), GREEN, 8)


def test_a_source_named_at_the_start_is_the_only_one_opened(qapp, monkeypatch, plain):
    from app.pipeline.live import capture

    opened = []
    real = capture.open_source
    monkeypatch.setattr(capture.Capture.__init__, "__kwdefaults__", {
        **capture.Capture.__init__.__kwdefaults__, "opener": lambda spec, wish: opened.append(spec) or real(spec, wish)
    })  # fmt: skip
    with shown_window(qapp, Mode.LIVE, source="pattern") as window:
        wait_until(lambda: window.live.desk.status.state is CaptureState.LIVE)
    assert opened == ["pattern"]
