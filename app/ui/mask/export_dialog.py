"""What to export of a mask project, which part of it, and where to."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from PyQt6.QtCore import QStandardPaths, Qt, pyqtSignal
from PyQt6.QtWidgets import (
    QButtonGroup,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMessageBox,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from app.domain.errors import ExitCode, UserError
from app.domain.mask.document import MaskDocument, Span
from app.pipeline.encode_settings import FORMATS
from app.pipeline.mask.inside import free_name
from app.pipeline.mask.picture_folder import DIGITS
from app.pipeline.mask.sessions import Session
from app.pipeline.video_output import PendingFile
from app.ui import dialogs
from app.ui.mask.export_job import ExportKind, ExportWish
from app.ui.mask.panel_parts import muted_words, span_words, title
from app.ui.text import tr

_HINTS: Final = {
    ExportKind.COMPOSITE: "The person on the background, with matched colours and the clip's sound.",
    ExportKind.MATTE_VIDEO: "White is the person. An .mkv is written without loss; an .mp4 plays everywhere.",
    ExportKind.MATTE_PICTURES: "One grey picture a frame, without loss.",
    ExportKind.CUTOUTS: "One picture a frame: the person in their own colours, transparent around.",
}

_ENDINGS: Final = {
    ExportKind.COMPOSITE: "-platematch.mp4",
    ExportKind.MATTE_VIDEO: "-matte.mkv",
    ExportKind.MATTE_PICTURES: "-matte",
    ExportKind.CUTOUTS: "-cutout",
}

_WIDTH_PX: Final = 560


class ExportDialog(QDialog):
    """chosen(ExportWish): what was asked for, after consent to what it replaces; the dialog is closed then."""

    chosen = pyqtSignal(object)

    def __init__(self, parent: QWidget, session: Session, document: MaskDocument) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("Export"))
        self._clip, self._inputs = session.media.clip, session.media.inputs(document)
        self._agreed: Path | None = None
        self._kinds = _choices(self, [tr(kind.value) for kind in ExportKind])
        span, time_base = document.meta.span, session.index.time_base
        part = span_words(span, time_base, start_pts=session.index.pts_at(0))
        ranges = [] if span == Span() else [f"{tr('In to out')} ({part})", tr("Whole clip")]
        self._ranges = _choices(self, ranges)
        self._hint, self._place, self._export = muted_words(), QLineEdit(), QPushButton(tr("Export"))
        self._trouble = QLabel()
        self._trouble.setObjectName("messageText")
        self._trouble.setIndent(0)
        self._trouble.setWordWrap(True)
        self._trouble.hide()
        self._lay_out()
        self._kinds.idClicked.connect(self._suggest)
        self._place.textChanged.connect(self._follow_place)
        self._suggest()

    @property
    def wish(self) -> ExportWish:
        """What is chosen at the moment. The place typed is taken from the clip's folder on."""
        kind = self._kind
        output = self._clip.absolute().parent / os.path.expanduser(self._place.text().strip())
        if kind.is_video and output.name and not output.suffix:
            output = output.with_name(output.name + Path(_ENDINGS[kind]).suffix)
        return ExportWish(kind, output, whole=self._ranges.checkedId() != 0)

    @property
    def trouble(self) -> str:
        """Why nothing can be exported there; empty when nothing was said."""
        return "" if self._trouble.isHidden() else self._trouble.text()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(6)
        _add_section(column, tr("What"), self._kinds)
        column.addWidget(self._hint)
        if self._ranges.buttons():
            _add_section(column, tr("Range"), self._ranges)
        column.addSpacing(10)
        column.addWidget(title(tr("Where to")))
        column.addLayout(self._place_row())
        column.addWidget(self._trouble)
        column.addStretch(1)
        column.addSpacing(12)
        column.addWidget(self._buttons())
        self.setMinimumWidth(_WIDTH_PX)
        self.resize(_WIDTH_PX, 0)

    def _fit(self) -> None:
        """Grow to what the sentences take at this width, which a layout of wrapped words does not see to."""
        self.resize(self.width(), max(self.height(), self.heightForWidth(self.width())))

    def _place_row(self) -> QHBoxLayout:
        self._place.setAccessibleName(tr("Where to"))
        self._place.setToolTip(tr("The video's file, or the folder for the pictures"))
        choose = QPushButton(tr("Choose…"))
        choose.setAutoDefault(False)
        choose.setToolTip(tr("Look for another place"))
        choose.setAccessibleName(tr("Choose where to"))
        choose.clicked.connect(self._ask_place)
        row = QHBoxLayout()
        row.addWidget(self._place, 1)
        row.addWidget(choose)
        return row

    def _buttons(self) -> QDialogButtonBox:
        box = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self._export.setObjectName("primary")
        self._export.setDefault(True)
        box.addButton(self._export, QDialogButtonBox.ButtonRole.AcceptRole)
        box.accepted.connect(self._try)
        box.rejected.connect(self.reject)
        return box

    @property
    def _kind(self) -> ExportKind:
        return list(ExportKind)[self._kinds.checkedId()]

    def _suggest(self) -> None:
        """Another name for another kind, in the folder there is already."""
        self._hint.setText(tr(_HINTS[self._kind]))
        self._fit()
        folder = self.wish.output.parent if self._place.text() else home_of_exports(self._clip)
        self._set_place(free_name(folder / f"{self._clip.stem}{_ENDINGS[self._kind]}"))

    def _follow_place(self, words: str) -> None:
        self._trouble.hide()
        self._export.setEnabled(bool(words.strip()))

    def _set_place(self, path: Path) -> None:
        self._place.setText(str(path))
        self._place.setToolTip(str(path))

    def _ask_place(self) -> None:
        if self._kind.is_video:
            dialogs.ask_output(self, self.wish.output, self._take_file)
        else:
            dialogs.ask_folder(self, tr("Folder for the pictures"), lambda path: self._set_place(Path(path)))

    def _take_file(self, path: str) -> None:
        """Take a file that the file dialog has asked about already."""
        self._set_place(Path(path))
        self._agreed = Path(path)

    def _try(self) -> None:
        """Go, or say why not, or ask about what is in the way."""
        wish = self.wish
        try:
            _check(wish, self._inputs)
            in_the_way = what_is_replaced(wish, self._clip.stem)
        except UserError as error:
            self._say(str(error))
            return
        except OSError as error:  # A name that is too long can't even be looked for.
            self._say(tr("This name can't be used ({why}).").format(why=error.strerror))
            return
        if in_the_way and wish.output != self._agreed:
            self._ask_to_replace(wish, in_the_way)
        else:
            self._go(wish)

    def _say(self, words: str) -> None:
        self._trouble.setText(words)
        self._trouble.show()
        self._fit()
        self._place.setFocus()

    def _ask_to_replace(self, wish: ExportWish, words: str) -> None:
        box = QMessageBox(QMessageBox.Icon.Warning, tr("Export"), words, parent=self)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        replace = box.addButton(tr("Replace"), QMessageBox.ButtonRole.AcceptRole)
        box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Cancel))
        if replace is not None:
            replace.clicked.connect(lambda: self._go(wish))
        box.open()

    def _go(self, wish: ExportWish) -> None:
        self.chosen.emit(wish)
        self.accept()


def home_of_exports(clip: Path) -> Path:
    """The clip's folder, or the films folder where nothing can be written beside the clip."""
    folder = clip.absolute().parent
    if os.access(folder, os.W_OK):
        return folder
    films = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.MoviesLocation)
    return Path(films) if films and Path(films).is_dir() else Path.home()


def what_is_replaced(wish: ExportWish, stem: str) -> str:
    """The question about what is there already; empty when nothing of it would be replaced.

    stem: of the clip, by which its pictures are named.
    """
    name = wish.output.name
    if wish.kind.is_video:
        return tr("“{name}” exists already. Replace it?").format(name=name) if wish.output.exists() else ""
    ours = re.compile(rf"{re.escape(stem)}_\d{{{DIGITS},}}\.png")
    count = sum(1 for path in _in_folder(wish.output) if ours.fullmatch(path.name))
    said = tr("“{name}” holds {count} pictures of an earlier export. Replace those with the same names?")
    return said.format(name=name, count=count) if count else ""


def _in_folder(folder: Path) -> Iterable[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return ()


def _check(wish: ExportWish, inputs: tuple[Path, ...]) -> None:
    """UserError (OUTPUT) unless it can be written there; what the exports would find out after loading the models."""
    output, is_film = wish.output, wish.output.suffix.lower() in FORMATS
    if wish.kind.is_video:
        if not is_film:
            endings = " ".join(FORMATS)
            said = tr("“{name}” is no video's name.").format(name=output.name)
            raise UserError(said, tr("End it in one of {endings}.").format(endings=endings), code=ExitCode.OUTPUT)
        PendingFile(output, inputs=inputs)
    elif is_film or output.is_file():
        said = tr("“{name}” is a file's name; the pictures need a folder.").format(name=output.name)
        raise UserError(said, tr("Name a folder."), code=ExitCode.OUTPUT)
    elif not output.is_dir():
        PendingFile(output, inputs=inputs)


def _choices(parent: QWidget, words: Iterable[str]) -> QButtonGroup:
    """Radio buttons, numbered from 0, the first one chosen."""
    group = QButtonGroup(parent)
    for number, text in enumerate(words):
        button = QRadioButton(text, parent)
        button.setChecked(number == 0)
        group.addButton(button, number)
    return group


def _add_section(column: QVBoxLayout, words: str, group: QButtonGroup) -> None:
    if column.count():
        column.addSpacing(10)
    column.addWidget(title(words))
    for button in group.buttons():
        button.setAccessibleName(f"{words}: {button.text()}")
        column.addWidget(button)
