"""Clips and pictures with a person in them, and the command line run in this process."""

import json
from fractions import Fraction

import numpy as np
import pytest

from app.cli import main
from app.pipeline.demo_source import demo_frames
from app.pipeline.virtual_screen import virtual_screen
from tests.support.media import write_clip

SIZE = (320, 180)


@pytest.fixture(scope="session")
def person_pictures():
    """12 frames of the demo's portrait, (180, 320, 3)."""
    return [f.pixels for f in demo_frames(size=SIZE, rate=Fraction(12), seconds=1.0)]


@pytest.fixture(scope="session")
def person_clip(tmp_path_factory, person_pictures):
    """Those frames as an MP4 with sound."""
    path = tmp_path_factory.mktemp("clips") / "person.mp4"
    return write_clip(
        path,
        frames=len(person_pictures),
        size=SIZE,
        rate=12,
        draw=lambda w, h, i: person_pictures[i],
        audio="aac",
    )


@pytest.fixture(scope="session")
def empty_room_clip(tmp_path_factory):
    """A flat grey wall: nobody there."""
    path = tmp_path_factory.mktemp("clips") / "room.mp4"
    return write_clip(path, frames=6, size=SIZE, draw=lambda w, h, i: np.full((h, w, 3), 120, np.uint8))


@pytest.fixture
def run(capsys):
    """Run the command line; returns (exit code, stdout, stderr)."""

    def call(*argv):
        code = main([str(a) for a in argv])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err + captured.out
        return code, captured.out, captured.err

    return call


@pytest.fixture
def run_json(run):
    """Run with --json; returns (exit code, the object printed)."""

    def call(*argv):
        code, out, _ = run(*argv, "--json")
        lines = out.strip().splitlines()
        assert len(lines) == 1, out
        return code, json.loads(lines[0])

    return call


@pytest.fixture
def display():
    """A private X server, at twice the size of a 1280 x 720 screen."""
    with virtual_screen((2560, 1440)) as name:
        yield name
