from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.domain.errors import ExitCode
from app.pipeline.video_reader import VideoReader

PROJECT = Path(__file__).parents[3]


def run_child(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


FILL = """
    import sys
    from fractions import Fraction
    from pathlib import Path
    import numpy as np
    from app.domain.errors import UserError
    from app.domain.frame import Frame
    from app.pipeline.encode_settings import EncodeSettings
    from app.pipeline.video_writer import VideoWriter

    if len(sys.argv) > 2:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
    rng = np.random.default_rng(0)
    target = VideoWriter(
        Path(sys.argv[1]), width=128, height=96, time_base=Fraction(1, 25), average_rate=None,
        settings=EncodeSettings(preset="ultrafast"),
    )
    try:
        for index in range(400):
            target.append(Frame(rng.integers(0, 256, (96, 128, 3), np.uint8), index, Fraction(1, 25), index))
        target.close()
    except UserError as error:
        target.close()  # the failure is remembered: closing again must not publish the stump
        print(int(error.code), error)
"""


def assert_says_disk_full(result: subprocess.CompletedProcess[str], path: Path) -> None:
    assert result.stderr == ""
    assert result.stdout.startswith(f"{int(ExitCode.OUTPUT)} The disk is full: “{path.name}”")
    assert "unchanged" in result.stdout
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: a limit on file sizes")
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_output_over_the_allowed_file_size(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    path.write_bytes(b"old")
    assert_says_disk_full(run_child(FILL, path, 200_000), path)


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 1 MB, where this user may mount one."""
    folder = Path(tempfile.mkdtemp())
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        folder.rmdir()
        pytest.skip("mounting a small tmpfs needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
    folder.rmdir()


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_full_disk(small_disk: Path, suffix: str) -> None:
    path = small_disk / f"out{suffix}"
    path.write_bytes(b"old")
    assert_says_disk_full(run_child(FILL, path), path)


def test_a_killed_render_leaves_no_file_under_the_name_and_a_part_that_plays(tmp_path: Path) -> None:
    code = """
        import sys, time
        from fractions import Fraction
        from pathlib import Path
        import numpy as np
        from app.domain.frame import Frame
        from app.pipeline.video_writer import VideoWriter

        target = VideoWriter(
            Path(sys.argv[1]), width=64, height=48, time_base=Fraction(1, 25), average_rate=Fraction(25)
        )
        still = np.full((48, 64, 3), 90, np.uint8)
        for index in range(300):
            target.append(Frame(still, index, Fraction(1, 25), index))
        print("written", flush=True)
        time.sleep(60)
    """
    path = tmp_path / "out.mp4"
    command = [sys.executable, "-c", textwrap.dedent(code), str(path)]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "written\n"
        child.send_signal(signal.SIGKILL)
    assert [p.name for p in tmp_path.iterdir()] == ["out.part.mp4"]
    with VideoReader(tmp_path / "out.part.mp4") as reader:
        saved = len(list(reader))
    assert saved >= 200, "12 s were encoded; the encoder's look-ahead and one fragment may be missing"
