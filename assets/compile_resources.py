"""Compile `resources.qrc` into `assets/resources.rcc`: `python -m assets.compile_resources`.

Only needed after an icon or a plate changed; the compiled file is part of the repository. Qt's compiler comes with
PySide6-Essentials, a tool for building that the program itself never imports.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "resources.qrc"
COMPILED = ROOT / "assets" / "resources.rcc"
HOW_TO_INSTALL = 'Qt\'s resource compiler is missing. Install it: python -m pip install "PySide6-Essentials>=6.6"'

_PLACES = ("Qt/libexec/rcc", "rcc.exe", "rcc")
"""Where the wheels of Linux and macOS, and those of Windows, keep it."""


def compiler() -> Path:
    """Return Qt's `rcc`. FileNotFoundError, with what to install, where there is none."""
    # find_spec looks, and imports nothing: two Qt libraries in one process break each other.
    spec = importlib.util.find_spec("PySide6")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for place in _PLACES:
            if (Path(folder) / place).is_file():
                return Path(folder) / place
    raise FileNotFoundError(HOW_TO_INSTALL)


def compile_to(target: Path) -> None:
    """Write the compiled resources; the same bytes every time, on every machine.

    The first version of the format is the one without the files' times, and compression would depend on the
    compressor's version (pictures are compressed as they are). RuntimeError with the compiler's words when it fails.
    """
    command = [compiler(), "--binary", "--format-version", "1", "--no-compress", "-o", target, SOURCE]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode or not target.is_file():
        raise RuntimeError(f"{SOURCE.name} can't be compiled: {done.stderr.strip()}")


def main() -> int:
    """Compile, to the committed place or another one; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=COMPILED, help="the compiled file")
    try:
        compile_to(parser.parse_args().out)
    except (FileNotFoundError, RuntimeError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
