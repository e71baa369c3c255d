"""A real Ray cluster of several node processes: what is lost is done again, and results are those of one machine.

All of it happens in another process (tests/support/cluster.py), which tells; Ray's own threads and warnings stay there.
"""

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from fractions import Fraction

import numpy as np
import psutil
import pytest

from app.pipeline.demo_source import demo_frames
from tests.conftest import ROOT
from tests.support.media import write_clip

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Ray spans machines on Linux alone")

ALL = sorted((stage, index) for stage in ("analyse", "render") for index in range(6))


def cluster(*more):
    """Run the program in a folder of its own; what it says, and what of it is still alive."""
    # Short, since Ray puts sockets below it, whose paths have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="pm-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "TMPDIR": folder,
            "OMP_NUM_THREADS": "1",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_AUTH_MODE": "token",  # Given, or Ray puts one into the home folder.
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # All of it on the loopback interface.
        }
        command = [sys.executable, "-m", "tests.support.cluster", folder, *map(str, more)]
        ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200)
        assert ended.returncode == 0, ended.stderr[-4000:]
        left = still_there(folder)
    return json.loads(ended.stdout.strip().splitlines()[-1]), left


def still_there(folder, patience_s=15):
    """Names of what a cluster in this folder has running; what it has stopped is given time to be gone."""
    deadline = time.monotonic() + patience_s
    while True:
        left = [one.name() for one in psutil.process_iter() if folder in " ".join(command_of(one))]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.2)


def command_of(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.fixture(scope="module")
def told():
    return cluster()


@pytest.fixture(scope="module")
def said(told):
    return told[0]


def test_a_node_killed_in_the_middle_changes_nothing(said):
    assert said["workers"] == 3
    lost = said["lost"]
    assert lost["killed"] == 1
    assert lost["tries"] >= 2
    assert [tuple(one) for one in lost["finished"]] == ALL
    assert lost["made"] == said["expected"]


def test_a_node_that_comes_gets_work(said):
    assert said["grown"]["made"] == said["expected"]
    assert said["grown"]["at_work"] == 3


def test_stopped_work_is_kept_and_gone_on_with(said):
    stop = said["stop"]
    assert stop["made"]
    assert stop["made"].items() < said["expected"].items()
    assert stop["resumed"] == said["expected"]


def test_paused_workers_hold_and_lose_nothing(said):
    assert said["hold"]["gap_s"] >= 1.9
    assert said["hold"]["made"] == said["expected"]


def test_files_carried_through_the_object_store_give_the_same(said):
    assert said["store"]["made"] == said["expected"]
    assert [tuple(one) for one in said["store"]["finished"]] == ALL


def test_copies_are_one_a_node_and_gone_afterwards(said):
    assert 0 < said["copies"] <= 2 + 3 * 2  # Copies of the plans that are open, and a folder a worker.
    assert said["copies_left"] == 0


def test_two_deliveries_share_the_workers(said):
    assert said["two"] == [said["expected"]] * 2


def test_what_the_user_must_mend_comes_as_it_is(said):
    assert said["refused"] == {"message": "There is no plate.", "hint": "Look for it.", "code": 3}


def test_faults_and_dead_workers_are_tried_again_but_not_for_ever(said):
    assert said["broken"] == said["expected"]
    assert said["died"] == said["expected"]
    assert "ZeroDivisionError" in said["hopeless"]["message"]
    assert said["hopeless"]["code"] == 1


def test_a_path_that_goes_and_comes_back_is_waited_for_and_told_once(said):
    assert said["away"]["made"] == said["expected"]
    assert len([text for text in said["away"]["notices"] if "can't be reached" in text]) == 1


def test_a_path_that_stays_away_ends_in_a_sentence(said):
    assert "can't be reached from" in said["gone"]["message"]
    assert said["gone"]["code"] == 3


def test_other_libraries_on_a_worker_are_refused(said):
    assert "other libraries" in said["other"]["message"]


def test_nobody_there_is_said_at_once(said):
    assert "No Ray cluster answers" in said["nobody"]["message"]
    assert said["nobody"]["code"] == 2


def test_a_segment_costs_little_besides_its_work(said):
    """A segment is up to 8 s of video, several seconds of work: 2 to 6 ms were measured here."""
    assert said["cost"]["overhead_ms"] < 100
    assert said["store_cost"]["overhead_ms"] < 400


def test_nothing_stays_alive(told):
    assert told[1] == []


def test_a_render_on_a_cluster_that_loses_a_node_is_the_same_file(tmp_path):
    pictures = [frame.pixels for frame in demo_frames(size=(192, 108), rate=Fraction(12), seconds=6.5)]
    clip = write_clip(
        tmp_path / "person.mp4",
        frames=len(pictures),
        size=(192, 108),
        rate=12,
        draw=lambda w, h, i: np.ascontiguousarray(pictures[i]),
        audio="aac",
    )
    said, left = cluster(clip)
    assert said["killed_after"]
    assert said["local"]["frames"] == said["shared"]["frames"] == said["carried"]["frames"] == len(pictures)
    assert said["local"]["segments"] == said["shared"]["segments"] >= 3
    assert said["shared"]["packets"] == said["local"]["packets"]
    assert said["carried"]["packets"] == said["local"]["packets"]
    assert {"local.mkv", "shared.mkv", "carried.mkv"} <= set(said["left"])
    assert not any("rendering" in name for name in said["left"])
    assert left == []
