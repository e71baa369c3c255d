"""The system's questions: which file, which colour, what name. None of them stops the window."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from PyQt6.QtCore import QStandardPaths, Qt
from PyQt6.QtGui import QColor
from PyQt6.QtWidgets import QColorDialog, QFileDialog, QInputDialog, QMessageBox, QWidget

from app.pipeline.encode_settings import FORMATS
from app.pipeline.presets import SUFFIX as PRESET_SUFFIX
from app.ui.choices import PICTURE_SUFFIXES, VIDEO_SUFFIXES, ClipInfo
from app.ui.text import tr

VIDEO_FILTER: Final = "Videos (*.mp4 *.mov *.m4v *.mkv *.webm *.avi *.ts *.mts);;All files (*)"
_PLATES: Final = " ".join(f"*{suffix}" for suffix in sorted(PICTURE_SUFFIXES | VIDEO_SUFFIXES))
PLATE_FILTER: Final = f"Pictures and videos ({_PLATES});;All files (*)"
PRESET_FILTER: Final = f"Presets (*{PRESET_SUFFIX});;All files (*)"
OUTPUT_FILTER: Final = ";;".join(f"{suffix[1:].upper()} video (*{suffix})" for suffix in FORMATS)


def ask_clip(parent: QWidget, chosen: Callable[[str], None]) -> QFileDialog:
    """Ask for a video to open."""
    return _ask_file(parent, tr("Open a video"), VIDEO_FILTER, chosen)


def ask_plate(parent: QWidget, chosen: Callable[[str], None]) -> QFileDialog:
    """Ask for a picture or a video to use as a background."""
    return _ask_file(parent, tr("Add a background"), PLATE_FILTER, chosen)


def ask_mask(parent: QWidget, chosen: Callable[[str], None]) -> QFileDialog:
    """Ask for a mask: a video or a picture; of numbered pictures, any one stands for its folder."""
    return _ask_file(parent, tr("Use a mask"), PLATE_FILTER, chosen)


def ask_project_name(parent: QWidget, suggested: Path, chosen: Callable[[str], None]) -> QFileDialog:
    """Ask for the name of a mask project."""
    suffix = suggested.suffix
    dialog = QFileDialog(parent, tr("Save the project"), str(suggested.parent), f"Mask projects (*{suffix})")
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setDefaultSuffix(suffix.removeprefix("."))
    dialog.selectFile(suggested.name)
    return _opened(dialog, chosen)


def ask_clips(parent: QWidget, chosen: Callable[[list[str]], None]) -> QFileDialog:
    """Ask for any number of videos."""
    dialog = QFileDialog(parent, tr("Add videos to the queue"), "", VIDEO_FILTER)
    dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.filesSelected.connect(chosen)
    dialog.open()
    return dialog


def ask_folder(parent: QWidget, title: str, chosen: Callable[[str], None]) -> QFileDialog:
    """Ask for a folder."""
    dialog = QFileDialog(parent, title)
    dialog.setFileMode(QFileDialog.FileMode.Directory)
    dialog.setOption(QFileDialog.Option.ShowDirsOnly)
    return _opened(dialog, chosen)


def ask_name(parent: QWidget, title: str, words: str, *, start: str, chosen: Callable[[str], None]) -> QInputDialog:
    """Ask for a name."""
    dialog = QInputDialog(parent)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setWindowTitle(title)
    dialog.setLabelText(words)
    dialog.setTextValue(start)
    dialog.textValueSelected.connect(chosen)
    dialog.open()
    return dialog


def ask_preset_file(parent: QWidget, *, save_as: str = "", chosen: Callable[[str], None]) -> QFileDialog:
    """Ask for a preset's file: to read, or under a suggested name to write."""
    dialog = QFileDialog(parent, tr("Export the preset") if save_as else tr("Import a preset"), "", PRESET_FILTER)
    if save_as:
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix(PRESET_SUFFIX.removeprefix("."))
        dialog.selectFile(save_as + PRESET_SUFFIX)
    else:
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    return _opened(dialog, chosen)


def ask_output(
    parent: QWidget, suggested: Path, chosen: Callable[[str], None], *, filters: str = OUTPUT_FILTER
) -> QFileDialog:
    """Ask for the name of the finished video; the dialog itself asks before a file is replaced."""
    dialog = QFileDialog(parent, tr("Render to"), str(suggested.parent), filters)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setDefaultSuffix(suggested.suffix.removeprefix(".") or "mp4")
    dialog.selectFile(suggested.name)
    return _opened(dialog, chosen)


def ask_yes(parent: QWidget, words: str, *, yes: str, agreed: Callable[[], None]) -> QMessageBox:
    """Ask whether something may be lost; Cancel is what Return means."""
    box = QMessageBox(QMessageBox.Icon.Warning, "PlateMatch", words, parent=parent)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    button = box.addButton(yes, QMessageBox.ButtonRole.DestructiveRole)
    box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Cancel))
    if button is not None:
        button.clicked.connect(agreed)
    box.open()
    return box


def ask_colour(parent: QWidget, start: QColor, *, changed: Callable[[str], None], dropped: Callable[[], None]) -> None:
    """Ask for a colour, shown at every change of mind; `dropped` when the dialog is left by Cancel."""
    dialog = QColorDialog(start, parent)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setWindowTitle(tr("Background colour"))
    dialog.currentColorChanged.connect(lambda colour: changed(colour.name()))
    dialog.rejected.connect(dropped)
    dialog.open()
    changed(start.name())


def suggested_output(clip: ClipInfo) -> Path:
    """Beside the clip under a name of its own; the sample goes to the films folder."""
    if isinstance(clip.source, Path):
        return clip.source.with_name(f"{clip.source.stem}-platematch.mp4").absolute()
    return films_folder() / "sample-platematch.mp4"


def films_folder() -> Path:
    """Where the system keeps films; the home folder where there is no such place."""
    films = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.MoviesLocation)
    return Path(films) if films and Path(films).is_dir() else Path.home()


def _ask_file(parent: QWidget, title: str, filters: str, chosen: Callable[[str], None]) -> QFileDialog:
    dialog = QFileDialog(parent, title, "", filters)
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    return _opened(dialog, chosen)


def _opened(dialog: QFileDialog, chosen: Callable[[str], None]) -> QFileDialog:
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.fileSelected.connect(chosen)
    dialog.open()
    return dialog
