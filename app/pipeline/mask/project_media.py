"""A saved project with the files it needs, each found or named as missing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from app.domain.errors import UserError
from app.domain.mask.document import MaskDocument
from app.pipeline.mask.linking import Linked, linked
from app.pipeline.mask.masks_in import ProjectMedia
from app.pipeline.mask.media_refs import Missing
from app.pipeline.mask.project_reading import read_project
from app.pipeline.mask.recovery import recovered_of


@dataclass(frozen=True, slots=True)
class SavedProject:
    """What was saved last, its files where they are now. notes: on what was read; unsaved_steps: since the save."""

    folder: Path
    linked: Linked
    notes: tuple[str, ...]
    unsaved_steps: int

    @property
    def document(self) -> MaskDocument:
        """The project."""
        return self.linked.document

    def files(self, *, with_plate: bool = True) -> ProjectMedia:
        """Where its files are. UserError (BAD_INPUT) for the first that is missing or has other contents."""
        for name, one in self.linked.missing.items():
            if with_plate or name != "plate":
                raise self._not_there(name, one.path, is_gone=isinstance(one, Missing))
        return ProjectMedia.of(self.document)

    def _not_there(self, name: str, path: Path, *, is_gone: bool) -> UserError:
        hint = f"Put it back, or say where it is: platematch project relink {self.folder.name} --{name} FILE"
        if name == "plate":
            hint = "Put it back, or choose another background in the window."
        if is_gone:
            return UserError(f"The {name} of “{self.folder.name}” is missing: “{path}”.", hint)
        return UserError(f"“{path}” has other contents than the {name} that “{self.folder.name}” was made with.", hint)


def saved_project(folder: Path) -> SavedProject:
    """The project in a folder, as it was saved last; nothing is changed, and others may have it open.

    UserError as `read_project` raises it; missing files are none.
    """
    folder = folder.absolute()
    loaded = read_project(folder)
    now = linked(loaded.document, loaded.file.plate, folder)
    recovered = recovered_of(folder, loaded)
    return SavedProject(folder, now, (*loaded.notes, *now.notes), 0 if recovered is None else recovered.steps)
