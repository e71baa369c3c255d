import hashlib
import subprocess
import sys
import urllib.error
import urllib.request
from importlib.util import find_spec

import pytest

from app.domain.errors import ExitCode, UserError
from app.pipeline import model_files
from app.pipeline.model_files import (
    MAX_MODEL_BYTES,
    MODEL_NAMES,
    MODELS,
    data_folder,
    fetch,
    list_models,
    model_bytes,
)

has_wheel = pytest.mark.skipif(find_spec("mediapipe") is None, reason="mediapipe has no wheel for this Python")


@pytest.fixture
def no_wheel(monkeypatch):
    """A Python without the mediapipe package, as 3.13 and later are."""
    monkeypatch.setattr(model_files, "_mediapipe_folder", lambda: None)


@pytest.fixture(scope="session")
def real_models():
    """The real files' bytes, by name, wherever they are on this machine."""
    if find_spec("mediapipe") is None:
        pytest.skip("mediapipe has no wheel for this Python")
    return {name: model_bytes(name) for name in MODEL_NAMES}


@has_wheel
@pytest.mark.parametrize("name", MODEL_NAMES)
def test_the_wheel_carries_the_pinned_models(name):
    assert hashlib.sha256(model_bytes(name)).hexdigest() == MODELS[name].sha256


@has_wheel
def test_the_table_says_where_they_are():
    assert [(s.name, s.origin, s.sha256_ok) for s in list_models()] == [
        ("landscape", "mediapipe wheel", True),
        ("square", "mediapipe wheel", True),
    ]


def test_finding_them_does_not_import_mediapipe():
    code = (
        "import sys\nfrom app.pipeline.model_files import list_models\nlist_models()\n"
        "assert 'mediapipe' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.usefixtures("no_wheel")
def test_without_the_wheel_the_way_out_is_named():
    with pytest.raises(UserError, match="models fetch") as caught:
        model_bytes("landscape")
    assert caught.value.code == ExitCode.MODEL
    assert [(s.path, s.origin, s.sha256_ok) for s in list_models()] == [(None, "not found", False)] * 2


@pytest.mark.usefixtures("no_wheel")
def test_a_copied_file_is_used_from_then_on(tmp_path, real_models):
    source = tmp_path / "copy.tflite"
    source.write_bytes(real_models["square"])
    stored = fetch("square", from_file=source)
    assert stored.parent == data_folder()
    assert model_bytes("square") == real_models["square"]
    assert [(s.origin, s.sha256_ok) for s in list_models()] == [("not found", False), ("data folder", True)]
    assert [p.name for p in stored.parent.iterdir()] == [stored.name]


@pytest.mark.usefixtures("no_wheel")
def test_the_other_model_is_refused_and_nothing_is_written(tmp_path, real_models):
    source = tmp_path / "square.tflite"
    source.write_bytes(real_models["square"])
    with pytest.raises(UserError, match="SHA-256 differs") as caught:
        fetch("landscape", from_file=source)
    assert caught.value.code == ExitCode.MODEL
    assert not data_folder().exists()


@pytest.mark.usefixtures("no_wheel")
def test_an_altered_file_in_the_data_folder_is_not_loaded(tmp_path, real_models):
    source = tmp_path / "copy.tflite"
    source.write_bytes(real_models["landscape"])
    stored = fetch("landscape", from_file=source)
    stored.write_bytes(real_models["landscape"][:-1] + b"x")
    with pytest.raises(UserError, match="SHA-256 differs") as caught:
        model_bytes("landscape")
    assert caught.value.code == ExitCode.MODEL
    assert list_models()[0].sha256_ok is False


def test_a_missing_file_is_bad_input(tmp_path):
    with pytest.raises(UserError, match="can't be read") as caught:
        fetch("square", from_file=tmp_path / "nowhere.tflite")
    assert caught.value.code == ExitCode.BAD_INPUT


def test_a_folder_that_cannot_be_made_is_an_output_error(tmp_path, real_models, monkeypatch):
    source, blocker = tmp_path / "copy.tflite", tmp_path / "file"
    source.write_bytes(real_models["square"])
    blocker.write_text("in the way")
    monkeypatch.setenv("XDG_DATA_HOME", str(blocker))
    monkeypatch.setattr(model_files, "data_folder", lambda: blocker / "models")
    with pytest.raises(UserError, match="can't be written") as caught:
        fetch("square", from_file=source)
    assert caught.value.code == ExitCode.OUTPUT


@pytest.mark.parametrize(
    "error", [urllib.error.URLError("no route"), TimeoutError("timed out"), ConnectionResetError("reset")]
)
def test_without_a_network_the_offline_route_is_named(monkeypatch, error):
    def unreachable(*_args, **_kwargs):
        raise error

    monkeypatch.setattr(urllib.request, "urlopen", unreachable)
    with pytest.raises(UserError, match="--from FILE") as caught:
        fetch("landscape")
    assert caught.value.code == ExitCode.MODEL
    assert not data_folder().exists()


class Answer:
    """What urlopen returns, as far as it is read."""

    def __init__(self, content):
        self.content = content
        self.asked = []

    def __enter__(self):
        return self

    def __exit__(self, *_details):
        return False

    def read(self, limit):
        self.asked.append(limit)
        return self.content[:limit]


def test_a_download_is_checked_and_stored(monkeypatch, real_models):
    addresses = []

    def serve(address, timeout):
        addresses.append(address)
        return Answer(real_models["landscape"])

    monkeypatch.setattr(urllib.request, "urlopen", serve)
    assert fetch("landscape").read_bytes() == real_models["landscape"]
    assert addresses == [MODELS["landscape"].url]
    assert addresses[0].startswith("https://storage.googleapis.com/mediapipe-assets/")


def test_an_endless_answer_is_read_no_further_than_the_limit(monkeypatch):
    answer = Answer(b"\0" * (MAX_MODEL_BYTES + 100))
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_a, **_k: answer)
    with pytest.raises(UserError, match="SHA-256 differs"):
        fetch("square")
    assert answer.asked == [MAX_MODEL_BYTES + 1]
