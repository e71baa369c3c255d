import errno
import itertools
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.domain.errors import UserError
from app.domain.mask.document import MaskDocument
from app.domain.settings import Settings
from app.pipeline.mask.masks_in import mask_ref
from app.pipeline.mask.matte_cache import Judged
from app.pipeline.mask.media_refs import media_ref
from app.pipeline.mask.project_reading import read_project
from app.pipeline.mask.project_store import ProjectStore
from app.pipeline.mask.recovery import unsaved_folder
from app.pipeline.mask.sessions import CACHE, MATTES, new_document
from app.ui.mask import project_worker
from app.ui.mask.project_worker import ProjectWorker
from tests.support.media import write_clip
from tests.ui.helpers import wait_until
from tests.unit.mask.projects import edit_of

SIZE = (96, 64)
GOOD = Judged(0.5, is_cut=False)
SIGNALS = ("ready", "lacking", "asks", "saved", "mask_found", "interrupted", "failed")


class Office:
    """A worker and all it said, by signal."""

    def __init__(self):
        self.worker = ProjectWorker()
        self.heard = {name: [] for name in SIGNALS}
        for name, said in self.heard.items():
            getattr(self.worker, name).connect(lambda *values, said=said: said.append(values))

    def wait(self, name):
        """The values of a signal, taken."""
        wait_until(lambda: self._is_heard(name))
        return self.take(name)

    def _is_heard(self, name):
        assert self.heard[name], f"no {name}, but {[other for other, said in self.heard.items() if said]}"

    def take(self, name):
        values = self.heard[name].pop(0)
        return values[0] if len(values) == 1 else values


@pytest.fixture
def office(qapp):
    office = Office()
    yield office
    if office.worker._thread.is_alive():
        office.worker.finish()


@pytest.fixture
def clip(tmp_path):
    return write_clip(tmp_path / "clip.mp4", frames=4, size=SIZE)


@pytest.fixture
def document(clip, tmp_path):
    return new_document(clip, tmp_path / "talk.platematch", Settings())


def painted(document, *places):
    """The document with a correction on frames that are in the clip."""
    return document.with_frames({place: edit_of(place + 1, size=SIZE) for place in places})


def saved(folder, document):
    """A project that was closed after these edits were saved."""
    store = ProjectStore.create(document.meta, folder)
    store.save(document)
    store.close()
    return folder


def crashed(folder, before, after):
    """A project that ended with edits that were never saved."""
    store = ProjectStore.open(saved(folder, before)).store
    store.note(after)
    assert store.flush()
    store.close(discard_journal=False)
    return folder


def new_project(office, clip):
    office.worker.create(clip, Settings())
    return office.wait("ready")


def unsaved():
    return list(unsaved_folder().iterdir()) if unsaved_folder().exists() else []


def matte(level):
    return np.full(SIZE[::-1], level, np.uint8)


def test_a_new_project_has_no_name_and_leaves_nothing_when_it_is_not_kept(office, clip):
    ready = new_project(office, clip)
    assert (ready.is_new, ready.is_saved) == (True, True)
    assert ready.session.media.clip == clip
    assert len(ready.session.index) == 4
    assert unsaved() == [ready.session.store.folder]
    office.worker.leave(ready.session.store, keep=False)
    office.worker.finish()
    assert unsaved() == []


def test_what_is_kept_of_a_new_project_can_be_gone_on_with(office, clip):
    ready = new_project(office, clip)
    edited = painted(ready.session.document, 1)
    ready.session.store.note(edited)
    office.worker.leave(ready.session.store, keep=True)
    office.worker.look_for_interrupted()
    (folder,) = office.wait("interrupted")
    office.worker.open(folder)
    opened = office.wait("asks")
    office.worker.answer(opened, accepted=True)
    again = office.wait("ready")
    assert (again.is_new, again.is_saved) == (True, False)
    assert again.session.document.frames == edited.frames
    office.worker.leave(again.session.store, keep=False)


def test_what_is_no_video_is_said_and_leaves_nothing(office, tmp_path):
    (tmp_path / "notes.mp4").write_text("no video")
    office.worker.create(tmp_path / "notes.mp4", Settings())
    assert "notes.mp4" in office.wait("failed").message
    assert unsaved() == []


def test_a_clip_whose_table_cannot_be_read_leaves_nothing(office, clip, monkeypatch):
    def broken(*_):
        raise UserError("It can't be read.", "Take another.")

    monkeypatch.setattr(project_worker, "session_of", broken)
    office.worker.create(clip, Settings())
    office.wait("failed")
    office.worker.finish()
    assert unsaved() == []


def test_edits_noted_while_the_first_save_runs_are_in_the_new_places_journal(office, clip, tmp_path):
    ready = new_project(office, clip)
    store, document = ready.session.store, ready.session.document
    store.note(painted(document, 2))
    office.worker.save(store, document, tmp_path / "talk.platematch")
    office.wait("saved")
    assert store.flush()
    office.worker.leave(store, keep=True)
    office.worker.open(tmp_path / "talk.platematch")
    assert office.wait("asks").recovered.document.frames == painted(document, 2).frames


def test_a_name_takes_the_mattes_along_and_those_still_to_come(office, clip, tmp_path):
    ready = new_project(office, clip)
    session = ready.session
    was = session.store.folder
    cache = session.open_cache(session.document)
    cache.put(0, matte(10), GOOD)
    office.worker.save(session.store, painted(session.document, 1), tmp_path / "talk.platematch")
    folder, document = office.wait("saved")
    assert Path(folder) == session.store.folder == tmp_path / "talk.platematch"
    assert document.frames
    assert not was.exists()
    cache.put(512, matte(20), GOOD)
    cache.close()
    again = session.open_cache(session.document)
    assert [int(again.get(pts)[0, 0]) for pts in (0, 512)] == [10, 20]
    again.close()
    assert unsaved() == []
    office.worker.leave(session.store, keep=False)


@pytest.fixture
def other_disk(monkeypatch):
    """Files can't be renamed from where new projects lie to where they are saved."""
    real = os.replace

    def replace_(source, target):
        if str(source).endswith(f".{MATTES}"):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        real(source, target)

    monkeypatch.setattr(os, "replace", replace_)


@pytest.mark.usefixtures("other_disk")
def test_a_name_on_another_disk_takes_the_mattes_along_too(office, clip, tmp_path):
    session = new_project(office, clip).session
    cache = session.open_cache(session.document)
    cache.put(0, matte(10), GOOD)
    office.worker.save(session.store, session.document, tmp_path / "talk.platematch")
    office.wait("saved")
    cache.close()
    again = session.open_cache(session.document)
    assert (again.get(0) == 10).all()
    again.close()
    assert unsaved() == []
    office.worker.leave(session.store, keep=False)


def test_a_second_name_leaves_the_first_its_own_mattes(office, document, tmp_path):
    office.worker.open(saved(tmp_path / "first.platematch", document))
    session = office.wait("ready").session
    cache = session.open_cache(document)
    cache.put(0, matte(10), GOOD)
    office.worker.save(session.store, document, tmp_path / "second.platematch")
    office.wait("saved")
    files = [tmp_path / name / CACHE / MATTES for name in ("first.platematch", "second.platematch")]
    assert files[0].read_bytes() == files[1].read_bytes()
    cache.put(512, matte(20), GOOD)
    assert files[0].stat().st_ino != files[1].stat().st_ino
    assert files[1].stat().st_size > files[0].stat().st_size
    cache.close()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["clip.mp4", "first.platematch", "second.platematch"]
    office.worker.leave(session.store, keep=False)


def test_a_name_that_is_taken_is_refused_and_all_stays_as_it_was(office, clip, tmp_path):
    (tmp_path / "taken.platematch").mkdir()
    session = new_project(office, clip).session
    cache = session.open_cache(session.document)
    cache.put(0, matte(10), GOOD)
    office.worker.save(session.store, session.document, tmp_path / "taken.platematch")
    assert "exists already" in office.wait("failed").message
    assert (cache.get(0) == 10).all()
    cache.close()
    assert unsaved() == [session.store.folder]
    assert list((tmp_path / "taken.platematch").iterdir()) == []
    office.worker.leave(session.store, keep=False)


def test_a_project_that_is_open_is_refused_and_stays_open(office, document, tmp_path):
    folder = saved(tmp_path / "talk.platematch", document)
    office.worker.open(folder)
    ready = office.wait("ready")
    office.worker.open(folder)
    assert "open already" in office.wait("failed").message
    office.worker.save(ready.session.store, painted(document, 1))
    office.wait("saved")
    office.worker.leave(ready.session.store, keep=False)
    office.worker.open(folder)
    assert office.wait("ready").session.document.frames == painted(document, 1).frames


def test_what_is_no_project_is_said(office, tmp_path):
    office.worker.open(tmp_path)
    assert "no project" in office.wait("failed").message


@pytest.mark.parametrize("accepted", [True, False])
def test_what_a_crash_left_is_asked_about(office, document, tmp_path, accepted):
    before, after = painted(document, 1), painted(document, 1, 2)
    office.worker.open(crashed(tmp_path / "talk.platematch", before, after))
    office.worker.answer(office.wait("asks"), accepted=accepted)
    ready = office.wait("ready")
    assert ready.session.document.frames == (after if accepted else before).frames
    assert ready.is_saved is not accepted
    office.worker.leave(ready.session.store, keep=True)
    office.worker.open(tmp_path / "talk.platematch")
    assert office.wait("asks" if accepted else "ready")


def test_without_an_answer_nothing_is_lost_and_the_project_is_let_go_at_the_end(office, document, tmp_path):
    after = painted(document, 3)
    folder = crashed(tmp_path / "talk.platematch", document, after)
    office.worker.open(folder)
    office.wait("asks")
    office.worker.finish()
    opened = ProjectStore.open(folder)
    assert opened.recovered.document.frames == after.frames
    opened.store.close(discard_journal=False)


def test_a_project_opened_when_nobody_waits_any_more_is_let_go(office, document, clip, tmp_path):
    folder = saved(tmp_path / "talk.platematch", document)
    office.worker.open(folder)
    office.worker.create(clip, Settings())
    office.worker.finish()
    ProjectStore.open(folder).store.close()
    assert unsaved() == []


def test_a_moved_clip_is_asked_for_until_it_is_the_right_one(office, document, clip, tmp_path):
    folder = saved(tmp_path / "talk.platematch", painted(document, 1))
    other = write_clip(tmp_path / "other.mp4", frames=4, size=(64, 48))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    clip.rename(elsewhere / "renamed.mp4")
    office.worker.open(folder)
    lacking = office.wait("lacking")
    assert (lacking.what, lacking.is_changed) == ("clip", False)
    assert lacking.path.name == "clip.mp4"
    office.worker.relink(lacking, other)
    wait_until(lambda: bool(office.heard["lacking"]))
    assert "can't take the clip's place" in office.take("failed").message
    office.worker.relink(office.take("lacking"), elsewhere / "renamed.mp4")
    ready = office.wait("ready")
    assert not ready.is_saved
    assert ready.session.document.frames == painted(document, 1).frames
    office.worker.save(ready.session.store, ready.session.document)
    office.wait("saved")
    office.worker.leave(ready.session.store, keep=False)
    office.worker.open(folder)
    assert office.wait("ready").session.media.clip == elsewhere / "renamed.mp4"


def test_a_project_that_lacks_a_file_can_be_left_as_it_was(office, document, clip, tmp_path):
    folder = saved(tmp_path / "talk.platematch", painted(document, 1))
    clip.rename(tmp_path / "hidden.mp4")
    office.worker.open(folder)
    office.worker.leave(office.wait("lacking").opened.store, keep=True)
    (tmp_path / "hidden.mp4").rename(clip)
    office.worker.open(folder)
    assert office.wait("ready").session.document.frames == painted(document, 1).frames


def test_another_file_in_the_clips_place_is_told_apart(office, document, clip, tmp_path):
    folder = saved(tmp_path / "talk.platematch", document)
    write_clip(clip, frames=3, size=SIZE)
    office.worker.open(folder)
    assert office.wait("lacking").is_changed


def with_plate(document, path, folder):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.zeros((9, 16, 3), np.uint8)).save(path)
    settings = replace(document.meta.settings, plate=str(path))
    return replace(document, meta=replace(document.meta, settings=settings))


def test_a_missing_background_keeps_nobody_from_working(office, document, tmp_path):
    plate = tmp_path / "plates" / "beach.png"
    folder = saved(tmp_path / "talk.platematch", with_plate(document, plate, tmp_path))
    plate.unlink()
    office.worker.open(folder)
    ready = office.wait("ready")
    assert any("beach.png" in note for note in ready.notes)
    assert ready.is_saved


def masked(document, path, folder):
    Image.fromarray(matte(200)).save(path)
    return replace(document, meta=replace(document.meta, mask=mask_ref(path, folder)))


def test_a_missing_mask_is_asked_for(office, document, tmp_path):
    folder = tmp_path / "talk.platematch"
    saved(folder, masked(document, tmp_path / "mask.png", folder))
    (tmp_path / "mask.png").unlink()
    office.worker.open(folder)
    lacking = office.wait("lacking")
    assert lacking.what == "mask"
    Image.fromarray(matte(100)).save(tmp_path / "other.png")
    office.worker.relink(lacking, tmp_path / "other.png")
    ready = office.wait("ready")
    assert ready.session.media.mask == tmp_path / "other.png"
    assert not ready.is_saved


@pytest.mark.parametrize("is_recovered", [True, False])
def test_files_are_looked_for_as_the_recovered_document_needs_them(office, document, tmp_path, is_recovered):
    folder = tmp_path / "talk.platematch"
    with_mask = masked(document, tmp_path / "mask.png", folder)
    before, after = (document, with_mask) if is_recovered else (with_mask, document)
    crashed(folder, painted(before, 1), painted(after, 1, 2))
    (tmp_path / "mask.png").unlink()
    office.worker.open(folder)
    office.worker.answer(office.wait("asks"), accepted=True)
    if is_recovered:
        assert office.wait("lacking").what == "mask"
    else:
        assert office.wait("ready").session.document.meta.mask is None


def test_a_mask_is_looked_into_before_it_is_used(office, tmp_path):
    (tmp_path / "notes.mkv").write_text("no video")
    office.worker.take_mask(tmp_path, tmp_path / "notes.mkv")
    assert "notes.mkv" in office.wait("failed").message
    office.worker.take_mask(tmp_path, tmp_path / "gone.png")
    office.wait("failed")
    assert not office.heard["mask_found"]


def test_one_of_many_numbered_pictures_means_them_all(office, tmp_path):
    folder = tmp_path / "masks"
    folder.mkdir()
    for number in range(3):
        Image.fromarray(matte(number)).save(folder / f"talk_{number:04d}.png")
    office.worker.take_mask(tmp_path, folder / "talk_0001.png")
    ref, path = office.wait("mask_found")
    assert path == folder
    assert ref == mask_ref(folder, tmp_path)


@pytest.mark.parametrize("names", [["mask_1.png"], ["mask_1.png", "holiday.png"], ["mask_1.png", "mask_1.jpg"]])
def test_a_picture_that_is_none_of_a_row_means_itself(office, tmp_path, names):
    folder = tmp_path / "masks"
    folder.mkdir()
    for name in names:
        Image.fromarray(matte(9)).save(folder / name)
    office.worker.take_mask(tmp_path, folder / "mask_1.png")
    ref, path = office.wait("mask_found")
    assert path == folder / "mask_1.png"
    assert ref == media_ref(path, tmp_path)


def test_saving_writes_the_document_that_was_given_whatever_is_noted_later(office, document, tmp_path):
    office.worker.open(saved(tmp_path / "talk.platematch", document))
    store = office.wait("ready").session.store
    first, second = painted(document, 1), painted(document, 1, 2)
    store.note(first)
    store.note(second)
    office.worker.save(store, first)
    assert isinstance(office.wait("saved")[1], MaskDocument)
    assert read_project(tmp_path / "talk.platematch").document.frames == first.frames
    office.worker.leave(store, keep=True)
    office.worker.open(tmp_path / "talk.platematch")
    assert office.wait("asks").recovered.document.frames == second.frames


def test_the_sample_is_a_file_that_is_made_once(office, monkeypatch):
    frames = project_worker.sample_frames
    monkeypatch.setattr(project_worker, "sample_frames", lambda: itertools.islice(frames(), 2))
    path = project_worker.sample_file()
    written = path.stat().st_mtime_ns
    assert project_worker.sample_file() == path
    assert path.stat().st_mtime_ns == written
    assert sorted(one.name for one in path.parent.iterdir()) == ["sample.mp4"]
