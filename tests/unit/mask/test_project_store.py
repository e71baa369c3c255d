import json
import os
from dataclasses import replace

import pytest

from app.domain.errors import ExitCode, UserError
from app.domain.mask.correction import Correction
from app.domain.mask.document import FrameEdit, MaskDocument
from app.pipeline.mask import journal_writer, project_json
from app.pipeline.mask.media_refs import Changed, Missing, media_ref
from app.pipeline.mask.project_json import NAME
from app.pipeline.mask.project_reading import BACKUP, read_project
from app.pipeline.mask.project_store import ProjectStore
from app.pipeline.mask.recovery import discard_unsaved, unsaved_folder, unsaved_projects
from tests.unit.mask.projects import (
    SIZE,
    document_of,
    edit_of,
    files_of,
    flagged_document,
    meta_of,
    nth_call_fails,
    rich_meta,
)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "talk.platematch"


def saved(folder, document):
    store = ProjectStore.create(document.meta, folder)
    store.save(document)
    store.close()
    return document


def packs_of(folder):
    return sorted(path.name for path in (folder / "corrections").iterdir())


def refusal_of(attempt):
    """What the user is told, None where it went well; anything else is a fault."""
    try:
        attempt()
    except UserError as refused:
        return refused if refused.code == ExitCode.OUTPUT and refused.hint else None
    return None


def killed(store):
    """What a kill leaves, as far as files go: nothing of the journal removed."""
    assert store.flush()
    store.close(discard_journal=False)


def test_all_of_a_project_comes_back(folder):
    document = saved(folder, flagged_document())
    opened = ProjectStore.open(folder)
    opened.store.close()
    assert opened.document == document
    assert (opened.recovered, opened.notes) == (None, ())
    assert read_project(folder).document == document


def test_a_new_project_is_on_the_disk_at_once(folder):
    ProjectStore.create(rich_meta(), folder).close()
    assert read_project(folder).document == MaskDocument(rich_meta())


def test_an_existing_folder_is_no_new_project(folder):
    folder.mkdir()
    with pytest.raises(UserError, match="exists already"):
        ProjectStore.create(meta_of(), folder)
    assert folder.is_dir()


def test_a_save_writes_only_what_changed(folder):
    store = ProjectStore.create(meta_of(), folder)
    document = document_of(1, 2, 3, 4)
    assert store.save(document).written_frames == 4
    document = document.with_frames({3000: edit_of(9)})
    assert store.save(document).written_frames == 1
    report = store.save(replace(document, meta=rich_meta()))
    assert (report.written_frames, report.written_bytes, report.frames) == (0, 0, 4)
    store.close()
    assert read_project(folder).document == replace(document, meta=rich_meta())


def test_dead_corrections_are_thrown_away_in_time(folder):
    store = ProjectStore.create(meta_of(), folder)
    for seed in range(60):
        document = document_of(seed + 1, seed + 2, seed + 3)
        store.save(document)
        assert len(packs_of(folder)) <= 2 * 17
    store.close()
    live = sum(edit.correction.cost_bytes for edit in document.frames.values())
    assert sum((folder / "corrections" / name).stat().st_size for name in packs_of(folder)) < 8 * live
    assert read_project(folder).document == document


def test_the_project_before_the_last_save_stays_readable(folder):
    store = ProjectStore.create(meta_of(), folder)
    documents = [document_of(*range(1, 3 + n)) for n in range(5)]
    for document in documents:
        store.save(document)
    store.close()
    (folder / NAME).write_text("{")
    loaded = read_project(folder)
    assert loaded.document == documents[-2]
    assert "can't be used" in loaded.notes[0]


def test_a_damaged_list_is_kept_and_nothing_it_names_is_removed(folder):
    store = ProjectStore.create(meta_of(), folder)
    store.save(document_of(1))
    store.save(document_of(1, 2))
    store.close()
    damaged = (folder / NAME).read_bytes()[:-9]
    (folder / NAME).write_bytes(damaged)
    packs = set(packs_of(folder))
    for seed in range(3, 6):
        opened = ProjectStore.open(folder)
        opened.store.save(opened.document.with_frames({seed: edit_of(seed)}))
        opened.store.close()
    assert (folder / "project.damaged.json").read_bytes() == damaged
    assert packs <= set(packs_of(folder))
    assert opened.notes == ()
    assert read_project(folder).document.frames.keys() == {3000, 3, 4, 5}


def test_undo_to_what_was_saved_costs_nothing(folder):
    store = ProjectStore.create(meta_of(), folder)
    store.save(document_of(1, 2))
    assert store.save(document_of(1, 2)).written_frames == 0  # Equal, not the same objects.
    store.close()


def test_a_second_instance_is_refused_until_the_first_closes(folder):
    store = ProjectStore.create(meta_of(), folder)
    with pytest.raises(UserError, match="is open already") as refused:
        ProjectStore.open(folder)
    assert refused.value.hint
    store.close()
    ProjectStore.open(folder).store.close()


def test_what_was_noted_is_offered_after_a_kill_and_saved_stays_saved(folder):
    document = saved(folder, document_of(1, 2))
    opened = ProjectStore.open(folder)
    after = document.with_frames({3000: None, 6000: edit_of(7, is_keyframe=True), 9: edit_of(8)})
    opened.store.note(after)
    killed(opened.store)
    before = files_of(folder)
    again = ProjectStore.open(folder)
    assert again.document == document
    assert again.recovered is not None
    assert again.recovered.document == after
    assert again.recovered.steps == 1
    assert again.recovered.edited_s >= again.recovered.saved_s
    again.store.close()  # Nobody answered: it is offered again.
    assert files_of(folder) == before


def test_an_accepted_recovery_goes_on_and_survives_the_next_kill(folder):
    saved(folder, document_of(1))
    opened = ProjectStore.open(folder)
    opened.store.note(document_of(1, 2))
    opened.store.note(document_of(1, 2, 3))
    killed(opened.store)
    again = ProjectStore.open(folder)
    again.store.answer_recovery(again.recovered, accepted=True)
    again.store.note(document_of(1, 2, 3, 4))
    killed(again.store)
    third = ProjectStore.open(folder)
    assert third.recovered.document == document_of(1, 2, 3, 4)
    assert third.recovered.steps == again.recovered.steps + 1
    third.store.answer_recovery(third.recovered, accepted=True)
    third.store.save(third.recovered.document)
    third.store.close()
    last = ProjectStore.open(folder)
    last.store.close()
    assert (last.document, last.recovered) == (document_of(1, 2, 3, 4), None)


def test_a_declined_recovery_is_gone(folder):
    saved(folder, document_of(1))
    opened = ProjectStore.open(folder)
    opened.store.note(document_of(1, 2))
    killed(opened.store)
    again = ProjectStore.open(folder)
    again.store.answer_recovery(again.recovered, accepted=False)
    again.store.close()
    last = ProjectStore.open(folder)
    last.store.close()
    assert last.recovered is None
    assert not list(folder.glob("journal*"))


def test_painting_on_without_an_answer_keeps_what_was_recovered_aside(folder):
    saved(folder, document_of(1))
    opened = ProjectStore.open(folder)
    opened.store.note(document_of(1, 2))
    killed(opened.store)
    (journal,) = folder.glob("journal-*")
    kept = journal.read_bytes()
    again = ProjectStore.open(folder)
    again.store.save(document_of(1, 5))
    again.store.close()
    assert [path.read_bytes() for path in folder.glob("journal-*.kept")] == [kept]


def test_a_clean_close_leaves_no_journal(folder):
    store = ProjectStore.create(meta_of(), folder)
    store.note(document_of(1))
    store.flush()
    assert list(folder.glob("journal-*"))
    store.close()
    assert not list(folder.glob("journal-*"))


def test_undone_to_what_was_saved_offers_nothing(folder):
    document = saved(folder, document_of(1))
    opened = ProjectStore.open(folder)
    opened.store.note(document_of(1, 2))
    opened.store.flush()
    opened.store.note(document)
    killed(opened.store)
    again = ProjectStore.open(folder)
    again.store.close()
    assert again.recovered is None


def test_saving_what_was_never_noted_leaves_no_journal(folder):
    store = ProjectStore.create(meta_of(), folder)
    store.note(document_of(1))
    store.save(document_of(1, 2))
    assert not list(folder.glob("journal-*"))
    store.close()


def test_what_was_noted_after_the_document_goes_along_to_the_new_name(folder):
    store = ProjectStore.create(meta_of())
    early, late = document_of(1), document_of(1, 2)
    store.note(early)
    store.note(late)
    store.save_as(early, folder)
    killed(store)
    again = ProjectStore.open(folder)
    again.store.close()
    assert (again.document, again.recovered.document) == (early, late)


def test_what_was_noted_while_a_save_ran_is_in_the_journal_after_it(folder):
    store = ProjectStore.create(meta_of(), folder)
    early, late = document_of(1), document_of(1, 2)
    store.note(early)
    store.note(late)
    store.save(early)
    killed(store)
    again = ProjectStore.open(folder)
    again.store.close()
    assert again.document == early
    assert again.recovered.document == late


def test_a_journal_of_another_copy_is_kept_aside_and_not_applied(folder):
    saved(folder, document_of(1))
    opened = ProjectStore.open(folder)
    opened.store.note(document_of(1, 2))
    killed(opened.store)
    other = json.loads((folder / NAME).read_bytes())
    (folder / NAME).write_text(json.dumps({**other, "saved": 5}))
    again = ProjectStore.open(folder)
    again.store.close()
    assert again.recovered is None
    assert ".kept" in again.notes[0]
    assert list(folder.glob("journal-*.kept"))


def test_a_grown_journal_is_written_anew(folder, monkeypatch):
    monkeypatch.setattr(journal_writer, "COMPACT_BYTES", 20_000)
    store = ProjectStore.create(meta_of(), folder)
    for seed in range(100):
        store.note(document_of(seed))
        assert store.flush()
    (journal,) = folder.glob("journal-*")
    assert journal.stat().st_size < 40_000
    killed(store)
    again = ProjectStore.open(folder)
    again.store.close()
    assert again.recovered.document == document_of(99)
    assert again.recovered.steps == 100


def test_a_journal_that_cannot_be_written_is_told_once_and_made_good(folder, monkeypatch):
    monkeypatch.setattr(journal_writer, "SYNC_S", 0.01)
    told = []
    store = ProjectStore.create(meta_of(), folder, on_trouble=told.append)
    with nth_call_fails(monkeypatch, 1, 28, for_ever=True):
        store.note(document_of(1))
        store.note(document_of(1, 2))
        assert not store.flush(0.2)
    assert len(told) == 1
    assert "disk is full" in told[0].message
    assert store.flush()  # By itself, once there is room.
    killed(store)
    again = ProjectStore.open(folder)
    again.store.close()
    assert again.recovered.document == document_of(1, 2)


@pytest.mark.parametrize("error", [5, 28])
@pytest.mark.parametrize("for_ever", [False, True])
def test_whatever_call_of_a_save_fails_the_project_is_whole(folder, monkeypatch, error, for_ever):
    store = ProjectStore.create(meta_of(), folder)
    old, new = document_of(1, 2), document_of(2, 3)
    store.save(old)
    failures = 0
    for number in range(1, 60):
        store.note(new)
        store.flush()
        with nth_call_fails(monkeypatch, number, error, for_ever=for_ever) as calls:
            refused = refusal_of(lambda: store.save(new))
        failures += refused is not None
        found = read_project(folder)
        assert found.notes == ()
        assert found.document in ((new,) if refused is None else (old, new))
        store.save(old)
        assert read_project(folder).document == old
        stray = [name for name in files_of(folder) if ".part" in name]
        assert stray == []
        assert len(packs_of(folder)) <= 4
        if len(calls) < number:
            break
    store.close()
    assert failures >= 8
    assert number < 59
    assert {name for name in files_of(folder) if "journal" in name} == set()


@pytest.mark.parametrize("number", range(1, 12))
def test_whatever_call_of_creating_fails_nothing_is_left(folder, monkeypatch, number):
    with nth_call_fails(monkeypatch, number, 28) as calls:
        refused = refusal_of(lambda: ProjectStore.create(meta_of(), folder).close())
    assert folder.exists() == (refused is None) == (len(calls) < number)


def test_a_project_of_a_newer_version_is_refused_and_untouched(folder):
    saved(folder, document_of(1))
    data = json.loads((folder / NAME).read_bytes())
    (folder / NAME).write_text(json.dumps({**data, "version": 2, "clip": "otherwise"}))
    (folder / "lock").unlink()
    before = files_of(folder)
    with pytest.raises(UserError, match="newer version") as refused:
        ProjectStore.open(folder)
    assert "Update" in refused.value.hint
    assert files_of(folder) == before
    assert not (folder / "lock").exists()


def test_an_older_project_is_upgraded_and_kept(folder, monkeypatch):
    document = saved(folder, document_of(1))
    data = json.loads((folder / NAME).read_bytes())
    rows = data.pop("frames")
    old = json.dumps({**data, "version": 0, "edits": rows})
    (folder / NAME).write_text(old)
    monkeypatch.setitem(project_json.UPGRADES, 0, lambda data: {**data, "frames": data["edits"]})
    opened = ProjectStore.open(folder)
    assert opened.document == document
    opened.store.save(document_of(2))
    opened.store.save(document_of(3))
    opened.store.close()
    assert (folder / "project.version-0.json").read_text() == old
    (folder / NAME).write_text(old)
    assert read_project(folder).document == document


def test_saving_under_a_name_moves_an_unsaved_project(folder):
    store = ProjectStore.create(meta_of())
    first = store.folder
    assert store.is_unsaved
    assert first.parent == unsaved_folder()
    store.note(document_of(1))
    store.save_as(document_of(1, 2), folder.with_suffix(""))
    assert store.folder == folder
    assert not store.is_unsaved
    assert not first.exists()
    with pytest.raises(UserError, match="open already"):
        ProjectStore.open(folder)
    store.save(document_of(3))
    store.close()
    assert read_project(folder).document == document_of(3)


def test_a_copy_leaves_the_named_project_as_it_was_saved(folder, tmp_path):
    store = ProjectStore.create(meta_of(), folder)
    store.save(document_of(1))
    before = files_of(folder)
    store.note(document_of(1, 2))
    store.save_as(document_of(1, 2), tmp_path / "copy.platematch")
    store.close()
    assert files_of(folder) == before
    assert read_project(tmp_path / "copy.platematch").document == document_of(1, 2)


def test_a_taken_name_is_refused(folder, tmp_path):
    store = ProjectStore.create(meta_of(), folder)
    (tmp_path / "other.platematch").mkdir()
    with pytest.raises(UserError, match="exists already"):
        store.save_as(document_of(1), tmp_path / "other")
    store.save(document_of(1))
    store.close()


@pytest.mark.parametrize("number", range(1, 16))
def test_a_failed_copy_changes_nothing(folder, tmp_path, monkeypatch, number):
    store = ProjectStore.create(meta_of(), folder)
    store.save(document_of(1))
    target = tmp_path / "copy.platematch"
    with nth_call_fails(monkeypatch, number, 5) as calls:
        try:
            store.save_as(document_of(2), target)
        except UserError:
            assert store.folder == folder
        else:
            assert len(calls) < number or calls[number - 1] == "link"  # There is another way than that one.
    assert not list(tmp_path.glob("*.part*"))
    store.save(document_of(4))
    store.close()
    assert read_project(store.folder).document == document_of(4)


def test_unsaved_projects_are_listed_with_what_is_in_them_and_can_be_thrown_away():
    empty = ProjectStore.create(meta_of())
    empty.close()
    open_one = ProjectStore.create(meta_of())
    open_one.save(document_of(1))
    left = ProjectStore.create(meta_of())
    left.note(document_of(1, 2))
    killed(left)
    damaged = ProjectStore.create(meta_of())
    damaged.close()
    (damaged.folder / NAME).write_text("no")
    (unsaved_folder() / "killed at once.platematch").mkdir()
    found = {one.folder: one for one in unsaved_projects()}
    assert found.keys() == {left.folder, damaged.folder}
    assert (found[left.folder].clip_name, found[left.folder].frames) == ("clip.mp4", 2)
    assert found[left.folder].edited_s > 0
    assert found[damaged.folder].problem
    discard_unsaved(left.folder)
    discard_unsaved(open_one.folder)
    assert not left.folder.exists()
    assert open_one.folder.exists()
    open_one.close()


def test_only_unsaved_projects_can_be_thrown_away(folder):
    saved(folder, document_of(1))
    discard_unsaved(folder)
    assert read_project(folder).document == document_of(1)


def test_media_are_found_when_clip_and_project_move_together(tmp_path):
    shoot = tmp_path / "shoot"
    shoot.mkdir()
    (shoot / "clip.mp4").write_bytes(b"a clip")
    (shoot / "sky.png").write_bytes(b"a plate")
    folder = shoot / "talk.platematch"
    meta = meta_of()
    meta = replace(meta, clip=replace(meta.clip, media=media_ref(shoot / "clip.mp4", folder)))
    meta = replace(meta, settings=replace(meta.settings, plate=str(shoot / "sky.png")))
    saved(folder, document_of(1, meta=meta))
    shoot.rename(tmp_path / "elsewhere")
    opened = ProjectStore.open(tmp_path / "elsewhere" / "talk.platematch")
    opened.store.close()
    assert not opened.missing
    assert opened.document.meta.clip.media.absolute == str(tmp_path / "elsewhere" / "clip.mp4")
    assert opened.document.meta.settings.plate == str(tmp_path / "elsewhere" / "sky.png")


def test_missing_and_changed_media_are_asked_about_and_forget_nothing(tmp_path):
    clip, folder = tmp_path / "clip.mp4", tmp_path / "talk.platematch"
    clip.write_bytes(b"a clip")
    meta = meta_of()
    meta = replace(meta, clip=replace(meta.clip, media=media_ref(clip, folder)))
    document = saved(folder, document_of(1, meta=meta))
    clip.write_bytes(b"b clip")
    opened = ProjectStore.open(folder)
    assert opened.missing == {"clip": Changed(clip)}
    opened.store.save(opened.document)
    opened.store.close()
    clip.unlink()
    opened = ProjectStore.open(folder)
    opened.store.close()
    assert opened.missing == {"clip": Missing(clip)}
    assert opened.document == document


def test_flags_alone_are_kept(folder):
    document = MaskDocument(meta_of()).with_frames({5: FrameEdit(Correction(SIZE), is_locked=True)})
    saved(folder, document)
    assert read_project(folder).document == document
    assert not (folder / "corrections").exists()


def test_a_kill_between_backup_and_rename_is_tidied(folder):
    store = ProjectStore.create(meta_of(), folder)
    store.save(document_of(1))
    store.close()
    for name in ("project.part.json", "project.json.bak.part", "corrections/9.part.pack", "corrections/9.pack"):
        (folder / name).write_bytes(b"torn")
    (folder / f"journal-{'0' * 32}.part").write_bytes(b"torn")
    (folder / "corrections" / "my notes.txt").write_text("keep")
    ProjectStore.open(folder).store.close()
    assert files_of(folder).keys() == {NAME, BACKUP, "corrections/1.pack", "corrections/my notes.txt"}


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_rights_is_refused(folder):
    saved(folder, document_of(1))
    (folder / "lock").unlink()
    folder.chmod(0o555)
    with pytest.raises(UserError, match="may not be written"):
        ProjectStore.open(folder)
    folder.chmod(0o755)
