"""A file for FFmpeg to write to that forgets no error."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

BUFFER_BYTES: Final = 1 << 20
"""What FFmpeg gathers before it writes; each write crosses into Python."""


class SureFile:
    """Takes what a muxer writes, for `av.open`; `check` says whether all of it went to the disk.

    Whatever a muxer makes of a write that fails, the error itself is kept here, with its number.
    """

    def __init__(self, path: Path) -> None:
        self.name = str(path)  # FFmpeg opens it a second time to move everything for `faststart`.
        self._error: OSError | None = None
        self._file = path.open("wb", buffering=0)

    def write(self, data: bytes) -> int:
        """Write all of `data`; never raises."""
        if self._error is None:
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[self._file.write(rest) :]
            except OSError as error:
                self._error = error
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place in the file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Tell the place in the file."""
        return self._file.tell()

    def check(self) -> None:
        """Raise the first error there was: OSError."""
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Close the file; safe to call more than once."""
        self._file.close()
