import pytest
from PyQt6.QtWidgets import QApplication

from tests.support.media import write_clip
from tests.ui.helpers import drop_deleted, portrait, reset, settle, shown_window
from tests.ui.live_helpers import plain_settings, reset_live, shown_live


@pytest.fixture(scope="session")
def portrait_clip(tmp_path_factory):
    """A second of video, 320 x 180, with a person at the left and a wall of one colour at the right."""
    return write_clip(tmp_path_factory.mktemp("clips") / "portrait.mp4", frames=25, size=(320, 180), draw=portrait)


@pytest.fixture(scope="session", autouse=True)
def home_of_shared_windows(tmp_path_factory):
    """Windows of a whole module are made before a test has its own home: they must not find the real one."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
            patch.setenv(name, str(tmp_path_factory.mktemp("shared-home") / name.lower()))
        yield


@pytest.fixture(autouse=True)
def no_leaked_windows(qapp):
    """A test that leaves a top-level widget behind fails."""
    before = set(QApplication.topLevelWidgets())
    yield
    drop_deleted()
    leaked = [widget for widget in QApplication.topLevelWidgets() if widget not in before]
    assert leaked == []


@pytest.fixture
def window(qapp):
    """The real window, shown without a clip."""
    with shown_window(qapp) as window:
        yield window


@pytest.fixture(scope="module")
def shared_window(qapp, portrait_clip):
    """One window with a clip for a whole module: loading the networks takes seconds each time."""
    with shown_window(qapp) as window:
        window.open_clip(portrait_clip)
        settle(window)
        yield window


@pytest.fixture
def opened(shared_window):
    """The window with a clip open, everything as it is at the start."""
    reset(shared_window)
    yield shared_window
    reset(shared_window)


@pytest.fixture(scope="module")
def plain(portrait_clip, tmp_path_factory):
    """Live settings with nothing done to the picture, showing the portrait on one green."""
    return plain_settings(portrait_clip, tmp_path_factory.mktemp("films"))


@pytest.fixture(scope="module")
def live_window(qapp, portrait_clip, plain):
    """One live window for a whole module."""
    with shown_live(qapp, portrait_clip, plain.output.folder) as window:
        yield window


@pytest.fixture
def live(live_window, plain):
    """That window, everything as it is at the start."""
    reset_live(live_window, plain)
    yield live_window
    reset_live(live_window, plain)
