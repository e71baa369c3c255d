"""What a cluster needs of files and patience, without a cluster."""

import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.domain.errors import UserError
from app.pipeline.offline import cluster_connection, cluster_errands, cluster_files
from app.pipeline.offline.cluster_connection import Connection
from app.pipeline.offline.cluster_errands import LOSSES, TRIES, Errands
from app.pipeline.offline.cluster_files import NodeFolder, Piece, bundles, paths_read, shipped, write_piece
from app.pipeline.offline.job import Job
from app.pipeline.segmenter_choice import SegmenterChoice


@dataclass(frozen=True)
class SimpleInfo:
    path: Path


@dataclass(frozen=True)
class SimplePlan:
    job: Job
    folder: Path
    info: SimpleInfo


def some_job(tmp_path, **more):
    return Job(**({"clip": tmp_path / "clip.mp4", "plate": "studio", "output": tmp_path / "out.mkv"} | more))


def test_only_files_travel(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("clip.mp4", "studio", "wall.png", "mask.mkv", "mine.safetensors"):
        (tmp_path / name).write_bytes(b"x")
    assert paths_read(some_job(tmp_path)) == {"clip": tmp_path / "clip.mp4"}  # Not the file called as a built-in plate.
    assert paths_read(some_job(tmp_path, plate="#204060")) == {"clip": tmp_path / "clip.mp4"}
    job = some_job(
        tmp_path,
        clip=Path("clip.mp4"),
        plate="wall.png",
        person=SegmenterChoice(mask=Path("mask.mkv")),
        weights="mine.safetensors",
    )
    assert paths_read(job) == {
        "clip": tmp_path / "clip.mp4",
        "plate": tmp_path / "wall.png",
        "mask": tmp_path / "mask.mkv",
        "weights": tmp_path / "mine.safetensors",
    }


def test_files_and_folders_arrive_as_they_were(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster_files, "PIECE_BYTES", 1000)
    clip, mask = tmp_path / "here" / "clip.mp4", tmp_path / "here" / "mattes"
    mask.mkdir(parents=True)
    clip.write_bytes(os.urandom(2500))
    for number in range(5):
        (mask / f"{number}.png").write_bytes(os.urandom(300 * number))
    paths = {"clip": clip, "mask": mask}
    sent = list(bundles(paths))
    assert max(len(piece.content) for bundle in sent for piece in bundle) <= 1000
    for bundle in sent:
        for piece in bundle:
            write_piece(tmp_path / "there", piece)
    there = {part: tmp_path / "there" / path for part, path in shipped(paths).items()}
    assert there["clip"].read_bytes() == clip.read_bytes()
    assert {p.name: p.read_bytes() for p in there["mask"].iterdir()} == {p.name: p.read_bytes() for p in mask.iterdir()}


def test_a_piece_that_leads_out_is_not_written(tmp_path):
    (tmp_path / "there").mkdir()
    with pytest.raises(ValueError, match="out"):
        write_piece(tmp_path / "there", Piece("../out", 0, b"x"))
    assert not (tmp_path / "out").exists()


def test_a_copy_is_made_once_and_goes_with_its_last_user(tmp_path):
    made = []

    def files():
        made.append(1)
        yield [Piece("clip/a.mp4", 0, b"x")]

    node = NodeFolder(tmp_path / "node")
    folder = node.copied("key", files())
    assert (folder / "clip" / "a.mp4").read_bytes() == b"x"
    assert node.copied("key", files()) == folder
    assert len(made) == 1
    (folder / f"used-{os.getppid()}").touch()  # Another worker, alive.
    node.leave("key")
    assert folder.exists()
    (folder / f"used-{os.getppid()}").unlink()
    node.leave("key")
    assert not folder.exists()
    node.close()
    assert list((tmp_path / "node").iterdir()) == []


def test_what_a_killed_worker_left_is_taken_away_by_the_next(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    base = tmp_path / "node"
    (base / f"worker-{dead.pid}").mkdir(parents=True)
    (base / "copy-old").mkdir()
    (base / "copy-old" / f"used-{dead.pid}").touch()
    node = NodeFolder(base)
    assert [path.name for path in base.iterdir()] == [node.own.name]


def some_errands(indices=(0, 1, 2), patience_s=100.0, lengths=(10, 30, 20)):
    notices = []
    segments = [SimpleNamespace(first_pts=0, stop_pts=length) for length in lengths]
    plan = SimpleNamespace(segments=segments, job=SimpleNamespace(clip=Path("talk.mp4")))
    return Errands(plan, indices, patience_s=patience_s, notice=notices.append), notices


def test_the_longest_go_first_and_what_was_lost_goes_before_them():
    errands, notices = some_errands()
    assert [one.index for one in errands.ready()] == [1, 2, 0]
    short = errands.waiting.pop()
    errands.lost(short, "its machine died")
    assert [one.index for one in errands.ready()] == [0, 1, 2]
    assert len(notices) == 1


@pytest.mark.parametrize(("fail", "times"), [("lost", LOSSES), ("broken", TRIES)])
def test_failing_again_and_again_ends_in_a_sentence(fail, times):
    errands, _ = some_errands()
    errand = errands.waiting[0]
    for _ in range(times - 1):
        errands.waiting.remove(errand)
        getattr(errands, fail)(errand, "oh")
    errands.waiting.remove(errand)
    with pytest.raises(UserError, match=r"Part 2 of “talk\.mp4”"):
        getattr(errands, fail)(errand, "oh")


def test_a_file_out_of_reach_is_waited_for_longer_each_time_until_patience_ends(monkeypatch):
    now_s = [1000.0]
    monkeypatch.setattr(cluster_errands, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    errands, notices = some_errands(indices=(0,), patience_s=60.0)
    waits = []
    with pytest.raises(UserError, match="can't be reached from node7"):  # noqa: PT012  (how often is what counts)
        while True:
            errand = errands.waiting.pop()
            errands.away(errand, "/net/talk.mp4", "node7")
            waits.append(errand.not_before_s - now_s[0])
            assert errands.ready() == []
            now_s[0] = errand.not_before_s
            assert errands.ready() == [errand]
    assert waits == [1.0, 2.0, 5.0, 10.0, 30.0, 30.0]
    assert len(notices) == 1


def test_without_ray_the_sentence_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    before = dict(os.environ)
    with pytest.raises(UserError, match="not installed") as told:
        Connection("auto")
    assert "platematch[cluster]" in told.value.hint
    assert dict(os.environ) == before


def test_usage_reports_are_off_and_a_cluster_of_our_own_is_for_us_alone(monkeypatch):
    seen = {}

    def init(**options):
        seen.update(options, environment=dict(os.environ))

    ray = SimpleNamespace(is_initialized=lambda: bool(seen), init=init, shutdown=seen.clear)
    ray.exceptions = SimpleNamespace(RayError=RuntimeError)
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setitem(sys.modules, "ray._private.worker", SimpleNamespace(print_to_stdstream=print))
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    connection = Connection(None, cores=2)
    environment = seen["environment"]
    assert environment["RAY_USAGE_STATS_ENABLED"] == "0"
    assert environment["RAY_AUTH_MODE"] == "token"
    assert len(environment["RAY_AUTH_TOKEN"]) >= 32
    assert environment["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] == "0"
    assert (seen["_node_ip_address"], seen["include_dashboard"], seen["log_to_driver"]) == ("127.0.0.1", False, False)
    assert sys.modules["ray._private.worker"].print_to_stdstream is not print
    connection.close()
    assert seen == {}
    assert "RAY_AUTH_TOKEN" not in os.environ
    assert sys.modules["ray._private.worker"].print_to_stdstream is print


def test_a_known_token_is_used_through_a_client(monkeypatch, tmp_path):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    assert cluster_connection._token_mode() == {}
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").touch()
    assert cluster_connection._token_mode() == {"RAY_AUTH_MODE": "token"}
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert cluster_connection._token_mode() == {}


def test_a_plan_over_other_files_is_the_same_plan(tmp_path):
    job = some_job(tmp_path, device="cuda:1")
    plan = SimplePlan(job=job, folder=tmp_path / "work", info=SimpleInfo(path=job.clip))
    moved = cluster_files.with_paths(plan, {"clip": Path("/there/clip.mp4")}, Path("/own"), Path("/out"))
    assert (moved.job.clip, moved.info.path, moved.folder, moved.job.output) == (
        Path("/there/clip.mp4"),
        Path("/there/clip.mp4"),
        Path("/own"),
        Path("/out"),
    )
    assert moved.job.device == "cuda"
    assert replace(moved.job, clip=job.clip, output=job.output, device=job.device) == job
