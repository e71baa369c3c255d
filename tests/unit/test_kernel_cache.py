import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from app.domain import compiled
from app.pipeline import kernel_cache

ROOT = Path(__file__).parents[2]


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """A machine on which nothing was compiled yet."""
    monkeypatch.setattr(kernel_cache, "_cache_folder", lambda _: tmp_path)
    before = compiled.kernels()
    compiled.use(None)
    yield tmp_path
    compiled.use(before)


def test_the_stamp_says_for_what_was_compiled(own_cache, monkeypatch):
    assert not kernel_cache.is_compiled()
    kernel_cache.compile_kernels()
    assert kernel_cache.is_compiled()
    monkeypatch.setattr(kernel_cache, "_numba_version", lambda: "0.0")
    assert not kernel_cache.is_compiled()


def test_a_stamp_is_enough_to_load(own_cache):
    kernel_cache.compile_kernels()
    assert kernel_cache.ensure_kernels()
    assert compiled.kernels() is not None


def test_without_a_stamp_a_child_compiles(own_cache, monkeypatch):
    calls = []

    def run(command, **options):
        calls.append(command)
        kernel_cache.compile_kernels()
        return subprocess.CompletedProcess(command, 0, b"", b"")

    monkeypatch.setattr(kernel_cache.subprocess, "run", run)
    assert kernel_cache.ensure_kernels()
    assert calls == [[sys.executable, "-m", "app.pipeline.kernel_cache"]]
    assert compiled.kernels() is not None


@pytest.mark.parametrize("fault", [OSError("no fork"), subprocess.TimeoutExpired("python", 300)])
def test_a_child_that_fails_leaves_the_plain_loops(own_cache, monkeypatch, fault):
    def run(*_, **__):
        raise fault

    monkeypatch.setattr(kernel_cache.subprocess, "run", run)
    assert not kernel_cache.ensure_kernels()
    assert compiled.kernels() is None


def test_a_child_that_ends_badly_is_told(own_cache, monkeypatch, caplog):
    result = subprocess.CompletedProcess([], 1, b"", b"LLVM is unwell")
    monkeypatch.setattr(kernel_cache.subprocess, "run", lambda *_, **__: result)
    assert not kernel_cache.ensure_kernels()
    assert "LLVM is unwell" in caplog.text


def test_a_live_picture_does_not_wait_for_them(own_cache, monkeypatch):
    kernel_cache.compile_kernels()
    go_on = threading.Event()
    load = kernel_cache._load
    monkeypatch.setattr(kernel_cache, "_load", lambda: go_on.wait(10) and load())
    kernel_cache.prepare_kernels()
    assert compiled.kernels() is None
    go_on.set()
    next(t for t in threading.enumerate() if t.name == "kernels").join(10)
    assert compiled.kernels() is not None
    kernel_cache.prepare_kernels()
    assert not [t for t in threading.enumerate() if t.name == "kernels"]


def test_without_numba_nothing_is_tried(own_cache, monkeypatch):
    monkeypatch.setattr(kernel_cache, "find_spec", lambda _: None)
    monkeypatch.setattr(kernel_cache.subprocess, "run", lambda *_, **__: pytest.fail("a child was started"))
    assert not kernel_cache.ensure_kernels()


def test_kernels_that_do_not_load_are_done_without(own_cache, monkeypatch, caplog):
    kernel_cache.compile_kernels()

    def broken(_):
        raise ImportError("a damaged cache")

    monkeypatch.setattr(kernel_cache.importlib, "import_module", broken)
    assert not kernel_cache.ensure_kernels()
    assert "a damaged cache" in caplog.text


def test_the_command_compiles_into_an_empty_cache(tmp_path):
    """The real compiler, in a copy of the sources: the command that `make` runs."""
    copy = tmp_path / "app"
    for name in ("__init__.py", "domain/__init__.py", "domain/compiled.py", "pipeline/__init__.py"):
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / "app" / name).read_bytes())
    (copy / "pipeline/kernel_cache.py").write_bytes((ROOT / "app/pipeline/kernel_cache.py").read_bytes())
    (copy / "domain/kernels").mkdir()
    for source in (ROOT / "app/domain/kernels").glob("*.py"):
        (copy / "domain/kernels" / source.name).write_bytes(source.read_bytes())
    command = [sys.executable, "-m", "app.pipeline.kernel_cache"]
    subprocess.run(command, check=True, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(tmp_path)})
    made = list((copy / "domain/kernels/__pycache__").glob("*.nbc"))
    assert {path.name.split("-")[0].split(".")[-1] for path in made} >= {"composite", "edge_matte", "edge_models"}
    assert list((copy / "domain/kernels/__pycache__").glob("kernels-*.ready"))
