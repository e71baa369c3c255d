"""Rules every test lives under: no leaked threads, no display needed, the shared material where it is."""

import os
import threading
from pathlib import Path

import hypothesis
import pytest

from app.domain.compiled import kernels, use
from app.pipeline.kernel_cache import ensure_kernels
from tests.support.turns import turns_of_this_worker

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

# The same examples in every run; `HYPOTHESIS_PROFILE=new make test` looks for others.
hypothesis.settings.register_profile("same", derandomize=True)
hypothesis.settings.register_profile("new")
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
TURNS = turns_of_this_worker()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    """Modules marked `alone` have the machine to themselves; waiting for it is not counted as a test's time."""
    if TURNS is None:
        return (yield)
    TURNS.take(alone=item.get_closest_marker("alone") is not None)
    try:
        return (yield)
    finally:
        if nextitem is None or nextitem.path != item.path:
            TURNS.give_back()


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
