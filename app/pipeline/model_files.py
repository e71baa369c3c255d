"""Where MediaPipe's selfie models are, and that they are the right ones.

They come with the mediapipe wheel (0.10.21 is the last one found to make no network call, and to carry
them), which is never imported for this: its import takes seconds. Where that wheel can't be installed,
`models fetch` puts them into the user's data folder, the one place in this program that uses the network.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.request
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal, get_args

import platformdirs

from app.domain.errors import ExitCode, UserError

ModelName = Literal["landscape", "square"]
MODEL_NAMES: Final[tuple[ModelName, ...]] = get_args(ModelName)

MAX_MODEL_BYTES: Final = 4 << 20
"""Sixteen times the real files: an answer longer than this is something else and is not read on."""

FETCH_TIMEOUT_S: Final = 30.0

_STORE: Final = "https://storage.googleapis.com/mediapipe-assets"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One pinned model. url: MediaPipe's own asset store (its `third_party/external_files.bzl`)."""

    name: ModelName
    file_name: str
    sha256: str
    url: str
    licence: str = "Apache-2.0"


MODELS: Final[dict[ModelName, ModelFile]] = {
    "landscape": ModelFile(
        name="landscape",
        file_name="selfie_segmentation_landscape.tflite",
        sha256="a77d03f4659b9f6b6c1f5106947bf40e99d7655094b6527f214ea7d451106edd",
        url=f"{_STORE}/selfie_segmentation_landscape.tflite?generation=1683332561312022",
    ),
    "square": ModelFile(
        name="square",
        file_name="selfie_segmentation.tflite",
        sha256="9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c",
        url=f"{_STORE}/selfie_segmentation.tflite?generation=1683332563830600",
    ),
}


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """One row of `models list`: where a model was found, if anywhere, and whether it is the pinned file."""

    name: ModelName
    path: Path | None
    origin: str
    sha256_ok: bool


def model_bytes(name: ModelName) -> bytes:
    """The bytes of a pinned model: hashed after reading, so what is checked is what is used.

    Looks into the mediapipe wheel, then into the user's data folder. UserError (MODEL) when it is in
    neither, or when what is there is another file.
    """
    model = MODELS[name]
    for path, _origin in _places(model):
        if path.is_file():
            content = _read(path)
            _check(model, content, str(path))
            return content
    raise UserError(
        f"The segmentation model {model.file_name} is not on this machine.",
        "Run 'platematch models fetch', or give a copy of the file: "
        f"'platematch models fetch {model.name} --from FILE'.",
        code=ExitCode.MODEL,
    )


def list_models() -> list[ModelStatus]:
    """Both models, found or not; reads and hashes what it finds."""
    return [_status(MODELS[name]) for name in MODEL_NAMES]


def fetch(name: ModelName, *, from_file: Path | None = None) -> Path:
    """Put a pinned model into the user's data folder, downloaded or copied from a file; returns its path.

    Nothing is written unless the SHA-256 matches; written beside and renamed. UserError: MODEL for a wrong
    file or a failed download, BAD_INPUT for an unreadable from_file, OUTPUT when the data folder can't be
    written.
    """
    model = MODELS[name]
    if from_file is None:
        content, source = _download(model), model.url
    else:
        content, source = _read(from_file), str(from_file)
    _check(model, content, source)
    return _store(model, content)


def data_folder() -> Path:
    """Where fetched models live."""
    return platformdirs.user_data_path("platematch", appauthor=False) / "models"


def _places(model: ModelFile) -> list[tuple[Path, str]]:
    places = [(data_folder() / model.file_name, "data folder")]
    wheel = _mediapipe_folder()
    if wheel is not None:
        places.insert(0, (wheel / "modules" / "selfie_segmentation" / model.file_name, "mediapipe wheel"))
    return places


def _mediapipe_folder() -> Path | None:
    """The installed package's folder; a top-level find_spec imports nothing."""
    spec = find_spec("mediapipe")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent


def _status(model: ModelFile) -> ModelStatus:
    for path, origin in _places(model):
        if path.is_file():
            try:
                right = hashlib.sha256(_read(path)).hexdigest() == model.sha256
            except UserError:
                right = False
            return ModelStatus(model.name, path, origin, right)
    return ModelStatus(model.name, None, "not found", False)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_MODEL_BYTES + 1)
    except OSError as error:
        raise UserError(
            f"The model file {path} can't be read: {error.strerror}.", "Check the path and its permissions."
        ) from error


def _check(model: ModelFile, content: bytes, source: str) -> None:
    if hashlib.sha256(content).hexdigest() != model.sha256:
        raise UserError(
            f"{source} is not the {model.name} selfie model: its SHA-256 differs from the pinned one.",
            f"Use {model.file_name} from mediapipe 0.10.21, or remove the file and run 'platematch models fetch'.",
            code=ExitCode.MODEL,
        )


def _download(model: ModelFile) -> bytes:
    try:
        # The address is one of the two https constants above, never a user's.
        with urllib.request.urlopen(model.url, timeout=FETCH_TIMEOUT_S) as answer:  # noqa: S310
            content: bytes = answer.read(MAX_MODEL_BYTES + 1)
    except (OSError, http.client.HTTPException) as error:
        raise UserError(
            f"{model.file_name} could not be downloaded from {model.url} ({error}).",
            f"Offline, take {model.file_name} from a mediapipe 0.10.21 wheel (a zip file) and run "
            f"'platematch models fetch {model.name} --from FILE'.",
            code=ExitCode.MODEL,
        ) from error
    return content


def _store(model: ModelFile, content: bytes) -> Path:
    target = data_folder() / model.file_name
    beside = target.with_name(f"{target.stem}.part{os.getpid()}{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            beside.write_bytes(content)
            os.replace(beside, target)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(
            f"The model can't be written to {target.parent}: {error.strerror}.",
            "Make the folder writable or free some space.",
            code=ExitCode.OUTPUT,
        ) from error
    return target
