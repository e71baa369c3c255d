"""A program that paints and saves is killed, again and again: what it had saved is there, and what it had noted."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from app.domain.mask.document import MaskDocument
from app.pipeline.mask.project_lock import is_open_elsewhere
from app.pipeline.mask.project_store import ProjectStore
from tests.unit.mask.projects import edit_of, meta_of

KILLS = 200
FRAMES = 6
LONGEST_S = 0.06

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the painters are forked; this platform has no fork")


def state(step):
    """The document after so many steps; each paints one frame anew and says so in the meta."""
    painted = {at: max((s for s in range(step, 0, -1) if s % FRAMES == at), default=None) for at in range(FRAMES)}
    document = MaskDocument(replace(meta_of(), stops={0: str(step)}))
    return document.with_frames({at: edit_of(seed) for at, seed in painted.items() if seed})


def step_of(document):
    return int(document.meta.stops.get(0, "0"))


def paint(folder, told):
    """Until killed. told: a pipe that hears what is on the disk for certain."""
    opened = ProjectStore.open(Path(folder))
    document = opened.document
    if opened.recovered is not None:
        opened.store.answer_recovery(opened.recovered, accepted=True)
        document = opened.recovered.document
    with open(told, "wb", buffering=0) as pipe:
        for step in count(step_of(document) + 1):
            opened.store.note(state(step))
            if step % 3 == 0 and opened.store.flush():
                pipe.write(b"noted %d\n" % step)
            if step % 5 == 0:
                opened.store.save(state(step))
                pipe.write(b"saved %d\n" % step)


def fork_painters():
    """Fork a painter for every line "FOLDER<tab>PIPE" and answer with its number."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            paint(*line.rstrip("\n").split("\t"))
        print(child, flush=True)  # noqa: T201


@pytest.fixture
def painters():
    """Starting one takes a fork instead of an interpreter and its imports."""
    code = "from tests.e2e.test_project_kills import fork_painters; fork_painters()"
    one_thread = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        env={**os.environ, **one_thread},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process
    process.stdin.close()
    process.wait(timeout=10)
    process.stdout.close()


def killed_after(painters, folder, told, run_s):
    """Start a painter, kill it after its first word and so long; what it told: the last noted and the last saved."""
    told.unlink(missing_ok=True)
    os.mkfifo(told)
    painters.stdin.write(f"{folder}\t{told}\n")
    painters.stdin.flush()
    child = int(painters.stdout.readline())
    with told.open("rb", buffering=0) as pipe:
        first = pipe.read(1)
        time.sleep(run_s)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        words = first
        while more := pipe.read(65536):
            words += more
    while is_open_elsewhere(folder):
        time.sleep(0.001)
    steps = {b"noted": 0, b"saved": 0}
    for line in words.decode("ascii").split("\n")[:-1]:
        word, step = line.split()
        steps[word.encode()] = int(step)
    return steps[b"noted"], steps[b"saved"]


def test_no_kill_tears_a_project_or_loses_what_was_noted(painters, tmp_path):
    folder, told = tmp_path / "talk.platematch", tmp_path / "told"
    ProjectStore.create(meta_of(), folder).close()
    rng = random.Random(6)
    recovered = grown = 0
    for _ in range(KILLS):
        noted, saved = killed_after(painters, folder, told, rng.uniform(0, LONGEST_S))
        opened = ProjectStore.open(folder)
        opened.store.close(discard_journal=False)
        assert opened.notes == ()
        assert saved <= step_of(opened.document)
        assert opened.document == state(step_of(opened.document))
        last = opened.document if opened.recovered is None else opened.recovered.document
        assert max(noted, saved) <= step_of(last)
        assert last == state(step_of(last))
        assert step_of(last) > grown  # Each painter went on from where the one before was killed.
        grown = step_of(last)
        recovered += opened.recovered is not None
    assert recovered > KILLS / 4
    assert not [name for name in os.listdir(folder) if ".part" in name or ".kept" in name]
    assert len(os.listdir(folder / "corrections")) <= 2 * 17
