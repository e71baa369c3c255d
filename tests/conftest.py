"""Rules every test lives under: no leaked threads, no display needed, the shared material where it is."""

import os
import threading
from pathlib import Path

import pytest

from app.domain.compiled import kernels, use
from app.pipeline.kernel_cache import ensure_kernels

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def shared_data():
    """Folder with training data and clips; tests that need it skip where it is absent."""
    data = SHARED / "data"
    if not data.is_dir():
        pytest.skip("the shared material (../shared/data) is not on this machine")
    return data


@pytest.fixture(scope="session", autouse=True)
def compiled_kernels():
    """The compiled loops, as users have them; tests of their plain twins switch them off."""
    assert ensure_kernels()


@pytest.fixture
def plain_loops():
    """The numpy and OpenCV twins of the compiled kernels instead of them."""
    before = kernels()
    use(None)
    yield
    use(before)


@pytest.fixture(autouse=True)
def no_leaked_threads():
    """A test that leaves a Python thread running fails."""
    before = set(threading.enumerate())
    yield
    leaked = [t for t in threading.enumerate() if t not in before and t.is_alive()]
    for thread in leaked:
        thread.join(timeout=2.0)
    leaked = [t.name for t in leaked if t.is_alive()]
    assert leaked == [], f"threads left running: {leaked}"


@pytest.fixture(autouse=True)
def separate_home(tmp_path_factory, monkeypatch):
    """No test reads or writes the real home folder's data."""
    home = tmp_path_factory.mktemp("home")
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(home / name.lower()))
    return home
