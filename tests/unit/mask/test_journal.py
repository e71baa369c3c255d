import random
import struct
import zlib
from dataclasses import replace
from itertools import pairwise

import pytest

from app.domain.mask.document import Clip, FrameEdit, MaskDocument
from app.domain.mask.planes import Planes
from app.pipeline.mask import journal
from app.pipeline.mask.journal import Heading, between, heading_of, heading_record, journal_path, records, replayed
from app.pipeline.mask.journal_writer import JournalWriter
from tests.unit.mask.projects import SIZE, document_of, edit_of, flagged_document, meta_of, rich_meta

HEADING = Heading("a" * 32, "b" * 32)
STEPS = [
    document_of(1, 2),
    document_of(1, 2, 3),
    replace(document_of(1, 3), meta=rich_meta()),
    flagged_document(),
    MaskDocument(meta_of()),
    document_of(5),
]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / f"journal-{HEADING.base}"
    parts = [heading_record(HEADING)]
    for time_s, (before, after) in enumerate(pairwise(STEPS)):
        parts += records(between(before, after), steps=1, time_s=100 + time_s)
    path.write_bytes(b"".join(parts))
    return path


def test_a_journal_leads_from_its_base_to_the_last_step(path):
    found = replayed(path, STEPS[0])
    assert (found.document, found.steps, found.last_s) == (STEPS[-1], 5, 104)
    assert heading_of(path) == HEADING


def test_a_torn_end_costs_the_torn_record_only(path):
    whole = path.read_bytes()
    for length in range(0, len(whole), 61):
        path.write_bytes(whole[:length])
        found = replayed(path, STEPS[0])
        assert found is None or found.document == STEPS[found.steps]


def test_a_damaged_record_and_all_after_it_are_left_out(path):
    whole = path.read_bytes()
    for at in range(0, len(whole), 61):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 8]) + whole[at + 1 :])
        found = replayed(path, STEPS[0])
        assert found is None or found.document == STEPS[found.steps]


def test_only_tiles_that_changed_are_written():
    planes = Planes.empty(SIZE)
    planes.value[:], planes.weight[:] = 9, 255
    before = FrameEdit(edit_of(1).correction.of(planes))
    planes.value[0, 0] = 10
    planes.weight[-1, -60:] = 0
    after = FrameEdit(before.correction.of(planes))
    one, other = (MaskDocument(meta_of(), {0: edit}) for edit in (before, after))
    assert sorted(between(one, other).frames[0][1]) == [0, 10, 11]
    assert between(one, one).is_nothing


def test_a_long_step_becomes_several_records_and_one_step(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "_RECORD_BYTES", 4000)
    document = document_of(*range(1, 30))
    parts = list(records(between(STEPS[4], document), steps=7, time_s=5))
    assert len(parts) > 5
    path = tmp_path / "journal"
    path.write_bytes(heading_record(HEADING) + b"".join(parts))
    found = replayed(path, STEPS[4])
    assert (found.document, found.steps) == (document, 7)


@pytest.mark.parametrize(
    "head",
    [
        b"[]",
        b"{}",
        b"not json",
        b'{"time": "now", "steps": 1, "frames": []}',
        b'{"time": 1, "steps": -1, "frames": []}',
        b'{"time": 1, "steps": 1, "frames": [[0, "", 99]]}',
        b'{"time": 1, "steps": 1, "frames": [[0, "zz", 4]]}',
        b'{"time": 1, "steps": 1, "frames": [], "gone": "all"}',
        b'{"time": 1, "steps": 1, "frames": [], "meta": {}}',
        b"[" * 200,
    ],
)
def test_a_record_that_says_something_else_ends_the_journal(path, head):
    body = struct.pack("<I", len(head)) + head
    path.write_bytes(path.read_bytes() + struct.pack("<II", len(body), zlib.crc32(body)) + body)
    assert replayed(path, STEPS[0]).document == STEPS[-1]


def test_a_size_that_changes_on_the_way_ends_the_journal(path):
    clip = meta_of().clip
    other = replace(STEPS[-1], meta=meta_of(), frames={})
    other = replace(other, meta=replace(other.meta, clip=Clip(clip.media, (10, 10), clip.time_base)))
    path.write_bytes(path.read_bytes() + b"".join(records(between(STEPS[-1], other), steps=1, time_s=1)))
    assert replayed(path, STEPS[0]).document == STEPS[-1]


def test_noise_is_no_journal(tmp_path):
    rng = random.Random(3)
    path = tmp_path / "journal"
    for start in (b"", journal.MAGIC):
        for _ in range(100):
            path.write_bytes(start + rng.randbytes(200))
            assert replayed(path, STEPS[0]) is None
            assert heading_of(path) is None


def test_what_was_recovered_and_taken_back_at_once_does_not_come_back(tmp_path, monkeypatch):
    """Both steps in one go, as a busy machine notes them: the file of the session before says otherwise."""
    saved, recovered = document_of(), document_of(1)
    trouble = []
    before = JournalWriter(tmp_path, saved, HEADING.base, on_trouble=trouble.append)
    before.note(recovered)
    before.stop(discard=False)
    assert replayed(journal_path(tmp_path, HEADING.base), saved).document == recovered
    monkeypatch.setattr(JournalWriter, "_work", lambda _: None)  # Nothing is kept before the end.
    after = JournalWriter(tmp_path, saved, HEADING.base, on_trouble=trouble.append)
    after.note(recovered)
    after.note(saved)
    after.stop(discard=False)
    assert not journal_path(tmp_path, HEADING.base).exists()
    assert trouble == []
