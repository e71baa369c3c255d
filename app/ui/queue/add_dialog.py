"""How clips are to be delivered, and where to, before they are added to the queue."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.domain.errors import UserError
from app.domain.settings import Settings
from app.pipeline.offline.queue_names import output_for
from app.ui import dialogs
from app.ui.mask.panel_parts import muted_words, title
from app.ui.queue.queue_wish import DEFAULT_RATE, AddWish, home_of, rate_of
from app.ui.text import tr

if TYPE_CHECKING:
    from app.pipeline.offline.formats import Encoding
    from app.pipeline.offline.presets import DeliveryPreset

_WIDTH_PX: Final = 540
_NAMED_CLIPS: Final = 4


class AddDialog(QDialog):
    """chosen(AddWish, bool): what is to be added, and whether to start; the dialog is closed then.

    taken: names that others in the queue have. preset: which one to begin with, by its slug.
    """

    chosen = pyqtSignal(object, bool)

    def __init__(
        self,
        parent: QWidget,
        clips: Sequence[Path],
        settings: Settings,
        *,
        presets: Sequence[DeliveryPreset],
        taken: frozenset[Path] = frozenset(),
        preset: str = "",
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("Add to the queue"))
        self._clips, self._settings, self._presets, self._taken = tuple(clips), settings, tuple(presets), taken
        self._agreed: Path | None = None
        self._delivery, self._hint, self._place = QComboBox(), muted_words(), QLineEdit()
        self._rate, self._tone_map = _rate_field(self), QCheckBox(tr("Bring HDR clips down to standard range"))
        self._trouble, self._start = QLabel(), QPushButton(tr("Add and start"), self)
        self._lay_out()
        self._fill(preset)

    @property
    def wish(self) -> AddWish:
        """What is chosen at the moment. A place typed is taken from the first clip's folder on."""
        chosen = self._presets[self._delivery.currentIndex()]
        words = os.path.expanduser(self._place.text().strip())
        place = self._clips[0].absolute().parent / words if words else None
        is_one = len(self._clips) == 1
        return AddWish(
            self._clips,
            self._settings,
            chosen.slug,
            chosen.suffix,
            output=place if is_one else None,
            overwrite=is_one and place is not None and place == self._agreed,
            folder=None if is_one else place,
            sequence_rate=rate_of(self._rate.value()),
            tone_map=self._tone_map.isChecked(),
        )

    @property
    def trouble(self) -> str:
        """Why this can't be added; empty when nothing was said."""
        return "" if self._trouble.isHidden() else self._trouble.text()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(6)
        names = title(clips_text(self._clips))
        names.setWordWrap(True)
        column.addWidget(names)
        column.addWidget(muted_words(tr("Rendered with the background and the settings as they are now.")))
        column.addSpacing(12)
        column.addWidget(title(tr("Deliver as")))
        self._delivery.setAccessibleName(tr("Deliver as"))
        column.addWidget(self._delivery)
        column.addWidget(self._hint)
        column.addSpacing(12)
        column.addWidget(title(tr("Where to")))
        column.addLayout(self._place_row())
        self._add_options(column)
        self._trouble.setObjectName("messageText")
        self._trouble.setIndent(0)
        self._trouble.setWordWrap(True)
        self._trouble.hide()
        column.addWidget(self._trouble)
        column.addStretch(1)
        column.addSpacing(12)
        column.addWidget(self._buttons())
        self._start.setDefault(True)
        self.setMinimumWidth(_WIDTH_PX)

    def _add_options(self, column: QVBoxLayout) -> None:
        column.addSpacing(8)
        has_pictures = any(clip.is_dir() for clip in self._clips)
        self._rate.setVisible(has_pictures)
        if has_pictures:
            row = QHBoxLayout()
            row.addWidget(muted_words(tr("Pictures a second")))
            row.addWidget(self._rate)
            row.addStretch()
            column.addLayout(row)
        self._tone_map.setToolTip(tr("Without it a PQ or HLG clip is refused: its colours would come out wrong"))
        column.addWidget(self._tone_map)

    def _place_row(self) -> QHBoxLayout:
        self._place.setAccessibleName(tr("Where to"))
        if len(self._clips) > 1:
            self._place.setPlaceholderText(tr("Beside each clip"))
            self._place.setClearButtonEnabled(True)
        self._place.textChanged.connect(self._trouble.hide)
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
        add, start = QPushButton(tr("Add"), self), self._start
        add.setToolTip(tr("It waits until the queue is started"))
        start.setToolTip(tr("Renders all that wait"))
        add.setAutoDefault(False)
        start.setObjectName("primary")
        box.addButton(add, QDialogButtonBox.ButtonRole.ActionRole)
        box.addButton(start, QDialogButtonBox.ButtonRole.ActionRole)
        add.clicked.connect(lambda: self._try(starts=False))
        start.clicked.connect(lambda: self._try(starts=True))
        box.rejected.connect(self.reject)
        return box

    def _fill(self, slug: str) -> None:
        for preset in self._presets:
            self._delivery.addItem(tr(preset.title))
        known = [preset.slug for preset in self._presets]
        self._delivery.setCurrentIndex(known.index(slug) if slug in known else 0)
        self._delivery.currentIndexChanged.connect(self._follow_delivery)
        self._follow_delivery()

    def _follow_delivery(self) -> None:
        """Say what it is good for; another kind has another name."""
        preset = self._presets[self._delivery.currentIndex()]
        self._hint.setText(tr(preset.sentence))
        if len(self._clips) == 1:
            clip, before = self._clips[0], self._place.text().strip()
            folder = self.wish.output.parent if before and self.wish.output is not None else home_of(clip)
            path = output_for(clip, preset=preset.slug, suffix=preset.suffix, folder=folder, taken=self._taken)
            self._set_place(path)
        self._fit()

    def _set_place(self, path: Path) -> None:
        self._place.setText(str(path))
        self._place.setToolTip(str(path))

    def _ask_place(self) -> None:
        wish = self.wish
        if wish.output is None or not wish.suffix:
            dialogs.ask_folder(self, tr("Folder for what is rendered"), lambda name: self._set_place(Path(name)))
        else:
            filters = f"{wish.suffix[1:].upper()} (*{wish.suffix})"
            dialogs.ask_output(self, wish.output, self._take_file, filters=filters)

    def _take_file(self, name: str) -> None:
        """Take a file that the file dialog has asked about already."""
        self._set_place(Path(name))
        self._agreed = Path(name)

    def _try(self, *, starts: bool) -> None:
        preset = self._presets[self._delivery.currentIndex()]
        trouble = trouble_with(self.wish, preset.encoding, self._taken)
        if trouble:
            self._trouble.setText(trouble)
            self._trouble.show()
            self._fit()
            self._place.setFocus()
            return
        self.chosen.emit(self.wish, starts)
        self.accept()

    def _fit(self) -> None:
        """Grow to what the sentences take at this width, which a layout of wrapped words does not see to."""
        width = max(self.width(), _WIDTH_PX)
        self.resize(width, self.heightForWidth(width))


def clips_text(clips: Sequence[Path]) -> str:
    """Name the clips, or the first of them."""
    if len(clips) == 1:
        return clips[0].name
    names = ", ".join(clip.name for clip in clips[:_NAMED_CLIPS])
    more = "…" if len(clips) > _NAMED_CLIPS else ""
    return tr("{count} clips: {names}{more}").format(count=len(clips), names=names, more=more)


def trouble_with(wish: AddWish, encoding: Encoding, taken: Collection[Path]) -> str:
    """Why nothing can be rendered there; empty when all is well as far as can be told."""
    from app.pipeline.offline.formats import check

    output = wish.output
    folder = wish.folder if output is None else output.parent
    if folder is not None and not folder.is_dir():
        return tr("The folder “{folder}” does not exist.").format(folder=folder)
    if output is None:
        return ""
    try:
        check(encoding, output)
    except UserError as error:
        return str(error)
    if output in taken:
        return tr("Another video of the queue becomes “{name}”.").format(name=output.name)
    if output.is_file() and not wish.overwrite:
        words = tr("“{name}” exists already. Choose another name, or the same one with “Choose…” to replace it.")
        return words.format(name=output.name)
    return ""


def _rate_field(parent: QWidget) -> QDoubleSpinBox:
    field = QDoubleSpinBox(parent)
    field.setRange(1, 240)
    field.setDecimals(3)
    field.setValue(float(DEFAULT_RATE))
    field.setAccessibleName(tr("Pictures a second"))
    field.setAlignment(Qt.AlignmentFlag.AlignRight)
    return field
