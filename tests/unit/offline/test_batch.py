import errno
import json
import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from app.cli.batch_options import COLUMNS
from app.domain.errors import ExitCode, UserError
from app.pipeline.offline import batch as batch_module
from app.pipeline.offline.batch import run_batch
from app.pipeline.offline.batch_jobs import jobs_of
from app.pipeline.offline.control import Progress, Stopped
from app.pipeline.offline.formats import Encoding
from app.pipeline.offline.job import Extras, Job
from app.pipeline.offline.manifest import MAX_MANIFEST_BYTES


@pytest.fixture
def template(tmp_path):
    return Job(clip=Path(), plate="studio", output=tmp_path / "out" / "x.mp4")


@pytest.fixture
def clips(tmp_path):
    """Make files of these names."""

    def make(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"0")
        return [tmp_path / name for name in names]

    return make


def outputs(jobs, folder):
    return [job.output.relative_to(folder).as_posix() for job in jobs]


# --- which clips, under which names ---


def test_a_folder_gives_its_videos_and_nothing_below(template, clips, tmp_path):
    clips("day/b.mp4", "day/a.MOV", "day/notes.txt", "day/.hidden.mp4", "day/below/c.mp4")
    jobs, refused = jobs_of([tmp_path / "day"], template, tmp_path / "out")
    assert refused == []
    assert [job.clip.name for job in jobs] == ["a.MOV", "b.mp4"]
    assert outputs(jobs, tmp_path / "out") == ["a.mp4", "b.mp4"]
    assert {job.plate for job in jobs} == {"studio"}


def test_a_folder_of_numbered_pictures_is_one_clip(template, clips, tmp_path):
    clips("shot.v2/f_0001.png", "shot.v2/f_0002.png")
    (job,), refused = jobs_of([tmp_path / "shot.v2"], template, tmp_path / "out")
    assert (job.clip, job.output.name, refused) == (tmp_path / "shot.v2", "shot.v2.mp4", [])


def test_what_is_no_clip_is_named_and_the_others_stay(template, clips, tmp_path):
    (good,) = clips("good.mp4")
    (tmp_path / "empty").mkdir()
    jobs, refused = jobs_of([tmp_path / "gone.mp4", tmp_path / "empty", good], template, tmp_path / "out")
    assert [job.clip for job in jobs] == [good]
    assert [Path(one.where).name for one in refused] == ["gone.mp4", "empty"]


def test_names_that_clash_get_the_parents_name_whatever_the_order(template, clips, tmp_path):
    names = clips("monday/talk.mp4", "tuesday/talk.mp4", "tuesday/other.mp4")
    for order in (names, names[::-1]):
        jobs, _ = jobs_of(order, template, tmp_path / "out")
        found = {job.clip.parent.name + "/" + job.clip.stem: job.output.name for job in jobs}
        assert found == {
            "monday/talk": "monday-talk.mp4",
            "tuesday/talk": "tuesday-talk.mp4",
            "tuesday/other": "other.mp4",
        }


def test_names_that_differ_by_ending_case_or_deeper_parents_still_differ(template, clips, tmp_path):
    jobs, _ = jobs_of(
        clips("a/x.mp4", "a/x.mov", "b/X.mp4", "c/a/x.mp4", "d/a/x.mp4", "e/\u00e9.mp4", "f/e\u0301.mp4"),
        template,
        tmp_path / "out",
    )
    assert len({job.output.name.casefold() for job in jobs}) == 7
    assert jobs[0].output.name == "a-x-mp4.mp4"
    assert {job.output.parent for job in jobs} == {tmp_path / "out"}


def test_no_output_is_one_of_the_clips(template, clips, tmp_path):
    names = clips("day/a.mp4", "day/b.mp4")
    jobs, _ = jobs_of(names, template, tmp_path / "day")
    assert outputs(jobs, tmp_path / "day") == ["day-a.mp4", "day-b.mp4"]


def test_a_clip_named_twice_is_made_once(template, clips, tmp_path):
    (clip,) = clips("day/a.mp4")
    jobs, _ = jobs_of([clip, tmp_path / "day"], template, tmp_path / "out")
    assert len(jobs) == 1


def test_extras_are_each_deliverys_own(clips, tmp_path):
    template = Job(Path(), "studio", tmp_path / "x.mp4", extras=Extras(matte=tmp_path / "matte.mkv"))
    jobs, _ = jobs_of(clips("a.mov", "b.mov"), template, tmp_path / "out")
    assert [job.extras.matte.name for job in jobs] == ["a-matte.mkv", "b-matte.mkv"]
    assert jobs[0].extras.sheet is None


# --- manifests ---


def manifest_of(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_says_what_differs(template, clips, tmp_path, delimiter):
    clips("a.mp4", "b.mp4", "wall.png")
    rows = [
        ["clip", "plate", "output", "deliver", "from", "to", "fps", "size", "content"],
        ["a.mp4", "wall.png", "", "prores-4444-alpha", "1.5", "1:05", "29.97", "640x360", "matte"],
        ["b.mp4", "sunset", "sub/final.mkv", "", "", "", "", "", ""],
    ]
    path = manifest_of(tmp_path / "list.csv", "\ufeff" + "\r\n".join(delimiter.join(row) for row in rows))
    (one, two), refused = jobs_of([], template, tmp_path / "out", manifest=path, options=COLUMNS)
    assert refused == []
    assert (one.clip, one.plate, one.output.name) == (tmp_path / "a.mp4", str(tmp_path / "wall.png"), "a.mov")
    assert (one.encoding.format, one.encoding.alpha, one.content) == ("prores4444", "straight", "matte")
    assert (one.trim.from_s, one.trim.to_s, one.size) == (1.5, 65.0, (640, 360))
    assert one.rate.limit_denominator() == one.rate
    assert (one.rate.numerator, one.rate.denominator) == (30000, 1001)
    assert (two.plate, two.output) == ("sunset", tmp_path / "out" / "sub" / "final.mkv")
    assert two.encoding == Encoding()


def test_bad_rows_are_named_by_line_and_the_others_are_made(template, clips, tmp_path):
    clips("a.mp4", "b.mp4", "c.mp4")
    text = (
        "clip,plate,output,from\n"
        "a.mp4,studio,,\n"
        "gone.mp4,studio,,\n"
        "\n"
        "b.mp4,studio,,yesterday\n"
        ",studio,,\n"
        "b.mp4,studio,../../etc/x.mp4,\n"
        "b.mp4,studio,/etc/x.mp4,\n"
        "b.mp4,studio,same.mp4,\n"
        "c.mp4,studio,SAME.mp4,\n"
        "c.mp4,studio,,,extra\n"
    )
    path = manifest_of(tmp_path / "list.csv", text)
    jobs, refused = jobs_of([], template, tmp_path / "out", manifest=path, options=COLUMNS)
    assert outputs(jobs, tmp_path / "out") == ["a.mp4", "same.mp4"]
    lines = [int(one.where.rpartition(" ")[2]) for one in refused]
    assert sorted(lines) == [3, 5, 6, 7, 8, 10, 11]
    assert "line 9" in next(one.error.message for one in refused if one.where.endswith(" 10"))


def test_json_lines_are_read_and_bad_ones_named(template, clips, tmp_path):
    clips("a.mp4", "b.mp4")
    lines = [
        json.dumps({"clip": "a.mp4", "from": 2, "plate": None}),
        "{not json",
        "[1]",
        json.dumps({"clip": ["a.mp4"]}),
        json.dumps({"clip": "a.mp4", "colour": "red"}),
        "[" * 5000,
        json.dumps({"clip": "b\0.mp4"}),
        json.dumps({"clip": "b.mp4"}),
    ]
    path = manifest_of(tmp_path / "list.jsonl", "\n".join(lines))
    jobs, refused = jobs_of([], template, tmp_path / "out", manifest=path, options=COLUMNS)
    assert [job.clip.name for job in jobs] == ["a.mp4", "b.mp4"]
    assert jobs[0].trim.from_s == 2.0
    assert [one.where for one in refused] == [f"list.jsonl, line {n}" for n in (2, 3, 4, 5, 6, 7)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"name,plate\na,b\n", "no column"),
        (b"clip,colour\na,b\n", "colour"),
        (b"clip,clip\na,b\n", "twice"),
        (b"clip\n\xff\xfe\n", "UTF-8"),
        (b"clip\n" + b"a" * MAX_MANIFEST_BYTES, "MB"),
        (b"", "no column"),
    ],
)
def test_what_is_no_manifest_is_refused_whole(template, tmp_path, content, said):
    path = manifest_of(tmp_path / "list.csv", content)
    with pytest.raises(UserError, match=said):
        jobs_of([], template, tmp_path / "out", manifest=path, options=COLUMNS)


def test_a_missing_manifest_a_folder_and_a_pipe_are_refused(template, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name in ("gone.csv", ".", "pipe"):
        with pytest.raises(UserError):
            jobs_of([], template, tmp_path / "out", manifest=tmp_path / name, options=COLUMNS)


# --- running them ---


def some_jobs(tmp_path, count):
    return [Job(tmp_path / f"{n}.mp4", "studio", tmp_path / "out" / f"{n}.mp4") for n in range(count)]


def test_bad_ones_never_stop_the_others(tmp_path):
    def run_one(job, control, report):
        if job.clip.stem == "1":
            raise UserError("It is damaged.", code=ExitCode.BAD_INPUT)
        if job.clip.stem == "2":
            raise ZeroDivisionError("oh")
        report(Progress("rendering", 1, 2))
        return job.clip.stem

    seen = []
    result = run_batch(some_jobs(tmp_path, 4), run_one, on_event=seen.append)
    assert [entry.state for entry in result.entries] == ["done", "failed", "failed", "done"]
    assert [entry.result for entry in result.entries] == ["0", None, None, "3"]
    assert result.code == ExitCode.BAD_INPUT
    assert "ZeroDivisionError" in result.rows[2][3]
    assert [row[1] for row in result.rows] == ["done", "failed", "failed", "done"]
    assert [e.state for e in seen if e.number == 0] == ["running", "running", "done"]


def test_several_run_at_once_and_no_more(tmp_path):
    lock, busy, most = threading.Lock(), [], []
    together = threading.Barrier(3, timeout=5)

    def run_one(job, control, report):
        with lock:
            busy.append(job)
            most.append(len(busy))
        together.wait()
        with lock:
            busy.remove(job)

    result = run_batch(some_jobs(tmp_path, 6), run_one, at_once=3)
    assert max(most) == 3
    assert result.code == ExitCode.OK


def test_a_full_disk_holds_the_one_that_met_it_until_there_is_room(tmp_path, monkeypatch):
    free = [1_000_000]
    monkeypatch.setattr("app.pipeline.offline.disk_room.free_bytes", lambda folder: free[0])
    tries, told = [], []

    def run_one(job, control, report):
        tries.append(job.clip.stem)
        if job.clip.stem == "0" and len(tries) == 1:
            raise UserError("The disk is full.", code=ExitCode.OUTPUT) from OSError(errno.ENOSPC, "full")
        return "made"

    def on_event(entry):
        if entry.state == "no room":
            told.append(entry)
            if len(told) == 2:
                free[0] = 10**12

    result = run_batch(some_jobs(tmp_path, 2), run_one, on_event=on_event, poll_s=0.05)
    assert tries == ["0", "0", "1"]
    assert [entry.state for entry in result.entries] == ["done", "done"]
    assert told[0].needs_bytes == batch_module.ROOM_AT_LEAST_BYTES - 1_000_000
    assert "more are needed" in told[0].row[3]


def test_a_disk_that_stays_full_asks_for_more_each_time_and_can_be_left(tmp_path, monkeypatch):
    monkeypatch.setattr("app.pipeline.offline.disk_room.free_bytes", lambda folder: 10**9)
    tries = []

    class Control:
        def should_stop(self):
            return any(entry.state == "no room" for entry in told)

        def is_paused(self):
            return False

    told = []

    def run_one(job, control, report):
        tries.append(job)
        raise UserError("The disk is full.", code=ExitCode.OUTPUT) from OSError(errno.EDQUOT, "quota")

    result = run_batch(some_jobs(tmp_path, 1), run_one, on_event=told.append, control=Control(), poll_s=0.05)
    assert len(tries) == 5  # 64, 128, 256, 512 MiB were there, 1 GiB was not.
    assert result.entries[0].state == "stopped"


def test_ctrl_c_stops_keeps_what_is_finished_and_begins_no_other(tmp_path):
    begun = []

    def run_one(job, control, report):
        begun.append(job.clip.stem)
        if job.clip.stem == "0":
            return "made"
        os.kill(os.getpid(), signal.SIGINT)
        ends_s = time.monotonic() + 60  # A loaded machine takes its time to hand a signal over.
        while not control.should_stop():
            assert time.monotonic() < ends_s
            time.sleep(0.01)
        raise Stopped

    result = run_batch(some_jobs(tmp_path, 3), run_one)
    assert begun == ["0", "1"]
    assert [entry.state for entry in result.entries] == ["done", "stopped", "waiting"]
    assert (result.was_interrupted, result.code) == (True, ExitCode.INTERRUPTED)
    assert "goes on" in result.rows[1][3]


def test_outputs_folders_are_made_and_one_that_cant_be_is_that_jobs_own_fault(tmp_path):
    (tmp_path / "file").write_text("")
    jobs = [
        Job(tmp_path / "a.mp4", "studio", tmp_path / "new" / "deep" / "a.mp4"),
        Job(tmp_path / "b.mp4", "studio", tmp_path / "file" / "b.mp4"),
    ]

    def run_one(job, control, report):
        if not job.output.parent.is_dir():
            raise UserError("There is no such folder.", code=ExitCode.OUTPUT)

    assert [entry.state for entry in run_batch(jobs, run_one).entries] == ["done", "failed"]


def test_the_same_command_again_makes_only_what_is_missing(tmp_path):
    made = []

    def run_one(job, control, report):
        made.append(job.clip.stem)
        job.output.write_bytes(b"x")

    jobs = some_jobs(tmp_path, 4)
    (tmp_path / "out" / ".2.mp4.rendering").mkdir(parents=True)  # Begun, and an older file stands there.
    for name in ("1.mp4", "2.mp4"):
        (tmp_path / "out" / name).write_bytes(b"x")
    result = run_batch(jobs, run_one)
    assert made == ["0", "2", "3"]
    assert [entry.state for entry in result.entries] == ["done", "there already", "done", "done"]
    assert result.code == ExitCode.OK
    assert "--overwrite" in result.rows[1][3]
    made.clear()
    run_batch([replace(job, overwrite=True) for job in jobs], run_one)
    assert made == ["0", "1", "2", "3"]


def test_no_jobs_at_all():
    assert run_batch([], lambda job, control, report: None).entries == ()
