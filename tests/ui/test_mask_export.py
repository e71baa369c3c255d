import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PyQt6.QtCore import Qt, QTimer
from PyQt6.QtWidgets import QAbstractButton, QFileDialog, QLabel, QLineEdit, QMessageBox, QVBoxLayout, QWidget

from app.domain.mask.correction import Correction
from app.domain.mask.document import FrameEdit, Span
from app.domain.mask.planes import Planes
from app.domain.settings import Settings
from app.pipeline.mask.masks_in import ProjectMedia, mask_ref
from app.pipeline.mask.project_store import ProjectStore
from app.pipeline.mask.sessions import new_document, session_of
from app.pipeline.video_reader import VideoReader
from app.ui.mask.export_dialog import ExportDialog
from app.ui.mask.export_job import ExportKind, ExportWish
from app.ui.mask.mask_export import ExportControl
from app.ui.message_bar import MessageBar
from app.ui.render_bar import RenderBar
from app.ui.theme import apply_theme
from tests.support.media import audio_packets, write_clip
from tests.ui.helpers import GREEN, GREEN_SPEC, WALL, drop_deleted, portrait, wait_until

SIZE = (320, 180)
FRAMES = 12
HOLE = (slice(20, 60), slice(200, 280))
"""Rows and columns of the wall that the hand made part of the person on frame 5."""


def mask():
    alpha = np.zeros(SIZE[::-1], np.uint8)
    alpha[40:, 30:150] = 255
    return alpha


def make_session(folder, *, frames=FRAMES):
    """A session with a given matte and one painted frame; no network is needed for either."""
    clip = write_clip(folder / "talk.mp4", frames=frames, size=SIZE, draw=portrait, audio="aac")
    Image.fromarray(mask()).save(folder / "mask.png")
    project = folder / "talk.platematch"
    settings = replace(Settings(), plate=GREEN_SPEC).with_value("match", "strength", 0.0)
    document = new_document(clip, project, settings)
    document = replace(document, meta=replace(document.meta, mask=mask_ref(folder / "mask.png", project)))
    store = ProjectStore.create(document.meta, project)
    session = session_of(store, document, ProjectMedia(clip, folder / "mask.png"))
    planes = Planes.empty(SIZE)
    planes.value[HOLE], planes.weight[HOLE] = 255, 255
    painted = document.with_frames({session.index.pts_at(5): FrameEdit(Correction.of(planes))})
    return session, painted


@pytest.fixture
def opened(tmp_path):
    session, document = make_session(tmp_path)
    yield session, document
    session.store.close()


@pytest.fixture
def desk(qapp):
    """The parts of a window that an export speaks through."""
    apply_theme(qapp, "dark")
    window = QWidget()
    column = QVBoxLayout(window)
    bar, messages = RenderBar(), MessageBar()
    messages.hide()
    column.addWidget(bar)
    column.addWidget(messages)
    column.addStretch()
    window.resize(900, 600)
    window.show()
    control = ExportControl(window, bar, messages)
    yield control, bar, messages, window
    control.close()
    window.close()
    window.deleteLater()
    drop_deleted()


def button(parent, text):
    return next(b for b in parent.findChildren(QAbstractButton) if b.text().replace("&", "").startswith(text))


def asked(qtbot, control, window, session, document, kind):
    """The dialog, with a kind chosen by hand."""
    control.ask(session, document)
    dialog = window.findChild(ExportDialog)
    qtbot.mouseClick(button(dialog, kind.value), Qt.MouseButton.LeftButton)
    return dialog


def export_by_hand(qtbot, desk, opened, kind, name=None):
    control, _, messages, window = desk
    dialog = asked(qtbot, control, window, *opened, kind)
    if name is not None:
        dialog.findChild(QLineEdit).setText(name)
    qtbot.mouseClick(button(dialog, "Export"), Qt.MouseButton.LeftButton)
    wait_until(lambda: messages.message != "")
    return messages


def frames_of(path):
    with VideoReader(path) as reader:
        return list(reader)


def test_the_composite_has_the_hands_correction_the_plate_and_the_sound(qtbot, desk, opened, tmp_path):
    messages = export_by_hand(qtbot, desk, opened, ExportKind.COMPOSITE)
    assert "Saved" in messages.message
    output = tmp_path / "talk-platematch.mp4"
    frames = frames_of(output)
    assert len(frames) == FRAMES
    at = frames[5].pixels[30:50, 220:260].astype(int)
    assert np.abs(at - WALL).max() <= 12, "what was painted in is the clip's own wall"
    beside = frames[4].pixels[30:50, 220:260].astype(int)
    assert np.abs(beside - GREEN).max() <= 6
    assert [p.data for p in audio_packets(output)] == [p.data for p in audio_packets(tmp_path / "talk.mp4")]
    assert button(desk[3], "Play").isVisible()
    assert desk[1].isHidden()


def test_the_matte_video_is_the_final_alpha(qtbot, desk, opened, tmp_path):
    export_by_hand(qtbot, desk, opened, ExportKind.MATTE_VIDEO)
    frames = frames_of(tmp_path / "talk-matte.mkv")
    painted = mask()
    painted[HOLE] = 255
    np.testing.assert_array_equal(frames[4].pixels[..., 0], mask())
    np.testing.assert_array_equal(frames[5].pixels[..., 0], painted)


def test_matte_pictures_and_cut_outs_are_a_file_a_frame(qtbot, desk, opened, tmp_path):
    messages = export_by_hand(qtbot, desk, opened, ExportKind.MATTE_PICTURES)
    assert button(messages, "Show").isVisible()
    mattes = sorted((tmp_path / "talk-matte").iterdir())
    assert len(mattes) == FRAMES
    np.testing.assert_array_equal(np.asarray(Image.open(mattes[4])), mask())
    messages.hide()
    export_by_hand(qtbot, desk, opened, ExportKind.CUTOUTS)
    cutouts = sorted((tmp_path / "talk-cutout").iterdir())
    rgba = np.asarray(Image.open(cutouts[5]))
    assert rgba.shape == (180, 320, 4)
    assert rgba[30, 220, 3] == 255
    assert not rgba[rgba[..., 3] == 0].any(), "nothing of the room is in it"


@pytest.mark.parametrize(("words", "numbers"), [("In to out", range(3, 8)), ("Whole clip", range(FRAMES))])
def test_the_range_is_offered_where_there_is_one(qtbot, desk, tmp_path, words, numbers):
    session, document = make_session(tmp_path)
    try:
        span = Span(session.index.pts_at(3), session.index.pts_at(7))
        document = replace(document, meta=replace(document.meta, span=span))
        control, _, messages, window = desk
        dialog = asked(qtbot, control, window, session, document, ExportKind.MATTE_PICTURES)
        assert "0:00.12 to 0:00.28" in button(dialog, "In to out").text()
        qtbot.mouseClick(button(dialog, words), Qt.MouseButton.LeftButton)
        qtbot.mouseClick(button(dialog, "Export"), Qt.MouseButton.LeftButton)
        wait_until(lambda: messages.message != "")
        names = sorted(path.name for path in (tmp_path / "talk-matte").iterdir())
        assert names == [f"talk_{number:06d}.png" for number in numbers]
    finally:
        session.store.close()


def test_no_range_is_asked_for_where_there_is_none(desk, opened):
    control, _, _, window = desk
    control.ask(*opened)
    texts = [b.text() for b in window.findChild(ExportDialog).findChildren(QAbstractButton) if b.isVisible()]
    assert not [text for text in texts if "out" in text and "In" in text]
    assert "Whole clip" not in texts


def test_the_suggested_names_are_free_and_go_with_the_kind_and_folder(qtbot, desk, opened, tmp_path):
    (tmp_path / "talk-platematch.mp4").write_bytes(b"mine")
    control, _, _, window = desk
    dialog = asked(qtbot, control, window, *opened, ExportKind.COMPOSITE)
    assert dialog.wish.output == tmp_path / "talk-platematch (2).mp4"
    (tmp_path / "elsewhere").mkdir()
    dialog.findChild(QLineEdit).setText(str(tmp_path / "elsewhere" / "x.mp4"))
    qtbot.mouseClick(button(dialog, ExportKind.MATTE_VIDEO.value), Qt.MouseButton.LeftButton)
    assert dialog.wish == ExportWish(ExportKind.MATTE_VIDEO, tmp_path / "elsewhere" / "talk-matte.mkv", whole=True)
    dialog.findChild(QLineEdit).setText("plain")
    assert dialog.wish.output == tmp_path / "plain.mkv"
    dialog.findChild(QLineEdit).setText("  ")
    assert not button(dialog, "Export").isEnabled()


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        (ExportKind.COMPOSITE, "talk.mp4", "which is in use"),
        (ExportKind.COMPOSITE, "out.txt", ".webm"),
        (ExportKind.COMPOSITE, "no-such-folder/out.mp4", "does not exist"),
        (ExportKind.COMPOSITE, "x" * 300 + ".mp4", "can't be used"),
        (ExportKind.COMPOSITE, "/", "no video's name"),
        (ExportKind.MATTE_PICTURES, "out.mp4", "need a folder"),
        (ExportKind.MATTE_PICTURES, "mask.png", "need a folder"),
        (ExportKind.CUTOUTS, "~nobody-of-this-name/x/y", "does not exist"),
    ],
)
def test_places_that_do_not_work_are_said_in_the_dialog(qtbot, desk, opened, tmp_path, kind, name, said):
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    control, _, _, window = desk
    dialog = asked(qtbot, control, window, *opened, kind)
    dialog.findChild(QLineEdit).setText(name)
    qtbot.mouseClick(button(dialog, "Export"), Qt.MouseButton.LeftButton)
    assert said in dialog.trouble
    assert dialog.isVisible()
    assert not control.is_busy
    dialog.findChild(QLineEdit).setText("other.mp4")
    assert dialog.trouble == ""
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


@pytest.mark.parametrize("answer", ["Replace", "Cancel"])
def test_it_asks_before_a_file_is_replaced(qtbot, desk, opened, tmp_path, answer):
    taken = tmp_path / "taken.mkv"
    taken.write_bytes(b"mine")
    control, _, messages, window = desk
    dialog = asked(qtbot, control, window, *opened, ExportKind.MATTE_VIDEO)
    dialog.findChild(QLineEdit).setText(str(taken))
    qtbot.mouseClick(button(dialog, "Export"), Qt.MouseButton.LeftButton)
    box = dialog.findChild(QMessageBox)
    assert "taken.mkv" in box.text()
    qtbot.mouseClick(button(box, answer), Qt.MouseButton.LeftButton)
    if answer == "Cancel":
        assert dialog.isVisible()
        assert not control.is_busy
        assert taken.read_bytes() == b"mine"
    else:
        wait_until(lambda: "Saved" in messages.message)
        assert len(frames_of(taken)) == FRAMES


def test_what_the_file_dialog_has_asked_about_is_not_asked_about_again(qtbot, qapp, desk, opened, tmp_path):
    taken = tmp_path / "taken.mkv"
    taken.write_bytes(b"mine")
    control, _, messages, window = desk
    dialog = asked(qtbot, control, window, *opened, ExportKind.MATTE_VIDEO)
    questions = []

    def agree():
        box = qapp.activeModalWidget()
        if isinstance(box, QMessageBox):
            questions.append(box.text())
            box.button(QMessageBox.StandardButton.Yes).click()

    timer = QTimer()
    timer.timeout.connect(agree)
    timer.start(20)
    qtbot.mouseClick(button(dialog, "Choose"), Qt.MouseButton.LeftButton)
    files = dialog.findChild(QFileDialog)
    name = files.findChild(QLineEdit)
    name.setText(str(taken))
    qtbot.keyClick(name, Qt.Key.Key_Return)
    timer.stop()
    assert dialog.wish.output == taken
    qtbot.mouseClick(button(dialog, "Export"), Qt.MouseButton.LeftButton)
    wait_until(lambda: "Saved" in messages.message)
    assert len(questions) == 1
    assert len(frames_of(taken)) == FRAMES


def test_a_folder_is_chosen_for_pictures(qtbot, desk, opened, tmp_path):
    (tmp_path / "there").mkdir()
    control, _, _, window = desk
    dialog = asked(qtbot, control, window, *opened, ExportKind.CUTOUTS)
    qtbot.mouseClick(button(dialog, "Choose"), Qt.MouseButton.LeftButton)
    files = dialog.findChild(QFileDialog)
    assert files.fileMode() is QFileDialog.FileMode.Directory
    files.fileSelected.emit(str(tmp_path / "there"))
    files.close()
    assert dialog.wish.output == tmp_path / "there"


def test_it_asks_before_pictures_of_an_earlier_export_are_replaced(qtbot, desk, opened, tmp_path):
    folder = tmp_path / "earlier"
    folder.mkdir()
    (folder / "talk_000003.png").write_bytes(b"old")
    (folder / "talk_000099.png").write_bytes(b"older")
    (folder / "holiday.png").write_bytes(b"mine")
    control, _, messages, window = desk
    dialog = asked(qtbot, control, window, *opened, ExportKind.MATTE_PICTURES)
    dialog.findChild(QLineEdit).setText("earlier")
    qtbot.mouseClick(button(dialog, "Export"), Qt.MouseButton.LeftButton)
    box = dialog.findChild(QMessageBox)
    assert "2 pictures" in box.text()
    qtbot.mouseClick(button(box, "Replace"), Qt.MouseButton.LeftButton)
    wait_until(lambda: "Saved" in messages.message)
    assert (folder / "talk_000003.png").read_bytes() != b"old"
    assert (folder / "talk_000099.png").read_bytes() == b"older"
    assert (folder / "holiday.png").read_bytes() == b"mine"
    assert "1 pictures of an earlier export" in messages.hint


@pytest.fixture(scope="module")
def long_one(tmp_path_factory):
    """Long enough that nobody finishes exporting it while a test looks on."""
    session, document = make_session(tmp_path_factory.mktemp("long"), frames=600)
    yield session, document
    session.store.close()


@pytest.mark.parametrize("kind", [ExportKind.COMPOSITE, ExportKind.MATTE_VIDEO])
def test_a_cancelled_film_leaves_nothing(qtbot, desk, long_one, tmp_path, kind):
    control, bar, messages, _ = desk
    seen = []
    control.busy.connect(seen.append)
    output = tmp_path / "out.mp4"
    control.start(*long_one, ExportWish(kind, output, whole=True))
    wait_until(lambda: "600 frames" in bar.state)
    qtbot.mouseClick(button(bar, "Cancel"), Qt.MouseButton.LeftButton)
    wait_until(lambda: "cancelled" in messages.message)
    assert list(tmp_path.iterdir()) == []
    assert seen == [True, False]
    assert bar.isHidden()


def test_of_cancelled_pictures_those_finished_stay_and_are_told_of(qtbot, desk, long_one, tmp_path):
    control, bar, messages, _ = desk
    control.start(*long_one, ExportWish(ExportKind.MATTE_PICTURES, tmp_path / "mattes", whole=True))
    wait_until(lambda: "600 frames" in bar.state and len(list((tmp_path / "mattes").glob("*.png"))) > 3)
    qtbot.mouseClick(button(bar, "Cancel"), Qt.MouseButton.LeftButton)
    wait_until(lambda: "cancelled" in messages.message)
    names = sorted(path.name for path in (tmp_path / "mattes").iterdir())
    assert names == [f"talk_{number:06d}.png" for number in range(len(names))]
    assert 3 < len(names) < 600
    assert f"{len(names)} finished pictures" in messages.hint


def test_one_export_at_a_time_and_closing_ends_it(desk, long_one, tmp_path):
    control, _, _, window = desk
    before = set(threading.enumerate())
    control.start(*long_one, ExportWish(ExportKind.MATTE_VIDEO, tmp_path / "one.mkv", whole=True))
    control.start(*long_one, ExportWish(ExportKind.MATTE_VIDEO, tmp_path / "two.mkv", whole=True))
    control.ask(*long_one)
    assert window.findChild(ExportDialog) is None
    wait_until(lambda: (tmp_path / "one.part.mkv").exists())
    control.close()
    assert not control.is_busy
    assert list(tmp_path.iterdir()) == []
    assert set(threading.enumerate()) <= before


def test_closing_takes_the_question_back(desk, opened):
    control, _, _, window = desk
    control.ask(*opened)
    control.ask(*opened)
    assert len(window.findChildren(ExportDialog)) == 1
    control.close()
    drop_deleted()
    assert window.findChild(ExportDialog) is None
    control.ask(*opened)
    assert window.findChild(ExportDialog).isVisible()


def test_a_clip_that_vanished_is_said_and_nothing_is_left(desk, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    session, document = make_session(tmp_path / "in")
    session.store.close()
    (tmp_path / "in" / "talk.mp4").unlink()
    control, bar, messages, _ = desk
    control.start(session, document, ExportWish(ExportKind.COMPOSITE, tmp_path / "out" / "x.mp4", whole=True))
    wait_until(lambda: "talk.mp4" in messages.message)
    assert bar.isHidden()
    assert list((tmp_path / "out").iterdir()) == []


def test_an_export_over_its_own_clip_is_refused_even_without_the_dialog(desk, opened, tmp_path):
    control, _, messages, _ = desk
    before = (tmp_path / "talk.mp4").read_bytes()
    control.start(*opened, ExportWish(ExportKind.MATTE_VIDEO, tmp_path / "talk.mp4", whole=True))
    wait_until(lambda: "overwrite" in messages.message)
    assert (tmp_path / "talk.mp4").read_bytes() == before


def test_everything_in_the_dialog_has_a_name_and_fits(desk, opened):
    control, _, _, window = desk
    control.ask(*opened)
    dialog = window.findChild(ExportDialog)
    for part in dialog.findChildren(QAbstractButton):
        assert part.accessibleName() or part.text()
        assert part.width() >= part.sizeHint().width() or not part.isVisible()
    assert all(label.text() for label in dialog.findChildren(QLabel) if label.isVisible())
    assert dialog.height() < 700
    assert Path(dialog.findChild(QLineEdit).text()).is_absolute()
