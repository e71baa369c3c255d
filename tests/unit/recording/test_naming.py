import pytest

from app.pipeline.recording.naming import free_names, kept_parts

NAMES = ("talk (2).mp4", "talk (2) original.mp4", "talk (2) matte.mp4")


def touched(folder, *names):
    for name in names:
        (folder / name).write_bytes(b"x")
    return [folder / name for name in names]


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_recordings_parts_are_found_by_any_of_its_files(tmp_path, which):
    files = touched(tmp_path, *NAMES)
    assert kept_parts(files[which]) == (files[1], files[2])


@pytest.mark.parametrize("missing", [1, 2])
def test_one_part_alone_is_an_ordinary_video(tmp_path, missing):
    files = touched(tmp_path, *(name for name in NAMES if name != NAMES[missing]))
    assert kept_parts(files[0]) is None


def test_the_names_are_those_a_recording_takes(tmp_path):
    main, original, matte = free_names(tmp_path / "talk.mkv", ("original", "matte"))
    touched(tmp_path, main.name, original.name, matte.name)
    assert kept_parts(main) == (original, matte)
