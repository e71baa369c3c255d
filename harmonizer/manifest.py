"""The files that are shipped, and files in and out: bounded, checked by hash, written whole. Without torch.

The manifest beside the shipped files pins their SHA-256, licence and provenance; the bytes hashed are the bytes
loaded, so nothing can change in between.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

WEIGHTS_DIR = Path(__file__).parent / "shipped"
MANIFEST_FILE = WEIGHTS_DIR / "manifest.json"
MAX_WEIGHTS_BYTES = 256 * 2**20


class WeightsError(Exception):
    """A weight file that is missing, altered, damaged or of another architecture."""


@dataclass(frozen=True)
class OnnxEntry:
    """A network's ONNX file, and the SHA-256 of the safetensors file it was exported from."""

    file: str
    sha256: str
    source_sha256: str


@dataclass(frozen=True)
class WeightsEntry:
    """One shipped network: what the manifest says of it."""

    name: str
    file: str
    sha256: str
    licence: str
    provenance: str
    summary: str
    onnx: OnnxEntry


def read_manifest(path: Path = MANIFEST_FILE) -> tuple[dict[str, WeightsEntry], str]:
    """(entries by name, the default's name). WeightsError when the manifest is unreadable."""
    try:
        raw = json.loads(path.read_text("utf-8"))
        entries = {e["name"]: WeightsEntry(**{**e, "onnx": OnnxEntry(**e["onnx"])}) for e in raw["weights"]}
        return entries, str(raw["default"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"the weights manifest {path} cannot be read ({error})") from error


def shipped_entry(name: str | None = None, *, manifest: Path = MANIFEST_FILE) -> WeightsEntry:
    """What the manifest says of a network (the default without a name). WeightsError for an unknown name."""
    entries, default = read_manifest(manifest)
    entry = entries.get(name or default)
    if entry is None:
        raise WeightsError(f"no weights named {name!r}; known: {', '.join(sorted(entries))}")
    return entry


def is_weights_file(which: str | Path) -> bool:
    """Whether weights are named by a file of their own rather than by a shipped name."""
    return isinstance(which, Path) or Path(which).suffix == ".safetensors"


def pinned_bytes(path: Path, sha256: str) -> bytes:
    """The file's bytes, only if they have this hash. WeightsError when missing or altered."""
    data = read_bounded(path)
    if sha256_of(data) != sha256:
        raise WeightsError(f"the weights {path.name!r} were altered: their SHA-256 is not the pinned one")
    return data


def sha256_of(data: bytes) -> str:
    """Hex SHA-256."""
    return hashlib.sha256(data).hexdigest()


def read_bounded(path: Path) -> bytes:
    """The file's bytes; WeightsError when missing, unreadable or larger than MAX_WEIGHTS_BYTES."""
    try:
        if path.stat().st_size > MAX_WEIGHTS_BYTES:
            raise WeightsError(f"{path} is larger than {MAX_WEIGHTS_BYTES // 2**20} MiB")
        return path.read_bytes()
    except OSError as error:
        raise WeightsError(f"the weights file {path} cannot be read ({error.strerror})") from error


def write_beside(path: Path, data: bytes) -> None:
    """Write to a neighbour, flush to disk, rename over: the old file or the new one, never half of it."""
    part = path.with_name(f"{path.name}.part.{os.getpid()}")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
