"""Pictures of the window, made by the window itself: the built-in sample on built-in plates, nobody's own settings."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.domain.compositing import Size
from app.domain.errors import ExitCode, UserError
from app.domain.settings import GROUPS, CameraOptions, Settings
from app.pipeline.settings_store import config_folder, save_settings, settings_path
from app.pipeline.virtual_screen import has_virtual_screens, virtual_screen
from app.ui.mask_picture import prepare_mask

if TYPE_CHECKING:
    from PyQt6.QtWidgets import QApplication

    from app.ui.main_window import MainWindow

SIZE_PX: Final[Size] = (1280, 800)
SUFFIX: Final = ".jpg"
_QUALITY: Final = 92
_WAIT_S: Final = 120.0
_LOOK_EVERY_MS: Final = 40
_HOMES: Final = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME")
SETTLED_PICTURES: Final = 45
"""Shown before one is taken: the colours follow a new plate over half a second or so."""


@dataclass(frozen=True)
class Shot:
    """One picture. name: of its file, without the ending.

    mode, view: by their names in `Mode` and in `View` or `MaskView`. page: of the inspector.
    """

    name: str
    theme: str = "dark"
    page: str = "match"
    view: str = "MATCHED"
    plate: str = "sunset"
    is_covered: bool = False
    mode: str = "LIVE"


README_SHOTS: Final = (
    Shot("window", view="SPLIT"),
    Shot("edges", page="person", view="EDGES"),
    Shot("cover", page="camera", is_covered=True),
    Shot("window-light", "light", page="placement", plate="forest"),
    Shot("render", "light", view="SPLIT", mode="RENDER"),
    Shot("mask", page="time", view="RUBYLITH", mode="MASK"),
)


def all_shots() -> tuple[Shot, ...]:
    """Every page, view and mode, in both themes."""
    pages = [Shot(f"page-{page}-{theme}", theme, page=page) for theme in ("dark", "light") for page in GROUPS]
    views = [Shot(f"view-{view.lower()}", view=view) for view in ("PASTED", "SIDE_BY_SIDE", "ORIGINAL", "MATTE")]
    plates = [Shot(f"plate-{plate}", plate=plate) for plate in ("none", "blur", "transparent")]
    render = Shot("render-dark", view="SPLIT", mode="RENDER")
    masks = [
        Shot(f"mask-{view.lower()}-{theme}", theme, page=page, view=view, mode="MASK")
        for theme, page, view in (
            ("dark", "tool", "OUTLINE"),
            ("dark", "adjust", "MATTE"),
            ("dark", "match", "MATCHED"),
            ("light", "tool", "DIFFERENCE"),
            ("light", "time", "CHECKERBOARD"),
        )
    ]
    return (*README_SHOTS, *pages, *views, *plates, render, *masks)


def run_screenshots(folder: Path, *, shots: tuple[Shot, ...], size_px: Size = SIZE_PX) -> tuple[Path, ...]:
    """Write a picture of each shot into `folder`, which is made; returns their paths.

    Where there is no display, one is started for it if Xvfb is installed; else Qt paints without one.
    UserError (OUTPUT) when they can't be written, (FAILED) when the window shows no picture.
    """
    with ExitStack() as held:
        held.enter_context(_display(size_px))
        held.enter_context(_own_home())
        from app.ui.application import prepared_application

        return take_shots(prepared_application(), folder, shots=shots, size_px=size_px)


def take_shots(
    app: QApplication, folder: Path, *, shots: tuple[Shot, ...], size_px: Size = SIZE_PX
) -> tuple[Path, ...]:
    """Open the window on the sample, write the shots in order, close it. Overwrites the settings on the disk."""
    from app.ui.choices import Mode
    from app.ui.main_window import MainWindow
    from app.ui.theme import use_theme

    save_settings(settings_path(), Settings(camera=CameraOptions(source="sample")))
    use_theme(app, shots[0].theme)
    window = MainWindow(Mode.LIVE)
    window.resize(*size_px)
    window.show()
    try:
        return tuple(_taken(app, window, shot, folder) for shot in shots)
    finally:
        window.close()
        window.deleteLater()


def _taken(app: QApplication, window: MainWindow, shot: Shot, folder: Path) -> Path:
    from app.ui.theme import use_theme

    use_theme(app, shot.theme)
    _prepare(window, shot)
    _await(window, shot)
    path = folder / f"{shot.name}{SUFFIX}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        is_saved = window.grab().save(str(path), quality=_QUALITY)
    except OSError:
        is_saved = False
    if not is_saved:
        raise UserError(f"“{path}” can't be written.", "Choose another folder.", code=ExitCode.OUTPUT)
    return path


def _prepare(window: MainWindow, shot: Shot) -> None:
    from app.ui.choices import Mode, Sample, View

    mode = Mode[shot.mode]
    window.set_mode(mode)
    if mode is Mode.MASK:
        prepare_mask(window.masking, shot.page, shot.view, wait_for=_wait_for)
        return
    if mode is Mode.RENDER and window.session.clip is None:
        window.open_clip(Sample.SAMPLE)
    window.header.choose_view(View[shot.view])
    window.model.set_value("", "plate", shot.plate)
    if mode is Mode.LIVE or shot.page in ("person", "match", "placement"):
        window.workspace.inspector.show_page(shot.page)
    desk = window.live.desk
    if desk is not None:
        desk.cover(on=shot.is_covered)


def _await(window: MainWindow, shot: Shot) -> None:
    """Wait until the window shows what the shot is of."""
    if shot.mode == "MASK":
        return
    if shot.mode == "RENDER":
        _wait_for(lambda: _is_rendered(window))
        return
    _wait_for(lambda: _is_live(window, shot))
    desk = window.live.desk
    if desk is not None:
        desk.reset_figures()
    shown = 0

    def count() -> None:
        nonlocal shown
        shown += 1

    window.workspace.preview.painted.connect(count)
    try:
        _wait_for(lambda: shown >= SETTLED_PICTURES)
    finally:
        window.workspace.preview.painted.disconnect(count)


def _is_live(window: MainWindow, shot: Shot) -> bool:
    latest = window.live.desk.runner.latest if window.live.desk is not None else None
    if latest is None or not window.workspace.preview.has_picture:
        return False
    if shot.is_covered:
        return latest.rendered is None
    return latest.rendered is not None and (latest.rendered.table is not None or shot.plate in ("none", "transparent"))


def _is_rendered(window: MainWindow) -> bool:
    shown = window.render_desk.shown
    is_current = shown is not None and shown.request is window.session.asked and shown.has_person is not None
    return is_current and shown is not None and shown.request.settings == window.model.settings


def _wait_for(is_there: Callable[[], bool]) -> None:
    """Let the window work until something is so. UserError (FAILED) when it does not become so."""
    from PyQt6.QtCore import QElapsedTimer, QEventLoop, QTimer

    loop, look, waited = QEventLoop(), QTimer(), QElapsedTimer()
    look.timeout.connect(lambda: loop.quit() if is_there() or waited.elapsed() > 1000 * _WAIT_S else None)
    waited.start()
    look.start(_LOOK_EVERY_MS)
    loop.exec()
    look.stop()
    if not is_there():
        raise UserError(
            "The window shows no picture of the sample.", "Does `platematch demo` work?", code=ExitCode.FAILED
        )


@contextmanager
def _own_home() -> Iterator[None]:
    """Keep settings, projects and the window's state apart from those of whoever runs this."""
    before = {name: os.environ.get(name) for name in _HOMES}
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= dict.fromkeys(_HOMES, folder)
        try:
            if not config_folder().is_relative_to(folder):
                raise UserError(
                    "Here the pictures can't be made without touching your own settings.",
                    "Make them on Linux.",
                    code=ExitCode.FAILED,
                )
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


@contextmanager
def _display(size_px: Size) -> Iterator[None]:
    """Have something to open a window on."""
    is_there = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))
    if is_there or not sys.platform.startswith("linux"):
        yield
    elif not has_virtual_screens():
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
        yield
    else:
        with virtual_screen((2 * size_px[0], 2 * size_px[1])) as name:
            os.environ["DISPLAY"] = name
            yield
