"""An evaluation to look at: some of its pictures on one contact sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from app.domain.errors import ExitCode, UserError
from app.pipeline.evaluation import Scored
from app.pipeline.image_saving import save_image
from harmonizer.training.composites import Triple
from harmonizer.training.sheets import SheetRow, draw_sheet, evenly, sheet_row

MAX_PICTURES: Final = 200
"""On one sheet: more are not looked at, and 200 make it some 20 000 px high."""

_IDENTITY: Final = "identity"


class SheetMaker:
    """Keeps tiles of `count` of the triples, evenly spread, as they are scored; then draws them.

    UserError (USAGE) for more than MAX_PICTURES.
    """

    def __init__(self, triples: Sequence[Triple], count: int) -> None:
        if count > MAX_PICTURES:
            raise UserError(
                f"A sheet of {count} pictures is too large.", f"At most {MAX_PICTURES}.", code=ExitCode.USAGE
            )
        self._wanted = {triples[i] for i in evenly(len(triples), count)}
        self._rows: list[SheetRow] = []

    def add(self, scored: Scored) -> None:
        """Keep the picture if it is one of those chosen; what leaves it as it was needs no column."""
        if scored.triple not in self._wanted:
            return
        sample = scored.sample
        row = sheet_row(
            Path(scored.triple.name).stem,
            composite=sample.composite,
            truth=sample.truth,
            inside=sample.inside,
            outputs={name: output for name, output in scored.outputs.items() if name != _IDENTITY},
            aspect=scored.aspect,
        )
        self._rows.append(row)

    def save(self, path: Path, *, size: str) -> bool:
        """Write the sheet; False when none of its pictures could be scored. UserError (OUTPUT) as `save_image`."""
        if not self._rows:
            return False
        subsets = sorted({triple.subset for triple in self._wanted})
        named = ", ".join(subsets[:4]) + (", ..." if len(subsets) > 4 else "")
        sheet = draw_sheet(self._rows, title=f"{named}: {len(self._rows)} pictures, errors at {size}")
        save_image(path, np.asarray(sheet))
        return True
