import numpy as np
import pytest
from PyQt6.QtCore import QMimeData, QPointF, Qt, QUrl
from PyQt6.QtGui import QDropEvent
from PyQt6.QtWidgets import QAbstractButton, QColorDialog, QFileDialog, QLineEdit, QListWidget, QSlider, QToolButton

from app.pipeline.images import save_image
from app.pipeline.plates import DEFAULT_PLATES
from app.ui.choices import Sample, View
from app.ui.workspace import BLUR
from tests.support.media import write_clip
from tests.ui.helpers import GREEN, GREEN_SPEC, WALL, color_at, picture, settle, wait_until

FACE, WALL_AT = (0.20, 0.35), (0.9, 0.3)
"""Shares of the picture: on the person in every frame, and far away from them."""


def drop(window, *paths):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    window.dropEvent(
        QDropEvent(
            QPointF(50, 50),
            Qt.DropAction.CopyAction,
            data,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
    )


def difference(one, other):
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


def test_without_a_clip_there_is_a_page_to_start_from(window):
    assert window.start_page.isVisible()
    assert not window.header.render_button.isEnabled()
    assert window.messages.message == ""


def test_an_opened_clip_is_named_and_shown_between_its_two_versions(opened, portrait_clip):
    assert opened.windowTitle() == f"{portrait_clip.name} - PlateMatch"
    assert opened.header.isVisible()
    assert not opened.start_page.isVisible()
    assert opened.workspace.preview.view is View.SPLIT
    assert opened.workspace.preview.note == ""
    assert [spec for spec in opened.workspace.plates.specs() if spec in DEFAULT_PLATES] == list(DEFAULT_PLATES)


def choose(qtbot, window, view):
    """By its keys."""
    qtbot.keyClick(window, Qt.Key(Qt.Key.Key_1 + list(View).index(view)), Qt.KeyboardModifier.ControlModifier)


def test_ctrl_and_a_number_switch_the_views(opened, qtbot):
    seen = {}
    for view in View:
        choose(qtbot, opened, view)
        assert opened.workspace.preview.view is view
        seen[view] = color_at(opened, *WALL_AT), color_at(opened, *FACE)
    for view in (View.SPLIT, View.MATCHED, View.PASTED):
        assert np.abs(seen[view][0] - GREEN).max() <= 1
    assert np.abs(seen[View.ORIGINAL][0] - WALL).max() <= 6
    assert seen[View.MATTE][0].max() <= 2
    assert seen[View.MATTE][1].min() >= 250
    assert np.abs(seen[View.PASTED][1] - seen[View.ORIGINAL][1]).max() <= 4
    assert np.abs(seen[View.EDGES][0] - np.array(WALL) * 0.35).max() <= 6
    assert np.abs(seen[View.EDGES][1] - seen[View.ORIGINAL][1]).max() <= 4


def test_side_by_side_shows_the_filmed_and_the_finished_picture(opened, qtbot):
    choose(qtbot, opened, View.SIDE_BY_SIDE)
    assert np.abs(color_at(opened, 0.45, 0.4) - WALL).max() <= 6
    assert np.abs(color_at(opened, 0.95, 0.4) - GREEN).max() <= 1


def test_holding_b_shows_the_picture_before_the_match(opened, qtbot):
    choose(qtbot, opened, View.PASTED)
    pasted = picture(opened)
    choose(qtbot, opened, View.MATCHED)
    matched = picture(opened)
    qtbot.keyPress(opened, Qt.Key.Key_B)
    assert np.array_equal(picture(opened), pasted)
    qtbot.keyRelease(opened, Qt.Key.Key_B)
    assert np.array_equal(picture(opened), matched)
    assert not np.array_equal(pasted, matched)


def test_the_buttons_show_which_view_it_is(opened, qtbot):
    button = next(b for b in opened.header.findChildren(QAbstractButton) if b.text() == "Matte")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert opened.workspace.preview.view is View.MATTE
    choose(qtbot, opened, View.MATCHED)
    assert not button.isChecked()


def test_left_of_the_divider_is_pasted_right_of_it_matched(opened, qtbot):
    preview = opened.workspace.preview
    pictures = {}
    for view in (View.MATCHED, View.PASTED):
        choose(qtbot, opened, view)
        pictures[view] = picture(opened)
    assert difference(pictures[View.MATCHED], pictures[View.PASTED]) > 0.3
    choose(qtbot, opened, View.SPLIT)
    area = preview.picture_rect()
    for share in (0.5, 0.2, 0.8):
        at = QPointF(area.left() + share * area.width(), area.center().y()).toPoint()
        grip = QPointF(area.left() + preview.divider * area.width(), area.center().y()).toPoint()
        qtbot.mousePress(preview, Qt.MouseButton.LeftButton, pos=grip)
        qtbot.mouseMove(preview, at)
        qtbot.mouseRelease(preview, Qt.MouseButton.LeftButton, pos=at)
        assert preview.divider == pytest.approx(share, abs=0.01)
        split = picture(opened)
        line, height = round(split.shape[1] * share), split.shape[0] // 2
        assert np.array_equal(split[: height - 20, : line - 8], pictures[View.PASTED][: height - 20, : line - 8])
        assert np.array_equal(split[: height - 20, line + 8 :], pictures[View.MATCHED][: height - 20, line + 8 :])


def test_the_arrow_keys_move_the_divider(opened, qtbot):
    preview = opened.workspace.preview
    preview.setFocus()
    before = preview.divider
    qtbot.keyClick(preview, Qt.Key.Key_Right)
    assert preview.divider > before
    for _ in range(60):
        qtbot.keyClick(preview, Qt.Key.Key_Left)
    assert preview.divider == 0.0


def test_no_strength_is_the_pasted_picture_and_full_strength_is_not(opened, qtbot):
    choose(qtbot, opened, View.PASTED)
    pasted = picture(opened)
    choose(qtbot, opened, View.MATCHED)
    distances = []
    for percent in (100, 50, 0):
        opened.workspace.inspector.control("match", "strength").field.setValue(percent)
        settle(opened)
        distances.append(difference(picture(opened), pasted))
    assert distances[0] > distances[1] > distances[2] == 0


def test_light_wrap_brings_the_plate_onto_the_person(opened, qtbot):
    opened.workspace.plates.set_colour("#ffffff")
    choose(qtbot, opened, View.MATCHED)
    before = picture(opened)
    opened.workspace.inspector.control("person", "light_wrap").field.setValue(100)
    settle(opened)
    after = picture(opened)
    assert after.astype(int).sum() > before.astype(int).sum()


def test_mirror_flips_the_person_and_leaves_the_plate(opened, qtbot):
    choose(qtbot, opened, View.PASTED)
    before = picture(opened)
    opened.workspace.inspector.show_page("placement")
    mirror = opened.workspace.inspector.control("placement", "mirror").box
    mirror.setFocus()
    qtbot.keyClick(mirror, Qt.Key.Key_Space)
    settle(opened)
    assert difference(picture(opened)[:, ::-1], before) < 1.0
    assert difference(picture(opened), before) > 10


def test_choosing_a_plate_changes_the_background(opened, qtbot):
    choose(qtbot, opened, View.PASTED)
    strip = opened.workspace.plates
    corners = []
    for spec in ("sunset", "forest", BLUR):
        strip.choose(spec)
        settle(opened)
        corners.append(tuple(picture(opened)[::40, -40:].mean(axis=(0, 1)).round()))
    assert len(set(corners)) == 3
    assert np.abs(corners[2] - np.array(WALL)).max() <= 8


def test_another_moment_shows_another_frame(opened, qtbot):
    choose(qtbot, opened, View.ORIGINAL)
    first = picture(opened)
    slider = opened.workspace.transport.slider
    slider.setFocus()
    for _ in range(4):
        qtbot.keyClick(slider, Qt.Key.Key_Right)
    settle(opened)
    assert opened.workspace.transport.time_s == pytest.approx(4 / 25, abs=0.002)
    assert difference(picture(opened), first) > 1


def test_dragging_the_slider_ends_at_the_moment_it_was_let_go(opened, qtbot):
    for value in range(0, 900, 30):
        opened.workspace.transport.slider.setValue(value)
    settle(opened)
    assert opened.render_desk.shown.request.time_s == pytest.approx(0.87)


def test_a_smaller_window_gets_smaller_pictures(opened, qtbot):
    opened.resize(920, 580)
    settle(opened)
    image = next(iter(opened.render_desk.shown.images.values()))
    assert image.width() <= opened.workspace.preview.width()


def test_a_dropped_picture_becomes_the_background(opened, qtbot, tmp_path):
    plate = tmp_path / "my wall.png"
    save_image(plate, np.full((90, 160, 3), (10, 20, 250), np.uint8))
    drop(opened, plate)
    wait_until(lambda: opened.model.settings.plate == str(plate))
    settle(opened)
    assert np.abs(color_at(opened, *WALL_AT) - (10, 20, 250)).max() <= 1


def test_a_picture_that_cannot_be_read_is_named_and_not_added(opened, qtbot, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n broken")
    before = opened.workspace.plates.specs()
    drop(opened, broken)
    wait_until(lambda: "broken.png" in opened.messages.message)
    assert opened.workspace.plates.specs() == before


def test_the_same_picture_again_is_chosen_not_doubled(opened, tmp_path):
    plate = tmp_path / "twice.png"
    save_image(plate, np.full((90, 160, 3), (10, 20, 250), np.uint8))
    for _ in range(2):
        opened.workspace.plates.choose("sunset")
        drop(opened, plate)
        wait_until(lambda: opened.model.settings.plate == str(plate))
    assert opened.workspace.plates.specs().count(str(plate)) == 1


def test_a_file_that_is_no_video_is_named_and_the_clip_stays(opened, qtbot, tmp_path, portrait_clip):
    notes = tmp_path / "notes.txt"
    notes.write_text("hello")
    drop(opened, notes)
    wait_until(lambda: "notes.txt" in opened.messages.message)
    assert opened.messages.hint
    assert opened.session.clip.source == portrait_clip
    assert np.abs(color_at(opened, *WALL_AT) - GREEN).max() <= 1


def test_a_missing_file_leaves_the_start_page_usable(window, qtbot, tmp_path):
    window.open_clip(tmp_path / "nowhere.mp4")
    wait_until(lambda: "nowhere.mp4" in window.messages.message)
    assert all(button.isEnabled() for button in window.start_page.findChildren(QAbstractButton))


def test_the_message_goes_away_by_its_button(window, qtbot, tmp_path):
    window.open_clip(tmp_path / "nowhere.mp4")
    wait_until(lambda: window.messages.message != "")
    close = next(b for b in window.messages.findChildren(QAbstractButton) if "Close" in b.accessibleName())
    qtbot.mouseClick(close, Qt.MouseButton.LeftButton)
    assert window.messages.message == ""


def test_the_sample_opens_by_its_button(window, qtbot):
    button = next(b for b in window.start_page.findChildren(QAbstractButton) if "sample" in b.text())
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    settle(window)
    assert window.session.clip.source is Sample.SAMPLE
    assert window.render_desk.shown.has_person


def test_of_two_clips_opened_at_once_the_later_one_is_shown(window, portrait_clip, tmp_path):
    tall = write_clip(tmp_path / "tall.mp4", frames=3, size=(90, 160))
    window.open_clip(portrait_clip)
    window.open_clip(tall)
    wait_until(lambda: window.session.clip is not None and window.session.clip.source == tall)
    settle(window)
    area = window.workspace.preview.picture_rect()
    assert area.height() > area.width()
    assert window.windowTitle().startswith("tall.mp4")


def test_a_frame_without_a_person_says_so(window, qtbot, tmp_path):
    empty = write_clip(tmp_path / "wall.mp4", frames=3, draw=lambda w, h, i: np.full((h, w, 3), WALL, np.uint8))
    window.open_clip(empty)
    settle(window)
    assert not window.render_desk.shown.has_person
    assert "Nobody" in window.workspace.preview.note


def test_opening_through_the_dialog(window, qtbot, portrait_clip):
    button = next(b for b in window.start_page.findChildren(QAbstractButton) if "Open" in b.text())
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    dialog = window.findChild(QFileDialog)
    name = dialog.findChild(QLineEdit)
    name.setText(str(portrait_clip))
    qtbot.keyClick(name, Qt.Key.Key_Return)
    settle(window)
    assert window.session.clip.source == portrait_clip


def test_a_colour_is_shown_while_it_is_being_chosen_and_cancel_goes_back(opened, qtbot):
    opened.workspace.plates.choose("sunset")
    add = next(b for b in opened.workspace.plates.findChildren(QToolButton) if b.menu() is not None)
    next(action for action in add.menu().actions() if "colour" in action.text()).trigger()
    dialog = opened.findChild(QColorDialog)
    dialog.setCurrentColor(Qt.GlobalColor.blue)
    settle(opened)
    assert opened.model.settings.plate == "#0000ff"
    assert np.abs(color_at(opened, *WALL_AT) - (0, 0, 255)).max() <= 1
    dialog.reject()
    settle(opened)
    assert opened.model.settings.plate == "sunset"
    assert opened.workspace.plates.colour == GREEN_SPEC


def test_every_control_has_a_name_and_is_reached_by_the_keyboard(opened):
    controls = [
        control
        for kind in (QAbstractButton, QSlider, QListWidget)
        for control in opened.findChildren(kind)
        if control.isVisible()
    ]
    assert len(controls) >= 13
    for control in controls:
        name = control.accessibleName() or getattr(control, "text", str)()
        assert name, control
        assert control.focusPolicy() & Qt.FocusPolicy.TabFocus, name


def test_one_view_is_pressed_at_a_time(opened, qtbot):
    names = [view.value for view in View]
    buttons = [b for b in opened.header.findChildren(QAbstractButton) if b.text() in names]
    for button, view in zip(buttons, View, strict=True):
        for _ in range(2):
            qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
            assert [b for b in buttons if b.isChecked()] == [button]
            assert opened.workspace.preview.view is view


def test_nothing_is_cut_off_in_the_smallest_window(opened, qtbot):
    opened.resize(opened.minimumSize())
    settle(opened)
    for button in opened.findChildren(QAbstractButton):
        if button.isVisible():
            assert button.width() >= button.sizeHint().width(), button.text()
            assert opened.rect().contains(button.mapTo(opened, button.rect().bottomRight())), button.text()
