"""The question before clips are added: how they are delivered, and where to."""

from fractions import Fraction
from pathlib import Path

import pytest
from PyQt6 import sip
from PyQt6.QtCore import Qt
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QFileDialog, QLineEdit, QPushButton, QWidget

from app.domain.settings import Settings
from app.pipeline.offline.presets import PRESETS
from app.ui.queue.add_dialog import AddDialog, clips_text
from tests.ui.helpers import drop_deleted

SETTINGS = Settings(plate="#20a040")


class Asked:
    """A dialog that is open, and what it has given."""

    def __init__(self, window, clips, **facts):
        self.dialog = AddDialog(window, clips, SETTINGS, presets=PRESETS, **facts)
        self.given = []
        self.dialog.chosen.connect(lambda wish, starts: self.given.append((wish, starts)))
        self.dialog.open()
        QTest.qWait(20)

    @property
    def place(self):
        return next(f for f in self.dialog.findChildren(QLineEdit) if f.accessibleName() == "Where to")

    def deliver(self, slug):
        box = self.dialog.findChild(QComboBox)
        box.setCurrentIndex([preset.slug for preset in PRESETS].index(slug))

    def press(self, words):
        button = next(b for b in self.dialog.findChildren(QPushButton) if b.text() == words)
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)


@pytest.fixture
def ask(qapp):
    window = QWidget()
    window.show()
    asked = []

    def open_dialog(*clips, **facts):
        asked.append(Asked(window, clips, **facts))
        return asked[-1]

    yield open_dialog
    for one in asked:
        if not sip.isdeleted(one.dialog):
            one.dialog.reject()
    window.close()
    window.deleteLater()
    drop_deleted()


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "talk.mp4"
    path.touch()
    return path


def test_one_clip_is_added_beside_itself_as_suggested(ask, clip):
    asked = ask(clip)
    assert asked.place.text() == str(clip.with_name("talk-youtube-1080p.mp4"))
    asked.press("Add")
    ((wish, starts),) = asked.given
    assert (wish.clips, wish.preset, wish.output, starts) == (
        (clip,), "youtube-1080p", clip.with_name("talk-youtube-1080p.mp4"), False,
    )  # fmt: skip
    assert (wish.settings, wish.overwrite, wish.sequence_rate) == (SETTINGS, False, Fraction(24))


def test_return_adds_and_starts(ask, clip):
    asked = ask(clip)
    QTest.keyClick(asked.place, Qt.Key.Key_Return)
    assert [starts for _, starts in asked.given] == [True]


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.slug)
def test_every_delivery_says_what_it_is_for_and_suggests_a_name_that_fits(ask, clip, preset):
    asked = ask(clip)
    asked.deliver(preset.slug)
    words = [label.text() for label in asked.dialog.findChildren(QWidget) if hasattr(label, "text")]
    assert preset.sentence in words
    assert Path(asked.place.text()) == clip.with_name(f"talk-{preset.slug}{preset.suffix}")
    asked.press("Add")
    assert asked.given, asked.dialog.trouble


def test_another_delivery_keeps_the_folder_that_was_chosen(ask, clip, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    asked = ask(clip)
    asked.place.setText(str(folder / "mine.mp4"))
    asked.deliver("prores-422-hq")
    assert Path(asked.place.text()) == folder / "talk-prores-422-hq.mov"


def test_the_last_delivery_is_offered_again_and_one_that_is_gone_is_not(ask, clip):
    assert ask(clip, preset="archive-ffv1").dialog.wish.preset == "archive-ffv1"
    assert ask(clip, preset="vhs").dialog.wish.preset == PRESETS[0].slug


def test_names_are_never_those_that_something_has(ask, clip):
    clip.with_name("talk-youtube-1080p.mp4").touch()
    taken = frozenset({clip.with_name("talk-youtube-1080p (2).mp4")})
    assert ask(clip, taken=taken).dialog.wish.output.name == "talk-youtube-1080p (3).mp4"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("{folder}/gone/talk.mp4", "does not exist"),
        ("{folder}/talk.avi", "can't hold H.264"),
        ("{folder}/taken.mp4", "Another video of the queue"),
        ("{folder}/exists.mp4", "exists already"),
    ],
)
def test_what_can_not_be_is_said_before_it_is_added(ask, clip, tmp_path, words, said):
    (tmp_path / "exists.mp4").touch()
    asked = ask(clip, taken=frozenset({tmp_path / "taken.mp4"}))
    asked.place.setText(words.format(folder=tmp_path))
    asked.press("Add")
    assert said in asked.dialog.trouble
    assert asked.given == []
    asked.place.setText(str(tmp_path / "good.mp4"))
    assert asked.dialog.trouble == ""
    asked.press("Add")
    assert len(asked.given) == 1


def test_a_file_may_be_replaced_once_the_file_dialog_has_asked(ask, clip, tmp_path):
    (tmp_path / "exists.mp4").touch()
    asked = ask(clip)
    asked.press("Choose…")
    dialog = asked.dialog.findChild(QFileDialog)
    dialog.fileSelected.emit(str(tmp_path / "exists.mp4"))
    dialog.reject()
    asked.press("Add")
    assert [(wish.output.name, wish.overwrite) for wish, _ in asked.given] == [("exists.mp4", True)]


def test_several_clips_go_beside_themselves_or_into_one_folder(ask, clip, tmp_path):
    other = tmp_path / "b.mp4"
    asked = ask(clip, other)
    assert asked.place.text() == ""
    assert asked.place.placeholderText() == "Beside each clip"
    assert (asked.dialog.wish.output, asked.dialog.wish.folder) == (None, None)
    asked.place.setText(str(tmp_path / "gone"))
    asked.press("Add")
    assert "does not exist" in asked.dialog.trouble
    asked.place.setText(str(tmp_path))
    asked.press("Add and start")
    assert [(wish.folder, wish.output, starts) for wish, starts in asked.given] == [(tmp_path, None, True)]


def test_the_rate_is_asked_of_pictures_only(ask, clip, tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    asked = ask(clip)
    assert asked.dialog.findChild(QDoubleSpinBox) is None or not asked.dialog.findChild(QDoubleSpinBox).isVisible()
    asked = ask(folder)
    field = asked.dialog.findChild(QDoubleSpinBox)
    assert field.isVisible()
    field.setValue(29.97)
    assert asked.dialog.wish.sequence_rate == Fraction(30000, 1001)
    field.setValue(25)
    assert asked.dialog.wish.sequence_rate == 25


def test_hdr_is_brought_down_only_when_that_is_asked_for(ask, clip):
    asked = ask(clip)
    assert not asked.dialog.wish.tone_map
    asked.dialog.findChild(QCheckBox).setChecked(True)
    assert asked.dialog.wish.tone_map


def test_clips_are_named_and_many_are_counted():
    assert clips_text([Path("/a/talk.mp4")]) == "talk.mp4"
    assert clips_text([Path(f"/a/{n}.mp4") for n in range(6)]) == "6 clips: 0.mp4, 1.mp4, 2.mp4, 3.mp4…"
